"""The exported scorer, held against numpy by hand and against predict_proba."""

import json
import logging
import random
import sys

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.exceptions import NotFittedError
from torch import nn

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseGradientRecommender,
    MultiTaskRecommender,
    load,
)
from sklearn_invlearn.files import _onnx_export
from sklearn_invlearn.modules import SpectralExposure
from sklearn_invlearn.spectral import STRUCTURES, Bilinear
from sklearn_invlearn.spectral._bilinear import PRECISIONS

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TINY = [["a", 0], ["a", 1], ["b", 0], ["c", 1], ["c", 0]], [1, 0, 1, 0, 1]


class Distance(nn.Module):
    """A class of one's own, whose logit is no product."""

    def __init__(self, n_users, n_items, n_factors):
        super().__init__()
        self.user = nn.Embedding(n_users, n_factors)
        self.item = nn.Embedding(n_items, n_factors)

    def forward(self, user, item):
        return 1.0 - (self.user(user) - self.item(item)).square().sum(-1)


class Branching(Distance):
    def forward(self, user, item):
        return super().forward(user, item) if user.sum() > 2 else user + 0.5


def fitted(X, y, backbone="gmf", **params):
    params = {"gamma": 0.1, "max_epochs": 5, "n_factors": 8, "random_state": 0} | params
    return CrossEntropyRecommender(backbone=backbone, **params).fit(X, y)


def session_of(est, folder):
    est.export_onnx(folder / "scorer.onnx")
    return onnxruntime.InferenceSession(folder / "scorer.onnx")


def metadata_of(est, folder):
    return session_of(est, folder).get_modelmeta().custom_metadata_map


def scores(session, user, item):
    return session.run(None, {"user": user, "item": item})[0]


def some_pairs(est, n):
    """n pairs of codes that differ in users and items, unknown ones included."""
    rng = np.random.default_rng(n)
    n_users, n_items = est._encoder.n_users, est._encoder.n_items
    return rng.integers(n_users, size=n), rng.integers(n_items, size=n)


def check_export(est, folder):
    session = session_of(est, folder)
    unknown = object()
    users = [unknown, *est.user_ids_.tolist()]
    items = [unknown, *est.item_ids_.tolist()]
    for n in (1, 7, 1000):
        user, item = some_pairs(est, n)
        X = np.array([[users[u], items[i]] for u, i in zip(user, item)], dtype=object)
        np.testing.assert_array_equal(est.encode(X), np.stack([user, item], axis=1))
        proba = scores(session, user, item)
        assert proba.shape == (n,)
        np.testing.assert_allclose(proba, est.predict_proba(X)[:, 1], atol=1e-5)
    assert np.ptp(proba) > 1e-3  # n is 1000: not one score for all


# ---- values ------------------------------------------------------------------------


def test_biases_by_hand(tmp_path):
    est = fitted(*TINY, backbone="bias", gamma=0.5)
    biases = est.net_.module_.biases
    b_u, b_i = (t.weight.detach().numpy()[:, 0] for t in (biases.user, biases.item))
    user = np.array([1, 1, 2, 3, 0, 2, 0])
    item = np.array([1, 2, 1, 2, 2, 0, 0])
    expected = expit(biases.intercept.item() + b_u[user] + b_i[item])
    proba = scores(session_of(est, tmp_path), user, item)
    np.testing.assert_allclose(proba, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("backbone", "biases"),
    [
        *((b, True) for b in ("bias", "gmf", "mlp", "neumf", "cdae", Distance)),
        *((b, False) for b in ("gmf", "mlp", "neumf", "cdae")),
    ],
)
def test_onnxruntime_says_what_predict_proba_says(backbone, biases, data, tmp_path):
    params = {"dropout": 0.5} if backbone in ("mlp", "neumf") else None
    est = fitted(
        data.X,
        data.y,
        backbone=backbone,
        user_bias=biases,
        item_bias=biases,
        backbone_params=params,
    )
    check_export(est, tmp_path)


