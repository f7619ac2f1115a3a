"""The spectral backbone in an estimator: what exposures add, and its contract."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.datasets import make_sparse_feedback

SPECTRAL = {"backbone": "spectral", "random_state": 0}


@pytest.fixture(scope="module")
def data():
    return make_sparse_feedback(
        n_users=300, n_items=150, n_exposures=18_000, label_fraction=0.1, random_state=0
    )


@pytest.fixture(scope="module")
def fitted(data):
    est = CrossEntropyRecommender(**SPECTRAL)
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


def auc(est, data):
    return roc_auc_score(data.y_test, est.decision_function(data.X_test))


def test_exposures_beat_labels_alone_and_biases(fitted, data):
    alone = CrossEntropyRecommender(**SPECTRAL).fit(data.X, data.y)
    bias = CrossEntropyRecommender(backbone="bias", gamma=0.02, random_state=0)
    bias.fit(data.X, data.y)
    assert auc(fitted, data) > auc(alone, data) + 0.02
    assert auc(fitted, data) > auc(bias, data) + 0.02


def test_labels_alone_need_no_epoch(fitted):
    assert fitted.n_iter_ == 0
    assert len(fitted.history_) == 0


@pytest.mark.parametrize(
    "recommender", [InverseGradientRecommender, InverseDualLossRecommender]
)
def test_inverse_learning_starts_where_the_labels_end(recommender, fitted, data):
    est = recommender(alpha=0.0, gamma=1e-9, **SPECTRAL)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    assert est.n_iter_ == 1
    assert auc(est, data) == pytest.approx(auc(fitted, data), abs=0.02)
    if recommender is InverseGradientRecommender:
        assert len(est.trace_)


def test_supervised_steps_stay_at_the_optimum_of_the_penalised_loss(fitted, data):
    """Without the penalty these epochs would overfit."""
    est = CrossEntropyRecommender(max_epochs=20, **SPECTRAL)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    loss = {
        name: log_loss(data.y_test, model.predict_proba(data.X_test))
        for name, model in (("fitted", fitted), ("continued", est))
    }
    assert loss["continued"] == pytest.approx(loss["fitted"], abs=0.01)


def test_calibrated_on_rows_not_seen(fitted, data):
    mean = fitted.predict_proba(data.X_test)[:, 1].mean()
    assert mean == pytest.approx(data.y_test.mean(), abs=0.04)


def test_one_row_may_outweigh_all_others(data):
    """Rounded, the share of positives is 1, from which the student is to start."""
    weight = np.ones(len(data.y))
    weight[data.y.argmax()] = 1e12
    est = InverseDualLossRecommender(**SPECTRAL)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,), sample_weight=weight)
    assert len(est.gate_)
    assert np.isfinite(est.decision_function(data.X_test)).all()


def test_weight_zero_is_absence(data):
    weight = np.ones(len(data.y))
    weight[:200] = 0
    weighted = CrossEntropyRecommender(**SPECTRAL)
    weighted.fit(data.X, data.y, sample_weight=weight)
    without = CrossEntropyRecommender(**SPECTRAL).fit(data.X[200:], data.y[200:])
    z = [est.decision_function(data.X_test[:50]) for est in (weighted, without)]
    np.testing.assert_allclose(*z, rtol=1e-6, atol=1e-6)


def test_users_known_from_the_pool_alone_are_scored_by_their_exposures(data):
    user = data.X_unlab[0, 0]
    keep = data.X[:, 0] != user
    est = CrossEntropyRecommender(**SPECTRAL)
    est.fit(data.X[keep], data.y[keep], X_unlab=(data.X_unlab,))
    pairs = np.column_stack([np.full(20, user), est.item_ids_[:20]])
    unknown = np.column_stack([np.full(20, -1), est.item_ids_[:20]])
    z, average = est.decision_function(pairs), est.decision_function(unknown)
    assert np.abs(z - average).max() > 1e-3


@pytest.mark.parametrize("n", [4, 12])
def test_very_few_labels(n):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (n, 2))
    y = np.arange(n) % 2
    proba = CrossEntropyRecommender(**SPECTRAL).fit(X, y).predict_proba(X)
    assert np.isfinite(proba).all()
    assert 0.05 < proba.min() < 0.95


def test_further_parameters_are_refused(data):
    est = CrossEntropyRecommender(backbone_params={"n_layers": 2}, **SPECTRAL)
    with pytest.raises(TypeError, match="n_layers"):
        est.fit(data.X, data.y)


def test_training_leaves_the_embeddings(data):
    est = InverseDualLossRecommender(gamma=0.1, **SPECTRAL)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    tables = [m for name, m in est.net_.module_.named_modules() if name[-2:] == ".P"]
    assert tables
    assert not any(table.weight.requires_grad for table in tables)
    assert all(torch.isfinite(p).all() for p in est.net_.module_.parameters())


def test_newcomers_are_told_from_the_average_where_they_have_labels():
    """Half of the labels are of users with no other exposure, and mostly 0."""
    rng = np.random.default_rng(0)
    regular = np.column_stack([np.arange(4000) % 200, rng.integers(0, 60, 4000)])
    regular = np.unique(regular, axis=0)
    rng.shuffle(regular)
    new = np.column_stack([1000 + np.arange(600), rng.integers(0, 60, 600)])
    labelled = np.flatnonzero(regular[:, 0] < 150)[:600]
    X, pool = np.vstack([regular[labelled], new]), np.delete(regular, labelled, axis=0)
    y = (rng.random(1200) < np.repeat([0.7, 0.1], 600)).astype(int)
    est = CrossEntropyRecommender(**SPECTRAL).fit(X, y, X_unlab=(pool,))
    items = np.arange(60)
    proba = {
        user: est.predict_proba(np.column_stack([np.full(60, user), items]))[:, 1]
        for user in (-1, 180)
    }
    assert proba[-1].mean() == pytest.approx(0.1, abs=0.05)
    assert proba[180].mean() > 0.5  # has no label, but exposures
