"""How much of a pool becomes positive, for whom, and against which prior."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_params

from .._intervals import Interval
from ..fitting._inputs import check_band
from ..ids._columns import id_columns
from ..ids._encoding import IdIndex
from ..metrics._by_group import groups_of_counts

_SUMS = ("positive", "abstained", "proba", "w1")
_GROUP = [
    ("fewest", np.int64), ("most", np.int64), ("n_ids", np.int64),
    ("n_pairs", np.int64), *((f"{name}_share", float) for name in _SUMS[:2]),
    *((f"mean_{name}", float) for name in _SUMS[2:]),
]  # fmt: skip
_HEADER = f" {'ids':>9} {'pairs':>10} {'positive':>9} {'no label':>9} {'mean w1':>8}"


@dataclass(frozen=True)
class AnnotationReport:
    """What annotations say about a pool; made by `annotation_report`.

    Attributes
    ----------
    n_pairs, n_positive, n_negative, n_abstained : int
        Pairs of the pool, by their label.

    base_rate : float
        Share of positives among the labelled pairs of `fit`, weighted.

    mean_proba, mean_w1 : float
        Means over the pool of the probability of the positive class and of the weight
        w1 of the positive label.

    drift : float
        ``mean_w1 - base_rate``.

    by_user, by_item : structured ndarray
        One row per group, from the least active users (the least popular items):
        ``fewest`` and ``most`` rows (or labels) of one id, ``n_ids``, ``n_pairs``,
        ``positive_share``, ``abstained_share``, ``mean_proba``, ``mean_w1``.
        ``pandas.DataFrame(report.by_user)`` prints well.

    count : {"pool", "labels"}
        What was counted.
    """

    n_pairs: int
    n_positive: int
    n_negative: int
    n_abstained: int
    base_rate: float
    mean_proba: float
    mean_w1: float
    by_user: np.ndarray
    by_item: np.ndarray
    count: str

    @property
    def drift(self) -> float:
        return self.mean_w1 - self.base_rate

    def __str__(self) -> str:
        lines = [
            f"{self.n_pairs:,} pairs: {self.n_positive / self.n_pairs:.1%} positive, "
            f"{self.n_negative / self.n_pairs:.1%} negative, "
            f"{self.n_abstained / self.n_pairs:.1%} without a label",
            f"share of positives: {self.base_rate:.3f} of the labelled pairs; mean "
            f"probability {self.mean_proba:.3f}, mean weight w1 {self.mean_w1:.3f}",
        ]
        for what, table in (("user", self.by_user), ("item", self.by_item)):
            unit = "rows" if self.count == "pool" else "labels"
            lines += ["", f"{unit + ' per ' + what:>16}" + _HEADER]
            for row in table:
                span = f"{row['fewest']:,} to {row['most']:,}"
                lines.append(
                    f"{span:>16} {row['n_ids']:>9,} {row['n_pairs']:>10,} "
                    f"{row['positive_share']:>9.1%} {row['abstained_share']:>9.1%} "
                    f"{row['mean_w1']:>8.3f}"
                )
        return "\n".join(lines)


@validate_params(
    {
        "estimator": [HasMethods(["annotate", "predict_proba", "seen_items"])],
        "X": "no_validation",
        "abstain": "no_validation",
        "n_groups": [Interval(Integral, 1, None, closed="left")],
        "count": [StrOptions({"pool", "labels"})],
        "max_drift": [Interval(Real, 0, 1, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def annotation_report(
    estimator: Any,
    X: Any,
    *,
    abstain: tuple[float, float] | None = None,
    n_groups: int = 4,
    count: str = "pool",
    max_drift: float = 0.1,
) -> AnnotationReport:
    """Report how much of a pool a fitted recommender makes positive, and for whom.

    Warns where the annotations drift away from the labels: where the mean of w1 over
    the pool differs from the share of positives among the labelled pairs by more
    than `max_drift`. Two things make them differ:

    - ``mean_proba - base_rate``. For calibrated probabilities and a pool like the
      labelled pairs this is zero on average. If it is not, the pool is different
      (users rate what they like: then a difference is right), or the model is not
      calibrated.
    - ``mean_w1 - mean_proba``. The dual loss sharpens: w1 lies beyond the
      probability, seen from one half, so the commoner class gains, and gains again
      in every epoch that learns from w1.

    Parameters
    ----------
    estimator : recommender
        Fitted.

    X : array-like, DataFrame or list of rows of shape (n, n_columns)
        Pairs, with the columns of `fit`; usually the pool.

    abstain : (low, high), default=None
        Pairs with ``low < proba < high`` count as without a label.

    n_groups : int, default=4
        Groups of users and of items, of about the same number of rows each; ids
        with the same number stay together.

    count : {"pool", "labels"}, default="pool"
        What makes a user active and an item popular: rows of `X`, or items (users)
        with feedback in `fit`.

    max_drift : float, default=0.1
        Largest difference of the two shares without a warning.

    Returns
    -------
    report : AnnotationReport
        Print it for a table.

    Raises
    ------
    ValueError
        As ``annotate``.

    Warns
    -----
    UserWarning
        If the annotations drift, or `fit` has seen none of the users and items.

    See Also
    --------
    AnnotationDisplay : The distribution of w1.

    Examples
    --------
    >>> from sklearn_invlearn import CrossEntropyRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> from sklearn_invlearn.inspection import annotation_report
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = CrossEntropyRecommender(backbone="gmf", gamma=0.05, random_state=0)
    >>> est = est.fit(data.X, data.y)
    >>> report = annotation_report(est, data.X_unlab, n_groups=2, max_drift=0.5)
    >>> report.n_positive + report.n_negative == report.n_pairs
    True
    >>> len(report.by_user)
    2
    """
    w1 = estimator.annotate(X)
    proba = estimator.predict_proba(X)[:, 1]
    low, high = check_band(abstain)
    abstained = (low < proba) & (proba < high)
    positive = (proba > 0.5) & ~abstained
    base_rate = float(estimator.class_count_[1] / estimator.class_count_.sum())
    values = dict(zip(_SUMS, (positive, abstained, proba, w1)))
    labels = (None, None) if count == "pool" else _label_counts(estimator)
    by_user, by_item = (
        _by_group(column, labels_of, values, n_groups)
        for column, labels_of in zip(id_columns(X), labels)
    )
    report = AnnotationReport(
        n_pairs=len(w1),
        n_positive=int(positive.sum()),
        n_negative=int((~positive & ~abstained).sum()),
        n_abstained=int(abstained.sum()),
        base_rate=base_rate,
        mean_proba=float(proba.mean()),
        mean_w1=float(w1.mean()),
        by_user=by_user,
        by_item=by_item,
        count=count,
    )
    if _nobody_known(estimator, X):
        warnings.warn(
            "No pair has a user or an item that `fit` has seen, so all of them got the "
            "score of the average pair, and the report says nothing. The usual cause "
            "is ids of another type, such as '7' and 7, or encoded on one side only.",
            UserWarning,
            stacklevel=3,
        )
    else:
        _warn_of_drift(report, max_drift)
    return report


def _nobody_known(estimator: Any, X: Any) -> bool:
    known = (estimator.user_ids_, estimator.item_ids_)
    for column, ids in zip(id_columns(X), known):
        index = IdIndex()
        index.extend(ids)
        if index.lookup(column).any():
            return False
    return True


LabelCounts = tuple[IdIndex, np.ndarray]


def _label_counts(estimator: Any) -> tuple[LabelCounts, LabelCounts]:
    """Known users and items, and the feedback of each in `fit`; 0 for unknown ones."""
    seen = estimator.seen_items(estimator.user_ids_)
    sides = []
    for ids, axis in ((estimator.user_ids_, 1), (estimator.item_ids_, 0)):
        index = IdIndex()
        index.extend(ids)
        sides.append((index, np.concatenate([[0], seen.sum(axis=axis)])))
    return sides[0], sides[1]


def _by_group(
    column: np.ndarray,
    labels: LabelCounts | None,
    values: dict[str, np.ndarray],
    n_groups: int,
) -> np.ndarray:
    """Means of `values` by group of the ids in `column` (n,)."""
    index = IdIndex()
    code = index.extend(column) - 1
    counts = np.bincount(code)
    if labels is not None:
        known, n_labels = labels
        counts = n_labels[known.lookup(index.ids)]
    group_of_id = groups_of_counts(counts, n_groups, "interactions")
    group = group_of_id[code]
    table = np.empty(group_of_id.max() + 1, dtype=_GROUP)
    for g in range(len(table)):
        own = counts[group_of_id == g]
        table["fewest"][g], table["most"][g] = own.min(), own.max()
    table["n_ids"] = np.bincount(group_of_id)
    table["n_pairs"] = np.bincount(group)
    for name, field in zip(_SUMS, _GROUP[4:]):
        sums = np.bincount(group, weights=values[name])
        table[field[0]] = sums / table["n_pairs"]
    return table


def _warn_of_drift(report: AnnotationReport, max_drift: float) -> None:
    if abs(report.drift) <= max_drift:
        return
    selection = report.mean_proba - report.base_rate
    sharpening = report.mean_w1 - report.mean_proba
    warnings.warn(
        f"The annotations drift from the labels: the mean weight w1 of the positive "
        f"label is {report.mean_w1:.3f} over these pairs, the share of positives among "
        f"the labelled ones {report.base_rate:.3f}. Of the difference, "
        f"{selection:+.3f} is between the mean probability and the labels (another "
        "kind of pairs, or probabilities that are not calibrated), and "
        f"{sharpening:+.3f} is the sharpening of the dual loss. If the pool should "
        "be like the labelled pairs, calibrate, or learn with a smaller alpha; if "
        "not, raise max_drift.",
        UserWarning,
        stacklevel=4,
    )
