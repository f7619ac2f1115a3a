"""Reciprocal rank of the first positive, averaged over users."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

from ._grouped import TieBlocks, mean_over_users, values_of_mixed_users
from ._inputs import FloatArray, IntArray


@validate_params(
    {
        "pos_label": [Real, str, "boolean", None],
        "undefined": [StrOptions({"raise"}), Real],
    },
    prefer_skip_nested_validation=True,
)
def mrr_score(
    y_true: Any,
    y_score: Any,
    users: Any,
    *,
    pos_label: Any = None,
    undefined: float | str = "raise",
) -> float:
    r"""Mean reciprocal rank of each user's first positive pair.

    Each user's pairs are ranked by score; the first positive stands at rank
    :math:`R_u` [1]_. Pairs of equal score stand in a random order, so the metric is the
    expectation

    .. math::
        \mathrm{MRR} = \frac{1}{U} \sum_u \mathrm{E}\Big[\frac{1}{R_u}\Big],
        \qquad
        \mathrm{E}\Big[\frac{1}{R_u}\Big] = \sum_{j=1}^{n-p+1}
        \frac{\binom{n-j}{p-1}}{\binom{n}{p}} \frac{1}{a + j},

    where the best block of equal scores with a positive has n pairs, p of them
    positive, and a pairs stand above it. Users with one class only are left out: any
    ranking of them is the same.

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
    pos_label : int, float, bool or str, default=None
        The positive label; None takes the larger one.
    undefined : "raise" or float, default="raise"
        What to do if no user has both classes: raise an error, or return this number.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        For more than two labels, unequal lengths, no pairs, missing ids or labels,
        NaN scores, or if no user has both classes and `undefined` is "raise".
    TypeError
        For ids which are not hashable.

    See Also
    --------
    mrr_scorer : Ready for the `scoring` parameter of searches.

    References
    ----------
    .. [1] E. M. Voorhees, "The TREC-8 Question Answering Track Report", TREC 1999.

    Examples
    --------
    >>> from sklearn_invlearn.metrics import mrr_score
    >>> users = ["ann", "ann", "ann", "bob", "bob", "eve"]
    >>> y_true = [0, 1, 0, 1, 0, 1]
    >>> y_score = [0.9, 0.5, 0.1, 0.4, 0.4, 0.5]
    >>> mrr_score(y_true, y_score, users)  # ann 1/2, bob (1 + 1/2) / 2
    0.625
    """
    (values,) = values_of_mixed_users(
        y_true, y_score, users, pos_label, user_reciprocal_ranks
    )
    return mean_over_users(values, undefined)


def user_reciprocal_ranks(blocks: TieBlocks) -> FloatArray:
    """Return the expected reciprocal rank of each user's first positive, (U,)."""
    with_hit = np.flatnonzero(blocks.hits)
    # The first such block of each user: both arrays are in ascending order.
    best = with_hit[np.searchsorted(with_hit, blocks.first)]
    return expected_reciprocal_rank(
        blocks.above[best], blocks.size[best], blocks.hits[best]
    )


def expected_reciprocal_rank(
    above: IntArray, size: IntArray, hits: IntArray
) -> FloatArray:
    """Return E[1 / (above + J)] with J the place of the first of `hits` in `size`.

    All arrays have the shape (U,), with 1 <= hits <= size.
    """
    value = 1.0 / (above + 1.0)
    tied = np.flatnonzero(hits < size)
    if not len(tied):
        return value
    above, size, hits = above[tied], size[tied], hits[tied]

    # One entry for each place j = 1 .. n_places the first hit can take.
    n_places = size - hits + 1
    start = np.cumsum(n_places) - n_places
    earlier = np.arange(n_places.sum()) - np.repeat(start, n_places)  # j - 1
    left = np.repeat(size, n_places) - earlier
    chance = np.repeat(hits, n_places) / left  # a hit at j, given none before
    none_before = np.ones(len(chance))
    none_before[1:] = 1.0 - chance[:-1]
    none_before[start] = 1.0
    _cumulate_products(none_before, earlier, int(n_places.max()))
    rank = np.repeat(above, n_places) + earlier + 1
    value[tied] = np.add.reduceat(none_before * chance / rank, start)
    return value


def _cumulate_products(values: FloatArray, position: IntArray, longest: int) -> None:
    """Replace values by their running product inside segments, in place.

    `position` counts from 0 inside each segment. By doubling the reach, so that long
    ties cost log2(longest) passes; sums of logarithms over all segments would lose
    half of the digits.
    """
    reach = 1
    while reach < longest:
        inside = position[reach:] >= reach
        values[reach:] *= np.where(inside, values[:-reach], 1.0)
        reach *= 2
