"""Products with sparse matrices, against those of scipy."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_invlearn.spectral._sparse_times import sparse_times


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("nnz", [0, 1, 40])
@pytest.mark.parametrize("k", [0, 1, 5])
def test_products_are_those_of_scipy(k, nnz, dtype):
    rng = np.random.default_rng(nnz)
    places = rng.integers(7, size=nnz), rng.integers(4, size=nnz)
    values = rng.normal(size=nnz).astype(dtype)
    matrix = sparse.csr_array((values, places), shape=(9, 4))  # empty rows at the end
    table = rng.normal(size=(4, k)).astype(dtype)
    for same in (table, np.asfortranarray(table)):
        found = sparse_times(matrix, same)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, matrix @ table, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_entries_of_the_same_place_are_added_and_the_index_may_be_of_either_size(index):
    columns, starts = np.array([1, 1, 0], dtype=index), np.array([0, 2, 3], dtype=index)
    matrix = sparse.csr_array((np.array([1.0, 2.0, 4.0]), columns, starts), (2, 2))
    table = np.array([[1.0], [10.0]])
    np.testing.assert_array_equal(sparse_times(matrix, table), [[30.0], [4.0]])
