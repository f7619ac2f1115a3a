"""Gradients of tables as the rows that a batch has looked up.

A lookup with ``sparse=True`` leaves one gradient row per pair, and a user who
comes twice in a batch comes twice among them. `SumsByRow` adds these up without
sorting, without reading anything back from the device, and with shapes that depend on
the batch alone: each pair writes its position to a scratch column at its code, so
that all pairs of a row read the same position from there, and sum there. The pair at
that position stands for the row; the others stand for row 0, which never moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

UNKNOWN = 0  # the row of unknown ids, which never moves


@dataclass(frozen=True)
class RowGradient:
    """Gradient of the rows of a table that a batch has touched.

    Attributes
    ----------
    codes : Tensor of shape (B,), int64
        Touched rows, every known one once; row 0 in all other places.
    values : Tensor of shape (B, n_columns)
        Gradient of the row; zero for row 0.
    """

    codes: Tensor
    values: Tensor

    @property
    def is_known(self) -> Tensor:
        """Whether a row is that of a known id, shape (B, 1)."""
        return (self.codes != UNKNOWN).unsqueeze(1)


class SumsByRow:
    """Sums sparse gradients by row, see the head of this file.

    It keeps one int64 per row of each table size as scratch.
    """

    def __init__(self) -> None:
        self._scratch: dict[tuple[int, torch.device], Tensor] = {}

    def __reduce__(self) -> Any:
        return SumsByRow, ()  # scratch is not state, and its device may not be there

    def __call__(self, gradients: list[Tensor]) -> Iterator[RowGradient]:
        """Yield the rows of sparse `gradients`; tables with the same codes share."""
        slots: dict[tuple[int, int, int], tuple[Tensor, Tensor]] = {}
        for gradient in gradients:
            n_rows, codes = gradient.shape[0], gradient._indices()[0]
            if len(codes) > n_rows:
                yield _in_whole_table(codes, gradient)
                continue
            key = (codes.data_ptr(), len(codes), n_rows)
            if key not in slots:
                slots[key] = self._slots(codes, n_rows)
            slot, once = slots[key]
            yield RowGradient(once, _in_slots(slot, gradient))

    def _slots(self, codes: Tensor, n_rows: int) -> tuple[Tensor, Tensor]:
        """Position (B,) where the pairs of a row meet, B for those of row 0.

        And the codes (B,) that have met there: row 0 where none have.
        """
        scratch = self._scratch.get((n_rows, codes.device))
        if scratch is None:
            scratch = torch.empty(n_rows, dtype=torch.int64, device=codes.device)
            self._scratch[n_rows, codes.device] = scratch
        position = torch.arange(len(codes), device=codes.device)
        scratch.scatter_(0, codes, position)  # of a row's positions any one will do
        scratch[UNKNOWN].fill_(len(codes))
        slot = scratch.index_select(0, codes)
        return slot, torch.where(slot == position, codes, UNKNOWN)


def _in_slots(slot: Tensor, gradient: Tensor) -> Tensor:
    values = gradient._values()
    sums = values.new_zeros(len(values) + 1, values.shape[1])
    return sums.index_add_(0, slot, values)[:-1]


def _in_whole_table(codes: Tensor, gradient: Tensor) -> RowGradient:
    """Sum more lookups than the table has rows; untouched rows stand as row 0."""
    n_rows, values = len(gradient), gradient._values()
    sums = values.new_zeros(n_rows, values.shape[1]).index_add_(0, codes, values)
    sums[UNKNOWN].zero_()
    touched = codes.new_zeros(n_rows).index_fill_(0, codes, 1)
    return RowGradient(touched * torch.arange(n_rows, device=codes.device), sums)


def put_rows(table: Tensor, codes: Tensor, values: Tensor) -> None:
    """Write rows (B, n_columns) to `table`, without autograd.

    Rows of equal codes have to be equal.
    """
    unit = 16 // table.element_size()
    fits = not table.shape[1] % unit and not table.storage_offset() % unit
    if fits and table.device.type == "cpu" and table.is_contiguous():
        # torch copies number by number, so numbers of 16 bytes take half the time.
        table, values = table.view(torch.complex128), values.view(torch.complex128)
    table.index_copy_(0, codes, values)


def use_row_gradients(module: Any, flag: bool) -> None:
    """Make the package's tables in `module` leave sparse or dense gradients."""
    for table in module.modules():
        if hasattr(table, "unknown_row"):
            table.sparse = flag
