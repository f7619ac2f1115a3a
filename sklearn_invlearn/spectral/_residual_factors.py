"""Where free factors p and q start: at structure that the other terms leave over.

From small random numbers, Adam takes a thousand steps to find a structure that is
spread over many users and items. The singular vectors of the residuals show it at once.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.special import expit

from ._bilinear import Bilinear
from ._labels import Labels
from ._logits import logits_of
from ._svd import truncated_svd

_SMALLEST_STEP = 0.1  # share of the singular value, where the prior allows no step
_PRECISION = 0.6  # of p and q where there is structure, over the level of noise
_ENOUGH = 2  # singular values above it; one may be there by chance


@torch.no_grad()
def start_factors(
    model: Bilinear, labels: Labels, precision: float, rng: np.random.Generator
) -> float:
    """Set those columns of p and q, in place, for which the residuals have structure.

    With R the residuals y - σ(z) as a matrix, s a singular value and u, v its vectors,
    the loss along a·uvᵀ has the slope λ - s at 0 and the curvature c = Σ σ'(z) u²v²
    over the labelled pairs, so a Newton step ends at a = (s - λ) / c. Singular values
    up to the first one of labels drawn from σ(z) are noise: other columns stay.

    Returns
    -------
    precision : float
        At most the one that was given: a prior stronger than the structure is would
        leave none of it, and .5 to .7 times the level of noise was best in every log
        that has any.
    """
    z = logits_of(model, labels.user, labels.item)
    positive = expit(z if labels.offset is None else z + labels.offset)
    p, q = model.block("p"), model.block("q")

    def residuals(y: np.ndarray) -> sparse.csr_array:
        values = (labels.weight * (y - positive)).astype(np.float32)
        places = (labels.user, labels.item)
        return sparse.csr_array((values, places), shape=(len(p), len(q)))

    left, s, right = truncated_svd(residuals(labels.y), p.shape[1], rng)
    drawn = rng.random(len(labels)) < positive
    noise = truncated_svd(residuals(drawn), 1, rng)[1]
    level = float(noise.max(initial=0.0))
    n = int((s > level).sum())
    left, s, right = left[:, :n], s[:n], right[:, :n]
    variance = labels.weight * positive * (1 - positive)
    curvature = variance @ (left[labels.user] ** 2 * right[labels.item] ** 2)
    size = np.maximum(s - precision, _SMALLEST_STEP * s) / np.maximum(curvature, 1e-12)
    for table, vectors in ((p, left), (q, right)):
        start = (vectors * np.sqrt(size)).astype(np.float32)
        table[:, :n] = torch.from_numpy(start)
    return min(precision, _PRECISION * level) if n >= _ENOUGH else precision
