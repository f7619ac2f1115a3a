"""What skorch callbacks are told, and what the history keeps."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    GradientNormClipping,
    LRScheduler,
    ProgressBar,
    TrainEndCheckpoint,
)

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    TruncatedLossRecommender,
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
    """Notes what it is told, and the weights at the end of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.heard_, self.weights_ = ["train begin"], []

    def on_epoch_begin(self, net, **kwargs):
        self.heard_.append("epoch begin")

    def on_epoch_end(self, net, **kwargs):
        self.heard_.append("epoch end")
        state = net.module_.state_dict()
        self.weights_.append({k: v.clone() for k, v in state.items()})

    def on_train_end(self, net, **kwargs):
        self.heard_.append("train end")


class Rates(Callback):
    """Notes the learning rate of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.rates_ = []

    def on_epoch_end(self, net, **kwargs):
        self.rates_.append(net.optimizer_.param_groups[0]["lr"])


# ---- what callbacks see ----------------------------------------------------------


@each_method
def test_callbacks_hear_of_every_epoch(method, data):
    recorder = Recorder()
    est = method(max_epochs=3, callbacks=[recorder], **SIZES).fit(data.X, data.y)
    epochs = ["epoch begin", "epoch end"] * 3
    assert recorder.heard_ == ["train begin", *epochs, "train end"]
    assert recorder in dict(est.net_.callbacks_).values()
    moved = [
        not torch.equal(before["biases.user.weight"], after["biases.user.weight"])
        for before, after in zip(recorder.weights_, recorder.weights_[1:])
    ]
    assert moved == [True, True]


def test_callbacks_hear_of_a_fit_without_epochs(data):
    recorder = Recorder()
    best = EarlyStopping(load_best=True)
    est = CrossEntropyRecommender(callbacks=[recorder, best], random_state=0)
    assert est.fit(data.X, data.y).n_iter_ == 0
    assert recorder.heard_ == ["train begin", "train end"]


def test_callbacks_hear_of_batches_and_gradients(data):
    calls = []

    class Batches(Callback):
        def on_grad_computed(self, net, named_parameters, batch, **kwargs):
            calls.append(
                (len(batch), all(p.grad is not None for _, p in named_parameters))
            )

    est = CrossEntropyRecommender(max_epochs=2, callbacks=[Batches()], **SIZES)
    est.fit(data.X, data.y)
    assert len(data.y) == 320
    assert calls == [(64, True)] * 10


def test_a_named_callback_is_found_by_its_name(data):
    est = CrossEntropyRecommender(
        backbone="gmf", max_epochs=1, callbacks=[("mine", Recorder())]
    )
    est.fit(data.X, data.y)
    assert "mine" in dict(est.net_.callbacks_)


def test_a_learning_rate_schedule_reaches_the_optimizer(data):
    rates = Rates()
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    est = CrossEntropyRecommender(
        max_epochs=4, optimizer="sgd", callbacks=[rates, schedule], **SIZES
    )
    est.fit(data.X, data.y)
    np.testing.assert_allclose(rates.rates_, 0.05 * 0.5 ** np.arange(4))


@pytest.mark.parametrize("policy", ["StepLR", "LambdaLR", "CosineAnnealingLR"])
def test_a_schedule_starts_anew_in_every_call(policy, data):
    params = {
        "StepLR": {"step_size": 1, "gamma": 0.5},
        "LambdaLR": {"lr_lambda": lambda epoch: 0.5**epoch},
        "CosineAnnealingLR": {"T_max": 9},
    }
    rates, schedule = Rates(), LRScheduler(policy, **params[policy])
    params = {"max_epochs": 3, "callbacks": [rates, schedule], **SIZES}
    est = InverseGradientRecommender(warm_start=True, alpha=1.0, **params)
    first = est.fit(data.X, data.y).callbacks[0].rates_
    assert first[0] == 0.05 > first[1] > first[2]
    assert est.fit(data.X, data.y).callbacks[0].rates_ == first
    est.partial_fit(data.X[:9], data.y[:9], n_epochs=3)
    assert rates.rates_ == first
    assert est.history_[:, "epoch"] == list(range(1, 10))


def test_a_schedule_takes_no_optimizer_into_pickles(data):
    params = {"max_epochs": 2, **SIZES | {"n_factors": 64}}
    plain = CrossEntropyRecommender(**params).fit(data.X, data.y)
    est = CrossEntropyRecommender(callbacks=[LRScheduler("StepLR", step_size=1)])
    est.set_params(**params).fit(data.X, data.y)
    assert len(pickle.dumps(est)) < len(pickle.dumps(plain)) + 4_000
    assert len(pickle.dumps(clone(est))) < 4_000


@pytest.mark.parametrize("stage", ["warmup", "finetune"])
def test_a_schedule_is_that_of_the_main_stage(stage, data):
    rates, schedule = Rates(), LRScheduler("StepLR", step_size=1, gamma=0.5)
    est = TruncatedLossRecommender(
        max_epochs=3,
        n_extra_epochs=2,
        extra_feedback=stage,
        callbacks=[rates, schedule],
        **SIZES,
    )
    extra = data.X[data.y == 1][:9]
    est.fit(data.X, data.y, X_extra=(extra,), y_extra=(np.ones(9),))
    assert rates.rates_ == [0.05, 0.025, 0.0125]


@each_method
def test_a_callback_can_end_the_training(method, data):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt  # skorch's own way

    est = method(max_epochs=9, callbacks=[Stop()], **SIZES).fit(data.X, data.y)
    assert est.n_iter_ == len(est.history_) == 2


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (EpochScoring("accuracy"), "EpochScoring, .* X_val"),
        (("mine", ProgressBar), r"ProgressBar, .* verbose=1"),
        (Checkpoint(monitor=None), r"Checkpoint, .* save\(path\)"),
        (TrainEndCheckpoint(), r"TrainEndCheckpoint, .* save\(path\)"),
        (LRScheduler("StepLR", step_size=9, step_every="batch"), "event_name=None"),
        (GradientNormClipping(1.0), "optimizer='dense_adam'"),
    ],
)
def test_callbacks_that_cannot_work_are_named(callback, message, data):
    est = CrossEntropyRecommender(max_epochs=1, callbacks=[callback], **SIZES)
    with pytest.raises(TypeError, match=message):
        est.fit(data.X, data.y)
    assert not hasattr(est, "net_")


def test_callbacks_that_could_be_taken_for_them(data):
    schedule = LRScheduler(
        "StepLR", step_size=9, step_every="batch", event_name=None, gamma=0.5
    )
    clipping, callbacks = GradientNormClipping(1.0), []
    for callback, optimizer in ((schedule, "adam"), (clipping, "dense_adam")):
        callbacks = [callback, EpochTimer(), BatchScoring("accuracy")]
        est = CrossEntropyRecommender(
            max_epochs=2, callbacks=callbacks, optimizer=optimizer, **SIZES
        )
        assert est.fit(data.X, data.y).n_iter_ == 2


# ---- history ---------------------------------------------------------------------


@each_method
def test_history_has_a_row_per_epoch(method, data):
    est = method(max_epochs=4, **SIZES).fit(data.X, data.y)
    assert est.n_iter_ == len(est.history_) == 4
    assert est.history_[:, "epoch"] == [1, 2, 3, 4]
    losses = est.history_[:, "train_loss"]
    assert losses[-1] < losses[0] < 1
    assert all("valid_loss" not in row for row in est.history_)


def test_history_of_the_inverse_gradient_has_a_row_per_step(data):
    est = InverseGradientRecommender(
        max_epochs=3, n_supervised_steps=2, n_unlabeled_steps=3, alpha=1.0, **SIZES
    ).fit(data.X, data.y, X_unlab=(data.X_unlab,))
    # 288 rows are 5 batches: 3 loops of T = 2 steps, with 3 unlabeled steps each.
    assert [len(row["batches"]) for row in est.history_] == [9, 9, 9]
    trace = est.trace_
    assert trace["epoch"].tolist() == [1] * 9 + [2] * 9 + [3] * 9
    losses = np.column_stack(
        [trace[f"loss_{d}"] for d in ("direct", "pass", "inverse")]
    )
    chosen = np.array(["direct", "pass", "inverse"])[losses.argmin(axis=1)]
    assert (trace["direction"] == chosen).all()
    assert len(set(chosen)) > 1
    for direction in ("direct", "pass", "inverse"):
        counts = sum(est.history_[:, f"n_{direction}"])
        assert counts == (chosen == direction).sum()


class Onlooker(Callback):
    """Predicts, pickles and copies its estimator after every epoch."""

    def __init__(self, X):
        self.X, self.seen = X, []

    def __getstate__(self):
        return {"X": self.X}

    def on_epoch_end(self, net, **kwargs):
        est = self.est
        twins = [est, pickle.loads(pickle.dumps(est)), copy.deepcopy(est)]
        self.seen.append([e.decision_function(self.X) for e in (*twins, est)])


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("backbone", ["gmf", "cdae"])
def test_a_callback_may_use_the_estimator_in_training(backbone, verbose, data):
    given = SIZES | {"backbone": backbone, "max_epochs": 3}
    alone = CrossEntropyRecommender(**given).fit(data.X, data.y)
    onlooker = Onlooker(data.X)
    est = CrossEntropyRecommender(**given, callbacks=[onlooker], verbose=verbose)
    onlooker.est = est
    est.fit(data.X, data.y)
    # In evaluation mode: nothing is hidden at random, and no random numbers are drawn.
    for first, *others in onlooker.seen:
        assert all((other == first).all() for other in others)
    assert len(onlooker.seen) == 3
    last = onlooker.seen[-1][0]
    np.testing.assert_array_equal(alone.decision_function(data.X), last)
    np.testing.assert_array_equal(est.decision_function(data.X), last)
