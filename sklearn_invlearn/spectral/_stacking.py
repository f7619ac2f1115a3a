"""Weights for several models' logits, from labels that none of them has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

# On the sum of losses. A model's weight is worth a few labels, about what the prior of
# one parameter is; a term's departure from it ought to show in some dozens, else terms
# that say nothing get weights that fit the noise (.003 of AUC with 5,000 labels).
_RIDGE, _RIDGE_OF_TERMS = 5.0, 30.0


def cross_entropies(logit: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Summed losses of the columns of `logit` (n, k), shape (k,)."""
    z = logit.T
    return (weight * (np.logaddexp(0.0, z) - y * z)).sum(axis=1)


def stacking_weights(
    logit: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    *,
    n_terms: Sequence[int] | None = None,
) -> tuple[float, np.ndarray]:
    """Intercept and non-negative weights of the models (Wolpert 1992; Breiman 1996).

    Minimises the cross entropy of the weighted sum, with a ridge towards the best
    single model as it is; then, where models are split, with a stronger one towards
    every column having its model's weight.

    Parameters
    ----------
    logit : ndarray of shape (n, n_columns)
        Logits of rows that were held out of the fit, a column for each model.
    y, weight : ndarray of shape (n,)
        Their labels and weights.
    n_terms : sequence of int, optional
        Into how many columns each model is split, whose sum is its logit; every column
        gets a weight. None for one each.

    Returns
    -------
    intercept : float
    weights : ndarray of shape (n_columns,)
    """
    sizes = np.ones(logit.shape[1], dtype=int) if n_terms is None else n_terms
    model = np.repeat(np.arange(len(sizes)), sizes)
    whole = logit @ (model[:, None] == np.arange(len(sizes)))
    best = int(np.argmin(cross_entropies(whole, y, weight)))
    start = np.r_[0.0, np.arange(len(sizes)) == best]
    found = _fit_towards(start, whole, y, weight, _RIDGE)
    if len(model) > len(sizes):
        start = np.r_[found[0], found[1:][model]]
        found = _fit_towards(start, logit, y, weight, _RIDGE_OF_TERMS)
    return float(found[0]), found[1:]


def _fit_towards(
    start: np.ndarray,
    logit: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    ridge: float,
) -> np.ndarray:
    """Intercept and weights (1 + n_columns,), the weights at least 0."""

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = w[0] + logit @ w[1:]
        residual = weight * (expit(z) - y)
        away = w - start
        loss = float((weight * (np.logaddexp(0.0, z) - y * z)).sum())
        value = loss + 0.5 * ridge * (away**2).sum()
        return value, np.r_[residual.sum(), logit.T @ residual] + ridge * away

    bounds = [(None, None)] + [(0.0, None)] * logit.shape[1]
    return minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
