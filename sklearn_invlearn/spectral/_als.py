"""Implicit alternating least squares (Hu, Koren & Volinsky, ICDM 2008)."""

from __future__ import annotations

import numpy as np
from scipy import sparse

_BLOCK_ROWS = 20_000


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
    transposed = exposures.T.tocsr()
    item = rng.normal(scale=0.1, size=(exposures.shape[1], n_factors))
    item = item.astype(np.float32)
    for _ in range(n_sweeps):
        user = _solve_rows(exposures, item, confidence, ridge)
        item = _solve_rows(transposed, user, confidence, ridge)
    return user, item


def _solve_rows(
    matrix: sparse.csr_array, other: np.ndarray, confidence: float, ridge: float
) -> np.ndarray:
    """Least-squares factors of every row of `matrix`, those of the columns given."""
    k = other.shape[1]
    gram = other.T @ other + ridge * np.eye(k, dtype=np.float32)
    outer = (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)
    target = (1.0 + confidence) * (matrix @ other)
    rows = np.zeros((matrix.shape[0], k), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        normal = gram + confidence * (matrix[block] @ outer).reshape(-1, k, k)
        rows[block] = np.linalg.solve(normal, target[block, :, None])[..., 0]
    return rows
