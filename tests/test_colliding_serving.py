"""A colliding recommender once it is fitted: lists, updates, files."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.special import expit
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

from sklearn_invlearn import CollidingRecommender, TruncatedLossRecommender, load
from sklearn_invlearn.modules import BACKBONES, GMF, BiasOnly

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "gamma": 0.05,
    "max_epochs": 3,
    "extra_feedback": "warmup",
    "random_state": 0,
}
WITH_VECTORS = sorted(set(BACKBONES) - {"bias", "spectral"})


def rows_of(data):
    """Clicks, and true ones among those of users with an even id."""
    X = data.X[data.y == 1]
    extra = X[X[:, 0] % 2 == 0][::2]
    given = {"X_extra": (extra,), "y_extra": (np.ones(len(extra)),)}
    return {"X": X, "y": np.ones(len(X))} | given


def make(params=None, **inner):
    recommender = TruncatedLossRecommender(**SIZES | inner)
    own = {"n_neighbors": 3, "mixing": 0.6, "max_extra_ratio": 0.3}
    return CollidingRecommender(recommender=recommender, **own | (params or {}))


@pytest.fixture(scope="module", params=["logit", "proba"])
def est(request, data):
    return make({"on": request.param}).fit(**rows_of(data))


# ---- lists and explanations ----------------------------------------------------------


@pytest.mark.parametrize("on", ["logit", "proba"])
@pytest.mark.parametrize("backbone", WITH_VECTORS)
def test_lists_are_sorted_by_mixed_scores(on, backbone, data):
    est = make({"on": on}, backbone=backbone).fit(**rows_of(data))
    users, items = [*est.user_ids_.tolist(), -1], est.item_ids_
    for exclude_seen in (True, False):
        ids, scores = est.recommend(users, 5, exclude_seen=exclude_seen)
        for row, user in enumerate(users):
            seen = est.seen_items([user]).toarray()[0] if exclude_seen else False
            rest = items[~np.broadcast_to(seen, len(items))]
            logit = est.decision_function([(user, i) for i in rest])
            order = np.argsort(-logit.round(12), kind="stable")[:5]
            np.testing.assert_allclose(scores[row], expit(logit[order]), rtol=1e-9)
            assert ids[row].tolist() == rest[order].tolist()
    own, _ = est.recommender_.recommend(users, 5)
    assert (own != est.recommend(users, 5)[0]).any()


def test_explanations_add_up_to_mixed_scores(est, data):
    parts = est.explain(data.X_test)
    logit = est.decision_function(data.X_test)
    assert_array_equal(parts["logit"], logit)
    total = sum(parts[name] for name in parts.dtype.names[:-1])
    np.testing.assert_allclose(total, logit, rtol=1e-9, atol=1e-12)
    (of_average_pair,) = est.recommender_.explain([[-1, -1]])["logit"]
    np.testing.assert_allclose(parts["intercept"], of_average_pair, rtol=1e-12)


def test_annotations_are_of_mixed_scores(est, data):
    frame = est.annotate(data.X_unlab, return_frame=True)
    assert_array_equal(frame["proba"], est.predict_proba(data.X_unlab)[:, 1])


def test_who_is_alike_is_up_to_the_recommender(est):
    item = est.item_ids_[0]
    theirs = est.recommender_.similar_items(item)
    for mine, expected in zip(est.similar_items(item), theirs):
        assert_array_equal(mine, expected)


def test_history_and_epochs(est):
    assert est.history_ is est.recommender_.history_
    assert est.n_iter_ == len(est.history_) == 13
    unfitted = make()
    for name in ("history_", "user_ids_"):
        with pytest.raises(NotFittedError):
            getattr(unfitted, name)


@pytest.mark.parametrize("on", ["logit", "proba"])
def test_export(on, data, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    est = make({"on": on}).fit(**rows_of(data))
    path = tmp_path / "scorer.onnx"
    if on == "proba":
        with pytest.raises(NotImplementedError, match="cannot export the backbone"):
            est.export_onnx(path)
        return
    est.export_onnx(path)
    user, item = est.encode(data.X_test).T
    session = onnxruntime.InferenceSession(path)
    (proba,) = session.run(["proba"], {"user": user, "item": item})
    np.testing.assert_allclose(proba, est.predict_proba(data.X_test)[:, 1], atol=1e-6)


# ---- updates -------------------------------------------------------------------------


def test_an_update_counts_and_mixes_those_who_fall_below_the_ratio(data):
    est = make().fit(**rows_of(data))
    before, ratio = est.neighbors_.copy(), est.extra_ratio_.copy()
    user = int(np.flatnonzero(before[:, 0] < 0)[0])
    name = est.user_ids_[user]
    new = [(name, i) for i in range(40)] + [(999, 3)]
    est.partial_fit(new, np.ones(41), n_epochs=2)
    clicks, extra = est._positives
    assert clicks[user] == round(extra[user] / ratio[user]) + 40
    assert est.extra_ratio_[user] == extra[user] / clicks[user] < 0.3
    assert (est.neighbors_[user] >= 0).all()
    same = np.arange(len(before)) != user
    assert_array_equal(est.neighbors_[:-1][same], before[same])
    assert est.user_ids_[-1] == 999
    assert est.neighbors_[-1].tolist() == [-1, -1, -1]  # no vector of the warm-up
    vectors = est.recommender_.warm_user_vectors_.astype(float)
    product = vectors @ vectors[user]
    product[user] = -np.inf
    assert est.neighbors_[user].tolist() == np.argsort(-product)[:3].tolist()
    pair = [(999, 3)]
    own = est.recommender_.decision_function(pair)
    assert (est.decision_function(pair) == own).all()
    assert est.history_[:, "stage"][-2:] == ["update", "update"]


def test_an_update_of_the_recommender_inside_is_seen(data):
    est = make().fit(**rows_of(data))
    est.recommender_.partial_fit([(999, 3), (1, 3)], [1, 1], n_epochs=5)
    assert est.user_ids_[-1] == 999
    pairs = [(999, 3), *map(tuple, data.X_test.tolist())]
    own = est.recommender_.decision_function(pairs)
    scores = est.decision_function(pairs)
    assert scores[0] == own[0]
    assert (scores != own).any()
    ids, _ = est.recommend([999, 1], 3)
    assert ids.shape == (2, 3)


def test_parameters_of_the_recommender_may_be_set_between_updates(data):
    est, faster = make().fit(**rows_of(data)), make().fit(**rows_of(data))
    faster.set_params(recommender__gamma=0.5)
    before = faster.decision_function(data.X)
    for one in (est, faster):
        one.partial_fit(data.X, data.y)
    moved = np.abs(faster.decision_function(data.X) - before).mean()
    assert moved > 2 * np.abs(est.decision_function(data.X) - before).mean()
    assert faster.recommender_.gamma == 0.5


def test_without_a_fit_nobody_is_mixed(data):
    with pytest.warns(UserWarning, match="no extra feedback for 'warmup'"):
        est = make().partial_fit(data.X, data.y, n_epochs=2)
    assert est.neighbors_.shape == (len(est.user_ids_), 0)
    est.partial_fit([(999, 3)], [1])
    assert est.n_iter_ == 3
    own = est.recommender_.decision_function(data.X_test)
    assert_array_equal(est.decision_function(data.X_test), own)


class Raises(Callback):
    def __init__(self, error, epoch=1):
        self.error = error
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) >= self.epoch:
            raise self.error


def test_an_update_that_fails_changes_nothing(data):
    est = make().fit(**rows_of(data))
    before, scores = dict(vars(est)), est.decision_function(data.X_test)
    est.set_params(recommender__callbacks=[Raises(RuntimeError("on purpose"))])
    with pytest.raises(RuntimeError, match="on purpose"):
        est.partial_fit([(999, 3)], [1])
    assert vars(est) == before
    assert_array_equal(est.decision_function(data.X_test), scores)


def test_an_interrupt_after_the_recommender_is_updated_changes_nothing(
    data, monkeypatch
):
    est = make().fit(**rows_of(data))
    before, scores = dict(vars(est)), est.decision_function(data.X_test)
    inner, module = dict(vars(est.recommender_)), CollidingRecommender.__module__

    def interrupted(*args):
        raise KeyboardInterrupt

    new = [(999, 3), (est.user_ids_[0], 3)]
    for name in ("positives_per_user", "with_neighbors"):
        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.{name}", interrupted)
            with pytest.raises(KeyboardInterrupt):
                est.partial_fit(new, [1, 1])
        assert vars(est) == before
        assert vars(est.recommender_) == inner
        assert_array_equal(est.decision_function(data.X_test), scores)
    assert est.partial_fit(new, [1, 1]).user_ids_[-1] == 999
    assert len(inner["net_"].history) < est.n_iter_


def test_scores_of_mixed_users_change_with_those_of_their_neighbors(data):
    est = make().fit(**rows_of(data))
    mixed = np.flatnonzero(est.neighbors_[:, 0] >= 0)
    neighbor = est.user_ids_[est.neighbors_[mixed[0], 0]]
    pairs = [(est.user_ids_[mixed[0]], item) for item in est.item_ids_[1:]]
    before = est.decision_function(pairs)
    own = est.recommender_.decision_function(pairs)
    est.partial_fit([(neighbor, est.item_ids_[0])] * 5, [1] * 5, n_epochs=5)
    assert_array_equal(est.recommender_.decision_function(pairs), own)
    assert (est.decision_function(pairs) != before).all()


# ---- fits that fail ------------------------------------------------------------------


def test_a_fit_that_fails_changes_nothing(data):
    rows = rows_of(data)
    est = make().fit(**rows)
    before = dict(vars(est))
    for changes in (
        {"X": rows["X"][:-1]},
        {"y": None},
        {"X_extra": (rows["X"],)},
    ):
        with pytest.raises(ValueError, match=r"inconsistent|requires y"):
            est.fit(**rows | changes)
        assert vars(est) == before
    est.set_params(recommender__callbacks=[Raises(RuntimeError("on purpose"))])
    with pytest.raises(RuntimeError, match="on purpose"):
        est.fit(**rows)
    assert {k: v for k, v in vars(est).items() if k != "recommender"} == {
        k: v for k, v in before.items() if k != "recommender"
    }


def test_an_interrupt_after_the_warm_up_leaves_a_model(data):
    rows = rows_of(data)
    interrupt = Raises(KeyboardInterrupt(), epoch=12)  # the second of the main stage
    est = make(None, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        est.fit(**rows)
    assert est.n_iter_ == 12
    assert np.isfinite(est.decision_function(data.X_test)).all()
    assert (est.neighbors_[:, 0] >= 0).any()


class Fitted(BiasOnly):
    """Comes fitted, and has found vectors of users, or none."""

    width = 2

    @classmethod
    def fitted(cls, n_users, n_items, **_):
        return cls(n_users, n_items)

    def user_vectors(self, user):
        return user[:, None].double().repeat(1, self.width)


@pytest.mark.parametrize("width", [0, 2])
def test_a_backbone_that_comes_fitted_may_have_found_no_vectors(
    width, data, monkeypatch
):
    monkeypatch.setattr(Fitted, "width", width)
    est, rows = make(None, backbone=Fitted), rows_of(data)
    if width:
        est.fit(**rows)
        assert (est.neighbors_[:, 0] >= 0).any()
        return
    with pytest.warns(UserWarning, match="nobody has neighbours") as log:
        est.fit(**rows)
    assert [warning.filename for warning in log] == [__file__]
    own = est.recommender_.decision_function(data.X_test)
    assert_array_equal(est.decision_function(data.X_test), own)
    assert est.neighbors_.shape == (len(est.user_ids_), 0)


class NoVectors(nn.Module):
    def __init__(self, n_users, n_items):
        super().__init__()
        self.table = nn.Embedding(n_items, 1)

    def forward(self, user, item):
        raise AssertionError("it is trained before it is refused")


@pytest.mark.parametrize("backbone", ["bias", NoVectors])
def test_a_backbone_without_vectors_is_refused_before_it_is_trained(backbone, data):
    est = make(None, backbone=backbone, callbacks=[Raises(AssertionError())])
    with pytest.raises(ValueError, match="has no vectors of users"):
        est.fit(**rows_of(data))


# ---- files ---------------------------------------------------------------------------


class Mine(GMF):
    """A backbone of one's own."""


