"""Fits that are interrupted, and fits that fail."""

import signal

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.baselines import ItemPositiveShare, OneHotLogisticRegression

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


class SignalAtEpochEnd(Callback):
    """Ctrl-C while a callback is busy at the end of the second epoch."""

    def __init__(self, in_a_helper=False):
        self.in_a_helper = in_a_helper

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            if self.in_a_helper:
                max([1, 2], key=lambda _: signal.raise_signal(signal.SIGINT) or 0)
            signal.raise_signal(signal.SIGINT)
            sum(range(10))


def raising_handler(signum, frame):
    raise KeyboardInterrupt


@pytest.mark.parametrize("handler", [signal.default_int_handler, raising_handler])
@pytest.mark.parametrize("in_a_helper", [False, True])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_ctrl_c_in_a_callback_is_no_request_to_stop(
    handler, in_a_helper, early_stopping, data
):
    old = signal.signal(signal.SIGINT, handler)
    callback = SignalAtEpochEnd(in_a_helper)
    est = CrossEntropyRecommender(
        max_epochs=9, callbacks=[callback], early_stopping=early_stopping, **SIZES
    )
    try:
        with pytest.raises(KeyboardInterrupt):
            est.fit(data.X, data.y)
        fitted = CrossEntropyRecommender(max_epochs=1, **SIZES).fit(data.X, data.y)
        with pytest.raises(KeyboardInterrupt):
            fitted.set_params(callbacks=[callback]).partial_fit(data.X, data.y)
    finally:
        signal.signal(signal.SIGINT, old)
    assert est.n_iter_ == 2
    assert np.isfinite(est.decision_function(data.X_test)).all()
    assert fitted.n_iter_ == 1


def test_a_callback_may_ask_for_a_stop_in_a_helper(data):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            self.judge(net)

        def judge(self, net):
            if len(net.history) == 2:
                raise KeyboardInterrupt("enough")

    est = CrossEntropyRecommender(max_epochs=9, callbacks=[Stop()], **SIZES)
    assert est.fit(data.X, data.y).n_iter_ == 2


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


def test_a_fit_that_fails_for_the_first_time_leaves_nothing(data):
    est = CrossEntropyRecommender(max_epochs=1, **SIZES)
    with pytest.raises(ValueError, match="inconsistent"):
        est.fit(data.X[:-1], data.y)
    for attribute in ("history_", "user_ids_", "item_ids_"):
        with pytest.raises(NotFittedError):
            getattr(est, attribute)
    with pytest.raises(NotFittedError):
        check_is_fitted(est)
    assert not hasattr(est, "n_features_in_")


class NeedsMore(torch.nn.Module):
    def __init__(self, n_users, n_items, more):
        super().__init__()


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("warm_start", [False, True])
@each_method
def test_what_fit_refuses_costs_no_fitted_model(method, warm_start, data):
    pd = pytest.importorskip("pandas")
    est = method(max_epochs=1, warm_start=warm_start, **SIZES).fit(data.X, data.y)
    before = dict(vars(est))
    X, y, text = data.X, data.y, data.X.astype(str)
    wide = pd.DataFrame(X, columns=["viewer", "film"])
    for changes, error in (
        ({"X": X[:-1]}, ValueError),
        ({"y": None}, ValueError),
        ({"y": np.ones(len(y))}, ValueError),
        ({"X": np.where(X > 3, X, np.nan)}, ValueError),
        ({"X": [[[1], 2]] * len(y)}, TypeError),
        ({"X": wide, "X_unlab": (wide[["film", "viewer"]],)}, ValueError),
        ({"X": wide, "X_val": (wide,)}, ValueError),
        ({"X_val": (wide,), "y_val": y + 1}, ValueError),
        ({"X_extra": X, "y_extra": y}, ValueError),
        ({"X_val": (text,), "y_val": (y,)}, ValueError),
        ({"sample_weight": -np.ones(len(y))}, ValueError),
    ):
        with pytest.raises(error):
            est.fit(**{"X": X, "y": y} | changes)
        assert vars(est) == before
    for params in (
        {"device": "nowhere"},
        {"backbone": NeedsMore},
        {"gamma": -1.0},
        {"early_stopping": True, "validation_fraction": 0.999},
    ):
        old = est.get_params()
        with pytest.raises((ValueError, TypeError)):
            est.set_params(**params).fit(X, y)
        assert vars(est.set_params(**{name: old[name] for name in params})) == before
    assert np.isfinite(est.decision_function(data.X_test)).all()


