"""Fits that are interrupted, and fits that fail."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback

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
METHODS = [
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
]
each_method = pytest.mark.parametrize("method", METHODS)


class RaisesIn(Callback):
    """Raises `error` after the first batch of an epoch."""

    def __init__(self, error, epoch):
        self.error = error
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise self.error


@each_method
def test_an_interrupt_leaves_a_model_that_predicts(method, data):
    interrupt = RaisesIn(KeyboardInterrupt(), epoch=3)
    est = method(max_epochs=9, callbacks=[interrupt], **SIZES)
    with pytest.raises(KeyboardInterrupt):
        est.fit(data.X, data.y)
    check_is_fitted(est)
    assert not est.net_.module_.training
    assert est.n_iter_ == len(est.history_) == 3
    assert ["train_loss" in row for row in est.history_] == [True, True, False]
    scores = est.decision_function(data.X_test)
    assert np.isfinite(scores).all()
    finished = method(max_epochs=2, **SIZES).fit(data.X, data.y)
    assert (scores != finished.decision_function(data.X_test)).any()
    # Unknown ids are averages by then, too.
    bias = est.net_.module_.biases.user.weight.detach().numpy()[:, 0]
    assert bias[0] == pytest.approx(bias[1:].mean())
    assert bias[0] != 0


def test_an_interrupt_with_early_stopping_leaves_the_best_weights(data):
    interrupt = RaisesIn(KeyboardInterrupt(), epoch=4)
    params = {"tol": 10.0, "n_iter_no_change": 9, **SIZES}  # the first epoch is best
    validation = {"X_val": (data.X_test,), "y_val": data.y_test}
    est = CrossEntropyRecommender(callbacks=[interrupt], max_epochs=9, **params)
    with pytest.raises(KeyboardInterrupt):
        est.fit(data.X, data.y, **validation)
    one = CrossEntropyRecommender(max_epochs=1, **params)
    one.fit(data.X, data.y, **validation)
    same = est.decision_function(data.X_test) == one.decision_function(data.X_test)
    assert same.all()


@pytest.mark.parametrize("after_epochs", [1, 2])
def test_a_fit_that_fails_leaves_no_model(after_epochs, data):
    est = CrossEntropyRecommender(max_epochs=4, **SIZES).fit(data.X, data.y)
    est.set_params(callbacks=[RaisesIn(RuntimeError("on purpose"), after_epochs)])
    with pytest.raises(RuntimeError, match="on purpose"):
        est.fit(data.X, data.y)
    with pytest.raises(NotFittedError):
        est.predict(data.X)
    with pytest.raises(NotFittedError):
        check_is_fitted(est)


def test_a_fit_with_bad_data_leaves_no_old_model(data):
    est = CrossEntropyRecommender(max_epochs=1, **SIZES).fit(data.X, data.y)
    with pytest.raises(ValueError, match="inconsistent"):
        est.fit(data.X[:-1], data.y)
    for attribute in ("history_", "user_ids_", "item_ids_"):
        with pytest.raises(NotFittedError):
            getattr(est, attribute)
    with pytest.raises(NotFittedError):
        check_is_fitted(est)


@each_method
def test_divergence_is_an_error(method, data):
    est = method(max_epochs=9, **SIZES).fit(data.X, data.y)
    est.set_params(gamma=1e30, optimizer="sgd")
    with pytest.raises(FloatingPointError, match=r"diverged.*\(gamma=1e\+30\)"):
        est.fit(data.X, data.y)
    with pytest.raises(NotFittedError):
        est.predict(data.X)
