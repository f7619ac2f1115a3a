"""What optimisers that take gradients by row have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from ._compiled_rows import CompiledRows
from ._row_gradients import SumsByRow


class RowwiseOptimizer(Optimizer):
    """Base of optimisers that move, of a table, only the rows of the batch.

    A subclass overrides :meth:`step_group`.
    """

    takes_row_gradients = True

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        super().__init__(params, defaults)
        self._forget_scratch()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._forget_scratch()

    def _forget_scratch(self) -> None:
        self._sums_by_row = SumsByRow()
        self._compiled = CompiledRows()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        # torch keeps its own out of compiled graphs by a wrapper that loads torch's
        # compiler, 1.4 s in the first fit of every process.
        inspect.unwrap(Optimizer.add_param_group)(self, param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; `closure`, if any, computes the loss again."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self.step_group(group)
        return loss

    def step_group(self, group: dict[str, Any]) -> None:
        """Move the parameters of one group along their gradients."""
        raise NotImplementedError
