"""Nearest users by inner product."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ._sides import Side
from ._top_n import best_products

_BLOCK_CELLS = 4_194_304


def nearest_by_product(
    vectors: np.ndarray, rows: np.ndarray, n_nearest: int
) -> np.ndarray:
    """Find the rows of `vectors` with the largest inner products.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
    rows : ndarray of shape (m,), int64
        Positions in `vectors` to find neighbours for.
    n_nearest : int
        Less than n.

    Returns
    -------
    nearest : ndarray of shape (m, n_nearest), int64
        Positions in `vectors`, nearest first, never the row itself; of equal products
        the earlier row comes first.
    """
    everyone = Side(np.zeros(len(vectors)), vectors.astype(np.float64))
    nearest = np.empty((len(rows), n_nearest), dtype=np.int64)
    n_block = max(1, _BLOCK_CELLS // len(vectors))
    for start in range(0, len(rows), n_block):
        own = rows[start : start + n_block]
        itself = sparse.csr_array(
            (np.ones(len(own), dtype=bool), (np.arange(len(own)), own)),
            shape=(len(own), len(vectors)),
        )
        position, _ = best_products(everyone[own], everyone, n_nearest, itself)
        nearest[start : start + n_block] = position
    return nearest
