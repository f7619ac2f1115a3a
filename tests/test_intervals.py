"""True is no number of anything, though Python counts it as 1."""

import numpy as np
import pytest

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    MultiTaskRecommender,
    NegativeReweightingRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn._intervals import is_whole
from sklearn_invlearn.baselines import OneHotLogisticRegression
from sklearn_invlearn.datasets import load_ratings, make_sparse_feedback
from sklearn_invlearn.metrics import full_ranking_recall_score
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
    "n_factors": np.uint8(100),
    "gamma": np.float16(0.01),
    "weight_decay": np.float16(1e-3),
    "validation_fraction": np.float16(0.2),
    "n_iter_no_change": np.uint8(1),
}
NINE = np.uint8(9)
TWO_NEGATIVES = {"n_negatives": np.uint8(2)}


@pytest.mark.parametrize(
    ("method", "own"),
    [
        (InverseDualLossRecommender, {"alpha": np.float16(0.1)}),
        (InverseGradientRecommender, {"alpha": np.float16(0.1)}),
        (InverseGradientRecommender, {"n_unlabeled_steps": np.uint8(2)}),
        (TruncatedLossRecommender, {"n_drop_steps": NINE, **TWO_NEGATIVES}),
        (ReweightedLossRecommender, {"beta": np.float16(0.3), **TWO_NEGATIVES}),
        (MultiTaskRecommender, {"extra_weight": np.float16(0.3), **TWO_NEGATIVES}),
        (NegativeReweightingRecommender, {"skip_weight": np.float16(0.3)}),
    ],
)
@pytest.mark.filterwarnings("ignore:MultiTaskRecommender has no extra feedback")
def test_a_narrow_number_is_the_number_that_it_is(method, own):
    # uint8 had no minus, products began again at 0, and in half precision a step
    # overflowed.
    narrow = NARROW | own
    wide = {name: value.item() for name, value in narrow.items()}
    new = np.random.default_rng(0).integers(60, size=(300, 2))
    labels = np.arange(300) % 2
    logits = [
        method(backbone="mlp", random_state=0, device="cpu", **params)
        .fit(X[:-2], Y[:-2], X_val=X, y_val=Y)
        .partial_fit(new, labels, X_unlab=(new + 1,), n_epochs=np.uint8(2))
        .decision_function(X)
        for params in (narrow, wide)
    ]
    np.testing.assert_array_equal(*logits)


def test_a_narrow_rank_is_the_rank_that_it_is():
    score = np.random.default_rng(0).random((3, 300))
    recall = [full_ranking_recall_score(score > 0.5, score, k=k) for k in (9, NINE)]
    assert recall[0] == recall[1]


def test_narrow_sizes_are_the_sizes_that_they_are():
    sizes = {"n_users": np.uint8(60), "n_items": np.uint8(40)}
    wide, narrow = (
        make_sparse_feedback(**given, n_exposures=kind(1500), random_state=0)
        for given, kind in (({"n_users": 60, "n_items": 40}, int), (sizes, np.int16))
    )
    np.testing.assert_array_equal(wide.X, narrow.X)