def test_a_file_keeps_everything(est, data, tmp_path):
    est.save(tmp_path / "model", optimizer=True)
    again = load(tmp_path / "model")
    assert type(again) is CollidingRecommender
    assert repr(again) == repr(est)
    assert again.get_params()["recommender__gamma"] == 0.05
    assert_array_equal(
        again.decision_function(data.X_test), est.decision_function(data.X_test)
    )
    assert_array_equal(again.recommend([1, 2])[0], est.recommend([1, 2])[0])
    assert_array_equal(again.neighbors_, est.neighbors_)
    assert again.history_ == est.history_
    one = pickle.loads(pickle.dumps(est))
    assert_array_equal(one.decision_function(data.X), est.decision_function(data.X))
    new = [(999, 3), (1, 3), (2, 4)]
    scores = [
        model.partial_fit(new, [1, 1, 1]).decision_function(data.X_test)
        for model in (load(tmp_path / "model"), again)
    ]
    assert_array_equal(*scores)


def test_what_a_file_does_not_hold_is_given_again(data, tmp_path):
    est = make({"random_state": 3}, backbone=Mine).fit(**rows_of(data))
    path = tmp_path / "model"
    est.save(path)
    with pytest.raises(ValueError, match=r"load\(path, recommender__backbone=\.\.\.\)"):
        load(path)
    with pytest.raises(ValueError, match="no parameters of CollidingRecommender"):
        load(path, recommender__backbone=Mine, backbone=Mine)
    again = load(path, recommender__backbone=Mine, mixing=1.0)
    assert again.recommender.random_state == 0
    assert again.random_state == 3
    assert again.mixing == 1.0
    assert_array_equal(
        again.decision_function(data.X), est.recommender_.decision_function(data.X)
    )


