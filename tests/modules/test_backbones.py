"""Backbones against their formulas, and the rows of unknown ids."""

import pytest
import torch
from torch import nn

from sklearn_invlearn.modules import (
    BACKBONES,
    GMF,
    MLP,
    BiasOnly,
    NeuMF,
    check_backbone,
    fill_unknown_rows,
    set_intercept,
)

N_USERS, N_ITEMS = 7, 5
USER, ITEM = torch.tensor([1, 2, 6, 3]), torch.tensor([1, 4, 2, 2])


def randomised(module):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module.double()


def bias(module, u, i):
    return (
        module.biases.intercept
        + module.biases.user.weight[u, 0]
        + (module.biases.item.weight[i, 0])
    )


def test_bias_only_is_intercept_plus_biases():
    module = randomised(BiasOnly(N_USERS, N_ITEMS))
    for z, u, i in zip(module(USER, ITEM), USER, ITEM):
        torch.testing.assert_close(z, bias(module, u, i))


def test_gmf_is_a_weighted_product():
    module = randomised(GMF(N_USERS, N_ITEMS, n_factors=3))
    p, q, h = (
        module.user_factors.weight,
        module.item_factors.weight,
        module.head.weight[0],
    )
    for z, u, i in zip(module(USER, ITEM), USER, ITEM):
        expected = sum(h[k] * p[u, k] * q[i, k] for k in range(3)) + bias(module, u, i)
        torch.testing.assert_close(z, expected)


def tower(module, u, i):
    hidden = torch.cat([module.user_factors.weight[u], module.item_factors.weight[i]])
    for layer in module.layers:
        if isinstance(layer, nn.Linear):
            hidden = torch.clamp(layer.weight @ hidden + layer.bias, min=0)
    return hidden


def test_mlp_is_a_tower():
    module = randomised(MLP(N_USERS, N_ITEMS, n_factors=2))
    for z, u, i in zip(module(USER, ITEM), USER, ITEM):
        hidden = tower(module.tower, u, i)
        expected = module.head.weight[0] @ hidden + bias(module, u, i)
        torch.testing.assert_close(z, expected)


def test_neumf_joins_product_and_tower():
    module = randomised(NeuMF(N_USERS, N_ITEMS, n_factors=2))
    for z, u, i in zip(module(USER, ITEM), USER, ITEM):
        product = module.user_factors.weight[u] * module.item_factors.weight[i]
        joined = torch.cat([product, tower(module.tower, u, i)])
        expected = module.head.weight[0] @ joined + bias(module, u, i)
        torch.testing.assert_close(z, expected)


def test_published_sizes_are_the_defaults():
    layers = [m for m in MLP(9, 9).tower.layers if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [
        (256, 128),
        (128, 64),
        (64, 32),
    ]
    module = NeuMF(9, 9)
    assert module.tower.user_factors.embedding_dim == 128
    assert module.user_factors.embedding_dim == 32
    big = GMF(20_001, 2)
    assert big.user_factors.weight[1:].std().item() == pytest.approx(0.01, rel=0.02)


FROM_SCRATCH = sorted(n for n, cls in BACKBONES.items() if not hasattr(cls, "fitted"))


@pytest.mark.parametrize("name", FROM_SCRATCH)
@pytest.mark.parametrize("user_bias", [True, False])
@pytest.mark.parametrize("item_bias", [True, False])
def test_optional_biases_and_shape(name, user_bias, item_bias):
    module = BACKBONES[name](N_USERS, N_ITEMS, user_bias=user_bias, item_bias=item_bias)
    check_backbone(module, torch.device("cpu"))
    tables = [m for m in module.modules() if type(m).__name__ == "BiasTable"]
    assert len(tables) == user_bias + item_bias
    assert module(USER, ITEM).shape == (4,)


def test_unknown_ids_get_no_gradient_and_then_the_mean():
    module = randomised(GMF(N_USERS, N_ITEMS, n_factors=3))
    zeros = torch.zeros(4, dtype=torch.long)
    module(zeros, ITEM).sum().backward()
    assert (module.user_factors.weight.grad[0] == 0).all()
    before = module.user_factors.weight[1:].clone()
    fill_unknown_rows(module, N_USERS, N_ITEMS)
    assert torch.equal(module.user_factors.weight[1:], before)
    # With a product of factors the average user's logit is the average logit.
    users = torch.arange(1, N_USERS)
    for i in range(1, N_ITEMS):
        logit = module(zeros[:1], torch.tensor([i]))
        mean = module(users, torch.full_like(users, i)).mean()
        torch.testing.assert_close(logit[0], mean)


def test_intercept_starts_at_the_base_rate():
    module = NeuMF(N_USERS, N_ITEMS)
    set_intercept(module, 0.8)
    assert torch.sigmoid(module.biases.intercept).item() == pytest.approx(0.8)


class Column(nn.Module):
    def forward(self, user, item):
        return torch.zeros(len(user), 1)


class Integers(nn.Module):
    def forward(self, user, item):
        return user


class OneArgument(nn.Module):
    def forward(self, pair):
        return pair.float()


class TooFewRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(1, 1)

    def forward(self, user, item):
        return self.table(user).squeeze(-1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Column(), r"returned shape \(2, 1\).*squeeze"),
        (Integers(), "returned Tensor"),
        (OneArgument(), "cannot score a pair"),
        (TooFewRows(), "cannot score a pair"),
    ],
)
def test_contract_is_checked_with_advice(module, message):
    with pytest.raises(ValueError, match=message):
        check_backbone(module, torch.device("cpu"))
