"""Fit a bilinear model to labels: Adam on a penalised loss, precisions on the way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from .._scheduled_adam import ScheduledAdam
from ._bilinear import PRECISIONS, Bilinear
from ._evidence import update_precisions
from ._gradient import FlatBlocks
from ._labels import Labels
from ._residual_factors import start_factors

_N_WARM_UP = 30
# Shares of the run at which the precisions are updated; each update costs about as
# much as passing over the rows a dozen times. Seven do no better than four.
_UPDATES = (0.2, 0.35, 0.5, 0.65)
_START_OF_FACTORS = 0.2


def fit_bilinear(
    model: Bilinear,
    labels: Labels,
    precisions: dict[str, float] | None,
    *,
    factors: float | None = None,
    n_steps: int,
    seed: int,
) -> dict[str, float]:
    """Train `model` in place on mean CE + Σ λ_b ‖θ_b‖² / 2n; return the precisions.

    Parameters
    ----------
    model : Bilinear
        Of the structure "full", or "factors" with precisions.
    labels : Labels
        Labelled pairs in its codes.
    precisions : dict or None
        Precision of each block; None learns them, from PRECISIONS.
    factors : float, optional
        Precision of p and q where those of the others are learned; None for the usual
        one, or a weaker one if the residuals have structure.
    n_steps : int
        Steps of Adam, with warm-up and a cosine schedule.
    seed : int
        Of the order of the rows, and of what is drawn for precisions and noise.
    """
    updates: set[int] = set()
    start_of_factors = int(n_steps * _START_OF_FACTORS)
    if precisions is None:
        usual = PRECISIONS | ({} if factors is None else dict.fromkeys("pq", factors))
        precisions = {k: usual[k] for k in model.blocks}
        updates = {int(n_steps * share) for share in _UPDATES}
    rng = np.random.default_rng(seed)
    flat = FlatBlocks(model)
    flat.vector.grad = flat.gradient
    optimizer = ScheduledAdam([flat.vector], n_steps=n_steps, n_warm_up=_N_WARM_UP)
    batches = _batches(labels, seed)
    for step in range(n_steps):
        if step in updates:
            update_precisions(
                model, labels.user, labels.item, labels.weight, precisions, rng
            )
        if step == start_of_factors:
            weaker = start_factors(model, labels, precisions["p"], rng)
            if factors is None and updates:
                precisions |= dict.fromkeys("pq", weaker)
        flat.slopes["mu"].fill(0)  # the prior has none on μ
        for name in model.blocks:
            decay = np.float32(precisions[name] / len(labels))
            np.multiply(flat.values[name], decay, out=flat.slopes[name])
        flat.add_loss_gradient(next(batches))
        optimizer.step()
    return precisions


def penalty(model: Bilinear, precisions: dict[str, float]) -> torch.Tensor:
    """½ Σ λ_b ‖θ_b - its mean‖², shape ()."""
    squares = [precisions[k] * model.departure(k).square().sum() for k in model.blocks]
    return 0.5 * torch.stack(squares).sum()


def _batches(labels: Labels, seed: int) -> Iterator[Labels]:
    """Endless batches of a sixtieth of the rows, at least 1,024."""
    n = len(labels)
    size = min(n, max(1024, n // 60))
    generator = torch.Generator().manual_seed(seed)
    while True:
        shuffled = labels
        if size < n:
            shuffled = labels[torch.randperm(n, generator=generator).numpy()]
        for start in range(0, n - size + 1, size):
            yield shuffled[slice(start, start + size)]
