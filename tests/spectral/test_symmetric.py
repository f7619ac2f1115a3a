"""Many small symmetric matrices against numpy, one by one."""

import numpy as np
import pytest

from sklearn_invlearn.spectral._symmetric import inverse, solve, unfolded


@pytest.mark.parametrize("d", [1, 2, 5])
def test_triangles_unfold_to_symmetric_matrices(d):
    rng = np.random.default_rng(d)
    expected = rng.normal(size=(3, d, d))
    expected = expected + expected.transpose(0, 2, 1)
    j, k = np.triu_indices(d)
    np.testing.assert_array_equal(unfolded(expected[:, j, k], d), expected)


def positive_definite(n, d):
    rows = np.random.default_rng(d).normal(size=(n, d, 2 * d))
    return rows @ rows.transpose(0, 2, 1) + np.eye(d)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_inverses_and_solutions(n):
    A = positive_definite(n, 4)
    b = np.random.default_rng(0).normal(size=(n, 4))
    for found, matrix in zip(inverse(A), A):
        np.testing.assert_allclose(found @ matrix, np.eye(4), atol=1e-10)
    for found, matrix, right in zip(solve(A, b), A, b):
        np.testing.assert_allclose(matrix @ found, right, atol=1e-10)


def test_a_matrix_that_rounding_has_made_indefinite_is_solved_all_the_same():
    A = positive_definite(3, 2)
    A[1] = [[1.0, 1.0 + 1e-9], [1.0 + 1e-9, 1.0]]
    b = np.ones((3, 2))
    for found, matrix in zip(inverse(A), A):
        np.testing.assert_allclose(found @ matrix, np.eye(2), atol=1e-6)
    for found, matrix, right in zip(solve(A, b), A, b):
        np.testing.assert_allclose(matrix @ found, right, atol=1e-6)
