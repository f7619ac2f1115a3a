"""Metrics of many resamples of users at once.

A bootstrap over users gives user u the multiplicity w[b, u] in replicate b. Most
metrics are ratios of sums over users, so all replicates together are two matrix
products; the AUC over all pairs is a weighted one. Rows are sorted once.

Sizes: n pairs, U users, R replicates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from ..metrics._gauc import user_aucs
from ..metrics._grouped import TieBlocks, tie_blocks
from ..metrics._inputs import BoolArray, IntArray
from ..metrics._mrr import user_reciprocal_ranks
from ..metrics._ndcg import expected_ndcg
from ..metrics._recall import expected_recall

Floats = NDArray[np.float64]

_BLOCK_VALUES = 2_000_000  # of (replicates, pairs) at a time
_LOSSES = {"brier", "deviance", "ece", "error", "loss", "mae", "mse", "rmse"}
_NEGATED = {"minus", "neg", "negated", "negative"}


@dataclass(frozen=True)
class Resampled:
    """A metric of rows: multiplicities (R, U) -> values (R,), NaN where undefined.

    ``counts`` (U,) says which users the metric is of; the others change no value.
    """

    values: Callable[[IntArray], Floats]
    counts: BoolArray

    def __call__(self, multiplicity: IntArray) -> Floats:
        return self.values(multiplicity)


Builder = Callable[[BoolArray, Floats, IntArray, int], Resampled]


@dataclass(frozen=True)
class Metric:
    """A metric by name; ``build(positive, score, codes, n_users)`` prepares rows.

    A metric that ``ranks`` is undefined where there is one class only.
    """

    name: str
    build: Builder
    greater_is_better: bool = True
    needs_proba: bool = False
    ranks: bool = True

    def value(self, positive: BoolArray, score: Floats, codes: IntArray) -> float:
        """Return the metric of the rows as they are, NaN if it is undefined."""
        n_users = int(codes.max()) + 1
        once = np.ones((1, n_users), dtype=np.int64)
        return float(self.build(positive, score, codes, n_users)(once)[0])


def get_metric(metric: Any) -> Metric:
    """Return the metric for a name, or around a function (y, score, users)."""
    if callable(metric):
        name = getattr(metric, "__name__", repr(metric))
        return Metric(name, _of_rows(metric), ranks=False)
    if isinstance(metric, str):
        at_k = re.fullmatch(r"(ndcg|recall)@([1-9]\d*)", metric)
        if at_k:
            return Metric(metric, _at_k(at_k[1], int(at_k[2])))
        if metric in METRICS:
            return METRICS[metric]
    raise ValueError(
        f"metric must be one of {sorted(METRICS)}, 'ndcg@k' or 'recall@k' with a "
        f"number for k, or a function (y, score, users) -> float; got {metric!r}."
    )


def refuse_losses(metrics: Iterable[Metric]) -> None:
    """Raise for a function that is called a loss: of functions, more is better."""
    for metric in metrics:
        words = set(re.split(r"[^a-z]+", metric.name.lower()))
        if metric.greater_is_better and words & _LOSSES and not words & _NEGATED:
            raise ValueError(
                f"The metric {metric.name!r} sounds like a loss, but of a function "
                "more is taken to be better: the worst method would come first. Return "
                f"the negative, and call the function 'neg_{metric.name}'."
            )


def ratio_of_sums(numerator: Floats, denominator: Floats) -> Resampled:
    """Return the resampled ratio of two sums over users, each of (U,) terms."""

    def resampled(multiplicity: IntArray) -> Floats:
        total = multiplicity @ denominator
        with np.errstate(invalid="ignore"):
            return np.where(total > 0, multiplicity @ numerator, np.nan) / total

    return Resampled(resampled, denominator > 0)


def _mean_of_rows(loss: Callable[[BoolArray, Floats], Floats]) -> Builder:
    def build(
        positive: BoolArray, score: Floats, codes: IntArray, n_users: int
    ) -> Resampled:
        total = np.bincount(codes, loss(positive, score), minlength=n_users)
        n_pairs = np.bincount(codes, minlength=n_users).astype(np.float64)
        return ratio_of_sums(total.astype(np.float64), n_pairs)

    return build


def _mean_of_users(
    value: Callable[[TieBlocks], Any], *, weighted: bool = False
) -> Builder:
    """Average over the users who have both classes; others have no value."""

    def build(
        positive: BoolArray, score: Floats, codes: IntArray, n_users: int
    ) -> Resampled:
        n_pairs = np.bincount(codes, minlength=n_users)
        n_positive = np.bincount(codes[positive], minlength=n_users)
        keep = ((n_positive > 0) & (n_positive < n_pairs))[codes]
        blocks = tie_blocks(positive[keep], score[keep], codes[keep])
        weight, total = np.zeros(n_users), np.zeros(n_users)
        if keep.any():
            weight[blocks.user] = blocks.n_pairs if weighted else 1.0
            total[blocks.user] = value(blocks) * weight[blocks.user]
        return ratio_of_sums(total, weight)

    return build


def _at_k(name: str, k: int) -> Builder:
    expected: Any = expected_ndcg if name == "ndcg" else expected_recall
    return _mean_of_users(lambda blocks: expected(blocks, blocks.n_positive, k))


def _pooled_auc(
    positive: BoolArray, score: Floats, codes: IntArray, n_users: int
) -> Resampled:
    """AUC over all pairs, where a pair of users counts w[u] w[v] times."""
    negatives = np.flatnonzero(~positive)
    negatives = negatives[np.argsort(score[negatives], kind="stable")]
    positives = np.flatnonzero(positive)
    positives = positives[np.argsort(score[positives], kind="stable")]
    below = np.searchsorted(score[negatives], score[positives], side="left")
    up_to = np.searchsorted(score[negatives], score[positives], side="right")
    of_negative, of_positive = codes[negatives], codes[positives]
    step = max(1, _BLOCK_VALUES // max(len(codes), 1))

    def of_block(multiplicity: IntArray) -> Floats:
        shape = (len(multiplicity), len(of_negative) + 1)
        earlier = np.zeros(shape, dtype=np.int64)
        np.cumsum(multiplicity[:, of_negative], axis=1, out=earlier[:, 1:])
        weight = multiplicity[:, of_positive].astype(float)
        doubled_wins = earlier[:, below] + earlier[:, up_to]  # a tie is one of two
        pairs = weight.sum(axis=1) * earlier[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.einsum("rp,rp->r", weight, doubled_wins) / (2 * pairs)

    def resampled(multiplicity: IntArray) -> Floats:
        starts = range(0, len(multiplicity), step)
        return np.concatenate([of_block(multiplicity[s : s + step]) for s in starts])

    return Resampled(resampled, np.bincount(codes, minlength=n_users) > 0)


def _of_rows(function: Callable[..., float]) -> Builder:
    """Resample the rows themselves, for any function of them; slower."""

    def build(
        positive: BoolArray, score: Floats, codes: IntArray, n_users: int
    ) -> Resampled:
        order = np.argsort(codes, kind="stable")
        y, score = positive[order].astype(int), score[order]
        n_rows = np.bincount(codes, minlength=n_users)
        start = np.cumsum(n_rows) - n_rows

        def one(multiplicity: IntArray) -> float:
            drawn = np.repeat(np.arange(n_users), multiplicity)
            users = np.repeat(np.arange(len(drawn)), n_rows[drawn])  # each its own id
            first = np.cumsum(n_rows[drawn]) - n_rows[drawn]
            rows = np.arange(len(users)) + (start[drawn] - first)[users]
            try:
                return function(y[rows], score[rows], users)
            except ValueError:  # as gauc_score, where no user drawn has both classes
                if (multiplicity == 1).all():
                    raise
                return np.nan

        def resampled(multiplicity: IntArray) -> Floats:
            return np.array([one(m) for m in multiplicity], float)

        return Resampled(resampled, n_rows > 0)

    return build


def _log_loss(positive: BoolArray, proba: Floats) -> Floats:
    eps = np.finfo(np.float64).eps  # as in scikit-learn's log_loss
    proba = np.clip(proba, eps, 1 - eps)
    return -xlogy(positive, proba) - xlogy(~positive, 1 - proba)


def _squared_error(positive: BoolArray, proba: Floats) -> Floats:
    return np.square(proba - positive)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", _pooled_auc),
        Metric("gauc", _mean_of_users(user_aucs)),
        Metric("weighted_gauc", _mean_of_users(user_aucs, weighted=True)),
        Metric("mrr", _mean_of_users(user_reciprocal_ranks)),
        Metric("log_loss", _mean_of_rows(_log_loss), False, True, False),
        Metric("brier", _mean_of_rows(_squared_error), False, True, False),
    )
}
