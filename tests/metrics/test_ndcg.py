from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score as sklearn_ndcg_score

from sklearn_invlearn.metrics import ndcg_score

from ._cases import labelled_pairs, mean_over_mixed_users, random_pairs


def ndcg_at(k):
    def dcg(labels):
        return sum(y / log2(rank + 1) for rank, y in enumerate(labels[:k], start=1))

    return lambda labels: dcg(labels) / dcg(sorted(labels, reverse=True))


@settings(max_examples=50)
@given(labelled_pairs(), st.sampled_from([1, 2, 3, 10, None]))
def test_same_as_all_orders(pairs, k):
    expected = mean_over_mixed_users(*pairs, ndcg_at(k))
    assert ndcg_score(*pairs, k=k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 3, 10, None])
def test_same_as_scikit_learn_per_user(k):
    y_true, y_score, users = random_pairs(3000, n_users=40, n_scores=20)
    values = [
        sklearn_ndcg_score([y_true[users == user]], [y_score[users == user]], k=k)
        for user in range(40)
    ]
    assert ndcg_score(y_true, y_score, users, k=k) == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    ("y_true", "y_score", "k", "expected"),
    [
        ([1, 0], [2, 1], 10, 1.0),
        ([0, 1], [2, 1], 10, 1 / log2(3)),
        ([0, 1], [2, 1], 1, 0.0),
        ([0, 0, 1], [3, 2, 1], 10, 0.5),
        ([1, 1, 0], [3, 1, 2], 10, (1 + 0.5) / (1 + 1 / log2(3))),
        ([1, 1, 0], [3, 1, 2], 1, 1.0),
        ([1, 1, 0], [3, 1, 2], 2, 1 / (1 + 1 / log2(3))),
        ([1, 0], [1, 1], 10, (1 + 1 / log2(3)) / 2),
        ([1, 0], [1, 1], 1, 0.5),
    ],
)
def test_hand_values_of_one_user(y_true, y_score, k, expected):
    value = ndcg_score(y_true, y_score, [1] * len(y_true), k=k)
    assert value == pytest.approx(expected)


def test_default_is_ten():
    y_true, y_score, users = [0] * 10 + [1], list(range(11, 0, -1)), [0] * 11
    assert ndcg_score(y_true, y_score, users) == 0
    assert ndcg_score(y_true, y_score, users, k=None) == pytest.approx(1 / log2(12))


def test_perfect_ranking_is_never_above_one():
    y_true, _, users = random_pairs(5000, n_users=7, n_scores=2)
    assert ndcg_score(y_true, y_true + np.linspace(0, 0.5, 5000), users, k=None) <= 1


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_wrong_k_raises(k):
    with pytest.raises(ValueError, match="'k' parameter"):
        ndcg_score([0, 1], [0, 1], [0, 0], k=k)