class MyTruncated(TruncatedLossRecommender):
    """A recommender of one's own."""


def test_a_recommender_of_ones_own_inside(data, tmp_path):
    est = CollidingRecommender(recommender=MyTruncated(**SIZES), n_neighbors=2)
    est.fit(**rows_of(data)).save(tmp_path / "model")
    with pytest.raises(ValueError, match="load\\(path, estimator=MyTruncated\\)"):
        load(tmp_path / "model")
    again = load(tmp_path / "model", estimator=MyTruncated)
    assert type(again.recommender_) is MyTruncated
    assert_array_equal(again.predict_proba(data.X), est.predict_proba(data.X))


def test_the_default_recommender_stays_the_default(data, tmp_path):
    rows = rows_of(data)
    est = CollidingRecommender(n_neighbors=2, random_state=0).fit(**rows)
    est.save(tmp_path / "model")
    assert load(tmp_path / "model").recommender is None
    with pytest.raises(NotFittedError):
        CollidingRecommender().save(tmp_path / "other")


def test_a_memory_map_is_scored_updated_and_saved(est, data, tmp_path):
    joblib.dump(est, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert isinstance(mapped.neighbors_, np.memmap)
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # not once in all tests
    try:
        assert_array_equal(mapped.predict_proba(data.X), est.predict_proba(data.X))
        mapped.partial_fit(data.X[:9], data.y[:9])
    finally:
        torch.set_warn_always(always)
    mapped.save(tmp_path / "model")
    again = load(tmp_path / "model").predict_proba(data.X)
    assert_array_equal(again, mapped.predict_proba(data.X))
