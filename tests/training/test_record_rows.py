"""The loss of each row over training, and which rows were dropped."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseGradientRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.training import RecordRows

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "gamma": 0.05,
    "max_epochs": 4,
    "batch_size": 64,
    "random_state": 0,
}


def cross_entropy(est, X, y):
    z = est.decision_function(X)
    return np.where(y == 1, np.logaddexp(0, -z), np.logaddexp(0, z))


@pytest.mark.parametrize("resample", ["batch", "epoch"])
def test_dropped_rows_and_their_losses(resample, data):
    est = TruncatedLossRecommender(
        n_drop_steps=8,
        max_drop_rate=0.3,
        resample=resample,
        callbacks=[RecordRows()],
        **SIZES,
    ).fit(data.X, data.y)
    for row in est.history_:
        assert row["row_dropped"].sum() == row["n_dropped"]
        assert (data.y[row["row_dropped"]] == 1).all()
        assert row["row_loss"].dtype == np.float32
        assert np.isfinite(row["row_loss"]).all()
    assert est.history_[-1]["n_dropped"] > est.history_[0]["n_dropped"]
    expected = cross_entropy(est, data.X, data.y)
    np.testing.assert_allclose(
        est.history_[-1]["row_loss"], expected, rtol=1e-5, atol=1e-5
    )


def test_the_rows_with_the_largest_losses_are_dropped(data):
    """In one batch, that is exactly those of the epoch before."""
    est = TruncatedLossRecommender(
        n_drop_steps=1, callbacks=[RecordRows()], **SIZES | {"batch_size": 10_000}
    ).fit(data.X, data.y)
    before, after = est.history_[0], est.history_[1]
    loss = np.where(data.y == 1, before["row_loss"], -np.inf)
    n = after["n_dropped"]
    assert n == int(0.1 * 2 * len(data.y))
    assert set(np.flatnonzero(after["row_dropped"])) == set(np.argsort(-loss)[:n])


def test_recording_changes_nothing(data):
    plain = TruncatedLossRecommender(**SIZES).fit(data.X, data.y)
    shown = clone(plain).set_params(callbacks=[RecordRows()]).fit(data.X, data.y)
    same = plain.decision_function(data.X_test) == shown.decision_function(data.X_test)
    assert same.all()


def test_rows_that_are_not_trained_on_are_nan(data):
    weight = (np.arange(len(data.y)) % 3 > 0).astype(float)
    est = InverseGradientRecommender(
        early_stopping=True, callbacks=[RecordRows()], **SIZES
    ).fit(data.X, data.y, weight)
    known = np.isfinite(est.history_[0]["row_loss"])
    assert len(known) == len(data.y)
    assert not known[weight == 0].any()
    used = known.sum() / (weight > 0).sum()
    assert used == pytest.approx(0.9 * 0.9, abs=0.02)
    assert not est.history_[0]["row_dropped"].any()


def test_a_model_is_not_pickled_with_its_data(data):
    est = CrossEntropyRecommender(callbacks=[RecordRows()], **SIZES)
    est.fit(data.X, data.y)
    copied = pickle.loads(pickle.dumps(est))
    (_, callback) = copied.net_.callbacks_[-1]
    assert vars(callback) == {}
