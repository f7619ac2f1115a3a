"""Logits of all pairs at once: those of forward, within the bound that comes along."""

import numpy as np
import pytest
import torch

from sklearn_invlearn.modules import MLP, NeuMF
from sklearn_invlearn.modules import _tower_grid as tower_grid_file
from sklearn_invlearn.scoring._replica import in_double_precision
from sklearn_invlearn.scoring._scoring import score_pairs
from sklearn_invlearn.scoring._top_n import best_items

N_USERS, N_ITEMS = 23, 17
USERS, ITEMS = torch.tensor([3, 0, 22, 3, 7]), torch.arange(N_ITEMS).flip(0)

each_backbone = pytest.mark.parametrize("backbone", [MLP, NeuMF])


def model(backbone, std=1.0, **params):
    torch.manual_seed(0)
    module = backbone(N_USERS, N_ITEMS, **({"n_factors": 4} | params)).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=std)
    return module


def by_forward(module, dtype=torch.float64):
    with torch.no_grad():
        user = USERS.repeat_interleave(len(ITEMS))
        return module.to(dtype)(user, ITEMS.repeat(len(USERS))).view(len(USERS), -1)


@each_backbone
@pytest.mark.parametrize("n_layers", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("pairs_at_once", [1, 4, 40, 1000])
def test_equals_forward(backbone, n_layers, bias, pairs_at_once, monkeypatch):
    monkeypatch.setattr(tower_grid_file, "_PAIRS", pairs_at_once)
    module = model(
        backbone,
        std=0.5,
        n_layers=n_layers,
        dropout=0.3,
        user_bias=bias,
        item_bias=bias,
    ).double()
    logit, error = module.grid(USERS, ITEMS)
    assert 0 < error < 1e-8
    assert (logit - by_forward(module)).abs().max() < 2 * error


@each_backbone
@pytest.mark.parametrize("std", [1e-3, 1.0, 30.0])
def test_the_bound_holds_in_single_precision_and_is_of_some_use(backbone, std):
    module = model(backbone, std)
    logit, error = module.grid(USERS, ITEMS)
    exact = by_forward(module)  # of the same single-precision weights
    off = (logit.double() - exact).abs().max()
    assert 0 < off < error
    assert error < 1e-2 * logit.abs().max()


@each_backbone
def test_no_users_and_no_items(backbone):
    none = torch.empty(0, dtype=torch.int64)
    assert model(backbone).grid(none, ITEMS)[0].shape == (0, N_ITEMS)
    assert model(backbone).grid(USERS, none)[0].shape == (5, 0)


@each_backbone
@pytest.mark.parametrize("n_best", [1, 5, N_ITEMS, N_ITEMS + 2])
def test_ranking_is_that_of_the_scores_of_pairs(backbone, n_best):
    module = model(backbone)
    users, items = USERS.numpy(), np.array([4, 4, 0, *range(1, N_ITEMS), 0])
    codes = np.stack([np.repeat(users, len(items)), np.tile(items, len(users))])
    scores = score_pairs(module, codes).reshape(len(users), -1)
    position, logit = best_items(module, users, items, n_best, None)
    for row, ours, theirs in zip(position, logit, scores):
        # Equal items, 0 and 0 or 4 and 4, in the order of their positions.
        order = np.lexsort((np.arange(len(items)), -theirs.round(9)))[:n_best]
        assert row.tolist() == order.tolist()
        np.testing.assert_allclose(ours, theirs[order], rtol=1e-12)


@each_backbone
def test_a_bound_that_overflows_only_costs_time(backbone):
    module = model(backbone)
    with torch.no_grad():
        module.tower.layers[0].weight[:, 0] = 1e38
        module.tower.user_factors.weight[:, 0] = 0.0
        module.tower.layers[2].weight[0] = 1e38
        module.head.weight *= 1e38
    grid = in_double_precision(module, "grid")
    assert grid(USERS, ITEMS)[1] > 1e20
    position, _ = best_items(module, USERS.numpy(), ITEMS.numpy(), 3, None)
    assert (position >= 0).all()


@each_backbone
def test_scores_that_are_not_finite_have_no_ranking(backbone):
    module = model(backbone)
    with torch.no_grad():
        module.tower.item_factors.weight[2] = torch.nan
    with pytest.raises(FloatingPointError, match="diverged"):
        best_items(module, USERS.numpy(), ITEMS.numpy(), 3, None)
