import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_invlearn.metrics import recall_score

from ._cases import labelled_pairs, mean_over_mixed_users


@settings(max_examples=50)
@given(labelled_pairs(), st.sampled_from([1, 2, 3, 10]))
def test_same_as_all_orders(pairs, k):
    expected = mean_over_mixed_users(
        *pairs, lambda labels: sum(labels[:k]) / sum(labels)
    )
    assert recall_score(*pairs, k=k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("y_true", "y_score", "k", "expected"),
    [
        ([1, 0], [2, 1], 1, 1.0),
        ([0, 1], [2, 1], 1, 0.0),
        ([0, 1], [2, 1], 2, 1.0),
        ([1, 1, 0], [3, 2, 1], 1, 1 / 2),  # the denominator is 2, not min(k, 2)
        ([1, 0, 0, 1], [1, 1, 1, 0], 2, (2 / 3) / 2),
        ([1, 0], [1, 1], 1, 1 / 2),
    ],
)
def test_hand_values_of_one_user(y_true, y_score, k, expected):
    value = recall_score(y_true, y_score, [1] * len(y_true), k=k)
    assert value == pytest.approx(expected)


def test_default_is_ten():
    y_true, y_score, users = [0] * 10 + [1], np.arange(11, 0, -1), np.zeros(11)
    assert recall_score(y_true, y_score, users) == 0
    assert recall_score(y_true, y_score, users, k=11) == 1


@pytest.mark.parametrize("k", [0, None, 2.5])
def test_wrong_k_raises(k):
    with pytest.raises(ValueError, match="'k' parameter"):
        recall_score([0, 1], [0, 1], [0, 0], k=k)
