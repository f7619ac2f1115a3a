"""Inside a step nothing is read back from the device: on a GPU that would wait.

Checked on the CPU, by watching the operations: those whose result is a number in
Python, or whose shape depends on values, have to wait for all work before them.
"""

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_invlearn.losses import MeanReweightedCrossEntropy
from sklearn_invlearn.modules import CDAE, GMF, NeuMF
from sklearn_invlearn.modules._cascade import Cascade
from sklearn_invlearn.modules._spectral import SpectralExposure
from sklearn_invlearn.spectral import Bilinear
from sklearn_invlearn.spectral._bilinear import PRECISIONS
from sklearn_invlearn.training import (
    EndlessBatches,
    InverseDualLossNet,
    InverseGradientNet,
    MultiTaskNet,
    NegativeReweightingNet,
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

# What numba has compiled runs on the CPU alone, where nothing waits.
pytestmark = pytest.mark.usefixtures("rows_by_torch")

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


class NamesOfWaits(TorchDispatchMode):
    """Notes what waits instead of forbidding it."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in WAITING_OPERATIONS:
            self.names.add(name)
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
    (
        NegativeSamplingNet,
        {"criterion": MeanReweightedCrossEntropy, "criterion__beta": 0.2},
    ),
    (NegativeReweightingNet, {}),
    (MultiTaskNet, {}),
]


def spectral(n_users, n_items):
    rng = np.random.default_rng(0)
    P, Q = (rng.normal(size=(n, 3)).astype(np.float32) for n in (n_users, n_items))
    model = Bilinear(P, Q, "full", base_rate=0.5)
    return SpectralExposure([model], [PRECISIONS], 0.0, np.ones(1))


def training_steps(net_class, params, unlabeled, optimizer, backbone):
    """Steps of an epoch; what it does once, before the first of them, is done."""
    module = backbone(N_USERS, N_ITEMS)
    net = net_class(
        Cascade(module) if net_class is MultiTaskNet else module,
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
        labelled,
        unlabeled=source(unlabeled, labelled),
        held_out=held_out,
        extra=pairs(24, 4),
    )
    net.n_labelled_ = len(labelled)
    net.notify("on_epoch_begin", dataset_train=labelled, dataset_valid=None)
    steps = net.training_steps(data)
    if net_class is NegativeReweightingNet:  # weighs the rows of the epoch
        next(steps)
    return steps


@pytest.mark.parametrize(
    ("unlabeled", "optimizer", "backbone"),
    [
        ("pool", RowwiseAdam, NeuMF),
        ("uniform", RowwiseSGD, GMF),
        ("same_user", torch.optim.Adam, GMF),
        ("uniform", RowwiseAdam, spectral),
    ],
)
@pytest.mark.parametrize(("net_class", "params"), PROCEDURES)
def test_no_step_reads_from_the_device(
    net_class, params, unlabeled, optimizer, backbone
):
    steps = training_steps(net_class, params, unlabeled, optimizer, backbone)
    # Once an epoch, after its last step, the losses and counts may be read.
    for _ in range(4):
        watched(next, steps)
    list(steps)


def cdae(n_users, n_items):
    positives = pairs(30, 6)
    return CDAE(n_users, n_items, history=torch.stack([positives.user, positives.item]))


@pytest.mark.parametrize(("net_class", "params"), PROCEDURES)
def test_cdae_reads_numbers_of_rows_and_nothing_else(net_class, params):
    """Of distinct users, of distinct items, and of the histories of a batch."""
    steps = training_steps(net_class, params, "uniform", RowwiseAdam, cdae)
    with NoReadingMethods(), NamesOfWaits() as waits:
        for _ in range(4):
            next(steps)
    assert waits.names == {"_unique2", "nonzero", "repeat_interleave"}


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
