"""Early stopping: on fixed, unweighted rows, back to the best weights."""

import numpy as np
import pytest
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


class Recorder(Callback):
    """Notes the weights at the end of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.weights_ = []

    def on_epoch_end(self, net, **kwargs):
        state = net.module_.state_dict()
        self.weights_.append({k: v.clone() for k, v in state.items()})


def entropy(logit, y):
    """Mean cross entropy by hand."""
    return np.logaddexp(0, np.where(y == 1, -logit, logit)).mean()


@each_method
@pytest.mark.parametrize("unlabeled_weight", [0.0, 1.0])
def test_early_stopping_restores_the_best_weights(method, unlabeled_weight, data):
    recorder = Recorder()
    params = {**SIZES, "gamma": 0.1, "max_epochs": 40, "tol": 0.0}
    if method is not CrossEntropyRecommender:
        params["alpha"] = unlabeled_weight
    est = method(callbacks=[recorder], n_iter_no_change=4, **params)
    weight = np.random.default_rng(0).uniform(0.1, 5.0, len(data.y))
    # Validation rows of known ids, so that the loss can be computed by predicting.
    known = np.isin(data.X_test[:, 0], data.X[:, 0])
    known &= np.isin(data.X_test[:, 1], data.X[:, 1])
    X_val, y_val = data.X_test[known], data.y_test[known]
    est.fit(data.X, data.y, weight, X_val=(X_val,), y_val=(y_val,))

    valid_loss = np.array(est.history_[:, "valid_loss"])
    best = valid_loss.argmin()
    assert est.n_iter_ == best + 1 + 4 < 40
    restored = est.decision_function(X_val)
    assert entropy(restored, y_val) == pytest.approx(valid_loss[best], rel=1e-5)
    by_epoch = []
    for weights in recorder.weights_:
        est.net_.module_.load_state_dict(weights)
        by_epoch.append(est.decision_function(X_val))
    assert (by_epoch[best] == restored).all()
    np.testing.assert_allclose(
        [entropy(logit, y_val) for logit in by_epoch], valid_loss, rtol=1e-5
    )


def test_early_stopping_on_a_fraction(data):
    recorder = Recorder()
    est = CrossEntropyRecommender(
        early_stopping=True, validation_fraction=0.25, n_iter_no_change=3,
        max_epochs=60, tol=0.0, callbacks=[recorder], **SIZES | {"gamma": 0.1},
    ).fit(data.X, data.y)  # fmt: skip
    valid_loss = est.history_[:, "valid_loss"]
    best = int(np.argmin(valid_loss))
    assert est.n_iter_ == best + 1 + 3 < 60
    restored = est.decision_function(data.X)
    est.net_.module_.load_state_dict(recorder.weights_[best])
    known = est.decision_function(data.X)
    assert (known == restored).all()


def test_tolerance_and_patience(data):
    """With a tolerance beyond reach the first epoch stays the best one."""
    params = {"X_val": (data.X_test,), "y_val": data.y_test}
    for patience in (1, 3):
        est = CrossEntropyRecommender(
            tol=10.0, n_iter_no_change=patience, max_epochs=20, **SIZES
        ).fit(data.X, data.y, **params)
        assert est.n_iter_ == 1 + patience
    one = CrossEntropyRecommender(max_epochs=1, **SIZES).fit(data.X, data.y)
    same = one.decision_function(data.X) == est.decision_function(data.X)
    assert same.all()


def test_auto_holds_rows_out_where_there_are_enough(data, monkeypatch):
    from sklearn_invlearn.recommenders import _base

    def n_validation_losses(backbone="gmf", **params):
        est = CrossEntropyRecommender(
            backbone=backbone, max_epochs=3, random_state=0, **params
        )
        return sum("valid_loss" in row for row in est.fit(data.X, data.y).history_)

    assert n_validation_losses() == 0
    monkeypatch.setattr(_base, "_ENOUGH_TO_HOLD_OUT", len(data.X))
    assert n_validation_losses() == 3
    assert n_validation_losses(early_stopping=False) == 0
    assert n_validation_losses(backbone="spectral") == 0
    y = np.arange(len(data.y)) < 5  # a tenth of five positives is nothing to judge by
    est = CrossEntropyRecommender(backbone="gmf", max_epochs=1, random_state=0).fit(
        data.X, y
    )
    assert "valid_loss" not in est.history_[0]


def test_validation_rows_without_early_stopping_are_only_recorded(data):
    params = {"max_epochs": 8, "early_stopping": False, **SIZES, "gamma": 0.3}
    est = CrossEntropyRecommender(**params)
    est.fit(data.X, data.y, X_val=(data.X_test,), y_val=(data.y_test,))
    assert len(est.history_[:, "valid_loss"]) == 8
    plain = CrossEntropyRecommender(**params).fit(data.X, data.y)
    assert (plain.decision_function(data.X) == est.decision_function(data.X)).all()


def test_new_users_in_validation_rows_are_allowed(data):
    X_val = [("new", "new"), *map(tuple, data.X_test.tolist())]
    est = CrossEntropyRecommender(max_epochs=2, **SIZES)
    est.fit(data.X, data.y, X_val=X_val, y_val=[1, *data.y_test.tolist()])
    assert "new" not in est.user_ids_.tolist()
    assert np.isfinite(est.history_[:, "valid_loss"]).all()


@pytest.mark.parametrize("backbone", ["bias", "gmf", "neumf", "cdae"])
def test_new_users_are_judged_as_the_fitted_model_predicts_them(backbone, data):
    new = np.isin(data.X[:, 0], np.unique(data.X[:, 0])[::3])
    X, y = data.X[~new], data.y[~new]
    kwargs = {"X_val": (data.X,), "y_val": (data.y,)}
    recorder, same = Recorder(), Recorder()
    params = {**SIZES, "backbone": backbone, "max_epochs": 3, "early_stopping": False}
    est = CrossEntropyRecommender(**params, callbacks=[recorder])
    est.fit(X, y, **kwargs)
    by_epoch = [
        CrossEntropyRecommender(**params | {"max_epochs": n}).fit(X, y)
        for n in (1, 2, 3)
    ]
    losses = [entropy(one.decision_function(data.X), data.y) for one in by_epoch]
    np.testing.assert_allclose(est.history_[:, "valid_loss"], losses, rtol=1e-5)
    # Training does not see it: row 0 is what it would be without validation rows.
    CrossEntropyRecommender(**params, callbacks=[same]).fit(X, y)
    for one, other in zip(recorder.weights_, same.weights_):
        for name, weight in one.items():
            assert (weight == other[name]).all()


def test_early_stopping_keeps_what_is_best_for_new_users(data):
    new = np.isin(data.X[:, 0], np.unique(data.X[:, 0])[::3])
    est = CrossEntropyRecommender(**SIZES | {"gamma": 0.3}, max_epochs=20, tol=0.0)
    X_val, y_val = data.X_test, data.y_test
    est.fit(data.X[~new], data.y[~new], X_val=(X_val,), y_val=(y_val,))
    best = min(est.history_[:, "valid_loss"])
    found = entropy(est.decision_function(X_val), y_val)
    assert found == pytest.approx(best, rel=1e-5)


def test_the_best_weights_are_kept_in_one_copy_and_given_up(data):
    """A new deep copy at every best epoch would cost two more models of memory."""

    class Watch(Callback):
        def on_train_begin(self, net, **kwargs):
            self.copies_ = set()

        def on_epoch_end(self, net, **kwargs):
            kept = dict(net.callbacks_)["early_stopping"].kept_
            self.copies_.add(tuple(tensor.data_ptr() for tensor in kept.values()))
            for name, tensor in net.module_.state_dict().items():
                assert kept[name].data_ptr() != tensor.data_ptr()

    watch = Watch()
    est = CrossEntropyRecommender(
        callbacks=[watch], n_iter_no_change=4, max_epochs=30, tol=0.0, **SIZES
    )
    est.fit(data.X, data.y, X_val=(data.X_test,), y_val=(data.y_test,))
    assert est.n_iter_ > 6
    assert len(watch.copies_) == 1
    assert dict(est.net_.callbacks_)["early_stopping"].kept_ == {}
