"""Precisions of the blocks by marginal likelihood (MacKay, Neural Computation 1992).

At the mode of the penalised loss, with H = JᵀwJ + Λ its Hessian (J the derivative of
the logits, w = p(1 - p)), the labels have determined

    γ_b = tr_b(H⁻¹ JᵀwJ)

of the parameters of block b, and λ_b = γ_b / ‖θ_b‖² maximises the approximate evidence.
The trace is estimated with one probe: for r with E[r rᵀ] = JᵀwJ, it is the expectation
of rᵀH⁻¹r restricted to the block. H⁻¹r comes from conjugate gradients over all blocks
jointly; a diagonal H would take correlated parameters for independent ones and shrink
far too much. p and q enter the logit as a product, are not part of H, and keep theirs.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit

from ._bilinear import PRECISIONS, Bilinear
from ._design import Blocks, Design
from ._logits import logits_of

_PSEUDO_COUNT = 0.2  # of a weak prior on each precision, at its starting value
_LARGEST_FACTOR = 4.0  # a precision changes by no more than this at once
_RANGE = (0.01, 1e4)


@torch.no_grad()
def update_precisions(
    model: Bilinear,
    user: np.ndarray,
    item: np.ndarray,
    weight: np.ndarray,
    precisions: dict[str, float],
    rng: np.random.Generator,
) -> None:
    """Move `precisions`, in place, towards the maximum of the evidence.

    Parameters
    ----------
    model : Bilinear
        Near the mode for the present precisions.
    user, item, weight : ndarray of shape (n,)
        Labelled pairs and their weights.
    """
    design = Design(model, user, item)
    p = expit(logits_of(model, user, item))
    w = (weight * p * (1.0 - p)).astype(np.float32)
    sign = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), len(w))
    r = design.transposed_times(np.sqrt(w) * sign)
    solution = conjugate_gradients(design, w, precisions, r)
    for name in design.names:
        start = PRECISIONS[name]
        determined = max(float((solution[name] * r[name]).sum()), 0.0)
        squares = float(model.block(name).square().sum())
        new = (determined + 2 * _PSEUDO_COUNT) / (squares + 2 * _PSEUDO_COUNT / start)
        old = precisions[name]
        factor = np.clip(new / old, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
        precisions[name] = float(np.clip(old * factor, *_RANGE))


def conjugate_gradients(
    design: Design,
    w: np.ndarray,
    precisions: dict[str, float],
    r: Blocks,
    *,
    n_steps: int = 6,
    tolerance: float = 1e-4,
) -> Blocks:
    """Solve (JᵀwJ + Λ) v = r, preconditioned by the diagonal."""

    def hessian_times(v: Blocks) -> Blocks:
        curved = design.transposed_times(w * design.times(v))
        return {k: curved[k] + precisions[k] * v[k] for k in v}

    diagonal = design.squared_times(w)
    scale = {k: diagonal[k] + precisions[k] for k in r}
    v = {k: np.zeros_like(x) for k, x in r.items()}
    residual = {k: x.copy() for k, x in r.items()}
    direction = {k: residual[k] / scale[k] for k in r}
    size = first = _dot(residual, direction)
    for _ in range(n_steps):
        if size <= tolerance * first or size == 0.0:
            break
        H = hessian_times(direction)
        step = size / _dot(direction, H)
        for k in v:
            v[k] += step * direction[k]
            residual[k] -= step * H[k]
        scaled = {k: residual[k] / scale[k] for k in r}
        size, before = _dot(residual, scaled), size
        direction = {k: scaled[k] + size / before * direction[k] for k in r}
    return v


def _dot(x: Blocks, y: Blocks) -> float:
    return sum(float((x[k] * y[k]).sum()) for k in x)
