"""Users and items that an update brings."""

import numpy as np
import pytest
import torch

from sklearn_invlearn.modules import BACKBONES

from ._cases import (
    NEW,
    NEW_Y,
    fitted,
    make,
)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_newcomer_starts_near_the_average_and_learns(backbone, data):
    est = fitted(data, backbone=backbone)
    unknown = est.decision_function([[999, item] for item in range(40)])
    est.partial_fit([[999, 3]], [1], n_epochs=1)
    once = est.decision_function([[999, item] for item in range(40)])
    np.testing.assert_allclose(once, unknown, atol=1.0)
    start = est.decision_function([[999, 3]])
    est.partial_fit([[999, 3]], [1], n_epochs=30)
    assert est.decision_function([[999, 3]]) > start + 0.1


def test_updates_help_on_rows_to_come(data):
    rng = np.random.default_rng(0)
    late = np.isin(data.X[:, 0], rng.permutation(60)[:20])
    half = late & (rng.random(len(late)) < 0.5)
    rest = late & ~half
    est = make(max_epochs=30, backbone="bias").fit(data.X[~late], data.y[~late])

    def loss():
        proba = est.predict_proba(data.X[rest])
        return -np.log(proba[np.arange(rest.sum()), data.y[rest]]).mean()

    before = loss()
    est.partial_fit(data.X[half], data.y[half], n_epochs=10)
    assert loss() < before


def test_row_0_is_the_mean_after_an_update(data):
    est = fitted(data).partial_fit(NEW, NEW_Y)
    table = est.net_.module_.user_factors.weight
    torch.testing.assert_close(table[0], table[1:].mean(dim=0))
    assert len(table) == len(est.user_ids_) + 1
