"""A metric by group of rows, such as users of different activity."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._gauc import gauc_score
from ._id_types import refuse_other_types, type_of
from ._inputs import IntArray, as_column, check_labels, check_score, factorise


@validate_params(
    {
        "n_groups": [Interval(Integral, 1, None, closed="left")],
        "equal": [StrOptions({"interactions", "ids"})],
    },
    prefer_skip_nested_validation=True,
)
def activity_groups(
    ids: Any, *, history: Any = None, n_groups: int = 4, equal: str = "interactions"
) -> IntArray:
    """Group rows by how often their user (or item) occurs.

    Parameters
    ----------
    ids : array-like of shape (n,)
        Id of the user of each row, or of the item, to group by popularity.
    history : array-like of shape (m,), default=None
        Where to count, such as the user column of the training pairs. None counts in
        `ids` itself. An id that does not occur there has the count 0; ids none of which
        could occur there, since all are of another type, are an error.
    n_groups : int, default=4
        Number of groups; fewer come out where many ids have the same count, as these
        are never divided.
    equal : {"interactions", "ids"}, default="interactions"
        What the groups have about the same number of: rows of `history` that belong
        to `ids`, as in Fig. 7 of [1]_, or distinct ids.

    Returns
    -------
    groups : ndarray of shape (n,), int64
        0 for the least active, consecutive.

    Raises
    ------
    ValueError
        For missing ids or no rows, or if ids and history are of different types.

    See Also
    --------
    score_by_group : What to do with the groups.

    References
    ----------
    .. [1] W. Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback".
       :arxiv:`2112.01160`

    Examples
    --------
    >>> from sklearn_invlearn.metrics import activity_groups
    >>> history = ["ann"] * 8 + ["bob"] * 6 + ["eve"] * 4
    >>> activity_groups(["bob", "eve", "ann", "new"], history=history, n_groups=3)
    array([1, 0, 2, 0])
    """
    codes, distinct = factorise(_as_ids(ids, "ids"), "ids")
    if history is None:
        counts = np.bincount(codes, minlength=len(distinct))
    else:
        past, known = factorise(_as_ids(history, "history"), "history")
        count_of = dict(zip(known.tolist(), np.bincount(past).tolist()))
        counts = np.array([count_of.get(key, 0) for key in distinct.tolist()])
        if not counts.any():
            refuse_other_types(distinct.tolist(), known.tolist(), "the ids", "history")
    return groups_of_counts(counts, n_groups, equal)[codes]


def groups_of_counts(counts: IntArray, n_groups: int, equal: str) -> IntArray:
    """Group ids with `counts` (n,) rows each; see `activity_groups`."""
    values, position, n_ids = np.unique(counts, return_inverse=True, return_counts=True)
    mass = (n_ids * values if equal == "interactions" else n_ids).astype(float)
    if not mass.sum():  # no interactions at all
        mass = n_ids.astype(float)
    middle = (mass.cumsum() - mass / 2) / mass.sum()
    group = np.minimum(n_groups * middle, n_groups - 1).astype(np.int64)
    return np.unique(group, return_inverse=True)[1].astype(np.int64)[position]


def _as_ids(ids: Any, name: str) -> NDArray[Any]:
    column = as_column(ids, name)
    if not len(column):
        raise ValueError(f"{name} is empty: there is nothing to group.")
    return column


def score_by_group(
    y_true: Any,
    y_score: Any,
    users: Any,
    groups: Any,
    *,
    metric: Callable[..., float] | None = None,
    pos_label: Any = None,
) -> NDArray[Any]:
    """Evaluate each group of rows on its own.

    Fig. 7 of [1]_ with `activity_groups`: does a method gain for users with few
    interactions what it gains for active ones?

    Parameters
    ----------
    y_true : array-like of shape (n_pairs,)
        Binary labels; any two values.
    y_score : array-like of shape (n_pairs,), numeric
        Scores of the pairs, higher for more likely positives.
    users : array-like of shape (n_pairs,)
        Id of the user of each pair.
    groups : array-like of shape (n_pairs,)
        Group of each pair. A user whose pairs are in several groups counts in each
        with those pairs.
    metric : callable, default=None
        ``metric(y_true, y_score, users) -> float``, with `y_true` as 0 and 1. None is
        `gauc_score`. For a
        metric without users, such as `sklearn.metrics.roc_auc_score`, pass
        ``lambda y, score, users: roc_auc_score(y, score)``.
    pos_label : int, float, bool or str, default=None
        The positive label; None takes the larger one, or 1 or True if `y_true` has
        one label only.

    Returns
    -------
    table : structured ndarray of shape (n_groups,)
        In ascending order of the groups, type by type: ``group``, ``n_users``,
        ``n_pairs``, ``n_positive`` and ``score``, which is NaN where a metric of this
        package is undefined (no user of the group has both classes), unless `metric`
        is given another value for that, as by ``partial(ndcg_score, undefined=0.5)``.
        ``pandas.DataFrame(table)`` prints well.

    Raises
    ------
    ValueError
        For unequal lengths, no pairs, missing ids or groups, NaN scores, or a single
        label that is not 0 or 1.

    See Also
    --------
    activity_groups : Groups by number of interactions.

    References
    ----------
    .. [1] W. Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback".
       :arxiv:`2112.01160`

    Examples
    --------
    >>> from sklearn_invlearn.metrics import activity_groups, score_by_group
    >>> users = ["ann", "ann", "ann", "ann", "bob", "bob"]
    >>> y_true, y_score = [1, 0, 0, 1, 1, 0], [0.9, 0.1, 0.7, 0.6, 0.2, 0.3]
    >>> groups = activity_groups(users, n_groups=2)
    >>> table = score_by_group(y_true, y_score, users, groups)
    >>> table["n_pairs"].tolist(), table["score"].tolist()
    ([2, 4], [0.0, 0.75])
    """
    user, _ = factorise(_as_ids(users, "users"), "users")
    positive = check_labels(as_column(y_true, "y_true"), pos_label, by_name=True)
    score = check_score(as_column(y_score, "y_score"))
    group, names = factorise(_as_ids(groups, "groups"), "groups")
    lengths = [len(positive), len(score), len(user), len(group)]
    if len(set(lengths)) > 1:
        raise ValueError(
            "y_true, y_score, users and groups must have one entry per pair, but have "
            f"{lengths[0]}, {lengths[1]}, {lengths[2]} and {lengths[3]} entries."
        )
    metric = gauc_score if metric is None else metric
    options = {"undefined": np.nan} if _raises_if_undefined(metric) else {}
    rows = []
    for code in _ascending(names):
        here = group == code
        y = positive[here].astype(int)
        value = metric(y, score[here], user[here], **options)
        n_users = len(np.unique(user[here]))
        rows.append((names[code], n_users, here.sum(), y.sum(), value))
    kind = names.dtype if names.dtype.kind in "biuf" else object
    counts = [(name, np.int64) for name in ("n_users", "n_pairs", "n_positive")]
    return np.array(rows, dtype=[("group", kind), *counts, ("score", np.float64)])


def _raises_if_undefined(metric: Callable[..., float]) -> bool:
    """Whether a metric has an `undefined` that its caller has left at "raise"."""
    try:
        option = signature(metric).parameters.get("undefined")
    except (TypeError, ValueError):  # of compiled code
        return False
    return option is not None and option.default in ("raise", Parameter.empty)


def _ascending(names: NDArray[Any]) -> list[int]:
    """Return the order of groups; those of different types cannot be compared."""
    values = names.tolist() if names.dtype.kind in "biuf" else list(names)
    return sorted(range(len(values)), key=lambda k: (type_of(values[k]), values[k]))
