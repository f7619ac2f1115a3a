"""Recall@k and NDCG@k over the ranking of all items, training pairs masked."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._grouped import mean_over_users, tie_blocks
from ._inputs import BoolArray, FloatArray, IntArray, check_score, refuse_masked
from ._ndcg import expected_ndcg
from ._recall import expected_recall

METRICS = {"recall": expected_recall, "ndcg": expected_ndcg}
NO_RELEVANT_ITEM = (
    "no user has a relevant item which was not seen in training. Likely the test set "
    "has no positives, or holds the training pairs themselves. Evaluate on held-out "
    "pairs."
)
_PARAMETERS = {
    "k": [Interval(Integral, 1, None, closed="left")],
    "undefined": [StrOptions({"raise"}), Real],
}


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def full_ranking_recall_score(
    relevant: Any,
    y_score: Any,
    *,
    seen: Any = None,
    k: int = 20,
    undefined: float | str = "raise",
) -> float:
    r"""Recall@k over the ranking of all items, averaged over users.

    All items a user has not seen in training are ranked by score, as in [1]_:

    .. math::
        \mathrm{Recall@}k = \frac{1}{U} \sum_u
        \frac{\mathrm{E}|\{\text{relevant items of } u \text{ at the ranks } 1..k\}|}
        {|\{\text{relevant items of } u\}|}.

    The denominator is the number of relevant items even where it exceeds k. Items of
    equal score stand in a random order. Users without a relevant unseen item are left
    out.

    Parameters
    ----------
    relevant : (sparse) array of shape (n_users, n_items), bool or 0/1
        Which items a user likes in the test set.
    y_score : array of shape (n_users, n_items), numeric
        Scores of all pairs, higher for better items.
    seen : (sparse) array of shape (n_users, n_items), bool or 0/1, default=None
        Pairs of the training set; None for none. They are taken out of the ranking. A
        pair which is both seen and relevant does not count as relevant.
    k : int, default=20
        Length of the list. It may exceed the number of unseen items.
    undefined : "raise" or float, default="raise"
        What to do if no user has a relevant unseen item: raise an error, or return
        this number.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        For unequal shapes, values other than 0 and 1 in `relevant` or `seen`, NaN
        scores, or if no user counts and `undefined` is "raise".

    See Also
    --------
    full_ranking_ndcg_score : Gains which fall with the rank.
    make_full_ranking_scorer : Scores an estimator in blocks of users.

    References
    ----------
    .. [1] W. Wang et al., "Denoising Implicit Feedback for Recommendation", WSDM 2021.
       :arxiv:`2006.04153`

    Examples
    --------
    >>> from sklearn_invlearn.metrics import full_ranking_recall_score
    >>> relevant = [[False, True, True, False], [True, False, False, False]]
    >>> y_score = [[0.9, 0.8, 0.1, 0.3], [0.2, 0.2, 0.1, 0.1]]
    >>> full_ranking_recall_score(relevant, y_score, k=1)  # 0 and 1/2
    0.25
    >>> seen = [[True, False, False, False], [False, False, False, False]]
    >>> full_ranking_recall_score(relevant, y_score, seen=seen, k=1)  # 1/2 and 1/2
    0.5
    """
    checked = check_matrices(relevant, y_score, seen)
    return mean_over_users(
        full_ranking_values("recall", *checked, k), undefined, reason=NO_RELEVANT_ITEM
    )


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def full_ranking_ndcg_score(
    relevant: Any,
    y_score: Any,
    *,
    seen: Any = None,
    k: int = 20,
    undefined: float | str = "raise",
) -> float:
    r"""NDCG@k over the ranking of all items, averaged over users.

    All items a user has not seen in training are ranked by score, as in [1]_. With
    :math:`y_{u,r} = 1` for a relevant item at rank r and :math:`P_u` relevant items,

    .. math::
        \mathrm{NDCG@}k = \frac{1}{U} \sum_u
        \frac{\sum_{r=1}^{k} \mathrm{E}[y_{u,r}] / \log_2(r + 1)}
        {\sum_{r=1}^{\min(k, P_u)} 1 / \log_2(r + 1)}.

    Items of equal score stand in a random order. Users without a relevant unseen item
    are left out.

    Parameters
    ----------
    relevant : (sparse) array of shape (n_users, n_items), bool or 0/1
        Which items a user likes in the test set.
    y_score : array of shape (n_users, n_items), numeric
        Scores of all pairs, higher for better items.
    seen : (sparse) array of shape (n_users, n_items), bool or 0/1, default=None
        Pairs of the training set; None for none. They are taken out of the ranking. A
        pair which is both seen and relevant does not count as relevant.
    k : int, default=20
        Length of the list. It may exceed the number of unseen items.
    undefined : "raise" or float, default="raise"
        What to do if no user has a relevant unseen item: raise an error, or return
        this number.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        For unequal shapes, values other than 0 and 1 in `relevant` or `seen`, NaN
        scores, or if no user counts and `undefined` is "raise".

    See Also
    --------
    full_ranking_recall_score : Without regard to the rank inside the list.
    make_full_ranking_scorer : Scores an estimator in blocks of users.

    References
    ----------
    .. [1] W. Wang et al., "Denoising Implicit Feedback for Recommendation", WSDM 2021.
       :arxiv:`2006.04153`

    Examples
    --------
    >>> from sklearn_invlearn.metrics import full_ranking_ndcg_score
    >>> relevant = [[False, False, True], [True, False, False]]
    >>> y_score = [[0.9, 0.8, 0.1], [0.3, 0.2, 0.1]]
    >>> score = full_ranking_ndcg_score(relevant, y_score)  # rank 3: 1/2; rank 1: 1
    >>> round(score, 6)
    0.75
    """
    checked = check_matrices(relevant, y_score, seen)
    return mean_over_users(
        full_ranking_values("ndcg", *checked, k), undefined, reason=NO_RELEVANT_ITEM
    )


def check_matrices(
    relevant: Any, y_score: Any, seen: Any
) -> tuple[BoolArray, NDArray[Any], BoolArray]:
    """Return ``(relevant, y_score, seen)`` as dense (n_users, n_items) arrays."""
    refuse_masked(y_score, "y_score")
    score = check_score(np.asarray(y_score))
    if score.ndim != 2:
        raise ValueError(
            f"y_score must have the shape (n_users, n_items), got {score.shape}. For "
            "labelled pairs use recall_score and ndcg_score of this package."
        )
    relevant = _as_bool(relevant, "relevant", score.shape)
    if seen is None:
        return relevant, score, np.zeros(score.shape, dtype=bool)
    return relevant, score, _as_bool(seen, "seen", score.shape)


def _as_bool(matrix: Any, name: str, shape: tuple[int, ...]) -> BoolArray:
    refuse_masked(matrix, name)
    array = matrix.toarray() if issparse(matrix) else np.asarray(matrix)
    if array.shape != shape:
        raise ValueError(
            f"{name} must have the shape of y_score, {shape}, got {array.shape}. Both "
            "need the same users and items in the same order."
        )
    if array.dtype.kind != "b" and not ((array == 0) | (array == 1)).all():
        raise ValueError(
            f"{name} must hold booleans or 0 and 1. It may hold ratings or counts: "
            f"pass a comparison such as `{name} >= 4` or `{name} > 0`."
        )
    return array.astype(bool, copy=False)


def full_ranking_values(
    metric: str,
    relevant: BoolArray,
    y_score: NDArray[Any],
    seen: BoolArray,
    k: int,
    n_unrankable: IntArray | None = None,
) -> FloatArray:
    """Return the metric of each user who has relevant unseen items.

    `n_unrankable` (n_users,) counts relevant items without a column: they are part of
    the denominators and never found.
    """
    relevant = relevant & ~seen
    n_relevant = np.count_nonzero(relevant, axis=1)
    if n_unrankable is not None:
        n_relevant = n_relevant + n_unrankable

    # Only users with a relevant item in a column can have a value above zero.
    candidate = _reaches_top(y_score, seen, k) & relevant.any(axis=1, keepdims=True)
    users, items = np.nonzero(candidate)
    blocks = tie_blocks(relevant[users, items], y_score[users, items], users)
    values = np.zeros(len(n_relevant))
    values[blocks.user] = METRICS[metric](blocks, n_relevant[blocks.user], k)
    return values[n_relevant > 0]


def _reaches_top(y_score: NDArray[Any], seen: BoolArray, k: int) -> BoolArray:
    """Return the unseen pairs which can be among the first k of their user.

    A partition finds the k-th best score in linear time. Everything tied with it is
    kept, since the expectation needs the whole block.
    """
    n_items, k = y_score.shape[1], int(k)  # of numpy, it may be narrow
    if k >= n_items:
        return ~seen
    unseen_score = np.where(seen, -np.inf, y_score)
    kth_best = np.partition(unseen_score, n_items - k, axis=1)[:, n_items - k]
    return ~seen & (y_score >= kth_best[:, np.newaxis])
