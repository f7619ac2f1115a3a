"""Row-wise optimisers: equal to the dense ones where they have to be."""

import copy
import pickle

import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_invlearn.modules import GMF, NeuMF
from sklearn_invlearn.training import (
    PairNet,
    Pairs,
    RowwiseAdam,
    RowwiseSGD,
    TrainingData,
    _rowwise_adam,
)
from sklearn_invlearn.training._row_gradients import (
    SumsByRow,
    put_rows,
    use_row_gradients,
)

pytestmark = pytest.mark.usefixtures("each_way")

N_USERS, N_ITEMS = 8, 6
PAIRS = {
    RowwiseAdam: torch.optim.Adam,
    RowwiseSGD: torch.optim.SGD,
}
each_pair = pytest.mark.parametrize("rowwise", PAIRS)


def batch(user, item, seed=0):
    y = torch.rand(len(user), generator=torch.Generator().manual_seed(seed))
    return Pairs(torch.tensor(user), torch.tensor(item), y.round().double())


def every_row(seed):
    """A batch that touches every known row, many of them more than once."""
    rng = torch.Generator().manual_seed(seed)
    user = torch.cat([torch.arange(1, N_USERS), torch.randint(1, N_USERS, (9,))])
    item = torch.randint(1, N_ITEMS, (len(user),), generator=rng)
    item[: N_ITEMS - 1] = torch.arange(1, N_ITEMS)
    return batch(user.tolist(), item.tolist(), seed)


def model(backbone=GMF):
    torch.manual_seed(0)
    module = backbone(N_USERS, N_ITEMS, n_factors=3).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def train(module, optimizer_class, batches, **params):
    module = copy.deepcopy(module)
    by_row = getattr(optimizer_class, "takes_row_gradients", False)
    use_row_gradients(module, by_row)
    optimizer = optimizer_class(module.parameters(), lr=0.1, **params)
    for b in batches:
        optimizer.zero_grad()
        logit = module(b.user, b.item)
        nn.functional.binary_cross_entropy_with_logits(logit, b.y).backward()
        assert module.user_factors.weight.grad.is_sparse == by_row
        optimizer.step()
    return module, optimizer


def assert_same(module, other):
    for (name, ours), theirs in zip(module.named_parameters(), other.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12, msg=name)


@each_pair
@pytest.mark.parametrize("backbone", [GMF, NeuMF])
@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
def test_equals_the_dense_one_if_every_step_touches_every_row(
    rowwise, backbone, weight_decay
):
    batches = [every_row(seed) for seed in range(20)]
    start = model(backbone)
    ours, _ = train(start, rowwise, batches, weight_decay=weight_decay)
    dense, _ = train(start, PAIRS[rowwise], batches, weight_decay=weight_decay)
    for module in (ours, dense):  # under the dense ones row 0 decays
        for table in module.modules():
            if isinstance(table, nn.Embedding):
                table.weight.data[0] = 0.0
    assert_same(ours, dense)


@each_pair
def test_equals_the_dense_one_on_the_first_step(rowwise):
    first = [batch([1, 2, 2, 5], [3, 3, 3, 1])]
    assert_same(
        train(model(), rowwise, first)[0], train(model(), PAIRS[rowwise], first)[0]
    )


def test_sgd_equals_the_dense_one_always():
    batches = [batch([1, 2, 2, 0], [k, 3, 3, 0], k) for k in range(1, 5)]
    ours, _ = train(model(), RowwiseSGD, batches)
    assert_same(ours, train(model(), torch.optim.SGD, batches)[0])


def literal_lazy_adam(module, batches, lr=0.1, b1=0.9, b2=0.999, eps=1e-8):
    """Kingma & Ba's Algorithm 1 with loops over the rows that have a gradient."""
    module = copy.deepcopy(module)
    parameters = list(module.parameters())
    is_table = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    m, v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for t, b in enumerate(batches, 1):
        loss = nn.functional.binary_cross_entropy_with_logits(
            module(b.user, b.item), b.y
        )
        gradients = torch.autograd.grad(loss, parameters)
        for p, g, mean, square in zip(parameters, gradients, m, v):
            if id(p) in is_table:
                codes = b.user if len(p) == N_USERS else b.item
                rows = sorted(set(codes.tolist()) - {0})
            else:
                rows = [...]
            for row in rows:
                mean[row] = b1 * mean[row] + (1 - b1) * g[row]
                square[row] = b2 * square[row] + (1 - b2) * g[row] ** 2
                m_hat, v_hat = mean[row] / (1 - b1**t), square[row] / (1 - b2**t)
                p.data[row] -= lr * m_hat / (v_hat.sqrt() + eps)
    return module


@pytest.mark.parametrize("backbone", [GMF, NeuMF])
def test_adam_equals_a_loop_over_the_touched_rows(backbone):
    batches = [
        batch([1, 2, 2, 7], [3, 3, 3, 1], 1),
        batch([4, 0, 1, 1], [3, 2, 0, 2], 2),
        batch([1, 2, 7, 7], [5, 3, 4, 1], 3),
    ]
    ours, _ = train(model(backbone), RowwiseAdam, batches)
    assert_same(ours, literal_lazy_adam(model(backbone), batches))


@each_pair
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_rows_that_no_batch_touches_do_not_move_at_all(rowwise, weight_decay):
    start = model()
    batches = [batch([1, 1, 2, 0], [3, 4, 4, 0], seed) for seed in range(5)]
    ours, optimizer = train(start, rowwise, batches, weight_decay=weight_decay)
    for name, touched in (("user_factors", [1, 2]), ("item_factors", [3, 4])):
        before, after = (getattr(m, name).weight for m in (start, ours))
        moved = (before != after).any(dim=1).nonzero().flatten().tolist()
        assert moved == touched  # neither others nor row 0, which was looked up
        for moment in optimizer.state[after].values():
            if moment.ndim:
                assert moment.any(dim=1).nonzero().flatten().tolist() == touched


