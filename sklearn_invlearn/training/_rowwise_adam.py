"""Adam that updates, of a table, only the rows that a batch has touched.

Dense Adam passes over all rows of all tables at every step, whatever the size of the
batch. Here a table's moments and values change where its gradient has rows, and
nowhere else ("lazy" Adam). Parameters with dense gradients get ordinary Adam.

What differs from dense Adam: a row that a batch does not touch keeps its moments (dense
Adam decays them) and its values (dense Adam goes on moving it by the momentum
of earlier batches). The bias correction counts the steps of the optimiser, not those
of the row. Where every step touches every row, the two are the same, and so is the
first step of all rows it touches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam

from ._row_gradients import SumsByRow


class RowwiseAdam(Optimizer):
    """Adam (Kingma & Ba, ICLR 2015), row by row for sparse gradients.

    The state of a parameter has the names and shapes of `torch.optim.Adam`: ``step``,
    ``exp_avg``, ``exp_avg_sq``. Row 0 of a table, that of unknown ids, never moves.

    Parameters
    ----------
    params : iterable of parameters or of groups
        What to optimise.
    lr : float, default=0.001
        Learning rate.
    betas : tuple of two floats, default=(0.9, 0.999)
        Decay of the moments.
    eps : float, default=1e-8
        Added to the denominator.
    weight_decay : float, default=0.0
        L2 penalty, of a table on the touched rows only.
    """

    takes_row_gradients = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        # "fused" makes load_state_dict keep `step` on the device of its parameter.
        defaults = {"lr": lr, "betas": betas, "eps": eps, "fused": True}
        super().__init__(params, defaults | {"weight_decay": weight_decay})
        self._sums_by_row = SumsByRow()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._sums_by_row = SumsByRow()  # scratch is not state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; `closure`, if any, computes the loss again."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None]
            self._step_group(
                [p for p in with_gradient if p.grad.is_sparse],
                [p for p in with_gradient if not p.grad.is_sparse],
                group,
            )
        return loss

    def _step_group(
        self, tables: list[Tensor], dense: list[Tensor], group: dict[str, Any]
    ) -> None:
        states = [self._state_of(p) for p in (*tables, *dense)]
        whole = [
            (p, state["exp_avg"], state["exp_avg_sq"])
            for p, state in zip((*tables, *dense), states)
        ]
        sparse: list[Any] = [p.grad for p in tables]
        rows = self._sums_by_row(sparse)
        # Touched rows are taken out, updated by the same kernel as dense parameters,
        # and put back. A row that comes twice is computed, and put back, twice.
        taken = [
            tuple(tensor.index_select(0, row.codes) for tensor in tensors)
            for tensors, row in zip(whole, rows)
        ]
        gradients: list[Any] = [row.values for row in rows] + [p.grad for p in dense]
        if weight_decay := group["weight_decay"]:
            for (values, *_), row in zip(taken, rows):
                row.values.add_(values * row.is_known, alpha=weight_decay)
            for k, p in enumerate(dense, start=len(tables)):
                gradients[k] = gradients[k].add(p, alpha=weight_decay)
        steps = [state["step"] for state in states]
        _adam([*taken, *whole[len(tables) :]], gradients, steps, group)
        for tensors, row, updated in zip(whole, rows, taken):
            for tensor, values in zip(tensors, updated):
                tensor.index_put_((row.codes,), values)

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state


def _adam(
    tensors: list[tuple[Tensor, ...]],
    gradients: list[Tensor],
    steps: list[Tensor],
    group: dict[str, Any],
) -> None:
    """Update (parameter, exp_avg, exp_avg_sq) in place by torch's own Adam."""
    if not tensors:
        return
    parameters, exp_avgs, exp_avg_sqs = map(list, zip(*tensors))
    fused = parameters[0].device.type in ("cpu", "cuda")
    adam(
        parameters,
        gradients,
        exp_avgs,
        exp_avg_sqs,
        [],
        steps,
        fused=fused,
        foreach=not fused,
        capturable=False,
        amsgrad=False,
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        lr=group["lr"],
        weight_decay=0.0,  # is in the gradients
        eps=group["eps"],
        maximize=False,
    )
