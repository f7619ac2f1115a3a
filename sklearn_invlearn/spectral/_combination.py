"""Weights of the candidates beside each other, from labels that were held out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ._candidates import CANDIDATES, FEWEST_ROWS
from ._cross_entropy import cross_entropies
from ._labels import Labels
from ._stacking import shift_to_base_rate, stacking_weights, trust

_LUCK = 3_000  # rows up to which a gain over the biases may be luck
# On the weights of terms. A departure from the model's ought to show in dozens of
# labels, else terms that say nothing get weights that fit the noise (.003 of AUC with
# 5,000 labels). Where labels are wrong the terms do differ: some have learned them.
_RIDGE_OF_TERMS, _RIDGE_IF_WRONG = 30.0, 5.0
_LEAST_WEIGHT = 0.01  # that is worth a model to be fitted, kept and asked every time


@dataclass(frozen=True)
class Weighing:
    """Logit = intercept + Σ weight · candidate.

    Attributes
    ----------
    intercept : float
    weights : dict of str to ndarray of shape (1,) or (n_terms,)
        For each of CANDIDATES; the full one may have a weight for each of its terms.
    strengths : dict of str to float
        Of each structure but the full one that was tried.
    factors : float or None
        Precision of p and q in the full one, if it has them.
    out_of_fold : list of (ndarray of int64, ndarray of float64)
        For each fold the rows that were held out, and their logits.
    """

    intercept: float
    weights: dict[str, np.ndarray]
    strengths: dict[str, float]
    factors: float | None
    out_of_fold: list[tuple[np.ndarray, np.ndarray]]


@dataclass
class HeldOut:
    """Logits of the rows held out so far, a list of folds for each candidate."""

    rows: list[np.ndarray] = field(default_factory=list)
    full: list[np.ndarray] = field(default_factory=list)
    paths: dict[str, list[np.ndarray]] = field(default_factory=dict)


def weighed(
    seen: HeldOut,
    tried: dict[str, tuple[float, ...]],
    labels: Labels,
    factors: float | None,
) -> Weighing:
    """Best strength of every structure, and the weights beside each other.

    Of the full model each term gets a weight of its own, if there are rows enough:
    evidence leaves e shrunken too much and d too little (on a fifth of MovieLens-1M
    they want 1.3 and .7 times), which is worth .001 of AUC.

    With few rows, and as far as the gain over the biases alone may be luck, these are
    what is left: on generated data with 1,000 to 3,000 labels whose truth is biases,
    the weighted sum was up to .026 of AUC worse than logistic regression. With more
    rows a gain within its error rather means that labels are wrong, and there biases
    alone cost .02.
    """
    rows = labels[np.concatenate(seen.rows)]
    strengths, columns = {}, {}
    for structure, folds in seen.paths.items():
        path = np.vstack(folds)
        best = int(np.argmin(cross_entropies(path, rows.y, rows.weight)))
        strengths[structure] = tried[structure][best]
        columns[structure] = path[:, [best]]
    terms = np.vstack(seen.full)
    whole = terms.sum(axis=1, keepdims=True)
    columns["full"] = terms if len(labels) >= FEWEST_ROWS else whole
    ridge = _RIDGE_IF_WRONG if "crossed" in columns else _RIDGE_OF_TERMS
    intercept, found = _stacked(columns, rows, ridge)
    unseen = _cross_fitted(columns, rows, ridge)
    share = 1.0
    if len(labels) < _LUCK:
        biases = columns["biases"][:, 0]
        shift = shift_to_base_rate(biases, rows.y, rows.weight)
        biases = biases + shift
        share = trust(biases, _sum(columns, intercept, found), rows.y, rows.weight)
        unseen = share * unseen + (1 - share) * biases
        intercept = share * intercept + (1 - share) * shift
    weights = {k: share * found.get(k, np.zeros(1)) for k in CANDIDATES}
    weights["biases"] = weights["biases"] + (1 - share)
    ends = np.cumsum([len(fold) for fold in seen.rows])[:-1]
    out_of_fold = list(zip(seen.rows, np.split(unseen, ends)))
    return Weighing(intercept, weights, strengths, factors, out_of_fold)


def _cross_fitted(
    columns: dict[str, np.ndarray], rows: Labels, ridge: float
) -> np.ndarray:
    """Logits (n,), those of each third with the weights that the other rows want.

    Weights from the same rows flatter the sum: with wrong labels by more than what a
    further model could add to it.
    """
    position, logit = np.arange(len(rows)), np.zeros(len(rows))
    for k in range(3):
        part = position[k::3]
        others = np.delete(position, part)
        of_others = {name: column[others] for name, column in columns.items()}
        intercept, found = _stacked(of_others, rows[others], ridge)
        logit[part] = _sum({k: columns[k][part] for k in found}, intercept, found)
    return logit


def _sum(
    columns: dict[str, np.ndarray], intercept: float, weights: dict[str, np.ndarray]
) -> np.ndarray:
    """Logit (n,)."""
    return intercept + np.sum([columns[k] @ weights[k] for k in weights], axis=0)


def _stacked(
    columns: dict[str, np.ndarray], rows: Labels, ridge: float
) -> tuple[float, dict[str, np.ndarray]]:
    """Intercept and weights of the models, without those that have next to none."""
    n_terms = [column.shape[1] for column in columns.values()]
    intercept, weights = stacking_weights(
        np.hstack(list(columns.values())),
        rows.y,
        rows.weight,
        n_terms=n_terms,
        ridge_of_terms=ridge,
    )
    found = dict(zip(columns, np.split(weights, np.cumsum(n_terms)[:-1])))
    kept = {k: columns[k] for k in columns if found[k].max() >= _LEAST_WEIGHT}
    if len(kept) in (0, len(columns)):
        return intercept, found
    return _stacked(kept, rows, ridge)
