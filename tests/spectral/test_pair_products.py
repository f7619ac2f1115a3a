"""Products of rows, in blocks, against all at once."""

import numpy as np
import pytest

from sklearn_invlearn.spectral._cross_entropy import cross_entropies, cross_entropy
from sklearn_invlearn.spectral._pair_products import BLOCK_ROWS, pair_products


@pytest.mark.parametrize("n", [0, 1, BLOCK_ROWS, 2 * BLOCK_ROWS + 7])
def test_products_are_those_of_each_pair(n):
    rng = np.random.default_rng(n)
    left, right = rng.normal(size=(5, 3)), rng.normal(size=(9, 3))
    i, j = rng.integers(5, size=n), rng.integers(9, size=n)
    expected = (left[i] * right[j]).sum(axis=1)
    np.testing.assert_allclose(pair_products(left, i, right, j), expected, atol=1e-12)
    of_parts = pair_products(left[:, 1:], i, right[:, 1:], j)
    np.testing.assert_allclose(
        of_parts, expected - left[i, 0] * right[j, 0], atol=1e-12
    )


def test_cross_entropy_is_minus_the_log_likelihood():
    z, y = (
        np.array([-800.0, -2.0, 0.0, 3.0, 800.0]),
        np.array([1.0, 0.0, 1.0, 1.0, 0.0]),
    )
    expected = np.logaddexp(0.0, z) - y * z
    np.testing.assert_allclose(cross_entropy(z, y), expected, rtol=1e-14)
    weight = np.arange(5.0)
    both = cross_entropies(np.column_stack([z, -z]), y, weight)
    np.testing.assert_allclose(both[0], weight @ expected)
    np.testing.assert_allclose(both[1], weight @ (np.logaddexp(0.0, -z) + y * z))
