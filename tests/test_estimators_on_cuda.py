"""Recommenders on a CUDA device, simulated: what the CPU learns, predicts and keeps."""

import io
import pickle

import numpy as np
import pytest
import torch
from simulated_cuda import simulated_cuda
from skorch.callbacks import Callback
from skorch.exceptions import DeviceWarning

from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    MultiTaskRecommender,
    NegativeReweightingRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
    load,
)
from sklearn_invlearn.fitting import _student
from sklearn_invlearn.fitting._torch_state import torch_seed
from sklearn_invlearn.inspection import audit_labels
from sklearn_invlearn.scoring import _scoring
from sklearn_invlearn.training import RecordRows, _compiled_rows
from sklearn_invlearn.training import _student as convergence

RECOMMENDERS = [
    (CrossEntropyRecommender, {}),
    (CrossEntropyRecommender, {"negatives": "sampled"}),
    (InverseDualLossRecommender, {}),
    (InverseDualLossRecommender, {"alpha": 0.01, "prior_alignment": True}),
    (InverseGradientRecommender, {"alpha": 0.01}),
    (InverseGradientRecommender, {"sampling": "same_user", "probe": "sign"}),
    (TruncatedLossRecommender, {"extra_feedback": "warmup"}),
    (ReweightedLossRecommender, {"extra_feedback": "finetune"}),
    (NegativeReweightingRecommender, {}),
    (MultiTaskRecommender, {}),
]
BACKBONES = ["bias", "cdae", "gmf", "mlp", "neumf"]


@pytest.fixture(autouse=True)
def rows_by_torch(monkeypatch):
    """On the CPU, too: what numba has compiled rounds in another order."""
    monkeypatch.setattr(_compiled_rows, "kernels", lambda: None)


SIZES = {"n_factors": 4, "max_epochs": 2, "batch_size": 64, "gamma": 0.02}


def fitted(recommender, params, data, device):
    est = recommender(**SIZES | {"random_state": 0, "device": device} | params)
    takes_extra = getattr(est, "extra_feedback", None) or isinstance(
        est, (MultiTaskRecommender, NegativeReweightingRecommender)
    )
    extra = {"X_extra": data.X_test[:50], "y_extra": data.y_test[:50]}
    return est.fit(data.X[:200], data.y[:200], **extra if takes_extra else {})


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("recommender", "params"), RECOMMENDERS)
def test_what_is_learned_and_predicted_is_what_the_cpu_says(
    cuda, recommender, params, backbone, data
):
    params = {**params, "backbone": backbone, "early_stopping": True}
    params["callbacks"] = [RecordRows()]
    here, there = (fitted(recommender, params, data, d) for d in ("cuda", "cpu"))
    assert all(p.is_cuda for p in here.net_.module_.parameters())
    assert not any(p.is_cuda for p in there.net_.module_.parameters())
    assert_same(here.predict_proba(data.X_test), there.predict_proba(data.X_test))
    for est in (here, there):
        est.partial_fit([["new", "newer"], *data.X[:30]], [1, *data.y[:30]])
    assert_same(here.predict_proba(data.X_test), there.predict_proba(data.X_test))
    assert_same(here.history_[:, "train_loss"], there.history_[:, "train_loss"])
    for row, expected in zip(here.history_, there.history_):
        assert row.keys() == expected.keys()  # none of a stage on extra feedback
        assert_same(row.get("row_loss", 0.0), expected.get("row_loss", 0.0))


@pytest.mark.parametrize(
    "recommender", [InverseGradientRecommender, ReweightedLossRecommender]
)
@pytest.mark.parametrize("backbone", ["cdae", "neumf"])
def test_a_warm_start_may_change_the_device(cuda, recommender, backbone, data):
    found = []
    for devices in (("cuda", "cpu"), ("cpu", "cuda"), ("cpu", "cpu")):
        params = {"backbone": backbone, "warm_start": True}
        est = fitted(recommender, params, data, devices[0])
        est.set_params(device=devices[1]).fit(data.X[:150], data.y[:150])
        assert next(est.net_.module_.parameters()).device.type == devices[1]
        found.append(est.predict_proba(data.X_test))
    assert_same(found[0], found[2])
    assert_same(found[1], found[2])


@pytest.mark.parametrize("alpha", [None, 0.01])
def test_spectral_is_fitted_on_the_cpu_and_trained_on_the_device(
    cuda, alpha, data, monkeypatch
):
    """Without `alpha` held-out labels decide, on the CPU, whether a student joins."""
    monkeypatch.setattr(_student, "_MIN_ROWS", 100)
    monkeypatch.setattr(convergence, "_N_STEPS", 5)
    found = []
    for device in ("cuda", "cpu"):
        est = InverseGradientRecommender(
            alpha=alpha, backbone="spectral", random_state=0, device=device
        )
        est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
        assert {p.device.type for p in est.net_.module_.parameters()} == {device}
        assert (len(est.gate_) > 0) == (alpha is None)
        est.partial_fit(data.X[:20], data.y[:20])
        found.append(est.predict_proba(data.X_test))
    assert_same(*found)


def test_labels_are_audited_along_the_path(cuda, data):
    found = []
    for device in ("cuda", "cpu"):
        est = CrossEntropyRecommender(
            **SIZES, backbone="gmf", random_state=0, device=device
        )
        audit = audit_labels(est, data.X, data.y, cv=2, path=True, random_state=0)
        found.append(audit.path)
    assert_same(*found)


