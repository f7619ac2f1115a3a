"""Adam for fits of a given number of steps: the rate warms up, then falls to zero.

Not an optimiser of torch, of which the first one in a process loads torch's compiler:
1.4 s, more than many a fit takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam

_LEARNING_RATE = 0.03
_BETAS = 0.9, 0.99


class ScheduledAdam:
    """Adam (Kingma & Ba, ICLR 2015) with a linear warm-up and a cosine down to zero.

    Parameters
    ----------
    parameters : iterable of Tensor
        What moves, along the `grad` of each that has one.
    n_steps : int
        Steps of the whole fit.
    n_warm_up : int
        Steps until the full learning rate.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, n_steps: int, n_warm_up: int
    ) -> None:
        self.parameters = list(parameters)
        self.n_steps, self.n_warm_up = n_steps, n_warm_up
        self._t = 0
        self._moments = [[torch.zeros_like(p) for p in self.parameters] for _ in "mv"]
        # In single precision, whatever the default is: so the fused kernels read them.
        self._steps = [
            torch.zeros((), dtype=torch.float32, device=p.device)
            for p in self.parameters
        ]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        t, self._t = self._t, self._t + 1
        warm_up = min(1.0, (t + 1) / self.n_warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * min(t, self.n_steps) / self.n_steps))
        moved = [k for k, p in enumerate(self.parameters) if p.grad is not None]
        values = [self.parameters[k] for k in moved]
        first, second = ([moments[k] for k in moved] for moments in self._moments)
        adam(
            values,
            [p.grad for p in values if p.grad is not None],
            first,
            second,
            [],
            [self._steps[k] for k in moved],
            fused=all(p.device.type in ("cpu", "cuda") for p in self.parameters),
            foreach=False,
            capturable=False,
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=_LEARNING_RATE * warm_up * cosine,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
