"""Many small symmetric matrices: kept as upper triangles, inverted, solved.

Sums of triangles are over half of the numbers, and a Cholesky factor takes half of the
time of what numpy does with any matrix.
"""

from __future__ import annotations

import numpy as np
import torch


def unfolded(triangles: np.ndarray, d: int) -> np.ndarray:
    """Symmetric matrices (n, d, d) from rows in the order of `np.triu_indices(d)`."""
    j, k = np.triu_indices(d)
    place = np.empty((d, d), dtype=int)
    place[j, k] = place[k, j] = np.arange(len(j))
    return triangles.take(place.ravel(), axis=1).reshape(-1, d, d)


def squares(rows: np.ndarray) -> np.ndarray:
    """FᵀF (n, d, d) of every F of `rows` (n, m, d)."""
    F = torch.from_numpy(rows)
    return torch.bmm(F.transpose(1, 2), F).numpy()


def inverse(matrices: np.ndarray) -> np.ndarray:
    """Of positive definite matrices (n, d, d)."""
    factors, failures = torch.linalg.cholesky_ex(torch.from_numpy(matrices))
    if failures.any():  # by rounding
        return np.linalg.inv(matrices)
    return torch.cholesky_inverse(factors).numpy()


def solve(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (n, d) of Ax = b for positive definite A (n, d, d) and b (n, d)."""
    factors, failures = torch.linalg.cholesky_ex(torch.from_numpy(matrices))
    if failures.any():
        return np.linalg.solve(matrices, right[..., None])[..., 0]
    column = torch.from_numpy(right).unsqueeze(-1)
    return torch.cholesky_solve(column, factors).squeeze(-1).numpy()
