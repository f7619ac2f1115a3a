"""Gradient descent that touches, of a table, only the rows of the batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._row_gradients import put_rows
from ._rowwise_optimizer import RowwiseOptimizer


class RowwiseSGD(RowwiseOptimizer):
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

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def step_group(self, group: dict[str, Any]) -> None:
        with_gradient = [p for p in group["params"] if p.grad is not None]
        tables = [p for p in with_gradient if p.grad.is_sparse]
        if self._compiled.cover(tables):
            self._compiled.sgd(tables, group)
        else:
            self._step_tables(tables, group)
        self._step_dense([p for p in with_gradient if not p.grad.is_sparse], group)

    def _step_dense(self, dense: list[Any], group: dict[str, Any]) -> None:
        for p in dense:
            p.sub_(p.grad.add(p, alpha=group["weight_decay"]), alpha=group["lr"])

    def _step_tables(self, tables: list[Any], group: dict[str, Any]) -> None:
        lr, weight_decay = group["lr"], group["weight_decay"]
        for p, row in zip(tables, self._sums_by_row([p.grad for p in tables])):
            values = p.index_select(0, row.codes)
            gradient = row.values.add(values * row.is_known, alpha=weight_decay)
            put_rows(p, row.codes, values.sub_(gradient, alpha=lr))
