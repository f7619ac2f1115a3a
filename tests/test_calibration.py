"""scikit-learn's calibration around the recommenders, the pool passed on whole."""

import numpy as np
import pytest
import sklearn
import torch
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss, log_loss

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.fitting import _inputs
from sklearn_invlearn.metrics import ece_score
from sklearn_invlearn.model_selection import UserStratifiedKFold

each_routing = pytest.mark.parametrize("routing", [False, True], ids=["off", "routed"])
each_method = pytest.mark.parametrize(
    "method",
    [CrossEntropyRecommender, InverseDualLossRecommender, InverseGradientRecommender],
)
SIZES = {"backbone": "bias", "max_epochs": 3, "random_state": 0}


def strings(X):
    return np.array([[f"u{user}", f"i{item}"] for user, item in X])


@pytest.fixture
def n_pool(monkeypatch):
    """Lists (rows of X, rows of the pool) of every fit."""
    seen = []
    warn = _inputs._warn_if_cut_into_folds

    def recording(table, X, name):
        if name == "X_unlab" and table is not None:
            tables = table if isinstance(table, tuple) else (table,)
            seen.append((len(X), *map(len, tables)))
        return warn(table, X, name)

    monkeypatch.setattr(_inputs, "_warn_if_cut_into_folds", recording)
    return seen


@each_routing
@each_method
@pytest.mark.parametrize("ensemble", [True, False])
def test_cross_validated_with_the_pool(method, routing, ensemble, data, n_pool):
    """The pool is as long as X, and still comes whole to every fit."""
    n = len(data.y)
    pool = strings(data.X_unlab[:n])
    with sklearn.config_context(enable_metadata_routing=routing):
        model = CalibratedClassifierCV(
            method(**SIZES), cv=UserStratifiedKFold(3), ensemble=ensemble
        ).fit(strings(data.X), data.y, X_unlab=(pool,))
    refit = [] if ensemble else [n]
    assert [rows for rows, _ in n_pool] == [
        n - len(test) for _, test in UserStratifiedKFold(3).split(data.X, data.y)
    ] + refit
    assert {length for _, length in n_pool} == {n}
    proba = model.predict_proba(strings(data.X_test))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert 0.5 < brier_score_loss(data.y_test, proba[:, 1]) + 0.5 < 0.8


def halves(X, y):
    rows = np.random.default_rng(0).permutation(len(y))
    return [(X[half], y[half]) for half in np.array_split(rows, 2)]


@each_routing
@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic", "temperature"])
def test_frozen_on_held_out_rows(calibration, routing):
    """An overconfident model is repaired, and its ranking kept."""
    data = make_sparse_feedback(
        100, 60, n_exposures=4000, label_fraction=0.4, user_bias_scale=2.0,
        test_fraction=0.4, random_state=0,
    )  # fmt: skip
    est = CrossEntropyRecommender(
        backbone="gmf", n_factors=16, gamma=0.05, max_epochs=60, random_state=0
    ).fit(data.X, data.y, X_unlab=(data.X_unlab,))
    (X_held, y_held), (X_new, y_new) = halves(data.X_test, data.y_test)
    with sklearn.config_context(enable_metadata_routing=routing):
        model = CalibratedClassifierCV(FrozenEstimator(est), method=calibration)
        model.fit(X_held, y_held)
    raw, repaired = est.predict_proba(X_new)[:, 1], model.predict_proba(X_new)[:, 1]
    assert ece_score(y_new, raw) > 0.15
    assert ece_score(y_new, repaired) < 0.08
    assert log_loss(y_new, repaired) < log_loss(y_new, raw)
    (order,) = np.nonzero(np.diff(raw[np.argsort(raw)]) > 1e-9)
    assert (np.diff(repaired[np.argsort(raw)])[order] >= -1e-12).all()


def test_reliability_diagram_of_scikit_learn(data):
    plt = pytest.importorskip("matplotlib.pyplot")
    est = CrossEntropyRecommender(**SIZES).fit(strings(data.X), data.y)
    display = CalibrationDisplay.from_estimator(
        est, strings(data.X_test), data.y_test, n_bins=5, strategy="quantile"
    )
    assert display.estimator_name == "CrossEntropyRecommender"
    proba = est.predict_proba(strings(data.X_test))[:, 1]
    edges = np.quantile(proba, np.linspace(0, 1, 6))
    counts = np.bincount(np.searchsorted(edges[1:-1], proba))
    error = np.average(
        np.abs(display.prob_true - display.prob_pred), weights=counts[counts > 0]
    )
    value = ece_score(data.y_test, proba, n_bins=5, strategy="quantile")
    assert value == pytest.approx(error)
    plt.close("all")


def test_log_probabilities_are_exact_where_probabilities_round_to_zero(data):
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1, random_state=0)
    est.fit(data.X, data.y)
    proba = est.predict_proba(data.X_test)
    np.testing.assert_allclose(np.exp(est.predict_log_proba(data.X_test)), proba)
    with torch.no_grad():
        est.net_.module_.biases.intercept += 2000.0
    logit = est.decision_function(data.X_test)
    expected = np.column_stack([-logit, np.zeros(len(logit))])
    np.testing.assert_allclose(est.predict_log_proba(data.X_test), expected)
