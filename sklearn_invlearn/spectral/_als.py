"""Implicit alternating least squares (Hu, Koren & Volinsky, ICDM 2008)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from ._sparse_times import sparse_times
from ._symmetric import solve, squares

_BLOCK_ENTRIES = 20_000


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
    blocks = [list(_rows_of_similar_length(m)) for m in (distinct, transposed)]
    for _ in range(n_sweeps):
        user = _solve_rows(distinct, blocks[0], item, confidence, ridge)
        item = _solve_rows(transposed, blocks[1], user, confidence, ridge, counts)
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
    blocks: list[tuple[np.ndarray, np.ndarray]],
    other: np.ndarray,
    confidence: float,
    ridge: float,
    counts: np.ndarray | None = None,
) -> np.ndarray:
    """Least-squares factors of every row of `matrix`, those of the columns given.

    `blocks` are its rows as :func:`_rows_of_similar_length` yields them. A column that
    stands for several has their number in `counts` and in its entries.
    """
    k = other.shape[1]
    many = np.ones(len(other), dtype=np.float32) if counts is None else counts
    weighted = other * np.sqrt(many)[:, None]
    gram = weighted.T @ weighted + ridge * np.eye(k, dtype=np.float32)
    target = (1.0 + confidence) * sparse_times(matrix, other)
    found = np.zeros((matrix.shape[0], k), dtype=np.float32)
    padded = np.pad(weighted, ((0, 1), (0, 0)))  # a last row of zeros: no entry
    for rows, entries in blocks:
        factors = padded.take(entries, axis=0)
        found[rows] = solve(gram + confidence * squares(factors), target[rows])
    return found


def _rows_of_similar_length(
    matrix: sparse.csr_array,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows (g,) and the columns of their entries (g, m), filled up with -1.

    As many as _BLOCK_ENTRIES hold, g · m of them, and one row in any case.
    """
    lengths = np.diff(matrix.indptr)
    by_length = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(by_length):
        rows = by_length[start : start + _BLOCK_ENTRIES]
        n_entries = np.arange(1, len(rows) + 1) * np.maximum(lengths[rows], 1)
        rows = rows[: max(np.searchsorted(n_entries, _BLOCK_ENTRIES, "right"), 1)]
        place = np.arange(lengths[rows[-1]])
        places = np.minimum(matrix.indptr[rows, None] + place, matrix.nnz - 1)
        there = place < lengths[rows, None]
        yield rows, np.where(there, matrix.indices[places], -1)
        start += len(rows)
