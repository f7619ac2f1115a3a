"""Inner products of a row of one table and a row of another, for many pairs."""

from __future__ import annotations

import numpy as np

# Rows that fit into the cache: with more at a time, most of what a product takes is
# waiting for fresh memory (three quarters of 10,000 pairs of 83 numbers).
BLOCK_ROWS = 512


def pair_products(
    left: np.ndarray, i: np.ndarray, right: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """left[i] · right[j], shape (n,), of tables (n_left, r) and (n_right, r)."""
    products = np.empty(len(i), dtype=left.dtype)
    for start in range(0, len(i), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        np.vecdot(
            left.take(i[rows], axis=0), right.take(j[rows], axis=0), out=products[rows]
        )
    return products