def test_an_intercept_alone_takes_any_batch(tmp_path):
    est = fitted(*TINY, backbone="bias", user_bias=False, item_bias=False)
    session = session_of(est, tmp_path)
    for n in (1, 7):
        user, item = some_pairs(est, n)
        expected = np.full(n, est.predict_proba([["a", 0]])[0, 1])
        np.testing.assert_allclose(scores(session, user, item), expected, rtol=1e-6)


def random_model(structure, n_users, n_items, seed):
    rng = np.random.default_rng(seed)
    P, Q = (rng.normal(size=(n, 3)).astype(np.float32) / 2 for n in (n_users, n_items))
    model = Bilinear(P, Q, structure, base_rate=0.4)
    with torch.no_grad():
        for parameter in model.parameters():
            values = rng.normal(size=parameter.shape) / 2
            parameter.copy_(torch.tensor(values))
    return model


@pytest.mark.parametrize(
    "structures", [*((s,) for s in STRUCTURES), tuple(STRUCTURES)], ids="-".join
)
def test_every_structure_of_the_spectral_backbone(structures, data, tmp_path):
    est = fitted(data.X, data.y, backbone="bias")
    sizes = est._encoder.n_users, est._encoder.n_items
    models = [random_model(s, *sizes, k) for k, s in enumerate(structures)]
    weights = np.linspace(0.4, 1.0, len(models))
    module = SpectralExposure(models, [PRECISIONS] * len(models), -0.3, weights)
    est.net_.module_ = module.eval()
    check_export(est, tmp_path)


@pytest.mark.parametrize("structure", ["biases", "fitted"])
def test_fitted_spectral_backbones(structure, data, tmp_path):
    X, y = TINY if structure == "biases" else (data.X, data.y)
    pool = None if structure == "biases" else (data.X_unlab,)
    est = InverseGradientRecommender(backbone="spectral", random_state=0)
    check_export(est.fit(X, y, X_unlab=pool), tmp_path)


@pytest.mark.parametrize("backbone", ["gmf", "neumf"])
def test_the_second_behaviour_of_a_cascade(backbone, data, tmp_path):
    est = MultiTaskRecommender(backbone=backbone, max_epochs=3, random_state=0)
    clicks = data.X[data.y == 1]
    est.fit(clicks, np.ones(len(clicks)), X_extra=(clicks[:60],), y_extra=np.ones(60))
    check_export(est, tmp_path)


def test_after_an_update_and_from_a_file(data, tmp_path):
    est = fitted(data.X, data.y)
    est.partial_fit([[10**6, 10**7]] * 3, [1, 0, 1], n_epochs=5)
    check_export(est, tmp_path)
    assert 10**6 in json.loads(metadata_of(est, tmp_path)["user_ids"])
    before = (tmp_path / "scorer.onnx").read_bytes()
    est.save(tmp_path / "est.safetensors")
    check_export(load(tmp_path / "est.safetensors"), tmp_path)
    assert len((tmp_path / "scorer.onnx").read_bytes()) == len(before)


# ---- contract ----------------------------------------------------------------------


def test_inputs_outputs_and_metadata(tmp_path):
    X, y = TINY
    est = fitted(X, ["yes" if label else "no" for label in y])
    session = session_of(est, tmp_path)
    described = {i.name: (i.type, len(i.shape)) for i in session.get_inputs()}
    assert described == dict.fromkeys(("user", "item"), ("tensor(int64)", 1))
    (output,) = session.get_outputs()
    assert (output.name, output.type) == ("proba", "tensor(float)")
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["user_ids"]) == ["a", "b", "c"]
    assert json.loads(metadata["item_ids"]) == [0, 1]
    assert json.loads(metadata["classes"]) == ["no", "yes"]
    assert metadata["estimator"] == "CrossEntropyRecommender"
    assert metadata["library_version"]


@pytest.mark.parametrize(
    "classes", [[False, True], [0.0, 1.0], [-1.0, 2.0], [0, 1], ["no", "yes"]]
)
def test_classes_of_any_plain_type_are_told(classes, tmp_path):
    X, y = TINY
    metadata = metadata_of(fitted(X, np.array(classes)[y]), tmp_path)
    found = json.loads(metadata["classes"])
    assert found == classes
    assert [type(label) for label in found] == [type(label) for label in classes]


