"""Share of each user's positives among the first k pairs."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._grouped import TieBlocks, mean_over_users, values_of_mixed_users
from ._inputs import FloatArray, IntArray


@validate_params(
    {
        "k": [Interval(Integral, 1, None, closed="left")],
        "pos_label": [Real, str, "boolean", None],
        "undefined": [StrOptions({"raise"}), Real],
    },
    prefer_skip_nested_validation=True,
)
def recall_score(
    y_true: Any,
    y_score: Any,
    users: Any,
    *,
    k: int = 10,
    pos_label: Any = None,
    undefined: float | str = "raise",
) -> float:
    r"""Recall@k of each user's labelled pairs, averaged over users.

    .. math::
        \mathrm{Recall@}k = \frac{1}{U} \sum_u \frac{1}{P_u}
        \sum_{r=1}^{k} \mathrm{E}[y_{u,r}].

    The denominator is :math:`P_u`, the number of all positives of user u, not
    :math:`\min(k, P_u)`: with more than k positives even the best ranking stays
    below 1. Pairs of equal score stand in a random order, each with the mean label of
    the tie as its expected label [1]_. Users with one class only are left out.

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
        Number of first ranks in which positives are counted. A user with at most k
        pairs has a recall of 1.
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
    full_ranking_recall_score : Ranks all items, not only the labelled ones.
    recall_scorer : Ready for the `scoring` parameter of searches.

    References
    ----------
    .. [1] F. McSherry and M. Najork, "Computing Information Retrieval Performance
       Measures Efficiently in the Presence of Tied Scores", ECIR 2008.

    Examples
    --------
    >>> from sklearn_invlearn.metrics import recall_score
    >>> users = ["ann", "ann", "ann", "bob", "bob", "eve"]
    >>> y_true = [1, 0, 1, 1, 0, 1]
    >>> y_score = [0.9, 0.5, 0.1, 0.4, 0.4, 0.5]
    >>> recall_score(y_true, y_score, users, k=1)  # ann 1/2, bob 1/2
    0.5
    """
    (values,) = values_of_mixed_users(
        y_true,
        y_score,
        users,
        pos_label,
        lambda blocks: expected_recall(blocks, blocks.n_positive, k),
    )
    return mean_over_users(values, undefined)


def expected_recall(blocks: TieBlocks, n_positive: IntArray, k: int) -> FloatArray:
    """Return the recall@k of each user with `n_positive` >= 1 positives, shape (U,)."""
    return blocks.expected_gain(lambda rank: np.minimum(rank, k)) / n_positive
