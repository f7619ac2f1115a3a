"""Gradient descent that touches, of a table, only the rows of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from ._compiled_rows import CompiledRows
from ._row_gradients import SumsByRow, put_rows


class RowwiseSGD(Optimizer):
    """Plain gradient descent, row by row for sparse gradients.

    The same steps as `torch.optim.SGD` without momentum, but for `weight_decay`, which
    decays of a table the touched rows only. Row 0 of a table, that of unknown
    ids, never moves.

    Parameters
    ----------
    params : iterable of parameters or of groups
        What to optimise.
    lr : float, default=0.001
        Learning rate.
    weight_decay : float, default=0.0
        L2 penalty.
    """

    takes_row_gradients = True

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self._forget_scratch()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._forget_scratch()

    def _forget_scratch(self) -> None:
        self._sums_by_row = SumsByRow()
        self._compiled = CompiledRows()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; `closure`, if any, computes the loss again."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None]
            tables = [p for p in with_gradient if p.grad.is_sparse]
            if self._compiled.cover(tables):
                self._compiled.sgd(tables, group)
            else:
                self._step_tables(tables, group)
            self._step_dense([p for p in with_gradient if not p.grad.is_sparse], group)
        return loss

    def _step_dense(self, dense: list[Any], group: dict[str, Any]) -> None:
        for p in dense:
            p.sub_(p.grad.add(p, alpha=group["weight_decay"]), alpha=group["lr"])

    def _step_tables(self, tables: list[Any], group: dict[str, Any]) -> None:
        lr, weight_decay = group["lr"], group["weight_decay"]
        for p, row in zip(tables, self._sums_by_row([p.grad for p in tables])):
            values = p.index_select(0, row.codes)
            gradient = row.values.add(values * row.is_known, alpha=weight_decay)
            put_rows(p, row.codes, values.sub_(gradient, alpha=lr))
