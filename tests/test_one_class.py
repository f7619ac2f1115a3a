"""Observed positives alone, for procedures that sample their negatives."""

import numpy as np
import pytest
import torch

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.fitting._build import share_of_positives
from sklearn_invlearn.training import Pairs, PoolSource, TrainingData

SAMPLING = [
    (CrossEntropyRecommender, {"negatives": "sampled"}),
    (TruncatedLossRecommender, {}),
    (ReweightedLossRecommender, {}),
]
each_sampling = pytest.mark.parametrize(("method", "params"), SAMPLING)
SIZES = {"backbone": "gmf", "n_factors": 4, "gamma": 0.05, "max_epochs": 3}


@pytest.fixture(scope="module")
def positives(data):
    return data.X[data.y == 1]


@each_sampling
@pytest.mark.parametrize(
    ("one", "classes"),
    [(1, [0, 1]), (1.0, [0.0, 1.0]), (True, [False, True]), (np.int8(1), [0, 1])],
)
def test_all_ones_is_legal(method, params, one, classes, positives):
    est = method(random_state=0, **params, **SIZES)
    y = np.full(len(positives), one)
    est.fit(positives, y)
    assert est.classes_.tolist() == classes
    assert est.classes_.dtype == y.dtype
    proba = est.predict_proba(positives)
    assert proba.shape == (len(positives), 2)
    assert set(est.predict(positives).tolist()) <= set(classes)


@each_sampling
@pytest.mark.parametrize("label", [0, 0.0, False, 2, "yes", -1])
def test_another_class_alone_is_refused(method, params, label, positives):
    with pytest.raises(ValueError, match=r"one class.*ones"):
        method(**params, **SIZES).fit(positives, [label] * len(positives))


@each_sampling
def test_weights_may_leave_positives_alone(method, params, data):
    est = method(random_state=0, **params, **SIZES)
    a = est.fit(data.X, data.y, data.y.astype(float)).decision_function(data.X)
    kept = data.y == 1
    b = est.fit(data.X[kept], data.y[kept]).decision_function(data.X)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "method", [CrossEntropyRecommender, InverseDualLossRecommender]
)
def test_without_sampled_negatives_both_classes_are_needed(method, positives):
    with pytest.raises(ValueError, match=r"only one class: \[1\].*X_unlab"):
        method(**SIZES).fit(positives, np.ones(len(positives), dtype=int))


@each_sampling
def test_positives_outscore_the_rest(method, params, data, positives):
    est = method(random_state=0, **params, **SIZES | {"max_epochs": 30})
    est.fit(positives, np.ones(len(positives)), X_unlab=(data.X_unlab,))
    seen, unseen = (est.decision_function(X) for X in (positives, data.X_unlab))
    assert seen.mean() > unseen.mean() + 0.5


@each_sampling
def test_a_fitted_backbone_takes_a_draw_of_negatives(method, params, data, positives):
    est = method(backbone="spectral", random_state=0, **params)
    est.fit(positives, np.ones(len(positives)))
    assert np.isfinite(est.decision_function(data.X_test)).all()


@each_sampling
def test_early_stopping_needs_rows_of_both_classes(method, params, data, positives):
    ones = np.ones(len(positives), dtype=int)
    est = method(early_stopping=True, **params, **SIZES)
    with pytest.raises(ValueError, match=r"all of them are positive.*X_val"):
        est.fit(positives, ones)
    est.fit(positives, ones, X_val=(data.X_test,), y_val=(data.y_test,))
    assert "valid_loss" in est.history_[0]


@each_sampling
@pytest.mark.filterwarnings("ignore:Every known user is labelled:UserWarning")
def test_nothing_to_sample_is_an_error(method, params):
    with pytest.raises(ValueError, match="no unobserved pair to sample"):
        method(**params, **SIZES).fit([[0, 0], [0, 1]], [1, 1])


def labelled(y, weight=None):
    n = len(y)
    codes = np.ones((2, n), dtype=int)
    return Pairs.from_codes(codes, np.array(y), weight, device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("y", "weight", "n_negatives", "expected"),
    [
        ([1, 1, 1, 0, 1], None, 0, 4 / 5),
        # Batches of 2, 2 and 1 rows; the pool gives 2 pairs to each of them.
        ([1, 1, 1, 1, 1], None, 1, 5 / 11),
        ([1, 1, 1, 0, 1], None, 2, 4 / 17),
        ([1, 1, 1, 0, 1], [0.5, 0.5, 0.5, 3.0, 0.5], 1, 2 / 11),
    ],
)
def test_the_base_rate_counts_sampled_negatives(y, weight, n_negatives, expected):
    pool = PoolSource(labelled([0] * 7), 2, torch.Generator())
    data = TrainingData(labelled(y, weight), unlabeled=pool)
    assert share_of_positives(data, n_negatives, 2) == pytest.approx(expected)


def test_the_intercept_starts_at_the_base_rate(positives):
    est = CrossEntropyRecommender(
        negatives="sampled", n_negatives=3, optimizer="sgd", **SIZES | {"gamma": 1e-12}
    ).fit(positives, np.ones(len(positives)))
    assert est.net_.module_.biases.intercept.item() == pytest.approx(np.log(1 / 3))
