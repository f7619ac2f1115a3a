"""Nearest users by inner product, and the scores of their neighbourhoods."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from torch import nn

from ._scoring import score_pairs
from ._top_n import Side, best_products

_BLOCK_CELLS = 4_194_304
_BLOCK_ROWS = 65_536


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


def neighborhood_mean(
    module: nn.Module,
    neighbors: np.ndarray,
    user: np.ndarray,
    item: np.ndarray,
    of: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Mean of ``of(logit)`` over the neighbours of the user of each pair.

    Parameters
    ----------
    neighbors : ndarray of shape (n_users, k), int64
        Codes of the neighbours of each user.
    user : ndarray of shape (n,), int64
        Rows of `neighbors`.
    item : ndarray of shape (n,), int64
        Codes.
    of : callable
        Takes logits (b,), returns what to average, (b,) or (b, m).

    Returns
    -------
    mean : ndarray of shape (n,) or (n, m), float64

    Notes
    -----
    Blocks of pairs, and one neighbour at a time: the memory beyond the result does
    not grow with the number of pairs or of neighbours.
    """
    blocks = []
    for start in range(0, len(user), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        total: np.ndarray | float = 0.0
        for slot in range(neighbors.shape[1]):
            codes = np.stack([neighbors[user[block], slot], item[block]])
            total = total + of(score_pairs(module, codes))
        blocks.append(np.asarray(total) / neighbors.shape[1])
    return np.concatenate(blocks)
