"""Algorithm 1 of [ADT], against a literal transcription of it."""

import copy
import math
from fractions import Fraction

import pytest
import torch

from sklearn_invlearn.losses import cross_entropy, largest_positive_losses
from sklearn_invlearn.modules import GMF, NeuMF
from sklearn_invlearn.training import (
    Pairs,
    TrainingData,
    TruncatedLossNet,
    UniformSource,
    UnobservedPairs,
)
from sklearn_invlearn.training._truncated_loss import mean_of_kept

N_USERS, N_ITEMS, GAMMA, BATCH = 12, 20, 0.5, 8


# ---- the paper, line by line, with plain SGD ---------------------------------------


def ell(model, user, item, y):
    p = torch.sigmoid(model(torch.tensor([user]), torch.tensor([item])))[0]
    return -torch.log(p) if y else -torch.log(1 - p)


def algorithm_1(theta, epochs, sample_negatives, eta, eps_max, alpha, reference):
    """`epochs` holds, for each epoch, the shuffled rows (user, item, y)."""
    eps, T, counts = 0.0, 0, []
    theta = copy.deepcopy(theta)
    for rows in epochs:  # shuffle interactions every epoch
        for start in range(0, len(rows), BATCH):  # line 1
            T += 1
            D_pos = rows[start : start + BATCH]  # line 2
            D_neg = [(u, i, 0) for u, i in sample_negatives(len(D_pos))]  # line 3
            D_T = D_pos + D_neg  # line 4
            n = len(D_T)
            if reference == "positives":
                n = sum(y for *_, y in D_pos)
            n_drop = math.floor(eps * n)
            by_loss = sorted(
                (k for k, (*_, y) in enumerate(D_T) if y),
                key=lambda k: -ell(theta, *D_T[k]).item(),
            )
            D_hat = set(by_loss[:n_drop])  # line 5
            counts.append(len(D_hat))
            D_star = [row for k, row in enumerate(D_T) if k not in D_hat]  # line 6
            loss = sum(ell(theta, *row) for row in D_star) / len(D_star)
            parameters = list(theta.parameters())
            gradients = torch.autograd.grad(loss, parameters)
            for parameter, gradient in zip(parameters, gradients):  # line 7
                parameter.data -= eta * gradient
            eps = min(alpha * T, eps_max)  # line 8
    return theta, counts


# ---- the same problem for both ------------------------------------------------------


def observed(one_class):
    rng = torch.Generator().manual_seed(0)
    user = torch.randint(1, N_USERS, (44,), generator=rng)
    item = torch.randint(1, N_ITEMS, (44,), generator=rng)
    y = torch.randint(4, (44,), generator=rng).clamp(max=1).double()
    return Pairs(user, item, torch.ones_like(y) if one_class else y)


def source():
    unobserved = UnobservedPairs(observed(True), N_USERS, N_ITEMS)
    return UniformSource(unobserved, torch.Generator().manual_seed(7))


def make_net(backbone, **params):
    net = TruncatedLossNet(
        backbone,
        module__n_users=N_USERS,
        module__n_items=N_ITEMS,
        module__n_factors=4,
        optimizer=torch.optim.SGD,
        lr=GAMMA,
        batch_size=BATCH,
        seed=3,
        verbose=0,
        **{"max_epochs": 9, "max_drop_rate": 0.3, "n_drop_steps": 30} | params,
    )
    torch.manual_seed(0)
    net.initialize()
    net.module_.double()
    with torch.no_grad():  # far enough from zero that losses differ
        for parameter in net.module_.parameters():
            parameter.normal_(std=0.7)
    return net


@pytest.mark.parametrize("backbone", [GMF, NeuMF])
@pytest.mark.parametrize("reference", ["batch", "positives"])
@pytest.mark.parametrize("one_class", [True, False])
def test_equals_algorithm_1_over_the_whole_training(backbone, reference, one_class):
    net = make_net(backbone, drop_reference=reference)
    pairs, unlabeled, shuffler = observed(one_class), source(), torch.Generator()
    shuffler.manual_seed(3)
    rows = list(zip(*(c.tolist() for c in (pairs.user, pairs.item, pairs.y.int()))))
    epochs = [
        [rows[k] for k in torch.randperm(len(rows), generator=shuffler)]
        for _ in range(9)
    ]

    def sample_negatives(n):
        drawn = unlabeled.draw(Pairs(torch.zeros(n), torch.zeros(n)))
        return list(zip(drawn.user.tolist(), drawn.item.tolist()))

    theta, counts = algorithm_1(
        net.module_, epochs, sample_negatives, GAMMA, 0.3, 0.3 / 30, reference
    )
    net.partial_fit(TrainingData(pairs, unlabeled=source()))
    assert sum(row["n_dropped"] for row in net.history) == sum(counts) > 20
    assert net.history[-1]["drop_rate"] == 0.3
    for (name, ours), paper in zip(net.module_.named_parameters(), theta.parameters()):
        torch.testing.assert_close(ours, paper, rtol=1e-9, atol=1e-11, msg=name)


