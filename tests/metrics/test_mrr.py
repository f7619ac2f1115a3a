from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_invlearn.metrics import mrr_score
from sklearn_invlearn.metrics._mrr import expected_reciprocal_rank

from ._cases import labelled_pairs, mean_over_mixed_users


def reciprocal_rank(labels):
    return 1 / (labels.index(1) + 1)


@settings(max_examples=50)
@given(labelled_pairs())
def test_same_as_all_orders(pairs):
    expected = mean_over_mixed_users(*pairs, reciprocal_rank)
    assert mrr_score(*pairs) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("y_true", "y_score", "expected"),
    [
        ([1, 0], [2, 1], 1.0),
        ([0, 1], [2, 1], 1 / 2),
        ([0, 0, 1, 1], [4, 3, 2, 1], 1 / 3),
        ([0, 1], [1, 1], (1 + 1 / 2) / 2),
        ([0, 0, 1], [1, 1, 1], (1 + 1 / 2 + 1 / 3) / 3),
        ([0, 1, 1], [1, 1, 1], (2 + 1 / 2) / 3),
        ([0, 0, 1], [5, 1, 1], (1 / 2 + 1 / 3) / 2),
        ([0, 1, 0, 1], [5, 1, 1, 0], (1 / 2 + 1 / 3) / 2),
    ],
)
def test_hand_values_of_one_user(y_true, y_score, expected):
    assert mrr_score(y_true, y_score, [1] * len(y_true)) == pytest.approx(expected)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 60), st.integers(0, 60)),
        min_size=1,
        max_size=8,
    )
)
def test_expectation_is_the_hypergeometric_sum(blocks):
    blocks = [(above, max(size, hits), max(hits, 1)) for above, size, hits in blocks]
    expected = [
        sum(
            comb(size - j, hits - 1) / comb(size, hits) / (above + j)
            for j in range(1, size - hits + 2)
        )
        for above, size, hits in blocks
    ]
    value = expected_reciprocal_rank(*np.array(blocks).T)
    np.testing.assert_allclose(value, expected, rtol=1e-13)


def test_a_long_tie_keeps_its_digits():
    # With one hit in n tied pairs the expectation is the harmonic number over n.
    n = 200_000
    value = mrr_score(np.arange(n) == 0, np.zeros(n), np.zeros(n, dtype=int))
    assert value == pytest.approx(np.sum(1 / np.arange(1, n + 1)) / n, rel=1e-12)


def test_depends_on_scores_not_on_labels_only():
    y_true, users = [0, 0, 1], ["a"] * 3
    assert mrr_score(y_true, [3, 2, 1], users) < mrr_score(y_true, [1, 2, 3], users)
