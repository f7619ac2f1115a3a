"""save and load: the same recommender again, or a clear refusal."""

from datetime import UTC, date, datetime

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

import sklearn_invlearn
from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseGradientRecommender,
    TruncatedLossRecommender,
    load,
)
from sklearn_invlearn.files import _files
from sklearn_invlearn.modules import BACKBONES

SIZES = {"n_factors": 4, "gamma": 0.05, "max_epochs": 2, "random_state": 0}
RECOMMENDERS = [
    cls
    for cls in map(sklearn_invlearn.__getattr__, sklearn_invlearn.__all__)
    if hasattr(cls, "save") and hasattr(cls(), "backbone")  # others wrap one
]


class Distance(nn.Module):
    """A backbone that the package does not know."""

    def __init__(self, n_users, n_items, n_factors):
        super().__init__()
        self.user = nn.Embedding(n_users, n_factors)
        self.item = nn.Embedding(n_items, n_factors)

    def forward(self, user, item):
        return -(self.user(user) - self.item(item)).square().sum(-1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def fitted(data, cls=CrossEntropyRecommender, **params):
    est = cls(**{"backbone": "gmf"} | SIZES | params)
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


def assert_same(one, other, X):
    assert type(one) is type(other)
    assert str(one.get_params()) == str(other.get_params())
    for method in ("decision_function", "predict_proba", "predict"):
        outputs = getattr(one, method)(X), getattr(other, method)(X)
        assert_array_equal(*outputs, strict=True)
    assert_array_equal(one.classes_, other.classes_, strict=True)
    assert_array_equal(one.user_ids_, other.user_ids_, strict=True)
    assert_array_equal(one.item_ids_, other.item_ids_, strict=True)
    assert one.history_ == other.history_
    assert one.n_iter_ == other.n_iter_
    users = one.user_ids_[:5]
    assert (one.seen_items(users) != other.seen_items(users)).nnz == 0
    assert vars(one).keys() == vars(other).keys()


@pytest.mark.parametrize("backbone", [*BACKBONES, Distance])
def test_every_backbone_comes_back_bit_for_bit(backbone, data, path):
    est = fitted(data, backbone=backbone)
    est.save(path)
    given = {"backbone": Distance} if backbone is Distance else {}
    assert_same(load(path, **given), est, data.X_test)
    assert_same(load(path, **given), est, [["nobody", 0], [data.X[0, 0], "nothing"]])


@pytest.mark.filterwarnings("ignore:.*has no extra feedback:UserWarning")
@pytest.mark.parametrize("cls", RECOMMENDERS)
def test_every_recommender_comes_back(cls, data, path):
    est = fitted(data, cls)
    est.save(path)
    again = load(str(path))
    assert_same(again, est, data.X_test)
    if cls is InverseGradientRecommender:
        assert_array_equal(again.trace_, est.trace_, strict=True)
    again.save(path)  # and a second time
    assert_same(load(path), est, data.X_test)


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(60) + 2**60,
        [f"Nutzer {i} ß\0" for i in range(60)],
        [(i, f"{i}") for i in range(60)],
        [float(i) + 0.5 for i in range(60)],
        [bytes([i]) for i in range(60)],
        [date.fromordinal(700_000 + i) for i in range(60)],
        [i if i % 2 else str(i) for i in range(60)],
        [2**70 + i for i in range(60)],
        np.arange(60).astype("M8[ns]"),
        np.arange(60).astype("m8[s]"),
        np.arange(60).astype("int8"),
    ],
    ids=lambda ids: type(ids[0]).__name__,
)
def test_ids_come_back_as_they_were(ids, data, path):
    X = [(ids[user], item) for user, item in data.X.tolist()]
    est = CrossEntropyRecommender(backbone="bias", **SIZES).fit(X, data.y)
    est.save(path)
    again = load(path)
    before, after = est.user_ids_, again.user_ids_
    assert_array_equal(after, before, strict=True)
    assert list(map(type, after.tolist())) == list(map(type, before.tolist()))
    assert_array_equal(again.predict_proba(X), est.predict_proba(X))


class Customer:
    """An id that is hashable, and nothing more."""


def test_ids_that_cannot_be_kept_exactly_are_refused(data, path):
    ids = [Customer() for _ in range(60)]
    X = [(ids[user], item) for user, item in data.X.tolist()]
    est = CrossEntropyRecommender(backbone="bias", **SIZES).fit(X, data.y)
    with pytest.raises(TypeError, match=r"cannot hold .*Customer.* use\s+pickle"):
        est.save(path)
    assert not path.exists()


