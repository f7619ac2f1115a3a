"""Devices: a clear refusal, and the same results on a GPU where there is one."""

import pickle

import numpy as np
import pytest
import torch

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    load,
)
from sklearn_invlearn.files import _files
from sklearn_invlearn.fitting._torch_state import resolve_device
from sklearn_invlearn.modules import BACKBONES

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="there is no CUDA device"
)


def test_auto_is_what_there_is():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device(torch.device("cpu")).type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_refused_before_any_work(data):
    est = CrossEntropyRecommender(backbone="gmf", device="cuda")
    with pytest.raises(ValueError, match=r"no CUDA device.*device='auto'"):
        est.fit(data.X, data.y)
    assert not hasattr(est, "net_")


def test_an_unknown_device_is_refused(data):
    with pytest.raises(ValueError, match=r"'abacus' is no device of torch.*'auto'"):
        CrossEntropyRecommender(device="abacus").fit(data.X, data.y)


def test_a_device_that_cannot_compute_is_refused(data):
    with pytest.raises(ValueError, match=r"'meta' was asked for.*cannot compute"):
        CrossEntropyRecommender(device="meta").fit(data.X, data.y)


def test_a_device_that_is_full_is_not_taken_for_a_wrong_file(
    cuda, data, tmp_path, monkeypatch
):
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(data.X, data.y)
    est.save(tmp_path / "model")

    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(_files, "set_optimizer_state", full)
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        load(tmp_path / "model")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(
    ("recommender", "params"),
    [
        (CrossEntropyRecommender, {}),
        (CrossEntropyRecommender, {"negatives": "sampled"}),
        (InverseDualLossRecommender, {}),
        (InverseGradientRecommender, {"sampling": "same_user"}),
    ],
)
def test_gpu_learns_what_the_cpu_learns(recommender, params, backbone, data):
    scores = {}
    for device in ("cpu", "cuda"):
        est = recommender(
            backbone=backbone, gamma=0.02, random_state=0, device=device, **params
        )
        est.fit(data.X, data.y, X_val=(data.X_test,), y_val=(data.y_test,))
        scores[device] = est.decision_function(data.X_test)
    assert next(est.net_.module_.parameters()).is_cuda
    # Orders of batches differ between devices; what is learned does not.
    assert np.corrcoef(scores["cpu"], scores["cuda"])[0, 1] > 0.9
    assert np.isfinite(scores["cuda"]).all()


@pytest.fixture
def deterministic(monkeypatch):
    """Sums in a fixed order, see torch's notes on reproducibility."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.gpu
@needs_gpu
def test_a_pool_on_the_gpu_is_reproducible(data, deterministic):
    scores = []
    for _ in range(2):
        est = InverseGradientRecommender(
            backbone="gmf", gamma=0.02, random_state=0, device="cuda"
        )
        est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
        scores.append(pickle.loads(pickle.dumps(est)).decision_function(data.X_test))
    np.testing.assert_allclose(*scores, rtol=1e-3, atol=1e-4)
