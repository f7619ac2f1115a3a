"""Exact fit of a structure without products of parameters, precisions given.

Without p and q the penalised loss is convex; L-BFGS finds its minimum in 10 to 40
passes over the rows, where a few hundred noisy steps of Adam stop short of it.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit

from ._bilinear import PRECISIONS, Bilinear
from ._cross_entropy import cross_entropy
from ._design import Blocks, Design
from ._evidence import update_precisions
from ._labels import Labels

_MAX_ITERATIONS = 100
EXACTLY = 1e-6  # relative decrease of the loss; 1e-8 changes no AUC by .0001
ROUGHLY = 1e-4  # the same, where two losses are only to be told apart
_N_UPDATES = 4


def fit_convex(
    model: Bilinear,
    labels: Labels,
    precisions: dict[str, float],
    tolerance: float = EXACTLY,
) -> None:
    """Minimise ΣCE + ½ Σ λ_b ‖θ_b‖² in place, from where `model` is.

    Half a row of either label at logit μ keeps μ finite where all labels are the same.

    Parameters
    ----------
    model : Bilinear
        Of a structure without p and q.
    labels : Labels
        Labelled pairs.
    precisions : dict
        Precision λ_b of each block.
    tolerance : float
        Relative decrease of the loss at which to stop.
    """
    design = Design(model, labels.user, labels.item)
    y, weight = labels.y.astype(np.float32), labels.weight.astype(np.float32)
    curvature = weight * np.float32(labels.base_rate * (1 - labels.base_rate))
    # In units of their own curvature all parameters are alike, frequent or rare.
    diagonal = design.squared_times(curvature)
    unit = {k: (diagonal[k] + precisions[k]) ** -0.5 for k in design.names}
    mu_unit = float(curvature.sum()) ** -0.5
    ends = np.cumsum([1] + [unit[k].size for k in design.names])

    def unpacked(x: np.ndarray) -> tuple[float, Blocks]:
        mu, *parts = np.split(x.astype(np.float32), ends)[: len(ends)]
        named = zip(design.names, parts)
        v = {k: part.reshape(unit[k].shape) * unit[k] for k, part in named}
        return float(mu[0]) * mu_unit, v

    def packed(mu: float, v: Blocks) -> np.ndarray:
        return np.concatenate([[mu], *(v[k].ravel() for k in v)]).astype(np.float64)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        mu, v = unpacked(x)
        z = design.times(v) + np.float32(mu)
        residual = weight * (expit(z) - y)
        mu_slope = residual.sum(dtype=np.float64) + expit(mu) - 0.5
        slope = design.transposed_times(residual)
        slope = {k: (slope[k] + precisions[k] * v[k]) * unit[k] for k in v}
        losses = weight * cross_entropy(z, y)
        squares = sum(precisions[k] * float((v[k] ** 2).sum()) for k in v)
        half_rows = cross_entropy(np.array(mu), 0.5)
        value = float(losses.sum(dtype=np.float64) + half_rows) + 0.5 * squares
        return value, packed(mu_slope * mu_unit, slope)

    now = {k: model.block(k).detach().numpy() / unit[k] for k in design.names}
    options = {"maxiter": _MAX_ITERATIONS, "ftol": tolerance}
    start = packed(float(model.mu.detach()) / mu_unit, now)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    mu, v = unpacked(found.x)
    with torch.no_grad():
        model.mu.fill_(mu)
        for k in v:
            model.block(k).copy_(torch.from_numpy(v[k]))


def fit_biases(
    labels: Labels, shape: tuple[int, int], precisions: dict[str, float]
) -> Bilinear:
    """Return biases of (n_users, n_items), fitted; what other models start from."""
    P, Q = (np.zeros((n, 0), dtype=np.float32) for n in shape)
    biases = Bilinear(P, Q, "biases", labels.base_rate)
    fit_convex(biases, labels, precisions)
    return biases


def learn_convex(model: Bilinear, labels: Labels, seed: int) -> dict[str, float]:
    """Fit in place as :func:`fit_convex`, and learn the precisions; return them."""
    rng = np.random.default_rng(seed)
    precisions = {k: PRECISIONS[k] for k in model.blocks}
    for _ in range(_N_UPDATES):
        fit_convex(model, labels, precisions)
        pairs = labels.user, labels.item, labels.weight
        update_precisions(model, *pairs, precisions, rng)
    fit_convex(model, labels, precisions)
    return precisions
