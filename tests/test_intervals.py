"""True is no number of anything, though Python counts it as 1."""

import numpy as np
import pytest

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn._intervals import is_whole
from sklearn_invlearn.baselines import OneHotLogisticRegression
from sklearn_invlearn.datasets import load_ratings, make_sparse_feedback
from sklearn_invlearn.model_selection import (
    ExpandingWindowSplit,
    LeaveLastN,
    TimeCutSplit,
    UserStratifiedKFold,
    compare_recommenders,
    paired_bootstrap,
)

X, Y = np.array([(user, item) for user in range(6) for item in range(4)]), [0, 1] * 12
USERS, SCORE = X[:, 0], np.linspace(0, 1, 24)


def split(splitter):
    return list(splitter.split(X, Y))


@pytest.mark.parametrize("true", [True, np.True_], ids=["Python", "numpy"])
@pytest.mark.parametrize(
    "call",
    [
        lambda true: LeaveLastN(true, time=None),
        lambda true: LeaveLastN(min_train=true, time=None),
        lambda true: UserStratifiedKFold(true),
        lambda true: ExpandingWindowSplit(true, time=None),
        lambda true: split(LeaveLastN(1, time=true)),
        lambda true: split(TimeCutSplit(time=true)),
        lambda true: split(UserStratifiedKFold(2, user_column=true)),
        lambda true: paired_bootstrap(Y, SCORE, SCORE, USERS, n_boot=true),
        lambda true: compare_recommenders({}, X, Y, cv=2, n_trials=true),
        lambda true: make_sparse_feedback(true),
        lambda true: load_ratings("ratings.csv", threshold=true),
        lambda true: OneHotLogisticRegression(C=true).fit(X, Y),
        lambda true: CrossEntropyRecommender(max_epochs=true).fit(X, Y),
    ],
)
def test_true_is_no_number(call, true):
    with pytest.raises((ValueError, TypeError), match=r"True"):
        call(true)


def test_whole_numbers():
    assert [is_whole(v, 1) for v in (1, np.int8(3), 0, 1.0, True, "1", None)] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip


NARROW = {
    "batch_size": np.uint8(16),
    "max_epochs": np.int8(2),
    "gamma": np.float16(0.01),
    "alpha": np.float16(0.1),
    "weight_decay": np.float16(1e-3),
}


@pytest.mark.parametrize(
    "method", [InverseDualLossRecommender, InverseGradientRecommender]
)
def test_a_narrow_number_is_the_number_that_it_is(method):
    # uint8 had no minus, and in half precision a step overflowed.
    wide = {name: value.item() for name, value in NARROW.items()}
    logits = [
        method(backbone="gmf", random_state=0, device="cpu", **params)
        .fit(X[:-2], Y[:-2])
        .decision_function(X)
        for params in (NARROW, wide)
    ]
    np.testing.assert_array_equal(*logits)