@pytest.mark.parametrize("zone", [None, UTC])
def test_it_is_said_which_times_are_kept(zone, data, path):
    moments = [datetime(2024, 5, 1 + day, tzinfo=zone) for day in range(30)]
    X = [(moments[user % 30], item) for user, item in data.X.tolist()]
    est = CrossEntropyRecommender(backbone="bias", **SIZES).fit(X, data.y)
    with pytest.raises(TypeError, match=r"of type datetime.*as numpy\.datetime64"):
        est.save(path)
    X = [(np.datetime64(m.replace(tzinfo=None)), item) for m, item in X]
    est.fit(X, data.y).save(path)
    assert_array_equal(load(path).predict_proba(X), est.predict_proba(X))


@pytest.mark.parametrize(
    "classes", [[0, 1], ["no", "yes"], [False, True], np.array([1.0, 2.0], "f4")]
)
def test_classes_come_back_as_they_were(classes, data, path):
    est = CrossEntropyRecommender(backbone="bias", **SIZES)
    est.fit(data.X, np.asarray(classes)[data.y]).save(path)
    assert_same(load(path), est, data.X_test)


def test_names_of_columns_are_kept(data, path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(data.X, columns=["user", "item"])
    est = CrossEntropyRecommender(backbone="bias", **SIZES).fit(frame, data.y)
    est.save(path)
    again = load(path)
    assert_array_equal(again.feature_names_in_, est.feature_names_in_, strict=True)
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[["item", "user"]])


def test_parameters_come_back_as_they_were(data, path):
    params = {
        "optimizer": torch.optim.RMSprop,
        "device": torch.device("cpu"),
        "backbone_params": {"n_layers": 2, "dropout": 0.1},
        "gamma": np.float32(0.01),
        "random_state": np.random.RandomState(3),
    }
    est = fitted(data, backbone="mlp", **params)
    est.save(path)
    again = load(path)
    state = again.random_state.get_state(), est.random_state.get_state()
    assert_array_equal(state[0][1], state[1][1])
    again.random_state = est.random_state
    assert again.get_params() == est.get_params()
    assert type(again.gamma) is np.float32
    assert_same(again, est, data.X_test)


class Silent(Callback):
    """An object that no file holds."""


def test_parameters_that_are_objects_are_given_again(data, path):
    est = fitted(data, backbone=Distance, callbacks=[Silent()])
    est.save(path)
    with pytest.raises(ValueError, match=r"does not hold .*backbone.*callbacks"):
        load(path)
    with pytest.raises(ValueError, match="does not hold"):
        load(path, backbone=Distance)
    again = load(path, backbone=Distance, callbacks=None)
    assert_array_equal(again.predict_proba(data.X), est.predict_proba(data.X))


class OwnRecommender(CrossEntropyRecommender):
    """Not one of this package."""


def test_an_estimator_of_ones_own_is_given_again(data, path):
    est = fitted(data, OwnRecommender)
    est.save(path)
    with pytest.raises(ValueError, match=r"no estimator of this.*estimator=Own"):
        load(path)
    with pytest.raises(ValueError, match="holds a OwnRecommender, not a Inverse"):
        load(path, estimator=InverseGradientRecommender)
    assert_same(load(path, estimator=OwnRecommender), est, data.X_test)


def test_a_parameter_can_be_set_while_loading(data, path):
    fitted(data).save(path)
    assert load(path, verbose=1).verbose == 1
    with pytest.raises(ValueError, match=r"was given \['sise'\].*'n_factors'"):
        load(path, sise=3)
    with pytest.raises(ValueError, match="gamma"):
        load(path, gamma=-1)
    with pytest.raises(
        ValueError, match=r"(?s)(?s)does not fit backbone='gmf'.*size mismatch"
    ):
        load(path, n_factors=5)
    with pytest.raises(ValueError, match="does not fit backbone='mlp'"):
        load(path, backbone="mlp")


@pytest.mark.parametrize("cls", [CrossEntropyRecommender, CollidingRecommender])
def test_requests_of_metadata_are_not_kept(cls, data, path):
    inner = TruncatedLossRecommender(extra_feedback="warmup", n_extra_epochs=1, **SIZES)
    est = cls(**{} if cls is CrossEntropyRecommender else {"recommender": inner})
    extra = {"X_extra": (data.X[:9],), "y_extra": (data.y[:9],)}
    with config_context(enable_metadata_routing=True):
        est.set_fit_request(sample_weight=True)
    est.fit(data.X, data.y, **({} if cls is CrossEntropyRecommender else extra))
    est.save(path)
    again = load(path)
    assert_array_equal(again.decision_function(data.X), est.decision_function(data.X))
    assert not hasattr(again, "_metadata_request")


