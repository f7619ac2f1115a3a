"""A CUDA device that is not there: the numbers of the CPU, the rules of a GPU.

While the mode is on, a tensor made on ``device="cuda"`` says that it is there, and so
does what is computed of it. A call that takes tensors of both devices raises, a tensor
of the device has no ``numpy()``, and every call that would have to wait for the device
is noted. The numbers are computed on the CPU, so a model can be trained for real
and compared with one of the CPU. What happens inside of a call is not seen.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.overrides import TorchFunctionMode

CUDA = torch.device("cuda", 0)

# Their results are numbers in Python, or have shapes that depend on values.
WAITING = {
    "__array__", "__bool__", "__complex__", "__contains__", "__float__", "__index__",
    "__int__", "__len_of_values__", "allclose", "bincount", "equal", "is_nonzero",
    "item", "masked_select", "nonzero", "repeat_interleave", "tolist", "unique",
    "unique_consecutive",
}  # fmt: skip
COPYING = {"copy_", "__setitem__"}  # from one device to the other, as torch does
LOOKING = {"__set__", "_has_compatible_shallow_copy_type"}  # in nn.Module.to


class MixedDevices(AssertionError):
    pass


class HostRead(AssertionError):
    pass


class CudaGenerator(torch.Generator):
    """Random numbers of the CPU for tensors of the device."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls)

    def __init__(self, device="cpu"):
        self.place = _place(device)

    @property
    def device(self):
        return self.place

    def manual_seed(self, seed):
        super().manual_seed(seed)
        return self


def _place(device):
    device = torch.device(device)
    return CUDA if device.type == "cuda" else device


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _storages(tensor):
    parts = (tensor._indices(), tensor._values()) if tensor.is_sparse else (tensor,)
    return [part.untyped_storage() for part in parts]


class SimulatedCuda(TorchFunctionMode):
    """See the head of this file.

    Attributes
    ----------
    noted : list of str
        Calls of the last block of `noting` that would have waited for the device,
        or copied to or from it.
    generator : Generator
        The device's own.
    """

    def __init__(self):
        super().__init__()
        self.noted = []
        self._when_waiting = None
        self._held = {}  # id -> storage; kept, so that no id is given twice

    def place_of(self, tensor):
        return CUDA if self.holds(tensor) else torch.device("cpu")

    def holds(self, tensor):
        with torch._C.DisableTorchFunction():
            return all(id(part) in self._held for part in _storages(tensor))

    @contextmanager
    def noting(self):
        """Write to `noted` what would wait in the block, and nothing after it."""
        self.noted, self._when_waiting = [], self._note
        yield
        self._when_waiting = None

    @contextmanager
    def must_not_wait(self):
        """Raise HostRead at a call that would wait for the device."""
        self._when_waiting = self._refuse
        try:
            yield
        finally:
            self._when_waiting = None

    def _note(self, name):
        self.noted.append(name)

    def _refuse(self, name):
        raise HostRead(name)

    def _wait(self, name):
        if self._when_waiting is not None:
            self._when_waiting(name)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        tensors = list(_tensors([args, kwargs]))
        here = [self.holds(t) for t in tensors]
        if func == torch.Tensor.device.__get__:
            return CUDA if here[0] else func(*args)
        if func == torch.Tensor.is_cuda.__get__:
            return here[0]
        if name in ("to", "cpu", "cuda") and tensors:
            return self._moved(name, args, kwargs, here[0])
        if "device" in kwargs:
            return self._made(name, func, args, kwargs, any(here))
        if name in ("numpy", "__array__") and here[0]:
            raise TypeError("can't convert cuda:0 device type tensor to numpy.")
        if any(here):
            self._check(name, args, tensors, here)
        out = func(*args, **kwargs)
        if any(here) and not (name == "copy_" and not here[0]):
            self._hold(out)
        return out

    def _check(self, name, args, tensors, here):
        if not all(here) and name not in LOOKING:
            if name not in COPYING:
                raise MixedDevices(f"{name} of {here.count(False)} tensors of the CPU")
            self._wait(f"{name} between devices")
        masks = isinstance(args, tuple) and name in ("__getitem__", "__setitem__")
        if name in WAITING or (
            masks and any(t.dtype is torch.bool for t in _tensors(list(args[1:2])))
        ):
            self._wait(name)

    def _hold(self, out):
        for tensor in _tensors(out):
            for storage in _storages(tensor):
                self._held[id(storage)] = storage

    def _moved(self, name, args, kwargs, here):
        """Call ``to``, ``cpu`` or ``cuda``."""
        tensor, target, dtype = args[0], {"cpu": "cpu", "cuda": CUDA}.get(name), None
        for value in [*args[1:], kwargs.get("device"), kwargs.get("dtype")]:
            if isinstance(value, (str, torch.device)):
                target = value
            elif isinstance(value, torch.dtype):
                dtype = value
            elif isinstance(value, torch.Tensor):
                target, dtype = self.place_of(value), value.dtype
        out = tensor if dtype is None else tensor.to(dtype)
        to_cuda = here if target is None else _place(target).type == "cuda"
        if to_cuda != here:
            self._wait(f"{name} another device")
        if kwargs.get("copy") or (to_cuda != here and out is tensor):
            out = out.clone()
        if to_cuda:
            self._hold(out)
        return out

    def _made(self, name, func, args, kwargs, here):
        """Call a function that says on which device its result is to be."""
        device, generator = kwargs["device"], kwargs.get("generator")
        on_cuda = here if device is None else _place(device).type == "cuda"
        if generator is not None and (generator.device.type == "cuda") != on_cuda:
            raise MixedDevices(f"{name} with a generator on {generator.device}")
        kwargs["device"] = None if device is None else "cpu"
        out = func(*args, **kwargs)
        if not on_cuda:
            return out
        if name in ("tensor", "as_tensor"):  # made of what is in the host's memory
            self._wait(f"{name} on the device")
            out = out.clone()
        self._hold(out)
        return out


@contextmanager
def simulated_cuda(patch):
    """A machine with such a device; `patch` is pytest's monkeypatch."""
    device = SimulatedCuda()
    patch.setattr(torch, "Generator", CudaGenerator)
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "device", lambda device: nullcontext())
    generator = CudaGenerator("cuda").manual_seed(0)
    patch.setattr(torch.cuda, "manual_seed", generator.manual_seed)
    patch.setattr(torch.cuda, "manual_seed_all", generator.manual_seed)
    patch.setattr(torch.cuda, "get_rng_state", lambda device: generator.get_state())
    patch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: generator.set_state(state)
    )
    device.generator = generator
    with device:
        yield device
