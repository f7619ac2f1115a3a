"""Updates of a part of the tables take the steps that the whole would take."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.modules import SpectralExposure
from sklearn_invlearn.training import PairNet, optimizer_state

METHODS = {
    "CE": lambda: CrossEntropyRecommender(random_state=0, batch_size=16),
    "IG": lambda: InverseGradientRecommender(
        alpha=0.1, validation_fraction=0.3, random_state=0, batch_size=16
    ),
}


@pytest.fixture(scope="module")
def data():
    return make_sparse_feedback(
        120, 60, n_exposures=3000, label_fraction=0.3, random_state=0
    )


def update_with_newcomers(est, data, **params):
    new = np.array([[10**6, data.X[0, 1]], [data.X[0, 0], 10**6]])
    X, y = np.vstack([data.X_test[:60], new]), np.r_[data.y_test[:60], 0, 1]
    for _ in range(2):  # the second goes on with the memory of the first
        est.partial_fit(X, y, X_unlab=(data.X_test[60:100],), n_epochs=3, **params)
    return est


@pytest.mark.parametrize("update_shared", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", torch.optim.Adagrad])
@pytest.mark.parametrize("method", METHODS)
def test_a_part_takes_the_steps_of_the_whole(
    method, optimizer, update_shared, data, monkeypatch
):
    est = METHODS[method]().set_params(optimizer=optimizer)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    before = est.decision_function(data.X)
    part, whole = deepcopy(est), est
    update_with_newcomers(part, data, update_shared=update_shared)
    monkeypatch.setattr(SpectralExposure, "rows_stand_alone", False)
    update_with_newcomers(whole, data, update_shared=update_shared)
    pairs = np.vstack([data.X, data.X_test, [[10**6, 10**6]]])
    expected = whole.decision_function(pairs)
    np.testing.assert_allclose(part.decision_function(pairs), expected, atol=1e-4)
    assert np.abs(expected[: len(data.X)] - before).max() > 0.01  # it has moved
    of_part, of_whole = (optimizer_state(est.net_) for est in (part, whole))
    assert of_part.keys() == of_whole.keys()
    for name, entries in of_whole.items():
        for key, value in entries.items():
            torch.testing.assert_close(of_part[name][key], value, atol=1e-4, rtol=1e-3)
    for key in ("epoch", "stage"):
        assert part.net_.history[:, key] == whole.net_.history[:, key]
    losses = (np.array(est.net_.history[:, "train_loss"]) for est in (part, whole))
    np.testing.assert_allclose(*losses, rtol=1e-4)


def tables_trained(monkeypatch):
    """Rows of the largest table of every module that is trained from now on."""
    sizes, train = [], PairNet.partial_fit

    def noted(net, X, y=None, **kwargs):
        sizes.append(max(len(p) for p in net.module_.parameters() if p.ndim))
        return train(net, X, y, **kwargs)

    monkeypatch.setattr(PairNet, "partial_fit", noted)
    return sizes


def test_few_rows_are_trained_as_a_small_module(data, monkeypatch):
    est = METHODS["CE"]().fit(data.X, data.y, X_unlab=(data.X_unlab,))
    sizes = tables_trained(monkeypatch)
    est.partial_fit(data.X_test[:3], data.y_test[:3])
    shared = max(len(p) for n, p in est.net_.module_.named_parameters() if ".W" in n)
    assert sizes == [max(4, shared)]


def test_callbacks_of_users_see_the_whole_module(data, monkeypatch):
    class Asks(Callback):
        def on_epoch_end(self, net, **kwargs):
            codes = torch.arange(100)
            self.n_asked_ = len(net.module_(codes, codes[:50].repeat(2)))

    est = METHODS["CE"]().set_params(callbacks=[Asks()])
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    sizes = tables_trained(monkeypatch)
    est.partial_fit(data.X_test[:3], data.y_test[:3])
    assert sizes == [1 + len(est.user_ids_)]
    assert est.callbacks[0].n_asked_ == 100


def test_drawn_pairs_need_the_whole_module(data, monkeypatch):
    est = METHODS["IG"]().fit(data.X, data.y, X_unlab=(data.X_unlab,))
    sizes = tables_trained(monkeypatch)
    est.partial_fit(data.X_test[:3], data.y_test[:3])
    assert sizes == [1 + len(est.user_ids_)]
