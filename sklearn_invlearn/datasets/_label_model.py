"""Who likes what, what is recorded of it, and which exposures get a label."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

# "popular" and "active" label pairs of the top fifth, the usual short head.
_HEAD_SHARE = 0.2


def calibrate_intercept(score: np.ndarray, positive_rate: float) -> float:
    """Return b with ``mean(expit(b + score)) == positive_rate``."""

    def excess(intercept: float) -> float:
        return float(expit(intercept + score).mean()) - positive_rate

    # At -max every row is at most, at -min at least, the wanted rate; the margin
    # of 1 keeps the signs apart where all scores are equal.
    centre = float(logit(positive_rate))
    low, high = centre - score.max() - 1.0, centre - score.min() + 1.0
    return float(brentq(excess, low, high, xtol=1e-10))


def flip_labels(
    rng: np.random.Generator,
    y: np.ndarray,
    false_positive_rate: float,
    false_negative_rate: float,
) -> np.ndarray:
    """Record a true 0 as 1, and a true 1 as 0, with the given probabilities."""
    chance = np.where(y == 1, false_negative_rate, false_positive_rate)
    return np.where(rng.random(len(y)) < chance, 1 - y, y)


def select_labelled(
    pairs: np.ndarray,
    observed: np.ndarray,
    n_labelled: int,
    selection: str,
) -> np.ndarray:
    """Return a boolean mask of the rows of ``pairs`` that get their label.

    The rows, in random order already, are taken from the first on.
    """
    order = np.arange(len(pairs))
    if selection != "random":
        column = 1 if selection == "popular" else 0
        in_head = _head(pairs[:, column], n_labelled)
        order = np.concatenate([order[in_head], order[~in_head]])
    chosen = order[:n_labelled]
    if n_labelled > 1 and len(np.unique(observed[chosen])) == 1:
        # A classifier needs both classes: the first row in line that has the other
        # one takes the last place.
        other = order[observed[order] != observed[chosen[0]]]
        if len(other):
            chosen = np.append(chosen[:-1], other[0])
    labelled = np.zeros(len(pairs), dtype=bool)
    labelled[chosen] = True
    return labelled


def _head(ids: np.ndarray, n_rows: int) -> np.ndarray:
    """Mark the rows of the most frequent fifth of the ids, or more to fill n_rows."""
    _, code, counts = np.unique(ids, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    enough = int(np.searchsorted(np.cumsum(counts[order]), n_rows)) + 1
    head = order[: max(enough, round(_HEAD_SHARE * len(counts)))]
    return np.isin(code, head)
