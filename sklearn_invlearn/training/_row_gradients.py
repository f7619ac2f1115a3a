"""Gradients of tables as the rows that a batch has looked up.

A lookup with ``sparse=True`` leaves one gradient row per pair, and a user who
comes twice in a batch comes twice among them. `SumsByRow` adds these up without
sorting, without reading anything back from the device, and with shapes that depend on
the batch alone: each pair writes its position to a scratch column at its code, so
that all pairs of a row read the same position from there, and sum there.
"""

from __future__ import annotations

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
        Touched rows; one may come more than once, and row 0 if nothing touched it.
    values : Tensor of shape (B, n_columns)
        Gradient of the row, complete wherever the row comes; zero for row 0.
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

    def __call__(self, gradients: list[Tensor]) -> list[RowGradient]:
        """Return the rows of sparse `gradients`; tables with the same codes share."""
        slots: dict[tuple[int, int, int], Tensor] = {}
        rows = []
        for gradient in gradients:
            n_rows, codes = len(gradient), gradient._indices()[0]
            if len(codes) > n_rows:
                rows.append(_in_whole_table(codes, gradient))
                continue
            key = (codes.data_ptr(), len(codes), n_rows)
            if key not in slots:
                slots[key] = self._slot(codes, n_rows)
            rows.append(RowGradient(codes, _in_slots(slots[key], gradient)))
        return rows

    def _slot(self, codes: Tensor, n_rows: int) -> Tensor:
        """Position (B,) shared by all pairs of a row; B for pairs of row 0."""
        scratch = self._scratch.get((n_rows, codes.device))
        if scratch is None:
            scratch = torch.empty(n_rows, dtype=torch.int64, device=codes.device)
            self._scratch[n_rows, codes.device] = scratch
        position = torch.arange(len(codes), device=codes.device)
        scratch.scatter_(0, codes, position)  # of a row's positions any one will do
        scratch[UNKNOWN].fill_(len(codes))
        return scratch.index_select(0, codes)


def _in_slots(slot: Tensor, gradient: Tensor) -> Tensor:
    values = gradient._values()
    sums = values.new_zeros(len(values) + 1, values.shape[1])
    sums.index_add_(0, slot, values)
    sums[-1].zero_()
    return sums.index_select(0, slot)


def _in_whole_table(codes: Tensor, gradient: Tensor) -> RowGradient:
    """Sum more lookups than the table has rows; untouched rows stand as row 0."""
    n_rows, values = len(gradient), gradient._values()
    sums = values.new_zeros(n_rows, values.shape[1]).index_add_(0, codes, values)
    sums[UNKNOWN].zero_()
    touched = codes.new_zeros(n_rows).index_fill_(0, codes, 1)
    return RowGradient(touched * torch.arange(n_rows, device=codes.device), sums)


def use_row_gradients(module: Any, flag: bool) -> None:
    """Make the package's tables in `module` leave sparse or dense gradients."""
    for table in module.modules():
        if hasattr(table, "unknown_row"):
            table.sparse = flag
