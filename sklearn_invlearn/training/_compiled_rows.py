"""Updates of touched rows in one compiled pass each, where numba is installed.

The numbers are those of the plain path in torch up to rounding. Tables on other
devices than the CPU, and of other types than single and double precision, take
that path, as all do without numba. In small batches what costs is the number of
calls into torch: a parameter with a dense gradient is a table of one row here, and an
array is made once of every tensor.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import increment_version

_TYPES = (torch.float32, torch.float64)
_LARGEST = torch.finfo(torch.float32).max
_MOMENTS = ("exp_avg", "exp_avg_sq")
_ONE_ROW = np.array([[0], [0], [-1]], dtype=np.int32)  # touched, first, following


@cache
def kernels() -> Any:
    """Return the module of compiled passes, or None if there cannot be one.

    numba is loaded with the first step that could use it. With NUMBA_DISABLE_JIT=1 in
    the environment nothing would be compiled: the way to do without.
    """
    try:
        if import_module("numba").config.DISABLE_JIT:
            return None
        return import_module("._row_kernels", __package__)
    except (ImportError, OSError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "numba":
            return None  # not installed
        warnings.warn(
            f"numba is installed, but cannot be loaded: {error}. Training goes on "
            "without it, slower. Install the versions that go together: pip install "
            "'sklearn-invlearn[fast]'.",
            stacklevel=2,
        )
        return None


class Touched(NamedTuple):
    """What kernels take of a gradient; see the head of `_row_kernels.py`."""

    touched: np.ndarray
    first: np.ndarray
    following: np.ndarray
    values: np.ndarray
    stride: int


class ArraysOf:
    """Tensors as arrays of the same memory, kept from call to call."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, bool], tuple[Tensor, int, np.ndarray]] = {}

    def __call__(self, tensor: Tensor, *, one_row: bool = False) -> np.ndarray:
        """Return an array of the same shape or, as one row, (1, n)."""
        key, address = (id(tensor), one_row), tensor.data_ptr()
        kept = self._kept.get(key)
        if kept is None or kept[0] is not tensor or kept[1] != address:
            array = tensor.detach().numpy()
            array = array.reshape(1, -1) if one_row else array
            kept = self._kept[key] = tensor, address, array
        return kept[2]


