"""Normalised discounted cumulative gain of each user's pairs."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._grouped import TieBlocks, mean_over_users, values_of_mixed_users
from ._inputs import FloatArray, IntArray


@validate_params(
    {
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "pos_label": [Real, str, "boolean", None],
        "undefined": [StrOptions({"raise"}), Real],
    },
    prefer_skip_nested_validation=True,
)
def ndcg_score(
    y_true: Any,
    y_score: Any,
    users: Any,
    *,
    k: int | None = 10,
    pos_label: Any = None,
    undefined: float | str = "raise",
) -> float:
    r"""NDCG@k of each user's labelled pairs, averaged over users.

    Each user's labelled pairs are ranked by score; a positive at rank r gains
    :math:`1 / \log_2(r + 1)` [1]_:

    .. math::
        \mathrm{NDCG@}k = \frac{1}{U} \sum_u
        \frac{\sum_{r=1}^{k} \mathrm{E}[y_{u,r}] / \log_2(r + 1)}
        {\sum_{r=1}^{\min(k, P_u)} 1 / \log_2(r + 1)},

    where :math:`P_u` is the number of positives of user u. Pairs of equal score stand
    in a random order: each of them has the mean label of the tie as its expected label
    [2]_. Users with one class only are left out, their NDCG does not depend on the
    scores.

    Parameters
    ----------
    y_true : array-like of shape (n_pairs,)
        Binary labels; any two values.
    y_score : array-like of shape (n_pairs,), numeric
        Scores of the pairs, higher for more likely positives. Only their order
        matters.
    users : array-like of shape (n_pairs,)
        Id of the user of each pair. Any hashable ids: integers, strings, objects, a
        pandas or polars Series.
    k : int, default=10
        Number of ranks which gain; None for the whole list.
    pos_label : int, float, bool or str, default=None
        The positive label; None takes the larger one.
    undefined : "raise" or float, default="raise"
        What to do if no user has both classes: raise an error, or return this number.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        For more than two labels, unequal lengths, no pairs, missing ids or labels,
        NaN scores, or if no user has both classes and `undefined` is "raise".
    TypeError
        For ids which are not hashable.

    See Also
    --------
    full_ranking_ndcg_score : Ranks all items, not only the labelled ones.
    ndcg_scorer : Ready for the `scoring` parameter of searches.
    sklearn.metrics.ndcg_score : For dense (n_users, n_items) labels, with graded gains.

    References
    ----------
    .. [1] K. Järvelin and J. Kekäläinen, "Cumulated gain-based evaluation of IR
       techniques", ACM TOIS 20(4), 2002.
    .. [2] F. McSherry and M. Najork, "Computing Information Retrieval Performance
       Measures Efficiently in the Presence of Tied Scores", ECIR 2008.

    Examples
    --------
    >>> from sklearn_invlearn.metrics import ndcg_score
    >>> users = ["ann", "ann", "ann", "bob", "bob", "eve"]
    >>> y_true = [0, 0, 1, 1, 0, 1]
    >>> y_score = [0.9, 0.5, 0.1, 0.8, 0.4, 0.5]
    >>> round(ndcg_score(y_true, y_score, users), 6)  # ann 1/2, bob 1
    0.75
    >>> ndcg_score(y_true, y_score, users, k=1)
    0.5
    """
    (values,) = values_of_mixed_users(
        y_true,
        y_score,
        users,
        pos_label,
        lambda blocks: expected_ndcg(blocks, blocks.n_positive, k),
    )
    return mean_over_users(values, undefined)


def expected_ndcg(blocks: TieBlocks, n_positive: IntArray, k: int | None) -> FloatArray:
    """Return the NDCG@k of each user with `n_positive` >= 1 positives, shape (U,)."""
    longest = max(int(blocks.n_pairs.max(initial=0)), int(n_positive.max(initial=0)))
    cut = longest if k is None else min(k, longest)
    dcg_of_first = np.zeros(cut + 1)
    np.cumsum(1.0 / np.log2(np.arange(2, cut + 2)), out=dcg_of_first[1:])

    dcg = blocks.expected_gain(lambda rank: dcg_of_first[np.minimum(rank, cut)])
    # A perfect ranking sums the same discounts in another order: never above 1.
    return np.minimum(dcg / dcg_of_first[np.minimum(n_positive, cut)], 1.0)
