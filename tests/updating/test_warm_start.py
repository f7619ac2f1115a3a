"""fit that goes on from the present weights."""

import numpy as np
import pandas as pd
import pytest
import torch

from ._cases import (
    METHODS,
    NEW,
    NEW_Y,
    RaisesIn,
    each_backbone,
    fitted,
    make,
    state_of,
)


@each_backbone
def test_a_warm_start_goes_on_from_the_weights(backbone, data):
    est = fitted(data, backbone=backbone, warm_start=True, max_epochs=2)
    first = est.decision_function(data.X)
    state = {k: v.clone() for k, v in est.net_.module_.state_dict().items()}
    users = est.user_ids_
    est.set_params(gamma=1e-9).fit(NEW, NEW_Y)
    assert est.n_iter_ == len(est.history_) == 4
    assert est.user_ids_.tolist() == [*users.tolist(), "eve", "dan"]
    if backbone != "cdae":
        np.testing.assert_allclose(est.decision_function(data.X), first, atol=1e-4)
    for name, tensor in state.items():
        new = est.net_.module_.state_dict()[name]
        if name != "history_keys":
            new = new[1 : len(tensor)] if new.ndim else new
            tensor = tensor[1:] if tensor.ndim else tensor
            torch.testing.assert_close(new, tensor, atol=1e-5, rtol=1e-5)
    est.set_params(warm_start=False).fit(data.X, data.y)
    assert est.n_iter_ == 2


@pytest.mark.parametrize("method", ["none", "dual", "gradient"])
def test_the_defaults_learn_in_a_warm_fit_too(method, data):
    est = METHODS[method][0](random_state=0, warm_start=True)
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    before = est.decision_function(data.X)
    est.fit(data.X, 1 - data.y, X_unlab=(data.X_unlab,))
    assert est.n_iter_ == 1
    assert (est.decision_function(data.X) != before).all()


def test_two_warm_fits_learn_more_than_one(data):
    one = fitted(data, max_epochs=5)
    two = fitted(data, max_epochs=5, warm_start=True)
    two.fit(data.X, data.y)
    losses = [row["train_loss"] for row in two.history_]
    assert losses[:5] == [row["train_loss"] for row in one.history_]
    assert losses[5] < losses[4]
    seen = two.seen_items(two.user_ids_)
    assert seen.dtype == bool
    assert (seen != one.seen_items(two.user_ids_)).nnz == 0


def test_a_warm_fit_that_fails_leaves_the_old_model(data):
    est = fitted(data, warm_start=True)
    module, n_epochs, rest, _ = state_of(est)
    est.set_params(callbacks=[RaisesIn(RuntimeError("on purpose"))])
    with pytest.raises(RuntimeError, match="on purpose"):
        est.fit(NEW, NEW_Y)
    after, n_epochs_after, rest_after, _ = state_of(est)
    assert n_epochs_after == n_epochs
    assert all(rest[k] is rest_after[k] for k in rest)
    assert all(torch.equal(after[k], module[k]) for k in module)
    with pytest.raises(ValueError, match="not the same as on the last call"):
        est.fit(NEW, ["a", "b"] * 3)
    assert est.n_iter_ == n_epochs


def test_a_warm_fit_with_other_columns_is_refused(data):
    X = pd.DataFrame(data.X, columns=["viewer", "film"])
    est = make(warm_start=True).fit(X, data.y)
    n_users = len(est.user_ids_)
    for other in (X[["film", "viewer"]], X.rename(columns={"film": "song"})):
        with pytest.raises(ValueError, match="feature names should match"):
            est.fit(other, data.y)
    assert est.feature_names_in_.tolist() == ["viewer", "film"]
    assert len(est.user_ids_) == n_users
    est.set_params(warm_start=False).fit(X[["film", "viewer"]], data.y)
    assert est.feature_names_in_.tolist() == ["film", "viewer"]