def test_ids_without_a_plain_form_are_left_out(tmp_path):
    X, y = TINY
    X = [[(user, 1), f"{item}é"] for user, item in X]
    metadata = metadata_of(fitted(X, y), tmp_path)
    assert "user_ids" not in metadata
    assert json.loads(metadata["item_ids"]) == ["0é", "1é"]


def test_ids_of_numpy_in_a_list_are_told(tmp_path):
    users = [np.int64(7), np.uint64(2**63), np.float32(0.5), np.str_("a"), True]
    rows = [[user, item] for user, item in zip(users, np.arange(5))]
    metadata = metadata_of(fitted(rows, [1, 0, 1, 0, 1]), tmp_path)
    assert json.loads(metadata["user_ids"]) == [7, 2**63, 0.5, "a", True]
    assert json.loads(metadata["item_ids"]) == [0, 1, 2, 3, 4]
    times = [[np.timedelta64(k, "s"), k] for k in range(5)]
    assert "user_ids" not in metadata_of(fitted(times, [1, 0, 1, 0, 1]), tmp_path)


def test_codes_of_pairs():
    est = fitted(*TINY, handle_unknown="error")
    codes = est.encode([["c", 1], ["nobody", 0], ["a", 5]])
    np.testing.assert_array_equal(codes, [[3, 2], [0, 1], [1, 0]])
    assert codes.dtype == np.int64
    assert codes.T.flags.c_contiguous
    with pytest.raises(ValueError, match="missing"):
        est.encode([["a", None]])


def test_an_export_leaves_everything_as_it_was(data, tmp_path):
    est = fitted(data.X, data.y, backbone="mlp", backbone_params={"dropout": 0.3})
    before = est.predict_proba(data.X_test)
    torch_state, threads = torch.get_rng_state(), torch.get_num_threads()
    logged, python_state = logging.getLogger("torch").level, random.getstate()
    est.export_onnx(tmp_path / "scorer.onnx")
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert random.getstate() == python_state
    assert torch.get_num_threads() == threads
    assert logging.getLogger("torch").level == logged
    np.testing.assert_array_equal(est.predict_proba(data.X_test), before)
    est.partial_fit(data.X[:5], data.y[:5])  # gradients and hooks are still in place


# ---- errors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backbone", "params", "reason"),
    [("cdae", {"leave_target_out": True}, "searchsorted"), (Branching, None, "export")],
)
def test_what_cannot_be_exported(backbone, params, reason, tmp_path, data, capsys):
    path = tmp_path / "scorer.onnx"
    path.write_bytes(b"old")
    est = fitted(data.X, data.y, backbone=backbone, backbone_params=params)
    with pytest.raises(NotImplementedError, match=reason) as raised:
        est.export_onnx(path)
    assert "user_side" in str(raised.value)
    assert capsys.readouterr() == ("", "")  # torch would show its graph
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["scorer.onnx"]


def test_a_model_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(_onnx_export, "_MOST_BYTES", 100)
    with pytest.raises(ValueError, match="fewer factors"):
        fitted(*TINY).export_onnx(tmp_path / "scorer.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_a_library_is_missing(missing, tmp_path, monkeypatch):
    est = fitted(*TINY)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-invlearn\[onnx\]'"):
        est.export_onnx(tmp_path / "scorer.onnx")


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        fitted(*TINY).export_onnx(tmp_path / "nowhere" / "scorer.onnx")


def test_not_fitted(tmp_path):
    est = CrossEntropyRecommender()
    for call in (lambda: est.export_onnx(tmp_path / "x"), lambda: est.encode([[1, 2]])):
        with pytest.raises(NotFittedError):
            call()


def test_an_export_is_of_one_moment(tmp_path, monkeypatch):
    """Another thread may update the recommender while it is written."""
    est = fitted(*TINY)
    read = _onnx_export._json_lists

    def then_updated(**values):
        est.partial_fit([["new", 9]], [1])
        return read(**values)

    monkeypatch.setattr(_onnx_export, "_json_lists", then_updated)
    session = session_of(est, tmp_path)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["user_ids"]) == ["a", "b", "c"]
    with pytest.raises(Exception, match="out of"):
        session.run(None, {"user": np.array([4]), "item": np.array([1])})
