import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import roc_auc_score

from sklearn_invlearn.metrics import gauc_score

from ._cases import labelled_pairs, random_pairs


def gauc_by_counting(y_true, y_score, users, weighted=False):
    """Compare every positive with every negative of the same user."""
    values, weights = [], []
    for user in dict.fromkeys(users):
        rows = [row for row, u in enumerate(users) if u == user]
        positives = [y_score[row] for row in rows if y_true[row] == 1]
        negatives = [y_score[row] for row in rows if y_true[row] == 0]
        if positives and negatives:
            wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
            values.append(wins / (len(positives) * len(negatives)))
            weights.append(len(rows) if weighted else 1)
    return np.average(values, weights=weights)


@pytest.mark.parametrize("average", ["macro", "weighted"])
@given(labelled_pairs())
def test_same_as_counting(average, pairs):
    expected = gauc_by_counting(*pairs, weighted=average == "weighted")
    assert gauc_score(*pairs, average=average) == pytest.approx(expected)


def test_same_as_scikit_learn_per_user():
    y_true, y_score, users = random_pairs(3000, n_users=40, n_scores=20)
    aucs = [
        roc_auc_score(y_true[users == user], y_score[users == user])
        for user in range(40)
    ]
    assert gauc_score(y_true, y_score, users) == pytest.approx(np.mean(aucs))
    weighted = np.average(aucs, weights=np.bincount(users))
    value = gauc_score(y_true, y_score, users, average="weighted")
    assert value == pytest.approx(weighted)


@pytest.mark.parametrize(
    ("y_true", "y_score", "expected"),
    [
        ([1, 0], [2, 1], 1.0),
        ([1, 0], [1, 2], 0.0),
        ([1, 0], [1, 1], 0.5),
        ([1, 1, 0, 0], [3, 1, 2, 0], 0.75),
        ([1, 0, 0], [1, 1, 0], 0.75),
    ],
)
def test_hand_values_of_one_user(y_true, y_score, expected):
    assert gauc_score(y_true, y_score, [1] * len(y_true)) == expected


def test_impressions_include_all_rows_of_mixed_users_only():
    users = ["a"] * 2 + ["b"] * 4 + ["c"] * 90
    y_true = [1, 0] + [0, 1, 0, 0] + [1] * 90
    y_score = [1, 0] + [5, 0, 6, 7] + [1] * 90
    assert gauc_score(y_true, y_score, users) == 0.5
    value = gauc_score(y_true, y_score, users, average="weighted")
    assert value == pytest.approx(2 / 6)


def test_global_auc_differs():
    # Scores only tell active users apart: perfect inside nobody.
    y_true, y_score, users = [1, 1, 0, 1, 0, 0], [9, 9, 9, 1, 1, 1], [0, 0, 0, 1, 1, 1]
    assert roc_auc_score(y_true, y_score) > 0.6
    assert gauc_score(y_true, y_score, users) == 0.5


def test_unknown_average_raises():
    with pytest.raises(ValueError, match="average"):
        gauc_score([0, 1], [0, 1], [0, 0], average="micro")