@pytest.mark.parametrize("colliding", [False, True])
def test_a_file_is_of_one_moment(colliding, data, path, monkeypatch):
    """Another thread may update the recommender while it is written."""
    inner = TruncatedLossRecommender(extra_feedback="warmup", n_extra_epochs=1, **SIZES)
    est = CollidingRecommender(recommender=inner) if colliding else inner
    est.fit(data.X, data.y, X_extra=(data.X[:9],), y_extra=(data.y[:9],))
    read = _files.params_and_state

    def then_updated(*arguments, **options):
        monkeypatch.undo()
        est.partial_fit([[1000, 2000]], [1])
        return read(*arguments, **options)

    expected = est.decision_function(data.X)
    monkeypatch.setattr(_files, "params_and_state", then_updated)
    est.save(path)
    assert 1000 in est.user_ids_
    again = load(path)
    assert 1000 not in again.user_ids_
    assert_array_equal(again.decision_function(data.X), expected)
    assert not colliding or len(again.neighbors_) == len(again.user_ids_)


def test_big_endian_labels(data, path):
    swapped = data.y.astype(">i4")
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(data.X, swapped)
    est.save(path)
    assert load(path).classes_.dtype == est.classes_.dtype == np.dtype("i4")


def test_an_unfitted_recommender_is_not_saved(path):
    with pytest.raises(NotFittedError):
        CrossEntropyRecommender().save(path)


def test_a_file_of_a_gpu_loads_on_the_cpu(data, path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    est = fitted(data)
    est.device = "cuda"  # as if it had been trained there
    est.save(path)
    with pytest.warns(UserWarning, match=r"device='cuda'.*loaded with device='cpu'"):
        again = load(path)
    assert again.device == "cpu"
    assert_array_equal(again.predict_proba(data.X), est.predict_proba(data.X))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("abacus", "device='abacus' is no device of torch"),
        ("meta", "cannot compute there"),
        (None, "The 'device' parameter"),
    ],
)
def test_a_device_that_is_asked_for_must_be_there(device, message, data, path):
    fitted(data).save(path)
    with pytest.raises(ValueError, match=f"^{message}|^device='meta'.*{message}"):
        load(path, device=device)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_model_goes_from_a_gpu_to_the_cpu_and_back(data, path):
    est = fitted(data, device="cuda")
    est.save(path, optimizer=True)
    on_cpu = load(path, device="cpu")
    assert next(on_cpu.net_.module_.parameters()).device.type == "cpu"
    np.testing.assert_allclose(
        on_cpu.predict_proba(data.X), est.predict_proba(data.X), rtol=1e-12
    )
    on_cpu.save(path)
    on_gpu = load(path, device="cuda")
    assert next(on_gpu.net_.module_.parameters()).device.type == "cuda"
    assert_array_equal(on_gpu.predict_proba(data.X), est.predict_proba(data.X))


def test_the_state_of_the_optimizer_is_kept_on_request_only(data, path):
    est = fitted(data)
    est.save(path)
    small = path.stat().st_size
    assert not load(path).net_.optimizer_.state
    est.save(path, optimizer=True)
    assert path.stat().st_size > 1.5 * small
    module = est.net_.module_
    again = load(path).net_
    for name, parameter in module.named_parameters():
        expected = est.net_.optimizer_.state[parameter]
        state = again.optimizer_.state[again.module_.get_parameter(name)]
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_another_optimizer_starts_without_memory(data, path):
    est = fitted(data)
    est.save(path, optimizer=True)
    again = load(path, optimizer="sgd")
    assert not again.net_.optimizer_.state
    adagrad = load(path, optimizer=torch.optim.Adagrad).partial_fit(data.X, data.y)
    fresh = fitted(data).set_params(optimizer=torch.optim.Adagrad)
    fresh.partial_fit(data.X, data.y)
    assert_array_equal(
        adagrad.decision_function(data.X), fresh.decision_function(data.X)
    )


def test_classes_that_are_times(data, path):
    days = np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]")
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1, random_state=0)
    est.fit(data.X, days[data.y]).save(path)
    again = load(path)
    assert again.classes_.dtype == est.classes_.dtype
    assert (again.predict(data.X) == est.predict(data.X)).all()


def test_bytes_of_numpy_in_rows(path):
    X = [[np.bytes_(b"ann"), 1], [np.bytes_(b"b\xff"), 2]] * 2
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1, random_state=0)
    est.fit(X, [0, 1, 1, 0]).save(path)
    assert load(path).user_ids_.tolist() == [b"ann", b"b\xff"]


def test_a_memory_map_of_joblib(data, path, tmp_path):
    est = CrossEntropyRecommender(**SIZES).fit(data.X, data.y)
    joblib.dump(est, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert isinstance(mapped.classes_, np.memmap)
    mapped.save(path)
    again = load(path)
    assert type(again.classes_) is np.ndarray
    assert_array_equal(again.predict_proba(data.X), est.predict_proba(data.X))
