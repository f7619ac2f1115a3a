"""Fits to convergence: the optimum, forgetting, and the fixed point on a pool."""

import copy

import pytest
import torch

from sklearn_invlearn.losses import align_to_prior, annotation_proba, cross_entropy
from sklearn_invlearn.training import Pairs, fit_to_convergence, share_of_positives

N = 12


class Penalised(torch.nn.Module):
    """Biases with a ridge."""

    def __init__(self):
        super().__init__()
        self.b_u = torch.nn.Embedding.from_pretrained(torch.zeros(N, 1), freeze=False)
        self.b_i = torch.nn.Embedding.from_pretrained(torch.zeros(N, 1), freeze=False)

    def forward(self, user, item):
        return (self.b_u(user) + self.b_i(item))[:, 0]

    def penalty(self):
        return sum(3.0 * t.weight.square().sum() for t in (self.b_u, self.b_i))


class KnownPrior(Penalised):
    """The same, and says what its penalty is."""

    def gaussian_priors(self):
        return [(t.weight, 6.0) for t in (self.b_u, self.b_i)]


def pairs(n, seed, labelled=True):
    rng = torch.Generator().manual_seed(seed)
    user, item = torch.randint(N, (2, n), generator=rng)
    if not labelled:
        return Pairs(user, item)
    y = (torch.rand(n, generator=rng) < 0.7).float()
    return Pairs(user, item, y, torch.rand(n, generator=rng) + 0.5)


def slope(module, labelled, pool=None):
    """Largest entry of the gradient of what should have been minimised."""
    loss = cross_entropy(module(labelled.user, labelled.item), labelled.y)
    loss = (labelled.weight * loss).mean() + module.penalty() / len(labelled)
    if pool is not None:
        z = module(pool.user, pool.item)
        w1 = align_to_prior(annotation_proba(z.detach()), share_of_positives(labelled))
        loss = loss + cross_entropy(z, w1).mean()
    return max(g.abs().max() for g in torch.autograd.grad(loss, module.parameters()))


@pytest.mark.parametrize("with_pool", [False, True])
def test_ends_where_the_loss_is_flat(with_pool):
    labelled = pairs(500, 0)
    pool = pairs(700, 1, labelled=False) if with_pool else None
    module = Penalised()
    before = slope(module, labelled, pool)
    fit_to_convergence(module, labelled, pool, seed=0)
    assert slope(module, labelled, pool) < 0.05 * before
    assert not module.training


def test_rows_that_are_left_out_are_forgotten():
    known, other = pairs(400, 0), pairs(400, 1)
    anew, module = Penalised(), Penalised()
    fit_to_convergence(module, Pairs.joined([known, other]), None, seed=0)
    before = copy.deepcopy(module)
    for fitted in (anew, module):
        fit_to_convergence(fitted, known, None, seed=0)
    z = [m(other.user, other.item).detach() for m in (anew, module, before)]
    assert (z[1] - z[0]).abs().max() < 0.1 * (z[2] - z[0]).abs().max()


def test_share_of_positives_is_weighted():
    labelled = pairs(50, 3)
    plain = Pairs(labelled.user, labelled.item, labelled.y)
    assert share_of_positives(plain) == pytest.approx(labelled.y.mean().item())
    positive = labelled.weight[labelled.y == 1].sum() / labelled.weight.sum()
    assert share_of_positives(labelled) == pytest.approx(positive.item())


def test_a_gaussian_prior_is_the_same_as_weight_decay():
    labelled, pool = pairs(400, 0), pairs(400, 1, labelled=False)
    asked, told = Penalised(), KnownPrior()
    for module in (asked, told):
        fit_to_convergence(module, labelled, pool, seed=0)
    z = [m(labelled.user, labelled.item).detach() for m in (asked, told)]
    assert z[0].abs().max() > 0.1
    torch.testing.assert_close(z[1], z[0], rtol=1e-4, atol=1e-5)
