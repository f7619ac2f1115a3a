"""Implicit alternating least squares (Hu, Koren & Volinsky, ICDM 2008)."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ._symmetric import solve, unfolded

_BLOCK_ROWS = 4_000


def implicit_als(
    exposures: sparse.csr_array,
    n_factors: int,
    rng: np.random.Generator,
    *,
    confidence: float = 10.0,
    ridge: float = 10.0,
    n_sweeps: int = 6,
) -> tuple[np.ndarray, np.ndarray]:
    """Factorise a 0/1 matrix with weight 1 + `confidence` on the ones.

    Returns
    -------
    user, item : ndarray of shape (n_users, n_factors) and (n_items, n_factors)
        Dtype float32.
    """
    distinct, of_user, counts = _distinct_rows(exposures)
    transposed = (sparse.diags_array(counts) @ distinct).T.tocsr()
    item = rng.normal(scale=0.1, size=(exposures.shape[1], n_factors))
    item = item.astype(np.float32)
    for _ in range(n_sweeps):
        user = _solve_rows(distinct, item, confidence, ridge)
        item = _solve_rows(transposed, user, confidence, ridge, counts)
    return user[of_user], item


def _distinct_rows(
    matrix: sparse.csr_array,
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """Rows of which those with the same single entry are one, of_row, and how many.

    On news most users have one click, and thousands have it on the same article.
    """
    n_entries = np.diff(matrix.indptr)
    key = -1 - np.arange(matrix.shape[0])  # own, unless there is one entry
    alone = n_entries == 1
    key[alone] = matrix.indices[matrix.indptr[:-1][alone]]
    _, first, of_row, counts = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    return matrix[first], of_row, counts.astype(np.float32)


def _solve_rows(
    matrix: sparse.csr_array,
    other: np.ndarray,
    confidence: float,
    ridge: float,
    counts: np.ndarray | None = None,
) -> np.ndarray:
    """Least-squares factors of every row of `matrix`, those of the columns given.

    A column that stands for several has their number in `counts` and in its entries.
    """
    k = other.shape[1]
    every = other if counts is None else other * counts[:, None]
    gram = other.T @ every + ridge * np.eye(k, dtype=np.float32)
    i, j = np.triu_indices(k)
    outer = other.take(i, axis=1) * other.take(j, axis=1)
    outer *= confidence
    target = (1.0 + confidence) * (matrix @ other)
    rows = np.zeros((matrix.shape[0], k), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        normal = unfolded(matrix[block] @ outer, k)
        normal += gram
        rows[block] = solve(normal, target[block])
    return rows
