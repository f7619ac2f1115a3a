"""In an update the prior of what is known is centred where earlier labels put it."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.modules import SpectralExposure


@pytest.fixture(scope="module")
def data():
    return make_sparse_feedback(
        300, 150, n_exposures=15_000, label_fraction=0.3, test_fraction=0.5,
        preference_strength=1.5, exposure_affinity=1.0, random_state=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(data):
    return CrossEntropyRecommender(random_state=0).fit(
        data.X[::2], data.y[::2], X_unlab=(data.X_unlab,)
    )


def masks(module, n_users, n_items):
    tables = module.models[0].b_u.weight, module.models[0].b_i.weight
    return [torch.arange(len(t)) < n for t, n in zip(tables, (n_users, n_items))]


def slopes(module):
    module.zero_grad()
    module.penalty().backward()
    return {
        k: p.grad.clone() for k, p in module.named_parameters() if p.grad is not None
    }


def test_the_prior_pulls_held_rows_to_where_they_are_and_others_as_before(model):
    module = model.net_.module_
    free, at_first = slopes(module), module.penalty().detach()
    module.hold(*masks(module, 200, 100), strength=3.0)
    try:
        held = slopes(module)
        tables = 0
        for name, slope in held.items():
            n = {300 + 1: 200, 150 + 1: 100}.get(len(slope), len(slope))
            assert slope[:n].abs().max() == 0
            if n < len(slope):
                tables += 1
                torch.testing.assert_close(slope[n:], 3.0 * free[name][n:])
        assert tables >= 2
        with torch.no_grad():
            module.models[0].b_u.weight[:200] += 0.5
        moved = slopes(module)["models.0.b_u.weight"][:200]
        pull = 3.0 * module.weights[0] * module.precisions[0]["b_u"] * 0.5
        torch.testing.assert_close(moved, torch.full_like(moved, pull))
    finally:
        with torch.no_grad():
            module.models[0].b_u.weight[:200] -= 0.5
        module.release()
    torch.testing.assert_close(module.penalty().detach(), at_first)
    assert all(m.held is None for m in module.models)


@pytest.mark.parametrize("in_part", [True, False])
def test_a_released_module_is_what_an_update_leaves(in_part, model, data, monkeypatch):
    monkeypatch.setattr(SpectralExposure, "rows_stand_alone", in_part)
    est = deepcopy(model).partial_fit(data.X[1::2][:40], data.y[1::2][:40])
    module = est.net_.module_
    assert module.strength == 1.0
    assert all(m.held is None for m in module.models)


@pytest.mark.parametrize("n_calls", [1, 10])
def test_many_passes_do_not_learn_the_labels_of_a_call_by_heart(n_calls, model, data):
    """They end at a compromise with what is known, whatever the step size."""
    losses = []
    for gamma, n_epochs in ((0.01, 30), (0.03, 60)):
        est = deepcopy(model).set_params(gamma=gamma)
        for part in np.array_split(np.arange(1, len(data.y), 2), n_calls):
            est.partial_fit(data.X[part], data.y[part], n_epochs=n_epochs)
        proba = est.predict_proba(data.X_test)[:, 1]
        losses.append(log_loss(data.y_test, proba))
    before = log_loss(data.y_test, model.predict_proba(data.X_test)[:, 1])
    assert max(losses) < before
    assert losses[0] == pytest.approx(losses[1], abs=0.01)
