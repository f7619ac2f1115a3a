"""Algorithm 1 of [IL], against a literal transcription of it."""

import copy
from collections import Counter

import pytest
import torch
from torch import nn

from sklearn_invlearn.modules import GMF, NeuMF
from sklearn_invlearn.training import (
    DIRECTIONS,
    EndlessBatches,
    InverseGradientNet,
    Pairs,
    PoolSource,
    RowwiseSGD,
    TrainingData,
)
from sklearn_invlearn.training._inverse_gradient import (
    choose_direction,
    first_smallest,
)
from sklearn_invlearn.training._probe import DIRECT, INVERSE, PASS

pytestmark = pytest.mark.usefixtures("each_way")

N_USERS, N_ITEMS, T = 12, 9, 5


# ---- the paper, line by line, on deep copies of the model, with plain SGD ----------


def ell(model, batch, y):
    p = torch.sigmoid(model(batch.user, batch.item))
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))


def labelled_loss(model, batch):  # line 5 and lines 13-15
    return ell(model, batch, batch.y).sum() / len(batch)


def dual(model, batch):  # line 9
    loss_1, loss_0 = ell(model, batch, 1.0), ell(model, batch, 0.0)
    z_w = (loss_0 / loss_1 + loss_1 / loss_0).detach()
    w_1 = (loss_0 / loss_1).detach() / z_w
    w_0 = (loss_1 / loss_0).detach() / z_w
    return (w_1 * loss_1 + w_0 * loss_0).sum() / len(batch)


def moved(model, loss, step):  # θ - step ∘ ∇loss
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), gradients):
            parameter -= step * gradient
    return model


def algorithm_1(theta, supervised, unlabeled, test, gamma, alpha, n_rounds):
    directions = []
    for _ in range(n_rounds):  # line 2
        for _ in range(T):  # lines 3-6
            theta = moved(theta, labelled_loss(theta, next(supervised)), gamma)
        for _ in range(T):  # lines 7-18
            train_u = next(unlabeled)  # line 8
            theta_d = moved(theta, dual(theta, train_u), alpha)  # line 10
            theta_i = moved(theta, dual(theta, train_u), -alpha)  # line 11
            test_l = next(test)  # line 12
            losses = [labelled_loss(m, test_l) for m in (theta_d, theta, theta_i)]
            best = min(range(3), key=lambda k: losses[k].item())  # lines 13-16
            directions.append(DIRECTIONS[best])
            theta = (theta_d, theta, theta_i)[best]
            theta = moved(theta, labelled_loss(theta, test_l), gamma)  # line 18
    return theta, directions


# ---- the same problem for both ------------------------------------------------------


def random_pairs(n, seed, labelled):
    rng = torch.Generator().manual_seed(seed)
    user = torch.randint(1, N_USERS, (n,), generator=rng)
    item = torch.randint(1, N_ITEMS, (n,), generator=rng)
    y = torch.randint(2, (n,), generator=rng).double() if labelled else None
    return Pairs(user, item, y)


def training_data(seed):
    def rng(k):
        return torch.Generator().manual_seed(100 * seed + k)

    return TrainingData(
        labelled=random_pairs(8 * T, seed, labelled=True),
        unlabeled=PoolSource(random_pairs(40, seed + 1, labelled=False), 8, rng(1)),
        held_out=EndlessBatches(random_pairs(20, seed + 2, labelled=True), 8, rng(2)),
    )


def make_net(backbone, **params):
    params = {"alpha": 4.0, "lr": 0.5, "optimizer": torch.optim.SGD} | params
    net = InverseGradientNet(
        backbone,
        module__n_users=N_USERS,
        module__n_items=N_ITEMS,
        module__n_factors=4,
        n_supervised_steps=T,
        n_unlabeled_steps=T,
        batch_size=8,
        max_epochs=10,
        seed=3,
        verbose=0,
        **params,
    )
    torch.manual_seed(0)
    net.initialize()
    net.module_.double()
    with torch.no_grad():  # far enough from zero that unlabeled steps matter
        for parameter in net.module_.parameters():
            parameter.normal_(std=0.7)
    return net


@pytest.mark.parametrize("backbone", [GMF, NeuMF])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, RowwiseSGD])
def test_equals_algorithm_1_over_fifty_steps_of_each_kind(backbone, optimizer):
    net = make_net(backbone, optimizer=optimizer)
    theta = copy.deepcopy(net.module_)
    reference = training_data(seed=7)
    supervised = EndlessBatches(reference.labelled, 8, torch.Generator().manual_seed(3))
    unlabeled = iter(lambda: reference.unlabeled.draw(reference.labelled), None)
    theta, directions = algorithm_1(
        theta, supervised, unlabeled, reference.held_out, 0.5, 4.0, n_rounds=10
    )

    net.partial_fit(training_data(seed=7))

    steps = [step for row in net.history for step in row["batches"]]
    assert len(steps) == 50
    assert [step["direction"] for step in steps] == directions
    assert set(directions) == set(DIRECTIONS), Counter(directions)
    for (name, ours), paper in zip(net.module_.named_parameters(), theta.parameters()):
        torch.testing.assert_close(ours, paper, rtol=1e-9, atol=1e-11, msg=name)