@pytest.mark.parametrize("baseline", [ItemPositiveShare, OneHotLogisticRegression])
def test_baselines_keep_a_model_that_a_bad_fit_would_replace(baseline, data):
    est = baseline().fit(data.X, data.y)
    before = dict(vars(est))
    for X, y, weight in (
        (data.X[:-1], data.y, None),
        (data.X, np.zeros(len(data.y)), None),
        (np.column_stack([data.X, data.X]), data.y, data.y),
    ):
        with pytest.raises(ValueError, match=r"inconsistent|one class|above zero"):
            est.fit(X, y, weight)
        assert vars(est) == before


def test_an_interrupt_before_a_warm_start_trains_leaves_the_old_model(data):
    class Interrupts(CrossEntropyRecommender):
        def _make_net(self, *args, **kwargs):
            raise KeyboardInterrupt

    est = CrossEntropyRecommender(max_epochs=1, warm_start=True, **SIZES)
    est.fit(data.X, data.y)
    before = dict(vars(est))
    est.__class__ = Interrupts
    with pytest.raises(KeyboardInterrupt):
        est.fit([[1000, 3], [1000, 4]], [0, 1])
    assert vars(est) == before


class RaisesAtOnce(Callback):
    def __init__(self, error):
        self.error = error

    def initialize(self):
        raise self.error


@pytest.mark.parametrize(
    "error", [ValueError("on purpose"), KeyboardInterrupt("this, too")]
)
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("extra_feedback", [None, "warmup", "finetune"])
def test_what_fails_before_the_first_step_is_shown_as_it_is(
    error, warm_start, extra_feedback, data
):
    params = {"extra_feedback": extra_feedback, "warm_start": warm_start}
    est = TruncatedLossRecommender(max_epochs=1, n_extra_epochs=1, **params, **SIZES)
    extra = {"X_extra": (data.X[:9],), "y_extra": (data.y[:9],)}
    tables = {"X": data.X, "y": data.y, **(extra if extra_feedback else {})}
    before = est.fit(**tables).decision_function(data.X)
    est.set_params(callbacks=[RaisesAtOnce(error)])
    with pytest.raises(type(error), match=str(error)):
        est.fit(**tables)
    if isinstance(error, KeyboardInterrupt) and extra_feedback == "warmup":
        assert est.n_iter_ == 1 + 2 * warm_start  # that stage is over
    elif warm_start:
        assert (est.decision_function(data.X) == before).all()
    else:
        assert not hasattr(est, "net_")


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_fails_between_checks_and_training_leaves_the_old_model(
    error, data, monkeypatch
):
    est = CrossEntropyRecommender(max_epochs=1, warm_start=True, **SIZES)
    before = dict(vars(est.fit(data.X, data.y)))

    def fails(*arguments):
        raise error

    monkeypatch.setattr(type(est), "_remember_for_updates", fails)
    with pytest.raises(error):
        est.fit([[1000, 3], [1000, 4]], [0, 1])
    monkeypatch.undo()
    assert vars(est) == before


@each_method
def test_divergence_is_an_error(method, data):
    est = method(max_epochs=9, **SIZES).fit(data.X, data.y)
    est.set_params(gamma=1e30, optimizer="sgd")
    with pytest.raises(FloatingPointError, match=r"diverged.*\(gamma=1e\+30\)"):
        est.fit(data.X, data.y)
    with pytest.raises(NotFittedError):
        est.predict(data.X)


@pytest.mark.parametrize("optimizer", ["adam", "dense_adam", "sgd"])
@each_method
def test_divergence_in_the_very_last_step_is_an_error(method, optimizer, data):
    """Its loss was that of the weights before it."""
    params = SIZES | {"gamma": 1e300, "batch_size": 4096, "optimizer": optimizer}
    est = method(max_epochs=1, **params)
    with pytest.raises(FloatingPointError, match=r"diverged.*\(gamma=1e\+300\)"):
        est.fit(data.X, data.y)
    assert not hasattr(est, "net_")
    est.set_params(gamma=0.01).fit(data.X, data.y)
    before = est.decision_function(data.X)
    with pytest.raises(FloatingPointError, match="diverged"):
        est.set_params(gamma=1e300).partial_fit(data.X, data.y)
    assert (est.decision_function(data.X) == before).all()


def test_a_virtual_step_beyond_single_precision_is_an_error(data):
    est = InverseGradientRecommender(max_epochs=1, alpha=1e300, **SIZES)
    with pytest.raises(FloatingPointError, match="a tenth of it, and of alpha"):
        est.fit(data.X, data.y)