def test_state_has_the_names_and_shapes_of_dense_adam_and_survives_copies():
    batches = [every_row(seed) for seed in range(3)]
    module, ours = train(model(), RowwiseAdam, batches)
    _, dense = train(model(), torch.optim.Adam, batches)
    theirs = dense.state_dict()["state"]
    for k, state in ours.state_dict()["state"].items():
        assert state.keys() == theirs[k].keys()
        for name, tensor in state.items():
            torch.testing.assert_close(tensor.double(), theirs[k][name].double())
    copied_module, copied = pickle.loads(pickle.dumps((module, ours)))
    for optimizer, m in ((ours, module), (copied, copied_module)):
        optimizer.zero_grad()
        m(batches[0].user, batches[0].item).sum().backward()
        optimizer.step()
    assert_same(module, copied_module)


def test_dense_and_frozen_parameters_and_own_embeddings():
    """An embedding of torch's own has a dense gradient, and is updated whole."""
    table, frozen = nn.Embedding(5, 2), nn.Parameter(torch.ones(2), False)
    other = copy.deepcopy(table)
    codes = torch.tensor([1, 1, 3])
    ours = RowwiseAdam([table.weight, frozen], lr=0.1)
    dense = torch.optim.Adam([other.weight], lr=0.1)
    for _ in range(3):
        for t, optimizer in ((table, ours), (other, dense)):
            optimizer.zero_grad()
            (t(codes) * frozen).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(table.weight, other.weight)
    assert (frozen == 1).all()


def test_a_closure_is_called_with_gradients_on():
    weight = nn.Parameter(torch.ones(2))

    def loss():
        value = weight.square().sum()
        value.backward()
        return value

    for optimizer in (RowwiseAdam([weight]), RowwiseSGD([weight])):
        optimizer.zero_grad()
        before = weight.square().sum().item()
        assert optimizer.step(loss).item() == before


@pytest.mark.parametrize("n_rows", [9, 50])
def test_sums_by_row_are_those_of_torch(n_rows):
    """With fewer rows than lookups, and with more."""
    rng = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 8, (40,), generator=rng)
    values = torch.rand(40, 3, generator=rng, dtype=torch.float64)
    gradient = torch.sparse_coo_tensor(
        codes[None], values, (n_rows, 3), check_invariants=False
    )
    (row,) = SumsByRow()([gradient])
    expected = gradient.to_dense()
    expected[0] = 0.0
    known = [code for code in row.codes.tolist() if code]
    assert sorted(known) == sorted(set(codes.tolist()) - {0})  # every one once
    assert len(known) < len(row.codes)
    torch.testing.assert_close(row.values, expected[row.codes])
    assert (row.is_known.flatten() == (row.codes > 0)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_columns", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("first_row", [0, 1])
def test_rows_are_written_bit_by_bit(dtype, n_columns, first_row):
    table = torch.rand(7, n_columns, dtype=dtype)[first_row:]
    values = torch.full((4, n_columns), torch.inf, dtype=dtype)
    values[1] = torch.nan
    values[2] = -0.0
    values[3] = torch.finfo(dtype).tiny / 4  # denormal
    expected = table.clone()
    codes = torch.tensor([5, 1, 2, 0])
    expected[codes] = values
    put_rows(table, codes, values)
    assert torch.equal(table.nan_to_num(7.0), expected.nan_to_num(7.0))
    assert table[2].signbit().all()
    assert table[1].isnan().all()


def test_tables_beyond_what_is_updated_at_a_time(monkeypatch):
    batches = [every_row(seed) for seed in range(3)]
    at_once, _ = train(model(NeuMF), RowwiseAdam, batches)
    monkeypatch.setattr(_rowwise_adam, "_NUMBERS_AT_A_TIME", 10)
    in_parts, _ = train(model(NeuMF), RowwiseAdam, batches)
    for ours, theirs in zip(in_parts.parameters(), at_once.parameters()):
        assert torch.equal(ours, theirs)


def test_a_denominator_that_may_be_zero_is_refused():
    with pytest.raises(ValueError, match="positive"):
        RowwiseAdam(model().parameters(), eps=0.0)


class Listener(Callback):
    """Writes down what it hears of a batch."""

    def __init__(self):
        self.heard = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        assert all(p.grad is not None for _, p in named_parameters)
        self.heard.append("gradient")

    def on_batch_end(self, net, batch, training, loss, **kwargs):
        assert len(batch) == 4
        self.heard.append("end")


def test_callbacks_of_batches_are_told_and_see_gradients():
    listener = Listener()
    net = PairNet(
        model(),
        optimizer=RowwiseAdam,
        batch_size=4,
        max_epochs=1,
        callbacks=[listener],
        verbose=0,
    )
    b = every_row(0)
    net.initialize().module_.double()
    net.partial_fit(TrainingData(Pairs(b.user[:8], b.item[:8], b.y[:8])))
    assert listener.heard == ["gradient", "end"] * 2


@pytest.mark.parametrize("rowwise", [True, False])
def test_the_optimizer_decides_how_tables_leave_their_gradient(rowwise):
    optimizer = RowwiseAdam if rowwise else torch.optim.Adam
    net = PairNet(model(), optimizer=optimizer, verbose=0).initialize()
    b = every_row(0)
    net.module_(b.user, b.item).sum().backward()
    grad = net.module_.user_factors.weight.grad
    assert grad.is_sparse == rowwise
