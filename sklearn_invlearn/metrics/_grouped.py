"""Pairs of many users as blocks of equal score, ready for segment reductions.

All metrics of this package are expectations over a random order inside ties, and they
need three numbers of a block only: how many pairs of the user stand above it, how many
are in it, and how many of these are positive.

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
from ._pieces import pieces_by_user

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
    pieces = [_blocks_of(*piece) for piece in pieces_by_user(positive, score, codes)]
    if not pieces:
        return TieBlocks(*np.empty((5, 0), dtype=np.int64))

    def joined(name: str) -> IntArray:
        return np.concatenate([getattr(piece, name) for piece in pieces])

    n_blocks = np.cumsum([0, *(len(piece.size) for piece in pieces[:-1])])
    first = [piece.first + n for piece, n in zip(pieces, n_blocks)]
    above, size, hits, user = map(joined, ("above", "size", "hits", "user"))
    return TieBlocks(above, size, hits, np.concatenate(first), user)


def _blocks_of(
    positive: BoolArray, score: NDArray[Any], n_pairs: IntArray, user: IntArray
) -> TieBlocks:
    """Blocks of sorted pairs (n,) of users (U,) with so many pairs each."""
    n, first_pair = len(score), np.cumsum(n_pairs) - n_pairs
    new_block = np.ones(n, dtype=bool)
    np.not_equal(score[1:], score[:-1], out=new_block[1:])
    new_block[first_pair] = True
    start = np.flatnonzero(new_block)
    hits = np.add.reduceat(positive, start, dtype=np.int64)
    n_blocks = np.add.reduceat(new_block, first_pair, dtype=np.int64)
    above = start - np.repeat(first_pair, n_blocks)
    first = np.cumsum(n_blocks) - n_blocks
    return TieBlocks(above, np.diff(start, append=n), hits, first, user)


def values_of_mixed_users(
    y_true: Any,
    y_score: Any,
    users: Any,
    pos_label: Any,
    *values: Callable[[TieBlocks], NDArray[Any]],
) -> list[NDArray[Any]]:
    """Check labelled pairs; return `values` of the users who have both classes.

    Each of `values` takes blocks of some users and returns one number for every user.
    It is called for a piece at a time, and the results are joined to shape (U,).
    """
    pairs = check_pairs(y_true, y_score, users, pos_label)
    parts = []
    for piece in pieces_by_user(*pairs, mixed_only=True):
        blocks = _blocks_of(*piece)
        parts.append([value(blocks) for value in values])
    if not parts:
        return [np.empty(0) for _ in values]
    return [np.concatenate(part) for part in zip(*parts)]


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
