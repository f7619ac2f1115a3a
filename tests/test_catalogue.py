"""The vectors of all items are kept between lists, no longer than they are true."""

import pickle
import threading

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.scoring import _catalogue

BACKBONES = ["spectral", "gmf", "bias", "cdae"]


def pairs(n=1500):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 40, n), rng.integers(0, 60, n)])
    return X, rng.integers(0, 2, n)


@pytest.fixture(params=BACKBONES)
def est(request):
    est = CrossEntropyRecommender(backbone=request.param, random_state=0, device="cpu")
    return est.fit(*pairs())


@pytest.fixture
def computed(monkeypatch):
    """How many items each computation of their vectors was for."""
    computed, side_of = [], _catalogue.side_of

    def counted(module, name, codes):
        computed.append(len(codes))
        return side_of(module, name, codes)

    monkeypatch.setattr(_catalogue, "side_of", counted)
    return computed


def assert_true(est, user=3, n_items=10):
    """The list is a sort of all scores, computed pair by pair."""
    ids, _ = est.recommend(user, n_items=n_items, exclude_seen=False)
    items = est.item_ids_
    logit = est.decision_function(np.column_stack([np.full(len(items), user), items]))
    np.testing.assert_array_equal(ids, items[np.argsort(-logit, kind="stable")][:10])


def test_the_vectors_of_items_are_computed_once(est, computed):
    lists = [est.recommend(user, exclude_seen=False)[0] for user in range(5)]
    assert computed == [60]
    np.testing.assert_array_equal(lists, est.recommend(range(5), exclude_seen=False)[0])
    est.recommend(3, candidates=[4, 8, 15])  # a short list does not push out the long
    est.recommend(3)
    assert computed == [60, 3]
    assert_true(est)


def test_a_changed_parameter_changes_the_list(est):
    assert_true(est)
    for parameter in est.net_.module_.parameters():
        with torch.no_grad():
            parameter.mul_(-1.5)
        assert_true(est)
    rng = torch.Generator().manual_seed(0)
    weights = est.net_.module_.state_dict()
    changed = {
        name: value + torch.randn(value.shape, generator=rng)
        for name, value in weights.items()
        if value.is_floating_point()
    }
    est.net_.module_.load_state_dict(weights | changed)
    assert_true(est)


def test_updates_and_warm_starts_change_the_list(est):
    assert_true(est)
    est.partial_fit([[3, 4], [3, 5], [3, 99]], [1, 0, 1], n_epochs=20)
    assert len(est.item_ids_) == 61
    assert_true(est)
    est.set_params(warm_start=True, max_epochs=2).fit(*pairs())
    assert_true(est)


class ListsWhileTraining(Callback):
    """Compares lists with scores between steps and between epochs."""

    def compare(self, net, **kwargs):
        assert_true(self.est)
        self.n_compared += 1

    on_batch_begin = on_batch_end = on_epoch_end = compare


@pytest.mark.parametrize("backbone", ["gmf", "spectral"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "dense_adam"])
def test_lists_in_callbacks_are_of_the_present_step(optimizer, backbone):
    # Steps of a fused Adam are not counted, and validation ends in evaluation mode.
    X, y = pairs()
    watching = ListsWhileTraining()
    watching.n_compared = 0
    watching.est = InverseGradientRecommender(
        backbone=backbone, gamma=0.05, alpha=20.0, batch_size=256, max_epochs=2,
        optimizer=optimizer, callbacks=[watching], random_state=0, device="cpu",
    )  # fmt: skip
    watching.est.fit(X, y, X_val=X[:50], y_val=y[:50])
    assert watching.n_compared >= 20
    assert_true(watching.est)


def test_a_catalogue_that_is_too_large_is_not_kept(est, computed, monkeypatch):
    monkeypatch.setattr(_catalogue, "_MOST_BYTES", -1)
    for _ in range(2):
        assert_true(est)
    assert computed == [60, 60]


def test_it_goes_with_its_module(est):
    est.recommend(3)
    module = est.net_.module_
    assert module in _catalogue._kept
    n_kept = len(_catalogue._kept)
    assert_true(pickle.loads(pickle.dumps(est)))
    del module, est.net_
    assert len(_catalogue._kept) <= n_kept


def test_threads_share_it(est):
    expected = est.recommend(range(40))[0]
    found = [None] * 40

    def ask(start):
        for user in range(start, 40, 4):
            found[user] = est.recommend(user)[0]

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.array(found), expected)


def test_lists_of_known_ids_are_the_callers_own():
    X = [[f"u{u}", f"i{i}"] for u in range(6) for i in range(5)]
    est = CrossEntropyRecommender(backbone="bias", random_state=0)
    est.fit(X, [k % 3 == 0 for k in range(30)])
    size = len(pickle.dumps(est._encoder))
    assert est._encoder.items.ids is est._encoder.items.ids  # made once
    assert len(pickle.dumps(est._encoder)) == size
    est.item_ids_[:] = "?"
    est.user_ids_.sort()
    assert est.item_ids_.tolist() == ["i0", "i1", "i2", "i3", "i4"]
    ids, _ = est.recommend("u0", n_items=5, exclude_seen=False)
    assert sorted(ids) == est.item_ids_.tolist()
    ids[:] = "?"
    assert est.item_ids_.tolist() == ["i0", "i1", "i2", "i3", "i4"]
