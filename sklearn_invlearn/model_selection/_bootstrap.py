"""How sure is a difference between two models? Ask other users."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_params

from .._intervals import Interval
from ..metrics._inputs import as_column, check_pairs, check_score
from ._resampled_metrics import Floats, IntArray, Metric, get_metric
from ._splitter import by_first_appearance

_BLOCK_COUNTS = 4_000_000  # of (replicates, users) at a time
_FEW_USERS = 15  # with 15, a p-value below .05 comes in 8 of 100 cases by chance


def percent(share: float) -> str:
    """Return a share in percent, without rounding .975 to 98 or .999 to 100."""
    return f"{100 * share:.6g}%"


@dataclass(frozen=True)
class BootstrapDifference:
    """What `paired_bootstrap` found.

    Attributes
    ----------
    metric : str
        Name of the metric.
    value_a, value_b : float
        The metric of both models on the pairs as they are.
    difference : float
        ``value_a - value_b``.
    low, high : float
        Ends of the interval of the difference.
    confidence_level : float
        Of the interval.
    p_value : float
        Two-sided, for no difference.
    n_users : int
        Users that the metric is of. In the mean over users these are the ones with
        both classes; to draw others changes nothing.
    n_undefined : int
        Replicates that were left out since the metric is undefined there.
    replicates : ndarray of shape (n_boot - n_undefined,)
        Differences of the replicates.
    """

    metric: str
    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    confidence_level: float
    p_value: float
    n_users: int
    n_undefined: int
    replicates: Floats = field(repr=False)

    def __str__(self) -> str:
        return (
            f"{self.metric}: {self.value_a:.4f} - {self.value_b:.4f} = "
            f"{self.difference:+.4f}, {percent(self.confidence_level)} interval "
            f"[{self.low:+.4f}, {self.high:+.4f}], p = {self.p_value:.3g} "
            f"({len(self.replicates):,} resamples of {self.n_users:,} users)"
        )


@validate_params(
    {
        "metric": [str, callable],
        "n_boot": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def paired_bootstrap(
    y_true: Any,
    score_a: Any,
    score_b: Any,
    users: Any,
    *,
    metric: Any = "roc_auc",
    n_boot: int = 2000,
    confidence_level: float = 0.95,
    pos_label: Any = None,
    random_state: Any = None,
) -> BootstrapDifference:
    """Compare two models on the same pairs by resampling users.

    Pairs of one user are alike, so users are drawn with replacement, each with all
    pairs [1]_, and the same ones for both models. The interval holds the middle of the
    resampled differences.

    Parameters
    ----------
    y_true : array-like of shape (n_pairs,)
        Binary labels; any two values.
    score_a, score_b : array-like of shape (n_pairs,), numeric
        Scores of both models: probabilities of the positive label for "log_loss" and
        "brier", anything that ranks for the others.
    users : array-like of shape (n_pairs,)
        Id of the user of each pair. Any hashable ids.
    metric : str or callable, default="roc_auc"
        "roc_auc" over all pairs; "gauc", "weighted_gauc", "mrr", "ndcg@k" and
        "recall@k" over the pairs of each user, such as "ndcg@10"; "log_loss" and
        "brier", of which less is better. Or a function ``metric(y, score, users)``
        with labels 0 and 1, in which a user who is drawn twice is two users; that
        takes a call per resample. It is undefined where it raises ValueError. Its
        difference is a - b as well, whether more of it is better or less.
    n_boot : int, default=2000
        Number of resamples.
    confidence_level : float, default=0.95
        Share of the resampled differences inside the interval.
    pos_label : int, float, bool or str, default=None
        The positive label; None takes the larger one, or 1 or True if `y_true` has
        one label only.
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples.

    Returns
    -------
    BootstrapDifference
        ``difference`` (a - b), ``low``, ``high``, ``p_value`` and more. The p-value is
        twice the share of resampled differences on the other side of zero (each
        count plus one), at most 1.

    Raises
    ------
    ValueError
        For an unknown metric, bad pairs (see `gauc_score`), no probabilities where
        they are needed, or if the metric is undefined.

    Warns
    -----
    UserWarning
        If the metric is of fewer than fifteen users.

    See Also
    --------
    compare_recommenders : Trains the models too, with equal budgets.

    Notes
    -----
    The interval speaks of other users like these, given the two fitted models. What
    other training rows or seeds would change is not in it. With few users (below
    fifty or so) such an interval is too narrow; with one user there is none, and its
    ends and the p-value are NaN. Users that the metric leaves out, such as those with
    one class, do not count.

    References
    ----------
    .. [1] B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993,
       chapters 8 and 13.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_invlearn.model_selection import paired_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> users, y = rng.integers(0, 200, 3000), rng.integers(0, 2, 3000)
    >>> good, poor = y + rng.normal(size=(2, 3000)) * [[1.0], [3.0]]
    >>> result = paired_bootstrap(y, good, poor, users, metric="gauc", random_state=0)
    >>> result.low > 0, result.p_value < 0.01
    (True, True)
    """
    chosen = get_metric(metric)
    positive, a, codes = check_pairs(
        y_true, score_a, users, pos_label, by_name=not chosen.ranks
    )
    codes = by_first_appearance(codes)  # one seed, one result, whatever the ids are
    b = check_score(as_column(score_b, "score_b"), "score_b")
    if len(b) != len(a):
        raise ValueError(
            f"score_a has {len(a)} entries and score_b has {len(b)}: both models must "
            "score the same pairs."
        )
    scores = {"score_a": a.astype(float), "score_b": b.astype(float)}
    if chosen.needs_proba:
        for name, score in scores.items():
            check_proba(score, name, chosen)
    values = [chosen.value(positive, score, codes) for score in scores.values()]
    if np.isnan(values).any():
        raise ValueError(
            f"{chosen.name} is undefined on these pairs: likely they have one class "
            "only, or no user has both classes."
        )
    n_users = int(codes.max()) + 1
    prepared = [
        chosen.build(positive, score, codes, n_users) for score in scores.values()
    ]
    differences = np.concatenate(
        [
            prepared[0](multiplicity) - prepared[1](multiplicity)
            for multiplicity in multiplicities(n_users, n_boot, random_state)
        ]
    )
    n_counted = int(prepared[0].counts.sum())
    return summarise(chosen.name, values, differences, confidence_level, n_counted)


def multiplicities(n_users: int, n_boot: int, random_state: Any) -> Iterator[IntArray]:
    """Yield how often each user is drawn, in blocks of shape (R, n_users).

    The draws depend on the arguments alone, not on the size of a block.
    """
    seed = check_random_state(random_state).randint(2**31 - 1, size=4)
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK_COUNTS // n_users)
    for start in range(0, n_boot, size):
        draws = [
            np.bincount(rng.integers(n_users, size=n_users), minlength=n_users)
            for _ in range(min(size, n_boot - start))
        ]
        yield np.stack(draws)


def summarise(
    name: str,
    values: Any,
    differences: Floats,
    confidence_level: float,
    n_users: int,
) -> BootstrapDifference:
    """Turn resampled differences (R,), some of them NaN, into interval and p-value.

    `n_users` are those that the metric is of.
    """
    defined = differences[~np.isnan(differences)]
    n = len(defined)
    tails = np.array([np.nan, np.nan])
    p_value = np.nan
    if n_users < 2:
        warnings.warn(
            f"{name} is of one user here, and resamples of one user are all the same: "
            "there is no interval and no p-value (NaN). Likely the other users have "
            "one class only, or `users` is not the column of users; if it is, evaluate "
            "on more of them.",
            UserWarning,
            stacklevel=4,
        )
    elif n:
        if n_users < _FEW_USERS:
            warnings.warn(
                f"{name} is of {n_users} users here: with so few, the interval is too "
                "narrow and the p-value too small. Evaluate on more users; of metrics "
                "by user, those with both classes count.",
                UserWarning,
                stacklevel=4,
            )
        outside = (1 - confidence_level) / 2
        tails = np.quantile(defined, [outside, 1 - outside])
        beyond = min((defined <= 0).sum(), (defined >= 0).sum())
        p_value = min(1.0, 2 * (beyond + 1) / (n + 1))
    return BootstrapDifference(
        metric=name,
        value_a=float(values[0]),
        value_b=float(values[1]),
        difference=float(values[0] - values[1]),
        low=float(tails[0]),
        high=float(tails[1]),
        confidence_level=confidence_level,
        p_value=float(p_value),
        n_users=n_users,
        n_undefined=len(differences) - n,
        replicates=defined,
    )


def check_proba(score: Floats, name: str, metric: Metric) -> None:
    """Refuse scores that are no probabilities."""
    if not (score.min() >= 0 and score.max() <= 1):
        raise ValueError(
            f"{metric.name} needs probabilities, but {name} runs from {score.min():g} "
            f"to {score.max():g}. Pass column 1 of predict_proba, not logits."
        )
