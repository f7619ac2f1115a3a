"""Rows of a text column that repeat an earlier row, found without a Python string.

A dictionary waits for memory several times at every look-up once it holds more ids than
the cache. A log repeats its ids many times: so equal rows are found first, by hashes of
their characters in bulk, and only one row of each id goes to the dictionary.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

_MANY = 100_000  # rows; with fewer the dictionary alone is as fast
_WIDEST = 64  # characters
_PIECE = 16_384  # rows that are sorted at a time


def first_rows(column: np.ndarray) -> np.ndarray | None:
    """Return, for every row (n,), the first row with the same text.

    None if there is nothing to gain (other types, few rows, long texts), or if two
    texts have the same hash.
    """
    if column.dtype.kind not in "US" or len(column) < _MANY:
        return None
    if not 0 < column.dtype.itemsize // _size_of_character(column) <= _WIDEST:
        return None
    first = _first_of_equal(_hashes(column))
    for rows in _slices(len(column)):
        if not np.array_equal(column[first[rows]], column[rows]):
            return None
    return first


def _size_of_character(column: np.ndarray) -> int:
    return 4 if column.dtype.kind == "U" else 1


def _slices(n: int) -> list[slice]:
    return [slice(start, start + _PIECE) for start in range(0, n, _PIECE)]


def _hashes(column: np.ndarray) -> np.ndarray:
    """Σ_j multiplier_j · character_j modulo 2^64 of every row, shape (n,) uint64."""
    size = _size_of_character(column)
    width = column.dtype.itemsize // size
    multipliers = np.random.default_rng(0).integers(2**63, size=width, dtype=np.uint64)
    hashes = np.zeros(len(column), dtype=np.uint64)
    for rows in _slices(len(column)):
        text = np.ascontiguousarray(column[rows])
        characters = text.view(f"u{size}").reshape(-1, width)
        for j, multiplier in enumerate(2 * multipliers + 1):
            hashes[rows] += characters[:, j] * multiplier
    return hashes


def _first_of_equal(hashes: np.ndarray) -> np.ndarray:
    """Row of the first of equal numbers (n,), for every row, by pieces in the cache."""
    digits = (hashes >> np.uint64(48)).astype(np.uint16)
    order = np.argsort(digits, kind="stable")  # a radix sort
    ends = np.cumsum(np.bincount(digits))
    cuts = ends[np.searchsorted(ends, np.arange(_PIECE, len(hashes), _PIECE))]
    cuts = np.unique([0, *cuts, len(hashes)])
    first = np.empty(len(hashes), dtype=np.int64)
    for start, end in pairwise(cuts):
        rows = order[start:end]
        here = hashes[rows]
        by_hash = np.argsort(here)
        here, rows = here[by_hash], rows[by_hash]
        begins = np.flatnonzero(np.append(True, here[1:] != here[:-1]))
        earliest = np.minimum.reduceat(rows, begins)
        first[rows] = np.repeat(earliest, np.diff(begins, append=len(rows)))
    return first