def test_history_has_the_three_losses_of_every_step():
    net = make_net(GMF).partial_fit(training_data(seed=1))
    for row in net.history:
        assert len(row["batches"]) == T
        counts = Counter(step["direction"] for step in row["batches"])
        for direction in DIRECTIONS:
            assert row[f"n_{direction}"] == counts[direction]
        for step in row["batches"]:
            losses = {d: step[f"loss_{d}"] for d in DIRECTIONS}
            assert losses[step["direction"]] == min(losses.values())


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.0, 2.0, 3.0], "direct"),
        ([2.0, 1.0, 3.0], "pass"),
        ([3.0, 2.0, 1.0], "inverse"),
        ([1.0, 1.0, 1.0], "direct"),
        ([2.0, 1.0, 1.0], "pass"),
        ([1.0, 2.0, 1.0], "direct"),
        ([float("nan"), 2.0, 3.0], "pass"),
        ([float("inf"), float("nan"), 3.0], "inverse"),
        ([-float("inf"), 2.0, 3.0], "pass"),
        ([float("nan")] * 3, "pass"),
        ([float("inf")] * 3, "pass"),
    ],
)
def test_choice_of_direction(losses, expected):
    assert DIRECTIONS[choose_direction(torch.tensor(losses))] == expected
    assert DIRECTIONS[first_smallest(losses)] == expected


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, RowwiseSGD])
def test_pass_leaves_the_weights_exactly_where_they_were(optimizer):
    """A huge α makes both ways worse; only the supervised step remains."""
    net, other = (make_net(GMF, alpha=a, optimizer=optimizer) for a in (1e12, 0.0))
    data = [training_data(seed=4) for _ in range(2)]
    held_out, unlabeled = next(data[0].held_out), data[0].unlabeled.draw(None)
    step = net.inverse_gradient_step(unlabeled, held_out)
    assert DIRECTIONS[int(step[3])] == "pass"
    other.supervised_step(next(data[1].held_out))
    for ours, theirs in zip(net.module_.parameters(), other.module_.parameters()):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, RowwiseSGD])
def test_a_candidate_that_overflows_is_never_taken(optimizer):
    net = make_net(GMF, alpha=1e300, optimizer=optimizer)
    data = training_data(seed=5)
    net.inverse_gradient_step(data.unlabeled.draw(None), next(data.held_out))
    assert all(torch.isfinite(p).all() for p in net.module_.parameters())


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, RowwiseSGD])
def test_sign_probe_moves_each_touched_parameter_by_alpha(optimizer):
    net = make_net(GMF, alpha=0.25, probe="sign", optimizer=optimizer)
    unlabeled = training_data(seed=6).unlabeled.draw(None)
    table = net.module_.user_factors.weight
    before = table.detach().clone()
    g = net.unlabeled_gradient(unlabeled)
    probe = net.probe_along(g)
    for direction, sign in ((DIRECT, -1), (INVERSE, 1)):
        probe.move_to(direction)
        steps = (table - before).detach()
        expected = torch.zeros_like(before)
        expected[unlabeled.user] = 0.25 * sign
        torch.testing.assert_close(steps.abs(), expected.abs())
        probe_signs = steps.sign() * sign
        assert probe_signs.unique().tolist() == [-1.0, 0.0, 1.0]
    probe.move_to(PASS)
    assert torch.equal(table, before)


def test_an_interrupt_between_the_candidates_leaves_the_model_where_it_was():
    net = make_net(GMF, optimizer=RowwiseSGD)
    data = training_data(seed=6)
    before = copy.deepcopy(net.module_.state_dict())
    n_calls = iter(range(2))

    def interrupted(held_out):
        next(n_calls)
        return torch.zeros(())

    net.held_out_loss = interrupted
    with pytest.raises(StopIteration):
        net.inverse_gradient_step(data.unlabeled.draw(None), next(data.held_out))
    after = net.module_.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


class WithDropout(nn.Module):
    def __init__(self, n_users, n_items, n_factors):
        super().__init__()
        self.user = nn.Embedding(n_users, n_factors)
        self.item = nn.Embedding(n_items, n_factors)
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)
        self.dropout = nn.Dropout(0.5)

    def forward(self, user, item):
        pair = self.dropout(self.user(user) * self.item(item))
        return self.frozen * pair.sum(dim=-1)


def test_probes_compare_without_dropout_and_leave_frozen_parameters():
    net = make_net(WithDropout, alpha=0.0)
    net.module_.frozen.data.fill_(1.0)
    data = training_data(seed=8)
    net.module_.train()
    step = net.inverse_gradient_step(data.unlabeled.draw(None), next(data.held_out))
    assert step[0] == step[1] == step[2]  # α = 0: the same point three times
    assert net.module_.frozen == 1.0
    assert net.module_.training
