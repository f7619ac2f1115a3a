"""One seed, one result; and nothing outside the estimator changes."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.modules import BACKBONES

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "max_epochs": 3,
    "batch_size": 64,
    "gamma": 0.05,
}
METHODS = {
    "none": (CrossEntropyRecommender, {}),
    "sampled": (CrossEntropyRecommender, {"negatives": "sampled"}),
    "dual": (InverseDualLossRecommender, {}),
    "gradient": (InverseGradientRecommender, {"alpha": 1.0}),
}
each_method = pytest.mark.parametrize("method", METHODS)
each_source = pytest.mark.parametrize("source", ["pool", "uniform", "same_user"])


def make(method, **params):
    recommender, its_params = METHODS[method]
    return recommender(**its_params, **SIZES | params)


def fitted(method, data, *, source="pool", random_state=0, **params):
    pool = (data.X_unlab,) if source == "pool" else None
    sampling = "uniform" if source == "pool" else source
    est = make(method, sampling=sampling, random_state=random_state, **params)
    return est.fit(data.X, data.y, X_unlab=pool)


def same(a, b, data):
    return (a.decision_function(data.X_test) == b.decision_function(data.X_test)).all()


@each_method
@each_source
def test_a_seed_fixes_the_result_and_another_one_changes_it(method, source, data):
    first = fitted(method, data, source=source)
    np.random.seed(123)  # noqa: NPY002 - must not matter
    torch.manual_seed(123)
    assert same(first, fitted(method, data, source=source), data)
    generator = np.random.RandomState(0)
    third = fitted(method, data, source=source, random_state=generator)
    assert same(first, third, data)
    assert not same(first, fitted(method, data, source=source, random_state=1), data)


@pytest.mark.parametrize("sampling", ["uniform", "same_user"])
def test_another_seed_samples_other_unobserved_pairs(sampling, data):
    """Biases start at zero, and one batch has no order: only the samples are left."""
    params = {"backbone": "bias", "batch_size": 1024, "gamma": 0.1, "alpha": 0.1}
    scores = [
        InverseDualLossRecommender(
            sampling=sampling, max_epochs=3, random_state=seed, **params
        )
        .fit(data.X, data.y)
        .decision_function(data.X_test)
        for seed in (0, 1)
    ]
    assert np.abs(scores[0] - scores[1]).max() > 1e-3


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_and_early_stopping_are_fixed_by_the_seed(dropout, data):
    params = {"backbone": "mlp", "backbone_params": {"dropout": dropout}}
    first, second = (
        fitted("gradient", data, early_stopping=True, **params) for _ in range(2)
    )
    assert same(first, second, data)
    assert first.history_[:, "valid_loss"] == second.history_[:, "valid_loss"]


@each_method
def test_a_fit_does_not_continue_the_last_one(method, data):
    est = fitted(method, data)
    before = est.decision_function(data.X_test)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    assert (est.decision_function(data.X_test) == before).all()


def test_a_shared_generator_goes_on_from_fit_to_fit(data):
    generator = np.random.RandomState(0)
    first = fitted("none", data, random_state=generator)
    assert not same(first, fitted("none", data, random_state=generator), data)


@each_method
def test_global_generators_and_threads_are_left_alone(method, data):
    threads = torch.get_num_threads()
    for n_threads in (1, 2, None):
        torch_state = torch.random.get_rng_state()
        numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
        est = fitted(method, data, n_threads=n_threads)
        est.predict_proba(data.X_test)
        assert torch.get_num_threads() == threads
        assert torch.equal(torch.random.get_rng_state(), torch_state)
        assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
        assert torch.is_grad_enabled()


def test_a_fit_that_fails_leaves_threads_and_generators_alone(data):
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            assert torch.get_num_threads() == 2
            raise RuntimeError("on purpose")

    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted("none", data, n_threads=2, callbacks=[Fails()])
    assert torch.get_num_threads() == threads == 1
    assert torch.equal(torch.random.get_rng_state(), state)


def round_trips(est, tmp_path):
    yield pickle.loads(pickle.dumps(est))
    yield copy.deepcopy(est)
    path = tmp_path / "model.joblib"
    joblib.dump(est, path)
    yield joblib.load(path)
    yield joblib.load(path, mmap_mode="r")


@each_method
@pytest.mark.parametrize("backbone", BACKBONES)
def test_copies_predict_the_same(method, backbone, data, tmp_path):
    est = fitted(method, data, backbone=backbone, verbose=0)
    for other in round_trips(est, tmp_path):
        assert same(est, other, data)
        assert other.history_ == est.history_
        assert (other.annotate(data.X_unlab) == est.annotate(data.X_unlab)).all()
        assert (other.seen_items([0, 1]) != est.seen_items([0, 1])).nnz == 0
        assert other.get_params() == est.get_params()
        refit = other.fit(data.X, data.y, X_unlab=(data.X_unlab,))
        assert same(est, refit, data)


@each_method
def test_a_clone_fits_to_the_same_result(method, data):
    est = fitted(method, data)
    unfitted = clone(est)
    assert not hasattr(unfitted, "net_")
    assert same(unfitted.fit(data.X, data.y, X_unlab=(data.X_unlab,)), est, data)


class EpochCounter(Callback):
    def on_train_begin(self, net, **kwargs):
        self.n_epochs_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1


@pytest.mark.parametrize("verbose", [0, 1])
def test_copies_with_a_bar_callbacks_and_early_stopping(verbose, data, tmp_path):
    params = {"verbose": verbose, "early_stopping": True}
    est = fitted("dual", data, callbacks=[EpochCounter()], **params)
    for other in round_trips(est, tmp_path):
        assert same(est, other, data)
        assert other.callbacks[0].n_epochs_ == est.n_iter_
        assert same(est, clone(other).fit(data.X, data.y, X_unlab=data.X_unlab), data)


@each_method
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_score_does_not_depend_on_the_batch(method, backbone, data):
    est = fitted(method, data, backbone=backbone)
    pairs = np.concatenate([data.X_test[:40], [[-1, 0], [0, -1], [-1, -1]]])
    together = est.decision_function(pairs)
    one_by_one = np.concatenate([est.decision_function(pair[None]) for pair in pairs])
    np.testing.assert_allclose(one_by_one, together, rtol=1e-12, atol=1e-12)
    backwards = est.decision_function(pairs[::-1])[::-1]
    np.testing.assert_allclose(backwards, together, rtol=1e-12, atol=1e-12)


def test_predictions_in_blocks_are_those_at_once(data, monkeypatch):
    from sklearn_invlearn.scoring import _scoring

    est = fitted("gradient", data)
    at_once = est.decision_function(data.X_test)
    monkeypatch.setattr(_scoring, "_BLOCK_ROWS", 7)
    in_blocks = est.decision_function(data.X_test)
    np.testing.assert_allclose(in_blocks, at_once, rtol=1e-12, atol=1e-12)


@each_method
def test_read_only_memory_maps_are_read_only(method, data, tmp_path):
    names = ("X", "y", "weight", "X_unlab", "X_test", "y_test")
    weight = np.linspace(0.5, 1.5, len(data.y))
    arrays = [np.array(data.get(name, weight)) for name in names]
    path = tmp_path / "arrays.joblib"
    joblib.dump(arrays, path)
    content = path.read_bytes()
    X, y, w, pool, X_val, y_val = joblib.load(path, mmap_mode="r")
    assert isinstance(pool, np.memmap)
    assert not pool.flags.writeable
    est = make(method, random_state=0)
    est.fit(X, y, w, X_unlab=(pool,), X_val=(X_val,), y_val=y_val)
    mapped = est.decision_function(X_val)
    assert path.read_bytes() == content
    for array, original in zip([X, y, w, pool, X_val, y_val], arrays):
        assert (array == original).all()
    X, y, w, pool, X_val, y_val = arrays
    est.fit(X, y, w, X_unlab=(pool,), X_val=(X_val,), y_val=y_val)
    assert (est.decision_function(X_val) == mapped).all()


def test_writable_inputs_are_not_written_to(data):
    arrays = [data.X.copy(), data.y.copy(), data.X_unlab.copy()]
    before = copy.deepcopy(arrays)
    make("gradient", random_state=0).fit(*arrays[:2], X_unlab=(arrays[2],))
    assert all((a == b).all() for a, b in zip(arrays, before))
