"""The progress bar, and scikit-learn's own callbacks."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "batch_size": 64,
    "gamma": 0.05,
    "random_state": 0,
}
each_method = pytest.mark.parametrize(
    "method",
    [CrossEntropyRecommender, InverseDualLossRecommender, InverseGradientRecommender],
)


@pytest.fixture
def callback_module():
    return pytest.importorskip("sklearn.callback")


@pytest.fixture
def progress_bar(callback_module):
    pytest.importorskip("rich")
    return callback_module.ProgressBar()


# ---- verbose ---------------------------------------------------------------------


@each_method
def test_verbose_shows_a_bar_on_standard_error(method, data, capsys):
    method(max_epochs=3, verbose=1, **SIZES).fit(data.X, data.y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert method.__name__ in shown.err
    assert "3/3" in shown.err
    assert "train_loss=" in shown.err
    assert "valid_loss=" not in shown.err
    assert ("n_pass=" in shown.err) == (method is InverseGradientRecommender)


def test_no_bar_where_there_is_no_standard_error(data, monkeypatch):
    """As in a service, or under pythonw."""
    from sklearn_invlearn.model_selection import compare_recommenders
    from sklearn_invlearn.serving import _prediction

    monkeypatch.setattr(_prediction, "_BLOCK_ROWS", 100)
    monkeypatch.setattr("sys.stderr", None)
    est = CrossEntropyRecommender(max_epochs=1, verbose=1, **SIZES)
    assert len(est.fit(data.X, data.y).predict(data.X_test)) == len(data.X_test)
    tables = {"X_test": data.X_test, "y_test": data.y_test}
    found = compare_recommenders(
        {}, data.X, data.y, **tables, n_trials=1, seeds=[0], n_boot=9
    )
    assert len(found.to_frame())


def test_the_bar_shows_the_validation_loss(data, capsys):
    est = CrossEntropyRecommender(max_epochs=2, verbose=1, **SIZES)
    est.fit(data.X, data.y, X_val=(data.X_test,), y_val=(data.y_test,))
    assert "valid_loss=" in capsys.readouterr().err


def test_the_bar_counts_the_epoch_that_early_stopping_ends(data, capsys):
    est = CrossEntropyRecommender(
        max_epochs=9, verbose=1, tol=10.0, n_iter_no_change=2, **SIZES
    )
    est.fit(data.X, data.y, X_val=(data.X_test,), y_val=(data.y_test,))
    assert est.n_iter_ == 3
    assert "3/9" in capsys.readouterr().err


@each_method
def test_silent_without_verbose(method, data, capsys):
    est = method(max_epochs=3, early_stopping=True, **SIZES).fit(data.X, data.y)
    est.predict(data.X)
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""


# ---- sklearn.callback ------------------------------------------------------------


@each_method
def test_scoring_monitor_scores_every_epoch(method, data, callback_module):
    monitor = callback_module.ScoringMonitor(scoring="neg_log_loss")
    est = method(max_epochs=4, **SIZES).set_callbacks(monitor)
    est.fit(data.X, data.y)
    log = monitor.get_logs()
    rows = log.data
    epochs = [row["neg_log_loss"] for row in rows if row["task_name"] == "epoch"]
    assert len(epochs) == 4
    assert epochs[-1] > epochs[0]
    logit = est.decision_function(data.X)
    loss = np.logaddexp(0, np.where(data.y == 1, -logit, logit)).mean()
    assert epochs[-1] == pytest.approx(-loss, rel=1e-4)


def test_a_monitored_fit_is_the_fit_and_does_not_keep_the_data(data, callback_module):
    X, y = np.repeat(data.X, 50, axis=0), np.repeat(data.y, 50)
    plain = InverseDualLossRecommender(max_epochs=2, **SIZES).fit(X, y)
    monitored = clone(plain).set_callbacks(
        callback_module.ScoringMonitor(scoring="roc_auc")
    )
    monitored.fit(X, y).set_callbacks()
    scores = plain.decision_function(data.X_test)
    pickled = pickle.dumps(monitored)
    for est in (monitored, pickle.loads(pickled)):
        assert (est.decision_function(data.X_test) == scores).all()
    assert len(pickled) < len(pickle.dumps(plain)) + X.nbytes / 10


def test_callbacks_score_what_would_predict_and_change_nothing(data, callback_module):
    """No dropout, the average user for an unknown one, random numbers given back."""
    pairs = np.vstack([data.X_test, [[10**6, data.X[0, 1]]]])
    seen = []

    def scorer(est, X, y):
        torch.rand(3)
        seen.append(est.decision_function(pairs))
        return {"score": 0.5}

    params = {"backbone": "mlp", "backbone_params": {"dropout": 0.5}, "max_epochs": 3}
    plain = CrossEntropyRecommender(**SIZES | params).fit(data.X, data.y)
    monitor = callback_module.ScoringMonitor(scoring=scorer)
    clone(plain).set_callbacks(monitor).fit(data.X, data.y)
    assert len(seen) == 4
    assert (seen[0] != seen[1]).all()
    for scores in seen[2:]:
        assert (scores == plain.decision_function(pairs)).all()


def test_a_fit_without_epochs_is_scored_once_and_keeps_no_data(data, callback_module):
    X, y = np.repeat(data.X, 50, axis=0), np.repeat(data.y, 50)
    plain = CrossEntropyRecommender(random_state=0).fit(X, y)
    monitor = callback_module.ScoringMonitor(scoring="roc_auc")
    est = clone(plain).set_callbacks(monitor).fit(X, y).set_callbacks()
    assert est.n_iter_ == 0
    assert [row["task_name"] for row in monitor.get_logs().data] == ["fit"]
    assert len(pickle.dumps(est)) < len(pickle.dumps(plain)) + X.nbytes / 10


def test_progress_bar_of_scikit_learn(data, progress_bar, capsys):
    est = CrossEntropyRecommender(max_epochs=2, **SIZES).set_callbacks(progress_bar)
    est.fit(data.X, data.y)
    assert "CrossEntropyRecommender - fit" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scoring_monitor_and_bar_in_a_search(
    n_jobs, data, callback_module, progress_bar
):
    monitor = callback_module.ScoringMonitor(scoring="neg_log_loss")
    est = InverseGradientRecommender(max_epochs=3, **SIZES).set_callbacks(monitor)
    search = GridSearchCV(est, {"gamma": [0.01, 0.1]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(progress_bar)
    search.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    plain = GridSearchCV(
        InverseGradientRecommender(max_epochs=3, **SIZES), {"gamma": [0.01, 0.1]}, cv=2
    ).fit(data.X, data.y, X_unlab=(data.X_unlab,))
    for key in ("split0_test_score", "split1_test_score"):
        assert (search.cv_results_[key] == plain.cv_results_[key]).all()
    logs = monitor.get_logs(select="all")
    epochs = [row for log in logs for row in log.data if row["task_name"] == "epoch"]
    assert len(epochs) == 3 * (2 * 2 + 1)
    assert np.isfinite([row["neg_log_loss"] for row in epochs]).all()


def test_a_backbone_that_comes_fitted_shows_its_stages(data, capsys):
    est = CrossEntropyRecommender(backbone="spectral", verbose=1, random_state=0)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    shown = capsys.readouterr().err
    assert "SpectralExposure" in shown
    assert "4/4" in shown
    quiet = CrossEntropyRecommender(backbone="spectral", random_state=0)
    quiet.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    assert capsys.readouterr().err == ""
    same = est.decision_function(data.X) == quiet.decision_function(data.X)
    assert same.all()


@pytest.mark.parametrize("verbose", [0, 1])
def test_predictions_in_several_blocks_show_a_bar(data, capsys, monkeypatch, verbose):
    est = CrossEntropyRecommender(max_epochs=1, **SIZES).fit(data.X, data.y)
    whole = est.set_params(verbose=verbose).decision_function(data.X)
    assert capsys.readouterr().err == ""  # one block
    monkeypatch.setattr("sklearn_invlearn.serving._prediction._BLOCK_ROWS", 100)
    np.testing.assert_array_equal(est.decision_function(data.X), whole)
    shown = capsys.readouterr().err
    assert ("scoring" in shown) == bool(verbose)
    assert (f"{len(data.X)}/{len(data.X)}" in shown) == bool(verbose)
