"""Pairs sorted by user and score, a piece at a time that fits into the cache.

One sort of all n pairs jumps through memory, and costs more per pair the more there
are. Here pairs are first counted into the places of their users, in one pass; users
with some ten thousand pairs together are then a piece, which is sorted by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ._inputs import BoolArray, IntArray

_PAIRS = 16_384  # of a piece; the user who fills it is its last


def pieces_by_user(
    positive: BoolArray,
    score: NDArray[Any],
    codes: IntArray,
    *,
    mixed_only: bool = False,
) -> Iterator[tuple[BoolArray, NDArray[Any], IntArray, IntArray]]:
    """Yield positive (m,), score (m,), numbers of pairs (U,) and codes (U,) of users.

    Users come in ascending order, all of a user's pairs in one piece, and inside a user
    falling scores. With `mixed_only` users with one class are left out. A code is a
    number of a row: memory follows the largest.
    """
    order, sizes = _grouped(codes)
    positive, users = positive[order], np.flatnonzero(sizes)
    sizes = sizes[users]
    if mixed_only:
        hits = np.add.reduceat(positive, np.cumsum(sizes) - sizes, dtype=np.int64)
        mixed = (hits > 0) & (hits < sizes)
        if not mixed.all():  # with few labels most users have one class
            keep = np.repeat(mixed, sizes)
            order, positive = order[keep], positive[keep]
            users, sizes = users[mixed], sizes[mixed]
    ends = np.cumsum(sizes)
    for first, last in _ranges(ends):
        here = slice(ends[first] - sizes[first], ends[last - 1])
        own, size = score[order[here]], sizes[first:last]
        best_first = _order_best_first(own, size)
        yield positive[here][best_first], own[best_first], size, users[first:last]


def _grouped(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Order (n,) by code, and the number of pairs of each code."""
    n, n_codes = len(codes), int(codes.max(initial=0)) + 1
    dtype = np.int32 if max(n, n_codes) < 2**31 else np.int64
    pairs, codes = np.arange(n, dtype=dtype), codes.astype(dtype)
    # The conversion counts pairs by column, and moves every one to its place.
    row = csr_array((pairs, codes, np.array([0, n], dtype=dtype)), shape=(1, n_codes))
    columns = row.tocsc()
    return columns.data, np.diff(columns.indptr)


def _ranges(ends: IntArray) -> Iterator[tuple[int, int]]:
    """Ranges of users with about `_PAIRS` pairs together."""
    n_pairs = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_PAIRS, n_pairs, _PAIRS), side="left") + 1
    cuts = np.unique(np.concatenate([[0], cuts, [len(ends)]]))
    return zip(cuts[:-1].tolist(), cuts[1:].tolist())


def _order_best_first(score: NDArray[Any], sizes: IntArray) -> IntArray:
    """Order of users one after the other, with falling scores inside each.

    Upwards, read backwards, works for every dtype: negated integers may overflow.
    """
    order = np.argsort(score)[::-1]
    # At most as many users as a piece has pairs: numpy has a radix sort for 16 bits.
    user = np.repeat(np.arange(len(sizes), dtype=np.uint16), sizes)
    return order[np.argsort(user[order], kind="stable")]