# ---- schedule and counts by hand ----------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(0, 0.0), (1, 0.02), (2, 0.04), (5, 0.1), (9, 0.18), (10, 0.2), (11, 0.2)],
)
def test_the_drop_rate_grows_linearly_and_stays(steps, expected):
    net = make_net(GMF, max_drop_rate=0.2, n_drop_steps=10)
    net.n_steps_ = steps
    assert net.drop_rate == pytest.approx(expected, rel=1e-15)


def test_steps_are_counted_over_epochs():
    net = make_net(GMF, max_epochs=2).partial_fit(
        TrainingData(observed(True), unlabeled=source())
    )
    assert net.n_steps_ == 2 * 6  # 44 rows in batches of 8
    assert [row["drop_rate"] for row in net.history] == pytest.approx([0.05, 0.11])


@pytest.mark.parametrize(
    ("reference", "rate", "expected"),
    [
        ("batch", 0.0, 0),
        ("batch", 0.1, 1),  # 12 rows
        ("batch", 0.25, 3),
        ("batch", 0.33, 3),
        ("batch", 0.5, 4),  # 6 of 12, but there are 4 positives
        ("batch", 1.0, 4),
        ("positives", 0.1, 0),  # 4 rows
        ("positives", 0.25, 1),
        ("positives", 0.74, 2),
        ("positives", 1.0, 4),
    ],
)
def test_drop_counts(reference, rate, expected):
    y = torch.tensor([1.0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0])
    batch = Pairs(torch.ones(12).long(), torch.ones(12).long(), y)
    loss = torch.arange(12.0)
    dropped = make_net(GMF, drop_reference=reference).dropped(loss, batch, rate)
    positions = [0, 3, 7, 10]
    assert dropped.nonzero().flatten().tolist() == positions[4 - expected :]


def test_counts_are_those_of_exact_arithmetic():
    """0.29 · 100 is 28.999999999999996 in floating point, and 29 rows."""
    net = make_net(GMF)
    for percent in range(101):
        for n in (7, 50, 100, 1024):
            batch = Pairs(*torch.ones(2, n).long(), torch.ones(n))
            expected = math.floor(Fraction(percent, 100) * n)
            for reference in ("batch", "positives"):
                net.drop_reference = reference
                dropped = net.dropped(torch.ones(n), batch, percent / 100)
                assert int(dropped.sum()) == expected


@pytest.mark.parametrize(
    ("loss", "y", "n", "expected"),
    [
        ([1, 2, 3, 4], [1, 1, 1, 0], 2, [1, 2]),  # a negative is never dropped
        ([2, 2, 2, 2], [1, 1, 1, 1], 2, [0, 1]),  # of ties, the earlier
        ([2, 2, 9, 2], [0, 1, 0, 1], 3, [1, 3]),  # fewer positives than that
        ([1, 2], [0, 0], 1, []),
        ([1, math.inf, 5], [1, 1, 1], 1, [1]),
        ([1, math.nan, 5], [1, 1, 1], 1, [2]),
        ([1, math.nan, 5], [1, 1, 1], 3, [0, 2]),
        ([0, 0, 1], [1, 1, 0], 1, [0]),
        ([], [], 1, []),
    ],
)
def test_which_rows_are_dropped(loss, y, n, expected):
    for count in (n, torch.tensor(float(n))):
        mask = largest_positive_losses(
            torch.tensor(loss, dtype=torch.float32),
            torch.tensor(y, dtype=torch.float32),
            count,
        )
        assert mask.nonzero().flatten().tolist() == expected


def test_mean_of_kept_rows():
    loss = torch.tensor([1.0, torch.inf, 4.0])
    kept = torch.tensor([True, False, True])
    weight = torch.tensor([1.0, 7.0, 0.5])
    assert mean_of_kept(loss, kept, None) == 2.5
    assert mean_of_kept(loss, kept, weight) == 1.5
    assert mean_of_kept(loss, kept & False, weight) == 0.0


def test_what_is_dropped_has_no_gradient():
    net = make_net(GMF, max_drop_rate=1.0, n_drop_steps=1, max_epochs=1)
    net.n_steps_ = 1
    user, item = torch.tensor([1, 2]), torch.tensor([1, 2])
    before = copy.deepcopy(net.module_)
    positives = Pairs(user, item, torch.ones(2).double())
    negative = Pairs(torch.tensor([3]), torch.tensor([3]))

    class Source:
        def draw(self, labelled):
            return negative

    net.partial_fit(TrainingData(positives, unlabeled=Source()))
    assert net.history[-1]["n_dropped"] == 2
    moved = (net.module_.user_factors.weight != before.user_factors.weight).any(dim=1)
    assert moved.nonzero().flatten().tolist() == [3]
    loss = cross_entropy(before(negative.user, negative.item), torch.zeros(1).double())
    assert net.history[-1]["train_loss"] == pytest.approx(loss.item())
