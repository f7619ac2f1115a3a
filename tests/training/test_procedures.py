"""The nets of None, NS and IDL, against hand-written loops of torch."""

import copy

import pytest
import torch

from sklearn_invlearn.losses import (
    MeanReweightedCrossEntropy,
    annotation_proba,
    cross_entropy,
    inverse_dual,
)
from sklearn_invlearn.modules import GMF
from sklearn_invlearn.training import (
    InverseDualLossNet,
    NegativeSamplingNet,
    PairNet,
    Pairs,
    PoolSource,
    TrainingData,
    epoch_batches,
)
from sklearn_invlearn.training._negative_sampling import with_negatives

N_USERS, N_ITEMS, GAMMA = 9, 8, 0.3


def pairs(n, seed, labelled=True):
    rng = torch.Generator().manual_seed(seed)
    user = torch.randint(1, N_USERS, (n,), generator=rng)
    item = torch.randint(1, N_ITEMS, (n,), generator=rng)
    if not labelled:
        return Pairs(user, item)
    y = torch.randint(2, (n,), generator=rng).float()
    return Pairs(user, item, y, torch.rand(n, generator=rng) + 0.5)


def data(**kwargs):
    pool = PoolSource(pairs(30, 5, labelled=False), 4, torch.Generator().manual_seed(9))
    return TrainingData(pairs(20, 1), unlabeled=pool, **kwargs)


def make(net_class, **params):
    net = net_class(
        GMF,
        module__n_users=N_USERS,
        module__n_items=N_ITEMS,
        module__n_factors=3,
        optimizer=torch.optim.SGD,
        lr=GAMMA,
        batch_size=8,
        max_epochs=3,
        seed=2,
        verbose=0,
        **params,
    )
    torch.manual_seed(1)
    return net.initialize()


def by_hand(module, data, loss_of_batch):
    """Three epochs of plain SGD on `loss_of_batch(module, batch)`."""
    module = copy.deepcopy(module)
    shuffler = torch.Generator().manual_seed(2)
    for _ in range(3):
        for batch in epoch_batches(data.labelled, 8, shuffler):
            parameters = list(module.parameters())
            loss = loss_of_batch(module, batch)
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters)):
                p.data -= GAMMA * g
    return module


def weighted_ce(module, b):
    return (b.weight * cross_entropy(module(b.user, b.item), b.y)).mean()


def assert_same(module, other):
    for ours, theirs in zip(module.parameters(), other.parameters()):
        torch.testing.assert_close(ours, theirs)


def test_cross_entropy_alone():
    net = make(PairNet)
    expected = by_hand(net.module_, data(), weighted_ce)
    assert_same(net.partial_fit(data()).module_, expected)


@pytest.mark.parametrize("alpha", [0.0, 0.1, GAMMA])
def test_inverse_dual_loss_is_a_weighted_sum(alpha):
    net, reference = make(InverseDualLossNet, alpha=alpha), data()

    def loss(module, batch):
        u = reference.unlabeled.draw(batch)
        dual = inverse_dual(module(u.user, u.item)).mean()
        return weighted_ce(module, batch) + alpha / GAMMA * dual

    expected = by_hand(net.module_, reference, loss)
    assert_same(net.partial_fit(data()).module_, expected)


def test_prior_alignment_scales_the_annotations_of_each_batch():
    net = make(InverseDualLossNet, alpha=GAMMA, prior_alignment=True)
    reference = data()
    labelled = reference.labelled
    prior = float((labelled.y * labelled.weight).sum() / labelled.weight.sum())

    def loss(module, batch):
        u = reference.unlabeled.draw(batch)
        z = module(u.user, u.item)
        w1 = annotation_proba(z.detach())
        w1 = torch.minimum(w1 * prior / w1.mean(), torch.ones(()))
        dual = (w1 * -z.sigmoid().log() - (1 - w1) * (1 - z.sigmoid()).log()).mean()
        return weighted_ce(module, batch) + dual

    expected = by_hand(net.module_, reference, loss)
    assert_same(net.partial_fit(data()).module_, expected)


@pytest.mark.parametrize("n_negatives", [1, 2])
def test_negative_sampling_is_one_mean_over_labelled_and_sampled(n_negatives):
    net, reference = make(NegativeSamplingNet, n_negatives=n_negatives), data()

    def loss(module, batch):
        terms = [batch.weight * cross_entropy(module(batch.user, batch.item), batch.y)]
        for _ in range(n_negatives):
            u = reference.unlabeled.draw(batch)
            z = module(u.user, u.item)
            terms.append(cross_entropy(z, torch.zeros_like(z)))
        return torch.cat(terms).mean()

    expected = by_hand(net.module_, reference, loss)
    assert_same(net.partial_fit(data()).module_, expected)


@pytest.mark.parametrize("n_negatives", [1, 2])
def test_resampling_by_epoch_shuffles_negatives_among_labelled_rows(n_negatives):
    net = make(NegativeSamplingNet, n_negatives=n_negatives, resample="epoch")
    module, reference = copy.deepcopy(net.module_), data()
    shuffler = torch.Generator().manual_seed(2)
    for _ in range(3):
        joint = []
        for batch in epoch_batches(reference.labelled, 8, shuffler):
            joint.append(batch)
            for _ in range(n_negatives):
                u = reference.unlabeled.draw(batch)
                ones = torch.ones(len(u))
                joint.append(Pairs(u.user, u.item, 0 * ones, ones))
        for batch in epoch_batches(Pairs.joined(joint), 8, shuffler):
            parameters = list(module.parameters())
            gradients = torch.autograd.grad(weighted_ce(module, batch), parameters)
            for p, g in zip(parameters, gradients):
                p.data -= GAMMA * g
    assert_same(net.partial_fit(data()).module_, module)


@pytest.mark.parametrize("beta", [0.0, 0.2, 1.0, 3.0])
def test_reweighted_loss_by_hand(beta):
    net = make(
        NegativeSamplingNet, criterion=MeanReweightedCrossEntropy, criterion__beta=beta
    )
    reference = data()

    def loss(module, batch):
        p = torch.sigmoid(module(batch.user, batch.item))
        p_y = torch.where(batch.y == 1, p, 1 - p)
        terms = [batch.weight * p_y.detach() ** beta * -torch.log(p_y)]
        u = reference.unlabeled.draw(batch)
        p_0 = 1 - torch.sigmoid(module(u.user, u.item))
        terms.append(p_0.detach() ** beta * -torch.log(p_0))
        return torch.cat(terms).mean()

    expected = by_hand(net.module_, reference, loss)
    assert_same(net.partial_fit(data()).module_, expected)


def test_negatives_have_label_zero_and_weight_one():
    joint = with_negatives(pairs(3, 0), pairs(2, 1, labelled=False))
    assert joint.y[3:].tolist() == [0.0, 0.0]
    assert joint.weight[3:].tolist() == [1.0, 1.0]
    assert len(with_negatives(pairs(3, 0), pairs(0, 1, labelled=False))) == 3


def test_validation_loss_is_unweighted_and_does_not_train():
    valid = pairs(6, 8)
    net = make(PairNet).partial_fit(data(valid=valid))
    z = net.module_(valid.user, valid.item)
    expected = cross_entropy(z, valid.y).mean().item()
    assert net.history[-1]["valid_loss"] == pytest.approx(expected)
    without = make(PairNet).partial_fit(data())
    assert_same(net.module_, without.module_)