class CompiledRows:
    """The compiled passes, on tensors.

    It keeps one int32 per row of each table size as scratch.
    """

    def __init__(self) -> None:
        self._latest: dict[int, np.ndarray] = {}
        self._array = ArraysOf()

    def __reduce__(self) -> Any:
        return CompiledRows, ()  # scratch is not state

    def cover(self, tables: list[Tensor]) -> bool:
        """Whether all `tables`, at least one, can be updated here."""
        return bool(tables) and all(map(_is_table, tables)) and kernels() is not None

    def adam(
        self,
        parameters: list[Any],
        states: Iterable[dict[str, Tensor]],
        group: dict[str, Any],
    ) -> None:
        """Take a step of Adam along the gradients; count it in `states`."""
        numbers = group["lr"], *group["betas"], group["eps"], group["weight_decay"]
        rows = self.touched([p.grad for p in parameters])
        for parameter, state, row in zip(parameters, states, rows):
            step = self._array(state["step"])
            step += 1
            one_row = not parameter.grad.is_sparse
            tensors = parameter, *(state[name] for name in _MOMENTS)
            arrays = [self._array(tensor, one_row=one_row) for tensor in tensors]
            _run(kernels().adam, *arrays, *row, *map(float, (*numbers, step)))
        increment_version(parameters)

    def sgd(self, tables: list[Any], group: dict[str, Any]) -> None:
        """Take a step of gradient descent along the gradients of `tables`."""
        numbers = float(group["lr"]), float(group["weight_decay"])
        rows = self.touched([table.grad for table in tables])
        for table, row in zip(tables, rows):
            _run(kernels().sgd, self._array(table), *row, *numbers)
        increment_version(tables)

    def points(
        self, gradient: list[tuple[Tensor, Tensor]], alpha: float, by_sign: bool
    ) -> list[CompiledPoints]:
        """Return the three points of each of (parameter, g)."""
        if alpha > _LARGEST and any(p.dtype == torch.float32 for p, _ in gradient):
            # As torch does; a kernel would compute with infinity.
            raise RuntimeError(f"{alpha} is no single-precision step without overflow")
        rows = self.touched([g for _, g in gradient])
        return [
            CompiledPoints(self._array(p, one_row=not g.is_sparse), row, alpha, by_sign)
            for (p, g), row in zip(gradient, rows)
        ]

    def touched(self, gradients: list[Tensor]) -> Iterator[Touched]:
        """Yield the rows of `gradients`; tables with the same codes share."""
        linked: dict[tuple[int, int, int], list[np.ndarray]] = {}
        for gradient in gradients:
            if gradient.is_sparse:
                n_rows, codes = gradient.shape[0], gradient._indices()
                key = (codes.data_ptr(), codes.shape[1], n_rows)
                if key not in linked:
                    linked[key] = self._linked(codes.numpy()[0], n_rows)
                touched, first, following = linked[key]
                values, stride = _flat(gradient._values())
            else:
                touched, first, following = _ONE_ROW
                values, stride = gradient.numpy().reshape(-1), gradient.numel()
            yield Touched(touched, first, following, values, stride)

    def _linked(self, codes: np.ndarray, n_rows: int) -> list[np.ndarray]:
        if n_rows not in self._latest:
            self._latest[n_rows] = np.empty(n_rows, dtype=np.int32)
        latest = self._latest[n_rows]
        touched, first, following = np.empty((3, len(codes)), dtype=np.int32)
        n = _run(kernels().link, codes, latest, touched, first, following)
        return [touched[:n], first[:n], following]


class CompiledPoints:
    """Three points θ - α∘g, θ, θ + α∘g of the touched rows of a table."""

    def __init__(
        self, array: np.ndarray, row: Touched, alpha: float, by_sign: bool
    ) -> None:
        self._array, self._touched = array, row.touched
        shape = 2, len(row.touched), array.shape[1]
        self._theta, self._step = np.empty(shape, self._array.dtype)
        points = self._theta, self._step
        _run(kernels().probe, self._array, *row, float(alpha), by_sign, *points)

    def move_to(self, direction: Any) -> None:
        """Write one of the three, an int, to the table."""
        sign, array = direction - 1, self._array
        if sign:
            points = self._theta, sign, self._step
            _run(kernels().put_sum, array, self._touched, *points)
        else:
            _run(kernels().put, array, self._touched, self._theta)


def _is_table(table: Tensor) -> bool:
    return table.ndim == 2 and table.shape[0] < 2**31 and is_plain(table)


def is_plain(tensor: Tensor) -> bool:
    """Whether kernels can read and write it."""
    on_cpu = tensor.device.type == "cpu"
    return on_cpu and tensor.dtype in _TYPES and tensor.is_contiguous()


def _flat(values: Tensor) -> tuple[np.ndarray, int]:
    """Rows (B, n_columns) as one column of memory, and the stride between them."""
    n_rows, n_columns = values.shape
    if values.stride(1) != 1:
        values = values.contiguous()
    if values.is_contiguous():
        return values.numpy().reshape(-1), n_columns
    stride = values.stride(0)
    size = (n_rows - 1) * stride + n_columns if n_rows else 0
    return values.as_strided((size,), (1,)).numpy(), stride


def _run(kernel: Any, *arguments: Any) -> Any:
    try:
        return kernel(*arguments)
    except (OSError, EOFError, UnpicklingError):
        # Before it has done anything: what was compiled cannot be kept (a full disk),
        # or what was kept cannot be read (damaged, or somebody else's).
        kernel._cache.disable()
        return kernel(*arguments)
