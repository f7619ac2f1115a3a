"""Weights for several models' logits, from labels that none of them has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit

from ._cross_entropy import cross_entropies, cross_entropy

_FLATTERY = 2.0  # nats
_RIDGE = 5.0  # on the sum of losses: about as strong as the prior of one parameter


def trust(
    simple: np.ndarray, stacked: np.ndarray, y: np.ndarray, weight: np.ndarray
) -> float:
    """How much of the way from a simple model to a better one to go, in [0, 1].

    1 - (s / g)², where g is the gain in held-out loss and s its standard error, and 0
    where that is negative: of the form of James and Stein's factor (1961). A gain that
    is not beyond its error may well be none. The weights of `stacked` come from the
    same rows, and each flatters the gain by half a nat (Akaike 1974): two are taken
    off, for an intercept and about three models.

    Parameters
    ----------
    simple, stacked : ndarray of shape (n,)
        Logits of held-out rows.
    y, weight : ndarray of shape (n,)
        Their labels and weights.
    """
    gains = weight * (cross_entropy(simple, y) - cross_entropy(stacked, y))
    gain = float(gains.sum()) - _FLATTERY
    if gain <= 0:
        return 0.0
    error = float(gains.std()) * len(gains) ** 0.5
    return max(0.0, 1.0 - (error / gain) ** 2)


def shift_to_base_rate(logit: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """What to add to the logits of held-out rows, so that they tell the base rate.

    A mode with few labels misses it on other rows: the intercept of its users and items
    is larger than that of the average one, whose bias it does not know (probabilities
    .01 to .02 too large with 50 to 300 labels, of which five sixths are positive). With
    a standard normal prior, since a fold may have one class alone.
    """

    def slope(shift: float) -> float:
        return shift + float((weight * (expit(logit + shift) - y)).sum())

    bound = 1.0 + float(weight.sum())  # no slope of the loss is larger
    return float(brentq(slope, -bound, bound))


def stacking_weights(
    logit: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    *,
    n_terms: Sequence[int] | None = None,
    ridge_of_terms: float = _RIDGE,
) -> tuple[float, np.ndarray]:
    """Intercept and non-negative weights of the models (Wolpert 1992; Breiman 1996).

    Minimises the cross entropy of the weighted sum, with a ridge towards the best
    single model as it is; then, where models are split, with one towards every column
    having its model's weight.

    Parameters
    ----------
    logit : ndarray of shape (n, n_columns)
        Logits of rows that were held out of the fit, a column for each model.
    y, weight : ndarray of shape (n,)
        Their labels and weights.
    n_terms : sequence of int, optional
        Into how many columns each model is split, whose sum is its logit; every column
        gets a weight. None for one each.
    ridge_of_terms : float
        Of the second ridge.

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
        found = _fit_towards(start, logit, y, weight, ridge_of_terms)
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
        loss = float((weight * cross_entropy(z, y)).sum())
        value = loss + 0.5 * ridge * (away**2).sum()
        return value, np.r_[residual.sum(), logit.T @ residual] + ridge * away

    bounds = [(None, None)] + [(0.0, None)] * logit.shape[1]
    return minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
