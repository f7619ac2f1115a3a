"""Inside a step nothing is read back from the device: on a GPU that would wait.

Checked on the CPU, by watching the operations: those whose result is a number in
Python, or whose shape depends on values, have to wait for all work before them.
"""

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_invlearn.modules import GMF, NeuMF
from sklearn_invlearn.training import (
    EndlessBatches,
    InverseDualLossNet,
    InverseGradientNet,
    NegativeSamplingNet,
    PairNet,
    Pairs,
    PoolSource,
    RowwiseAdam,
    RowwiseSGD,
    SameUserSource,
    TrainingData,
    TruncatedLossNet,
    UniformSource,
    UnobservedPairs,
)

READING_METHODS = {
    "__array__", "__bool__", "__contains__", "__float__", "__index__", "__int__",
    "cpu", "item", "numpy", "tolist",
}  # fmt: skip
WAITING_OPERATIONS = {
    "_local_scalar_dense", "_unique", "_unique2", "equal", "is_nonzero",
    "masked_select", "nonzero", "repeat_interleave", "unique_consecutive",
    "unique_dim",
}  # fmt: skip


class HostRead(AssertionError):
    pass


class NoReadingMethods(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in READING_METHODS:
            raise HostRead(f"Tensor.{name}")
        return func(*args, **(kwargs or {}))


class NoWaitingOperations(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in WAITING_OPERATIONS:
            raise HostRead(name)
        if name.strip("_") in ("index", "index_put", "index_put_impl") and any(
            i is not None and i.dtype is torch.bool for i in args[1]
        ):
            raise HostRead("a mask as an index")
        return func(*args, **(kwargs or {}))


def watched(f, *args):
    with NoReadingMethods(), NoWaitingOperations():
        return f(*args)


N_USERS, N_ITEMS = 9, 8


def pairs(n, seed, labelled=True):
    rng = torch.Generator().manual_seed(seed)
    user = torch.randint(1, N_USERS, (n,), generator=rng)
    item = torch.randint(1, N_ITEMS, (n,), generator=rng)
    if not labelled:
        return Pairs(user, item)
    y = torch.randint(2, (n,), generator=rng).float()
    return Pairs(user, item, y, torch.rand(n, generator=rng) + 0.5)


def source(name, labelled):
    generator = torch.Generator().manual_seed(0)
    if name == "pool":
        return PoolSource(pairs(30, 5, labelled=False), 8, generator)
    cls = {"uniform": UniformSource, "same_user": SameUserSource}[name]
    return cls(UnobservedPairs(labelled, N_USERS, N_ITEMS), generator)


PROCEDURES = [
    (PairNet, {}),
    (NegativeSamplingNet, {"n_negatives": 2}),
    (NegativeSamplingNet, {"resample": "epoch"}),
    (InverseDualLossNet, {"alpha": 0.1}),
    (InverseGradientNet, {"alpha": 0.1}),
    (InverseGradientNet, {"alpha": 0.1, "probe": "sign", "n_unlabeled_steps": 2}),
    (TruncatedLossNet, {"max_drop_rate": 0.2, "n_drop_steps": 3}),
    (
        TruncatedLossNet,
        {"max_drop_rate": 0.2, "n_drop_steps": 3, "drop_reference": "positives"},
    ),
]


@pytest.mark.parametrize(
    ("unlabeled", "optimizer", "backbone"),
    [
        ("pool", RowwiseAdam, NeuMF),
        ("uniform", RowwiseSGD, GMF),
        ("same_user", torch.optim.Adam, GMF),
    ],
)
@pytest.mark.parametrize(("net_class", "params"), PROCEDURES)
def test_no_step_reads_from_the_device(
    net_class, params, unlabeled, optimizer, backbone
):
    sizes = {"module__n_users": N_USERS, "module__n_items": N_ITEMS}
    net = net_class(
        backbone,
        **sizes,
        **params,
        # the default of torch's own Adam counts its steps on the host
        **({"optimizer__fused": True} if optimizer is torch.optim.Adam else {}),
        optimizer=optimizer,
        batch_size=8,
        verbose=0,
    ).initialize()
    labelled = pairs(40, 1)
    held_out = EndlessBatches(pairs(16, 2), 8, torch.Generator().manual_seed(3))
    data = TrainingData(
        labelled, unlabeled=source(unlabeled, labelled), held_out=held_out
    )
    net.n_labelled_ = len(labelled)
    net.notify("on_epoch_begin", dataset_train=labelled, dataset_valid=None)
    steps = net.training_steps(data)
    # Once an epoch, after its last step, the losses and counts may be read.
    for _ in range(4):
        watched(next, steps)
    list(steps)


@pytest.mark.parametrize(
    "read",
    [
        lambda t: t.item(),
        lambda t: t.tolist(),
        lambda t: t.numpy(),
        lambda t: float(t),
        lambda t: 1 if t > 0 else 0,
        lambda t: range(3)[t.long()],
        lambda t: t[t > 0],
        lambda t: t.reshape(1).nonzero(),
        lambda t: torch.unique(t),
        lambda t: torch.equal(t, t),
    ],
)
def test_the_watch_sees_a_read(read):
    with pytest.raises(HostRead):
        watched(read, torch.ones(()))
