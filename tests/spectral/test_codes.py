"""Codes told apart and put in order by counting, against sorting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_invlearn.spectral._codes import distinct, order_by

CODES = st.lists(st.integers(0, 12), max_size=40).map(lambda x: np.array(x, dtype=int))


@given(CODES)
def test_order_is_that_of_a_stable_sort(codes):
    order, starts = order_by(codes, 13)
    np.testing.assert_array_equal(order, np.argsort(codes, kind="stable"))
    np.testing.assert_array_equal(
        starts, np.r_[0, np.bincount(codes, minlength=13)].cumsum()
    )


@given(CODES)
def test_distinct_codes_are_those_of_unique(codes):
    found, places = distinct(codes)
    expected, inverse = np.unique(codes, return_inverse=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(places, inverse)
