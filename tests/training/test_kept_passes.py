"""The forward pass of the chosen point, kept for the supervised step at that point."""

import pytest
import torch
from test_inverse_gradient import make_net, training_data
from torch import nn

from sklearn_invlearn.modules import CDAE, GMF, MLP, BiasOnly, NeuMF
from sklearn_invlearn.training import Pairs, RowwiseAdam, RowwiseSGD, _compiled_rows
from sklearn_invlearn.training._modes import same_in_training

needs_numba = pytest.mark.skipif(
    _compiled_rows.kernels() is None, reason="losses are read in compiled steps alone"
)


class WithPrior(GMF):
    same_in_training = True

    def penalty(self):
        return self.user_factors.weight.square().sum()


class WithDropout(GMF):
    """A subclass of one's own that does not say what its modes do."""

    def forward(self, user, item):
        pair = self.user_factors(user) * self.item_factors(item)
        return nn.functional.dropout(pair, 0.5, self.training).sum(dim=-1)


class NoticesGradients:
    """Stands for the callbacks of a net."""

    def __init__(self, net):
        self.seen = []
        net.heard_ = {"on_batch_begin", "on_grad_computed", "on_batch_end"}
        net.notify = self.notify

    def notify(self, event, named_parameters=(), **told):
        gradients = {n: p.grad.to_dense().clone() for n, p in named_parameters}
        self.seen.append((event, gradients, told.get("loss"), told["training"]))


def steps(net, data, n_steps):
    """The result of every step; held-out rows are weighted."""
    found = []
    for _ in range(n_steps):
        held_out, unlabeled = next(data.held_out), data.unlabeled.draw(None)
        weight = 0.5 + held_out.y
        held_out = Pairs(held_out.user, held_out.item, held_out.y, weight)
        found.append(net.inverse_gradient_step(unlabeled, held_out))
    return torch.stack(found)


def count_forward_passes(net):
    calls = []
    net.module_.register_forward_hook(lambda *_: calls.append(net.module_.training))
    return calls


@needs_numba
@pytest.mark.parametrize("backbone", [GMF, MLP, NeuMF, WithPrior])
@pytest.mark.parametrize("optimizer", [RowwiseSGD, RowwiseAdam])
@pytest.mark.parametrize("probe", [{}, {"probe": "sign", "alpha": 0.3}])
def test_a_kept_pass_changes_nothing(backbone, optimizer, probe):
    kept, literal = (
        make_net(backbone, optimizer=optimizer, lr=0.1, **probe) for _ in range(2)
    )
    assert kept.same_in_training_
    literal.same_in_training_ = False
    results, callbacks, n_passes = [], [], []
    for net in (kept, literal):
        net.n_labelled_ = 40
        net.module_.train()
        callbacks.append(NoticesGradients(net))
        calls = count_forward_passes(net)
        results.append(steps(net, training_data(seed=9), 20))
        n_passes.append(len(calls))
    assert n_passes == [80, 100]
    assert torch.equal(*results)
    assert len(results[0][:, 3].unique()) > 1
    for ours, theirs in zip(kept.module_.parameters(), literal.module_.parameters()):
        assert torch.equal(ours, theirs)
    assert len(callbacks[0].seen) == len(callbacks[1].seen) == 60
    for ours, theirs in zip(callbacks[0].seen, callbacks[1].seen):
        assert (ours[0], ours[2], ours[3]) == (theirs[0], theirs[2], theirs[3])
        assert ours[1].keys() == theirs[1].keys()
        for name, gradient in ours[1].items():
            assert torch.equal(gradient, theirs[1][name]), name


@needs_numba
@pytest.mark.parametrize("point", range(3))
def test_each_point_is_differentiated_where_it_was_passed(point, monkeypatch):
    """A dense weight that the product keeps by reference has moved in between."""
    module = "sklearn_invlearn.training._inverse_gradient"
    monkeypatch.setattr(f"{module}.first_smallest", lambda losses: point)
    monkeypatch.setattr(f"{module}.choose_direction", lambda loss: torch.tensor(point))
    kept, literal = (make_net(NeuMF, optimizer=RowwiseSGD) for _ in range(2))
    literal.same_in_training_ = False
    assert torch.equal(*(steps(n, training_data(5), 3) for n in (kept, literal)))
    for ours, theirs in zip(kept.module_.parameters(), literal.module_.parameters()):
        assert torch.equal(ours, theirs)


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize(
    ("backbone", "params"),
    [(NeuMF, {"module__dropout": 0.5}), (WithDropout, {})],
)
def test_with_dropout_the_pass_is_made_anew_in_training_mode(backbone, params):
    net = make_net(backbone, optimizer=RowwiseSGD, alpha=0.0, **params)
    assert not net.same_in_training_
    net.module_.train()
    modes = count_forward_passes(net)
    (step,) = steps(net, training_data(seed=8), 1)
    assert modes == [True, False, False, False, True]
    assert step[0] == step[1] == step[2]  # α = 0: the same point three times


def test_without_numba_no_loss_is_read(rows_by_torch):
    net = make_net(GMF, optimizer=RowwiseSGD)
    assert net.same_in_training_
    calls = count_forward_passes(net)
    steps(net, training_data(seed=8), 1)
    assert len(calls) == 5


class SubclassOfGMF(GMF):
    pass


SIZES = {"n_users": 4, "n_items": 3}
SAME = [
    BiasOnly(**SIZES),
    GMF(**SIZES),
    MLP(**SIZES),
    NeuMF(**SIZES),
    WithPrior(**SIZES),
]
OTHER = [
    MLP(**SIZES, dropout=0.1),
    NeuMF(**SIZES, dropout=0.1),
    CDAE(**SIZES, n_factors=2),
    SubclassOfGMF(**SIZES),
    nn.Sequential(GMF(**SIZES), nn.Dropout(0.1)),
    nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
]


@pytest.mark.parametrize("module", SAME, ids=lambda m: type(m).__name__)
def test_backbones_that_say_so_do_the_same_in_both_modes(module):
    assert same_in_training(module)
    codes = torch.tensor([0, 1, 2]), torch.tensor([2, 1, 0])
    assert torch.equal(module.train()(*codes), module.eval()(*codes))


@pytest.mark.parametrize("module", OTHER, ids=lambda m: type(m).__name__)
def test_what_has_a_mode_or_does_not_say_is_not_the_same(module):
    assert not same_in_training(module)
