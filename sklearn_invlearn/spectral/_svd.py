"""Truncated SVD of a sparse matrix, at the cost of its shorter side."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import lu, qr

from ._sparse_times import sparse_times

_OVERSAMPLES = 10
_N_ITERATIONS = 5
_SMALLEST = 1e-3  # of the first singular value: squares in single precision end there


def truncated_svd(
    matrix: sparse.csr_array, rank: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left vectors (m, k), values (k,) and right vectors (n, k), k ≤ min(m, n) - 1.

    Subspace iteration (Halko, Martinsson & Tropp, SIAM Review 2011) that keeps a basis
    of the shorter side alone. With 200,000 users and 6,000 items it factorises matrices
    of 6,000 rows; scikit-learn's ``randomized_svd`` does so on either side, and spends
    three quarters of its time on the 200,000. Where a singular value is next to zero
    its vectors are zero, and the value is kept.
    """
    k = min(rank, min(matrix.shape) - 1)
    m, n = matrix.shape
    if k < 1:
        return np.zeros((m, 0)), np.zeros(0), np.zeros((n, 0))
    if m < n:
        left, scale, right = truncated_svd(matrix.T.tocsr(), rank, rng)
        return right, scale, left
    transposed = matrix.T.tocsr()
    size = (n, min(n, k + _OVERSAMPLES))
    basis = rng.standard_normal(size).astype(matrix.dtype)
    for _ in range(_N_ITERATIONS):
        # Orthogonal or not, the subspace is the same: LU takes a tenth of QR's time.
        image = sparse_times(matrix, basis)
        basis, _ = lu(sparse_times(transposed, image), permute_l=True)
    basis, _ = qr(basis, mode="economic")
    image = sparse_times(
        matrix, basis
    )  # its Gram matrix has the squared singular values
    squares, turn = np.linalg.eigh((image.T @ image).astype(np.float64))
    largest = np.argsort(-squares)[:k]
    scale = np.sqrt(squares[largest].clip(min=0.0))
    inverse = np.divide(1.0, scale, where=scale > _SMALLEST * scale[0], out=0 * scale)
    turn = turn[:, largest]
    left = image @ (turn * inverse).astype(matrix.dtype)
    right = basis @ (turn * (inverse > 0)).astype(matrix.dtype)
    return left, scale.astype(matrix.dtype), right
