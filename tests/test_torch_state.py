"""What a caller has set in torch does not change results, nor is it changed."""

from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from torch import nn

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender, load
from sklearn_invlearn.fitting._torch_state import torch_seed, torch_settings

QUICK = {"n_factors": 4, "max_epochs": 2, "batch_size": 64, "random_state": 0}
EVERY_METHOD = {
    "gmf": {"backbone": "gmf"},
    "cdae": {"backbone": "cdae"},
    "mlp": {"backbone": "mlp", "backbone_params": {"dropout": 0.5}},
    "spectral": {"backbone": "spectral"},
}


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "double": lambda: default_dtype(torch.float64),
    "half": lambda: default_dtype(torch.float16),
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "mixed": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "elsewhere": lambda: torch.device("meta"),
}


def results(path, data, **params):
    """Everything that computes: fit, predict, rank, explain, update, save and load."""
    est = InverseGradientRecommender(**QUICK | params)
    est.fit(data.X[:120], data.y[:120], X_unlab=(data.X_unlab[:200],))
    found = [est.predict_proba(data.X_test), est.recommend(data.X[:3, 0])[1]]
    found += [est.similar_items(data.X[:2, 1])[1], est.explain(data.X[:4])["logit"]]
    est.partial_fit(data.X[:5], data.y[:5])
    est.save(path)
    return [*found, load(path).predict_proba(data.X_test)]


@contextmanager
def all_settings():
    with ExitStack() as stack:
        for setting in SETTINGS.values():
            stack.enter_context(setting())
        yield


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_settings_of_torch_do_not_change_results(method, data, tmp_path):
    path, params = tmp_path / "model", EVERY_METHOD[method]
    expected = results(path, data, **params)
    each = SETTINGS.values() if method == "gmf" else [all_settings]
    for setting in each:
        with setting():
            before = _state()
            found = results(path, data, **params)
            assert _state() == before
        for ours, plain in zip(found, expected):
            np.testing.assert_array_equal(ours, plain)


def _state():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
    )


def test_threads_that_overlap_leave_what_was_there_before_the_first():
    before = torch.get_num_threads()
    first, second = torch_settings(3), torch_settings(2)
    with default_dtype(torch.float64):
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert (torch.get_num_threads(), torch.get_default_dtype()) == (
            2,
            torch.float32,
        )
        second.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64
    assert torch.get_num_threads() == before


def test_blocks_inside_each_other():
    with torch_settings(2):
        with torch_settings(3):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 2
        with torch_settings(None):
            assert torch.get_num_threads() == 1  # as outside, see conftest.py
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("n_threads", [-1, 0, 10**9, 2**40, 1.5])
def test_a_number_of_threads_that_torch_refuses_fails_once(n_threads, data):
    """It would be set again by every other block, in this process for good."""
    est = CrossEntropyRecommender(**QUICK, backbone="gmf").fit(data.X, data.y)
    expected = est.predict_proba(data.X)
    with default_dtype(torch.float64):
        before = _state()
        with pytest.raises(ValueError, match="n_threads"):
            clone(est).set_params(n_threads=n_threads).fit(data.X, data.y)
        with pytest.raises(ValueError, match=f"n_threads={n_threads} is no number"):
            est.set_params(n_threads=n_threads).predict_proba(data.X)
        assert _state() == before
        with torch_settings(2):
            with pytest.raises(ValueError, match="n_threads="):
                est.predict_proba(data.X)
            assert torch.get_num_threads() == 2
        est.set_params(n_threads=1)
        np.testing.assert_array_equal(est.predict_proba(data.X), expected)
        assert _state() == before


def test_fits_in_threads_give_the_result_of_a_fit_alone(data):
    def fit():
        est = CrossEntropyRecommender(**QUICK | EVERY_METHOD["mlp"])
        return est.fit(data.X, data.y).predict_proba(data.X_test)

    alone, state = fit(), torch.get_rng_state()
    together = Parallel(4, backend="threading")(delayed(fit)() for _ in range(8))
    for proba in together:
        np.testing.assert_array_equal(proba, alone)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_prediction_leaves_the_module_alone_meanwhile(data):
    """Or threads that predict at a time would take its parameters from each other."""
    seen = []

    class Watched(nn.Module):
        def __init__(self, n_users, n_items):
            super().__init__()
            self.items = nn.Embedding(n_items, 1)
            self.offset = nn.Parameter(torch.zeros(()))

        def forward(self, user, item):
            logit = self.offset + self.items(item)[:, 0]
            if predicting:
                module = est.net_.module_
                seen.append((module.offset.dtype, len(module.items._forward_hooks)))
                assert logit.dtype == torch.float64
            return logit

    predicting = False
    est = CrossEntropyRecommender(backbone=Watched, max_epochs=1, random_state=0)
    est.fit(data.X, data.y)
    predicting = True
    est.predict(data.X)
    est.recommend(data.X[:2, 0])
    assert set(seen) == {(torch.float32, 0)}


def test_the_seed_of_a_fit_is_that_of_the_processor_alone(monkeypatch):
    """torch.manual_seed would also seed all GPUs, which nobody would restore."""
    monkeypatch.setattr(torch, "manual_seed", None)
    with torch_seed(3, torch.device("cpu")):
        drawn = torch.rand(2)
    generator = torch.Generator().manual_seed(3)
    assert torch.equal(drawn, torch.rand(2, generator=generator))
