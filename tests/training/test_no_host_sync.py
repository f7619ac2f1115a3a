"""Inside a step nothing is read back from the device: on a GPU that would wait.

Checked on the CPU, by watching the operations: those whose result is a number in
Python, or whose shape depends on values, have to wait for all work before them.
"""

import pytest
import torch
from procedures import PROCEDURES, cdae, initialised, spectral, steps_of, training_data
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_invlearn.modules import GMF, NeuMF
from sklearn_invlearn.training import RowwiseAdam, RowwiseSGD

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


def training_steps(net_class, params, unlabeled, optimizer, backbone):
    net = initialised(net_class, params, optimizer, backbone)
    return steps_of(net, training_data(unlabeled))


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
