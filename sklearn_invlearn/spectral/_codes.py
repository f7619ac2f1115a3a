"""Codes of users or items by counting, which takes a tenth of what sorting takes."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def order_by(codes: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Stable order of `codes` (n,), and where each begins, shape (n_codes + 1,)."""
    # A sparse matrix with an entry in each row finds those of a column this way.
    n = len(codes)
    entries = np.ones(n, dtype=bool), codes, np.arange(n + 1)
    by_column = sparse.csr_array(entries, shape=(n, n_codes)).tocsc()
    return by_column.indices, by_column.indptr


def distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values of `codes` (n,), sorted, and the places of all among them."""
    there = np.zeros(codes.max(initial=-1) + 1, dtype=bool)
    there[codes] = True
    return np.flatnonzero(there), (there.cumsum() - 1).take(codes)
