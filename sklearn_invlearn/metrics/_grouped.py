"""Pairs of many users as blocks of equal score, ready for segment reductions.

All metrics of this package are expectations over a random order inside ties, and they
need three numbers of a block only: how many pairs of the user stand above it, how many
are in it, and how many of these are positive. One sort makes all blocks.

Sizes: n pairs, B blocks, U users.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._inputs import BoolArray, FloatArray, IntArray, check_pairs

NO_MIXED_USER = (
    "no user has both a positive and a negative pair. Likely the test set holds too "
    "few labels per user, or `users` holds ids of rows instead of users. Split so that "
    "users keep several test labels."
)


@dataclass(frozen=True)
class TieBlocks:
    """Blocks of equal score, best first inside a user, users one after the other.

    Attributes
    ----------
    above : (B,) int64
        Pairs of the same user with a higher score.
    size : (B,) int64
        Pairs in the block.
    hits : (B,) int64
        Positive pairs in the block.
    first : (U,) int64
        Index of the first block of each user.
    user : (U,) int64
        Code of each user.
    """

    above: IntArray
    size: IntArray
    hits: IntArray
    first: IntArray
    user: IntArray

    def per_user(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum (B,) values over the blocks of each user; shape (U,)."""
        # An empty index array is fine for reduceat, an empty operand is not.
        return np.add.reduceat(values, self.first) if len(values) else values

    def per_block(self, values: NDArray[Any]) -> NDArray[Any]:
        """Repeat (U,) values for every block of their user; shape (B,)."""
        return np.repeat(values, np.diff(self.first, append=len(self.size)))

    @property
    def n_pairs(self) -> IntArray:
        """Pairs of each user, shape (U,)."""
        return self.per_user(self.size)

    @property
    def n_positive(self) -> IntArray:
        """Positive pairs of each user, shape (U,)."""
        return self.per_user(self.hits)

    def expected_gain(self, gain_of_first: Callable[[IntArray], Any]) -> FloatArray:
        """Return the expected sum of rank gains of each user's positives, shape (U,).

        ``gain_of_first(r)`` is the gain of the ranks 1 to r together. Each rank in a
        block holds a positive with the probability hits / size.
        """
        gain = gain_of_first(self.above + self.size) - gain_of_first(self.above)
        return self.per_user(self.hits / self.size * gain)


def tie_blocks(positive: BoolArray, score: NDArray[Any], codes: IntArray) -> TieBlocks:
    """Sort n pairs, each array of shape (n,), into blocks of equal score by user."""
    n = len(codes)
    order = _order_best_first(score, codes)
    sorted_codes, sorted_score = codes[order], score[order]
    new_user = np.ones(n, dtype=bool)
    np.not_equal(sorted_codes[1:], sorted_codes[:-1], out=new_user[1:])
    new_block = new_user.copy()
    new_block[1:] |= sorted_score[1:] != sorted_score[:-1]

    start = np.flatnonzero(new_block)
    size = np.diff(start, append=n)
    positives_before = np.cumsum(positive[order], dtype=np.int64)
    hits = np.diff(positives_before[start + size - 1], prepend=0)
    first = np.flatnonzero(new_user[start])
    above = start - np.repeat(start[first], np.diff(first, append=len(start)))
    return TieBlocks(above, size, hits, first, sorted_codes[start[first]])


def _order_best_first(score: NDArray[Any], codes: IntArray) -> IntArray:
    """Return the order of n pairs by user, and by falling score inside a user."""
    order = np.argsort(score)
    # Two bytes of the code at a time: numpy has a radix sort for 16 bits, which makes
    # this more than twice as fast as np.lexsort.
    for shift in range(0, int(codes.max(initial=0)).bit_length(), 16):
        digit = (codes[order] >> shift).astype(np.uint16)  # keeps the low 16 bits
        order = order[np.argsort(digit, kind="stable")]
    # Upwards, read backwards, works for every dtype: negated integers may overflow.
    return order[::-1]


def blocks_of_mixed_users(
    y_true: Any, y_score: Any, users: Any, pos_label: Any = None
) -> TieBlocks:
    """Check labelled pairs and return the blocks of the users who have both classes."""
    positive, score, codes = check_pairs(y_true, y_score, users, pos_label)
    n_pairs = np.bincount(codes)
    n_positive = np.bincount(codes[positive], minlength=len(n_pairs))
    mixed = (n_positive > 0) & (n_positive < n_pairs)
    # With few labels most users have one class: drop them before the costly sort.
    keep = mixed[codes]
    if not keep.all():
        positive, score, codes = positive[keep], score[keep], codes[keep]
    return tie_blocks(positive, score, codes)


def mean_over_users(
    values: FloatArray,
    undefined: float | str,
    *,
    weights: NDArray[Any] | None = None,
    reason: str = NO_MIXED_USER,
) -> float:
    """Average (U,) values; without any user follow `undefined`."""
    if len(values):
        # Correctly rounded sums: the order of the users cannot change the last digit.
        if weights is None:
            return math.fsum(values) / len(values)
        return math.fsum(values * weights) / math.fsum(weights)
    if isinstance(undefined, str):
        raise ValueError(
            f"The metric is undefined: {reason} Or pass undefined=nan to the metric, "
            "to get that number instead of this error."
        )
    return float(undefined)
