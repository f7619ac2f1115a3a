"""Inverse Gradient: Algorithm 1 of [IL].

An unlabeled batch proposes a step α∘g along its own dual loss. Held-out labelled
rows decide whether the model goes along it (*direct*), against it (*inverse*) or
stays (*pass*). To second order,

    L_test(θ ∓ α∘g) = L_test(θ) ∓ α⟨∇L_test, g⟩ + α²/2 · gᵀHg,

so direct wins if ⟨∇L_test, g⟩ > α/2·gᵀHg, inverse if it is < -α/2·gᵀHg, and pass
in between; the paper's Theorem 1 is the first-order version, without pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor

from ..losses import inverse_dual_slope
from ._batches import n_batches
from ._compiled_rows import CompiledRows
from ._data import TrainingData
from ._modes import same_in_training
from ._net import PairNet
from ._pairs import Pairs
from ._probe import DIRECT, DIRECTIONS, INVERSE, PASS, Probe
from ._row_gradients import SumsByRow


class InverseGradientNet(PairNet):
    """Algorithm 1; line numbers in the comments are the paper's.

    Parameters
    ----------
    alpha : float
        Size α of the probe step on unlabeled data.
    probe : {"sgd", "sign"}
        Probe step α·g (the paper) or α·sign(g) (the first step of a fresh Adam,
        which the authors' public code takes).
    n_supervised_steps : int or None
        The T of line 3; None for as many as make a pass over train(D^l) and one over
        test(D^l) end together.
    n_unlabeled_steps : int
        The T of line 7.
    """

    def __init__(
        self,
        module: Any,
        *,
        alpha: float,
        probe: str = "sgd",
        n_supervised_steps: int | None = None,
        n_unlabeled_steps: int = 1,
        **kwargs: Any,
    ) -> None:
        self.alpha = alpha
        self.probe = probe
        self.n_supervised_steps = n_supervised_steps
        self.n_unlabeled_steps = n_unlabeled_steps
        super().__init__(module, **kwargs)

    def initialize(self) -> InverseGradientNet:
        super().initialize()
        self.sums_by_row_, self.compiled_rows_ = SumsByRow(), CompiledRows()
        self.same_in_training_ = same_in_training(self.module_)
        return self

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        """Repeat lines 3-18 until train(D^l) has been passed once."""
        assert data.unlabeled is not None
        assert data.held_out is not None
        trace = []
        n_supervised_steps = self.n_supervised_steps or self.even_share(data)
        batches = self.labelled_batches(data)
        while supervised := list(islice(batches, n_supervised_steps)):
            for batch in supervised:  # lines 3-6
                yield self.supervised_step(batch)
            for _ in range(self.n_unlabeled_steps):  # lines 7-18
                held_out = next(data.held_out)
                unlabeled = data.unlabeled.draw(held_out)
                trace.append(self.inverse_gradient_step(unlabeled, held_out))
        self.record_trace(torch.stack(trace))

    def even_share(self, data: TrainingData) -> int:
        """Supervised steps per round for which both passes end together."""
        assert data.held_out is not None
        n_labelled = n_batches(len(data.labelled), self.batch_size)
        n_rounds = data.held_out.n_batches_per_pass / self.n_unlabeled_steps
        return max(1, round(n_labelled / n_rounds))

    def inverse_gradient_step(self, unlabeled: Pairs, held_out: Pairs) -> Tensor:
        """Run lines 9-18; return the three losses and the choice, shape (4,)."""
        g = self.unlabeled_gradient(unlabeled)  # line 9
        theta = self.probe_along(g)  # lines 10-11
        keep = self.same_in_training_ and theta.is_compiled
        try:
            losses = self.held_out_losses(theta, held_out, keep)  # lines 13-15
        except BaseException:  # an interrupt: leave no half-made step behind
            theta.move_to(PASS)
            raise
        if keep:
            return self.step_on_kept_pass(theta, held_out, losses)
        loss = torch.stack(losses)
        choice = choose_direction(loss)
        theta.move_to(choice)  # line 16
        self.supervised_step(held_out)  # lines 17-18
        return torch.cat([loss, choice.to(loss.dtype).reshape(1)])

    def step_on_kept_pass(
        self, theta: Probe, held_out: Pairs, losses: list[Tensor]
    ) -> Tensor:
        """Run lines 16-18 where losses are on the CPU and one forward pass can go.

        That of the supervised step: the loss at the chosen point has made it.
        """
        numbers = [loss.item() for loss in losses]
        choice = first_smallest(numbers)
        if choice != INVERSE:  # where the last loss has left the model
            theta.move_to(choice)  # line 16
        self.descend(held_out, self.penalised(losses[choice]))  # lines 17-18
        return losses[0].new_tensor([*numbers, choice])

    def unlabeled_gradient(self, unlabeled: Pairs) -> list[tuple[Tensor, Tensor]]:
        """∇L_dual(θ), for the parameters that it touches."""
        trainable = [p for p in self.parameters_of_optimizer() if p.requires_grad]
        logit = self.module_(unlabeled.user, unlabeled.item)
        slope = inverse_dual_slope(logit) / max(len(logit), 1)
        gradients = torch.autograd.grad(logit, trainable, slope, allow_unused=True)
        return [(p, g) for p, g in zip(trainable, gradients) if g is not None]

    def probe_along(self, g: list[tuple[Tensor, Tensor]]) -> Probe:
        """θ - α∘g, θ and θ + α∘g; the model stays at θ."""
        how = self.alpha, self.probe
        return Probe(g, *how, self.sums_by_row_, self.compiled_rows_)

    def held_out_losses(
        self, theta: Probe, held_out: Pairs, keep: bool
    ) -> list[Tensor]:
        """L_test at the three points, (); the model is left at the last one.

        In evaluation mode: with dropout on, three different masks would be compared.
        Where both modes do the same, they may be kept: differentiable, each as long as
        the model stands at its point.
        """
        if not keep:
            self.module_.eval()
        with torch.set_grad_enabled(keep):
            loss_pass = self.held_out_loss(held_out)
            theta.move_to(DIRECT)
            loss_direct = self.held_out_loss(held_out)
            theta.move_to(INVERSE)
            loss_inverse = self.held_out_loss(held_out)
        if not keep:
            self.module_.train()
        return [loss_direct, loss_pass, loss_inverse]

    def held_out_loss(self, held_out: Pairs) -> Tensor:
        """Criterion of held-out rows where the model stands, shape ()."""
        logit = self.module_(held_out.user, held_out.item)
        return self.criterion_(logit, held_out.y, held_out.weight)

    def record_trace(self, trace: Tensor) -> None:
        """Write an epoch's trace (n_steps, 4) to the history, a batch row per step."""
        names = [f"loss_{direction}" for direction in DIRECTIONS]
        rows = [
            dict(zip(names, losses), direction=DIRECTIONS[int(choice)])
            for *losses, choice in trace.tolist()
        ]
        self.history[-1]["batches"] += rows  # all at once: an interrupt leaves no part
        for position, direction in enumerate(DIRECTIONS):
            n_chosen = int((trace[:, 3] == position).sum())
            self.history.record(f"n_{direction}", n_chosen)


def first_smallest(losses: list[float]) -> int:
    """:func:`choose_direction` of numbers."""
    finite = [loss if isfinite(loss) else inf for loss in losses]
    smallest = min(finite)
    return finite.index(smallest) if smallest < inf else PASS


def choose_direction(loss: Tensor) -> Tensor:
    """Index () of the smallest of the three losses (3,), in the order of DIRECTIONS.

    Ties go to direct, then to pass. A loss that is not finite is never chosen; if
    none is finite the model stays where it is.
    """
    finite = torch.isfinite(loss)
    choice = torch.where(finite, loss, torch.inf).argmin()
    stay = torch.full_like(choice, PASS)
    return torch.where(finite.any(), choice, stay)
