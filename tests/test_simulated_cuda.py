"""The simulated device follows the rules of a real one."""

import numpy as np
import pytest
import torch
from simulated_cuda import CudaGenerator, HostRead, MixedDevices


@pytest.fixture
def there(cuda):
    return torch.arange(3.0, device="cuda")


def test_what_is_computed_there_stays_there(cuda, there):
    table = torch.nn.Embedding(4, 2, sparse=True).to("cuda")
    table(there.long()).sum().backward()
    gradient = table.weight.grad
    (again,) = torch.autograd.grad(table(there.long()).sum(), [table.weight])
    tensors = [
        there + 1, there[1:], there.clone(), there.new_zeros(0), there.mean(),
        torch.stack([there]), torch.zeros_like(there), torch.where(there > 1, 1, 0),
        *there.unbind(), *there.sort(), there.detach(), there.double(), table.weight,
        gradient, gradient._indices(), gradient._values(), again, there.to("cuda"),
        torch.ones(2).to(there), torch.ones(2).cuda(), torch.ones(1, device="cuda:0"),
    ]  # fmt: skip
    for tensor in tensors:
        assert tensor.is_cuda
        assert tensor.device == torch.device("cuda:0")


def test_what_is_brought_back_is_a_copy_on_the_cpu(cuda, there):
    for back in (there.cpu(), there.to("cpu"), there.to(torch.zeros(1))):
        assert back.device.type == "cpu"
        assert not back.is_cuda
        back += 1
    np.testing.assert_array_equal(there.cpu().numpy(), [0, 1, 2])
    here = torch.zeros(3)
    for array in (torch.as_tensor(here, device="cuda"), here.to("cuda")):
        array += 1
    assert not here.any()


@pytest.mark.parametrize(
    "mixing",
    [
        lambda there, here: there + here,
        lambda there, here: there * torch.tensor(2.0),
        lambda there, here: torch.cat([there, here]),
        lambda there, here: torch.stack([there.sum(), here.sum()]),
        lambda there, here: there[here.long()],
        lambda there, here: there.index_select(0, here.long()),
        lambda there, here: torch.nn.functional.embedding(here.long(), there[:, None]),
        lambda there, here: torch.nn.functional.linear(there, here),
        lambda there, here: torch.where(there > 1, there, here),
        lambda there, here: torch.searchsorted(there, here),
        lambda there, here: there.add_(here),
        lambda there, here: torch.rand(3, generator=CudaGenerator(), device="cuda"),
        lambda there, here: torch.rand(
            3, generator=CudaGenerator("cuda"), device="cpu"
        ),
    ],
)
def test_devices_are_not_mixed(cuda, there, mixing):
    with pytest.raises(MixedDevices):
        mixing(there, torch.arange(3.0))


@pytest.mark.parametrize(
    "waiting",
    [
        lambda t: t.sum().item(),
        lambda t: float(t[0]),
        lambda t: 1 if t[0] > 0 else 0,
        lambda t: range(3)[t[0].long()],
        lambda t: t.tolist(),
        lambda t: t.cpu(),
        lambda t: t.to("cpu"),
        lambda t: t[t > 1],
        lambda t: t.__setitem__(t > 1, 0.0),
        lambda t: t.nonzero(),
        lambda t: torch.unique(t),
        lambda t: torch.equal(t, t),
        lambda t: torch.repeat_interleave(t.long()),
        lambda t: t.copy_(torch.zeros(3)),
        lambda t: torch.zeros(3).copy_(t),
        lambda t: torch.zeros(3).to("cuda"),
        lambda t: torch.tensor([1.0], device="cuda"),
        lambda t: 1.0 in t,
    ],
)
def test_what_waits_is_seen(cuda, there, waiting):
    with cuda.must_not_wait(), pytest.raises(HostRead):
        waiting(there)
    with cuda.noting():
        waiting(there)
    assert len(cuda.noted) == 1


def test_no_array_shares_its_memory(cuda, there):
    for share in (there.numpy, lambda: np.asarray(there), there.detach().numpy):
        with pytest.raises(TypeError, match="can't convert cuda:0"):
            share()


def test_nothing_waits_for_the_cpu(cuda):
    with cuda.must_not_wait():
        here = torch.zeros(3).to("cpu")
        assert here.sum().item() == 0
        assert not here.nonzero().numpy().any()
