"""scikit-learn's own checks, for every estimator with every backbone."""

from functools import partial

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_invlearn
from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    MultiTaskRecommender,
    NegativeReweightingRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.modules import BACKBONES

METHODS = [
    (CrossEntropyRecommender, {}),
    (CrossEntropyRecommender, {"negatives": "sampled"}),
    (InverseDualLossRecommender, {}),
    (InverseGradientRecommender, {}),
    (TruncatedLossRecommender, {}),
    (ReweightedLossRecommender, {}),
    (MultiTaskRecommender, {}),
    (NegativeReweightingRecommender, {}),
]

pytestmark = pytest.mark.filterwarnings("ignore:.*has no extra feedback:UserWarning")

# Small and quick, and able to fit the suite's blobs.
SIZES = {"n_factors": 2, "gamma": 0.2, "max_epochs": 8}

ESTIMATORS = [
    method(backbone=backbone, **params, **SIZES)
    for method, params in METHODS
    for backbone in BACKBONES
    if backbone != "spectral"  # the default, which the second list checks
] + [method(**params) for method, params in METHODS]
WARMED_UP = [
    TruncatedLossRecommender(backbone=backbone, extra_feedback="warmup", **SIZES)
    for backbone in ("gmf", "neumf")
]
COLLIDING = [CollidingRecommender(recommender=inner) for inner in WARMED_UP] + [
    CollidingRecommender()
]


def expected_failures(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "A repeated row is in one batch or another, and may fall on both sides of "
            "a split; a row of weight two is one row."
        )
    }


# The suite's tables have up to ten columns, of few or of all-different ids.
@pytest.mark.filterwarnings(r"ignore:X has \d+ columns:UserWarning")
@pytest.mark.filterwarnings("ignore:Every known user is labelled:UserWarning")
@pytest.mark.filterwarnings("ignore:.*no extra feedback:UserWarning")
@parametrize_with_checks(
    ESTIMATORS + COLLIDING, expected_failed_checks=expected_failures
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


def test_every_public_estimator_is_checked():
    public = {getattr(sklearn_invlearn, name) for name in sklearn_invlearn.__all__}
    recommenders = {c for c in public if isinstance(c, type)}
    assert {type(estimator) for estimator in ESTIMATORS + COLLIDING} == recommenders
    assert {estimator.backbone for estimator in ESTIMATORS} == set(BACKBONES)


each_method = pytest.mark.parametrize(
    "make",
    [partial(method, **params, max_epochs=3) for method, params in METHODS],
    ids=[
        "none",
        "sampled",
        "dual",
        "gradient",
        "truncated",
        "reweighted",
        "multi_task",
        "negative_reweighting",
    ],
)


@each_method
def test_works_with_defaults_alone_and_with_a_pool(make, data):
    for pool in (None, data.X_unlab, (data.X_unlab,), (data.X_unlab, data.X_test)):
        est = make(random_state=0).fit(data.X, data.y, X_unlab=pool)
        assert np.isfinite(est.decision_function(data.X_test)).all()


@each_method
def test_the_outputs_agree_with_each_other(make, data):
    y = np.array(["bad", "good"])[data.y]
    X, truth = np.vstack([data.X, data.X_test]), np.append(data.y, data.y_test)
    est = make(backbone="gmf", gamma=0.1, max_epochs=20, random_state=0)
    est.fit(data.X, y)
    logit = est.decision_function(X)
    proba = est.predict_proba(X)
    assert est.classes_.tolist() == ["bad", "good"]
    assert logit.dtype == proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(proba[:, 1], 1 / (1 + np.exp(-logit)), rtol=1e-12)
    expected = np.where(logit > 0, "good", "bad")
    assert (est.predict(X) == expected).all()
    assert len(set(expected)) == 2
    accuracy = (expected == np.array(["bad", "good"])[truth]).mean()
    assert est.score(X, np.array(["bad", "good"])[truth]) == accuracy
    w1 = est.annotate(X)
    assert ((w1 > 0.5) == (logit > 0)).all()
    assert (np.abs(w1 - 0.5) >= np.abs(proba[:, 1] - 0.5)).all()


@each_method
def test_a_row_of_weight_zero_is_not_there(make, data):
    weight = np.random.default_rng(0).integers(0, 3, len(data.y)).astype(float)
    kept = weight > 0
    zero = make(random_state=0).fit(data.X, data.y, weight)
    gone = make(random_state=0).fit(data.X[kept], data.y[kept], weight[kept])
    same = zero.decision_function(data.X_test) == gone.decision_function(data.X_test)
    assert same.all()


@each_method
def test_only_ratios_of_weights_matter(make, data):
    scores = [
        make(random_state=0).fit(data.X, data.y, weight).decision_function(data.X)
        for weight in (None, np.ones(len(data.y)), np.full(len(data.y), 64.0))
    ]
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-5, atol=1e-7)
    assert (scores[2] == scores[1]).all()


@each_method
def test_weights_pull_the_scores(make, data):
    scores = [
        make(backbone="bias", gamma=0.1, random_state=0)
        .fit(data.X, data.y, np.where(data.y == positive, 9.0, 1.0))
        .decision_function(data.X_test)
        for positive in (0, 1)
    ]
    assert (scores[0] < scores[1]).all()
