"""Steps on a CUDA device, simulated: the numbers of the CPU, and no waiting."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from procedures import (
    PROCEDURES,
    cdae,
    initialised,
    spectral,
    steps_of,
    training_data,
)

from sklearn_invlearn.modules import GMF, MLP, BiasOnly, NeuMF
from sklearn_invlearn.training import RowwiseAdam, RowwiseSGD

# The reference, too: what numba has compiled rounds in another order.
pytestmark = pytest.mark.usefixtures("rows_by_torch")

N_STEPS = 4
OPTIMIZERS = [
    (RowwiseAdam, "pool"),
    (RowwiseSGD, "uniform"),
    (torch.optim.Adam, "same_user"),
]


def after_some_steps(setting, device, watch=nullcontext):
    """Take steps within `watch`; return the state of the module, on the CPU."""
    net_class, params, optimizer, unlabeled, backbone = setting
    torch.manual_seed(0)
    net = initialised(net_class, params, optimizer, backbone, device)
    steps = steps_of(net, training_data(unlabeled, device))
    with watch():
        for _ in range(N_STEPS):
            next(steps)
    assert {p.device.type for p in net.module_.parameters()} == {device}
    return {name: tensor.cpu() for name, tensor in net.module_.state_dict().items()}


def assert_equal_states(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("backbone", [BiasOnly, GMF, MLP, NeuMF, spectral])
@pytest.mark.parametrize(("optimizer", "unlabeled"), OPTIMIZERS)
@pytest.mark.parametrize(("net_class", "params"), PROCEDURES)
def test_steps_are_those_of_the_cpu_and_never_wait(
    cuda, net_class, params, optimizer, unlabeled, backbone
):
    setting = net_class, params, optimizer, unlabeled, backbone
    found = after_some_steps(setting, "cuda", cuda.must_not_wait)
    assert_equal_states(found, after_some_steps(setting, "cpu"))


@pytest.mark.parametrize(
    ("optimizer", "unlabeled", "leave_target_out"),
    [(*each, out) for each, out in zip(OPTIMIZERS, (True, False, True))],
)
@pytest.mark.parametrize(("net_class", "params"), PROCEDURES)
def test_cdae_waits_for_numbers_of_rows_alone(
    cuda, net_class, params, optimizer, unlabeled, leave_target_out
):
    backbone = partial(cdae, leave_target_out=leave_target_out)
    setting = net_class, params, optimizer, unlabeled, backbone
    found = after_some_steps(setting, "cuda", cuda.noting)
    # Of distinct users, of distinct items, and of the histories of a batch.
    assert set(cuda.noted) == {"unique", "nonzero", "repeat_interleave"}
    assert_equal_states(found, after_some_steps(setting, "cpu"))


@pytest.mark.parametrize(("net_class", "params"), PROCEDURES)
def test_waits_of_an_epoch_do_not_depend_on_its_length(cuda, net_class, params):
    """The losses are read at its end, once, and so is the trace of all steps."""
    noted = []
    for n in (1, 4):
        net = initialised(net_class, params, RowwiseAdam, GMF, "cuda")
        data = training_data("uniform", "cuda", n_labelled=40 * n, n_held_out=16 * n)
        net.n_labelled_ = len(data)
        net.history.new_epoch()
        with cuda.noting():
            net.train_epoch(data)
        noted.append(cuda.noted)
    assert noted[0] == noted[1] != []


@pytest.mark.parametrize("n", [0, 1, 65_600])
@pytest.mark.parametrize("unlabeled", ["pool", "uniform", "same_user"])
def test_draws_and_shuffles_stay_on_the_device(cuda, unlabeled, n):
    drawn = {}
    for device in ("cpu", "cuda"):
        data = training_data(unlabeled, device, n_labelled=40 + n)
        with cuda.must_not_wait():
            batches = [data.unlabeled.draw(data.labelled) for _ in range(5)]
            batches += [next(data.held_out) for _ in range(5)]
        drawn[device] = [[b.user, b.item] for b in batches]
    for here, there in zip(drawn["cuda"], drawn["cpu"]):
        for column, expected in zip(here, there):
            assert column.device.type == "cuda"
            assert torch.equal(column.cpu(), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("backbone", [GMF, NeuMF, spectral])
@pytest.mark.parametrize(("optimizer", "unlabeled"), OPTIMIZERS)
@pytest.mark.parametrize(("net_class", "params"), PROCEDURES)
def test_torch_sees_no_wait_for_a_real_device(
    net_class, params, optimizer, unlabeled, backbone
):
    net = initialised(net_class, params, optimizer, backbone, "cuda")
    steps = steps_of(net, training_data(unlabeled, "cuda"))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(N_STEPS):
            next(steps)
    finally:
        torch.cuda.set_sync_debug_mode("default")
