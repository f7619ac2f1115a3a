"""Updates that fail, and updates that are refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from ._cases import (
    NEW,
    NEW_Y,
    RaisesIn,
    each_method,
    fitted,
    make,
    state_of,
)


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), KeyboardInterrupt()])
@each_method
def test_a_call_that_fails_changes_nothing(method, error, data):
    est = fitted(data, method)
    expected = fitted(data, method).partial_fit(NEW, NEW_Y).decision_function(data.X)
    module, n_epochs, rest, n_users = state_of(est)
    est.set_params(callbacks=[RaisesIn(error)])
    with pytest.raises(type(error)):
        est.partial_fit(NEW, NEW_Y, n_epochs=2)
    after, n_epochs_after, rest_after, n_users_after = state_of(est)
    assert (n_epochs_after, n_users_after) == (n_epochs, n_users)
    assert rest.keys() == rest_after.keys()
    assert all(rest[k] is rest_after[k] for k in rest)
    assert all(torch.equal(after[k], module[k]) for k in module)
    est.set_params(callbacks=None).partial_fit(NEW, NEW_Y)
    assert_array_equal(est.decision_function(data.X), expected)


def test_no_one_sees_half_an_update(data, monkeypatch):
    """An interrupt between two assignments would leave it, and other threads rank."""
    est = fitted(data, "none")
    recommender, ranked = type(est), []

    def then_rank(self, name, value):
        object.__setattr__(self, name, value)
        ranked.append(self.recommend(data.X[:3, 0]))

    monkeypatch.setattr(recommender, "__setattr__", then_rank, raising=False)
    est.partial_fit(NEW, NEW_Y)
    assert not ranked
    monkeypatch.undo()
    assert len(est.recommend(data.X[:3, 0])[0]) == 3


def test_a_first_call_that_fails_leaves_the_estimator_unfitted(data):
    est = make(callbacks=[RaisesIn(RuntimeError("on purpose"))])
    with pytest.raises(RuntimeError, match="on purpose"):
        est.partial_fit(data.X, data.y)
    with pytest.raises(NotFittedError):
        est.predict(data.X)
    with pytest.raises(ValueError, match=r"\[1\], .* not among classes=\[0, 2\]"):
        make().partial_fit(data.X, data.y, classes=[0, 2])
    with pytest.raises(ValueError, match=r"classes=\[1\] has 1 labels"):
        make().partial_fit(data.X, data.y, classes=[1, 1])
    with pytest.raises(ValueError, match="needs labelled pairs of two classes"):
        make().partial_fit(data.X[data.y == 1], [1] * data.y.sum())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": [0, 1, 2, 0, 1, 1]}, r"labels \[2\], which are not among the classes"),
        ({"y": [0, 1, 0]}, "inconsistent"),
        ({"y": None}, "requires y"),
        ({"y": [0, 1, 0, 1, 0, np.nan]}, "NaN"),
        ({"X": [[1]] * 6}, "1 features"),
        ({"X": [[None, 1]] * 6}, "None is not an id"),
        ({"classes": [0, 2]}, "not the same as on the last call"),
        ({"n_epochs": 0}, "n_epochs is 0"),
        ({"update_shared": "yes"}, "update_shared is 'yes'"),
        ({"sample_weight": np.zeros(6)}, "Sample weights must contain"),
        ({"X_unlab": ()}, "X_unlab is an empty tuple"),
    ],
)
def test_bad_updates_are_refused_and_change_nothing(changes, message, data):
    est = fitted(data)
    _, _, rest, n_users = state_of(est)
    with pytest.raises(ValueError, match=message):
        est.partial_fit(**{"X": NEW, "y": NEW_Y} | changes)
    assert all(vars(est)[k] is rest[k] for k in rest)
    assert len(est.user_ids_) == n_users


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("name", ["X_unlab", "X_val"])
def test_swapped_columns_are_noticed_beside_rows_without_names(name, data):
    X = pd.DataFrame(data.X, columns=["user", "item"])
    est = make("sampled", warm_start=True).fit(X, data.y)
    table = {name: (X[["item", "user"]],)}
    labels = {"y_val": (data.y,)} if name == "X_val" else {}
    with pytest.raises(ValueError, match=f"first two columns of {name}"):
        est.fit(data.X, data.y, **table, **labels)
    if name == "X_unlab":
        with pytest.raises(ValueError, match="first two columns of X_unlab"):
            est.partial_fit(data.X, data.y, **table)


def test_another_backbone_is_refused(data):
    est = fitted(data)
    with pytest.raises(ValueError, match="is not what was fitted, a GMF"):
        est.set_params(backbone="mlp").partial_fit(NEW, NEW_Y)
    with pytest.raises(ValueError, match="were changed since"):
        est.set_params(backbone="gmf", n_factors=5).partial_fit(NEW, NEW_Y)
    est.set_params(n_factors=4).partial_fit(NEW, NEW_Y)