class DevicesOfTheBest(Callback):
    """After every epoch, devices on which early stopping keeps the best weights."""

    def on_train_begin(self, net, **kwargs):
        self.found_ = set()

    def on_epoch_end(self, net, **kwargs):
        kept = dict(net.callbacks_)["early_stopping"].kept_
        self.found_ |= {tensor.device.type for tensor in kept.values()}


def test_the_best_weights_are_kept_on_the_device(cuda, data):
    params = {"backbone": "gmf", "max_epochs": 12, "gamma": 0.5, "n_iter_no_change": 2}
    held_out = data.X_test, data.y_test
    found = []
    for device in ("cuda", "cpu"):
        look = DevicesOfTheBest()
        est = CrossEntropyRecommender(
            **params, random_state=0, device=device, callbacks=[look]
        )
        est.fit(data.X, data.y, X_val=held_out[:1], y_val=held_out[1:])
        assert look.found_ == {device}
        assert est.n_iter_ < 12  # so that the weights of an earlier epoch came back
        found.append(est.predict_proba(data.X_test))
    assert_same(*found)


def test_prediction_sends_each_block_there_and_back_once(cuda, data, monkeypatch):
    est = fitted(CrossEntropyRecommender, {"backbone": "neumf"}, data, "cuda")
    monkeypatch.setattr(_scoring, "_BLOCK_ROWS_ON_DEVICE", 100)
    with cuda.noting():
        est.predict_proba(data.X[:250])
    assert cuda.noted == 3 * ["tensor on the device", "cpu another device"]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_lists_and_reasons_are_those_of_the_cpu(cuda, backbone, data):
    params = {"backbone": backbone}
    here, there = (
        fitted(InverseDualLossRecommender, params, data, d) for d in ("cuda", "cpu")
    )
    users, items = here.user_ids_[:9], here.item_ids_[:9]
    calls = [
        lambda est: est.recommend(users, 5),
        lambda est: est.recommend(users, 5, exclude_seen=False),
        lambda est: est.annotate(data.X_unlab),
        lambda est: est.explain(data.X_test).tolist(),
    ]
    if backbone != "bias":
        calls.append(lambda est: est.similar_items(items, 5))
        if backbone != "cdae":
            calls.append(lambda est: est.similar_users(users, 5))
    for call in calls:
        for found, expected in zip(call(here), call(there), strict=True):
            if np.asarray(expected).dtype.kind == "f":
                assert_same(found, expected)
            else:
                np.testing.assert_array_equal(found, expected)


def test_neighbours_are_mixed_on_the_device(cuda, data):
    found = []
    for device in ("cuda", "cpu"):
        inner = TruncatedLossRecommender(
            backbone="gmf", extra_feedback="warmup", max_epochs=1, device=device
        )
        est = CollidingRecommender(recommender=inner, n_neighbors=3, random_state=0)
        est.fit(data.X, data.y, X_extra=data.X_test[:50], y_extra=data.y_test[:50])
        found.append(est.predict_proba(data.X_test))
        found.append(est.recommend(data.X_test[:5, 0], 5)[1])
    assert_same(found[0], found[2])
    assert_same(found[1], found[3])


@pytest.mark.parametrize("optimizer", ["adam", "dense_adam", "sgd"])
def test_a_file_of_one_device_is_read_on_the_other(cuda, optimizer, data, tmp_path):
    params = {"backbone": "cdae", "optimizer": optimizer}
    found = []
    for device, other in (("cuda", "cpu"), ("cpu", "cuda")):
        est = fitted(CrossEntropyRecommender, params, data, device)
        est.save(tmp_path / "model", optimizer=True)
        for read in (device, other):
            again = load(tmp_path / "model", device=read)
            assert next(again.net_.module_.parameters()).device.type == read
            assert_same(again.predict_proba(data.X), est.predict_proba(data.X))
            again.partial_fit(data.X[:30], data.y[:30])
            found.append(again.predict_proba(data.X))
    for proba in found[1:]:
        assert_same(proba, found[0])


class NothingOfADevice(pickle.Pickler):
    def reducer_override(self, value):
        assert not isinstance(value, torch.Generator)
        assert not isinstance(value, torch.Tensor) or value.device.type == "cpu"
        return NotImplemented


def test_a_pickle_holds_what_skorch_can_move_and_nothing_else_of_the_device(cuda, data):
    """skorch reads modules, criteria and optimisers where there is no CUDA device."""
    est = fitted(InverseGradientRecommender, {"backbone": "gmf"}, data, "cuda")
    file = io.BytesIO()
    NothingOfADevice(file).dump(est)


def test_a_pickle_of_cuda_is_read_where_there_is_none(data, monkeypatch):
    params = {"backbone": "gmf"}
    with monkeypatch.context() as patch, simulated_cuda(patch):
        est = fitted(InverseGradientRecommender, params, data, "cuda")
        expected, written = est.predict_proba(data.X), pickle.dumps(est)
    with pytest.warns(DeviceWarning):
        again = pickle.loads(written)
    assert_same(again.predict_proba(data.X), expected)
    again.set_params(device="cpu").partial_fit(data.X[:30], data.y[:30])


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_generators_of_all_devices_are_left_alone(cuda, device, data):
    before = cuda.generator.get_state(), torch.get_rng_state()
    params = {"backbone": "mlp", "backbone_params": {"dropout": 0.5}}
    fitted(CrossEntropyRecommender, params, data, device).partial_fit(data.X, data.y)
    assert torch.equal(cuda.generator.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_fit_on_cuda_seeds_its_generator(cuda):
    with torch_seed(3, torch.device("cuda")):
        assert cuda.generator.initial_seed() == torch.initial_seed() == 3
