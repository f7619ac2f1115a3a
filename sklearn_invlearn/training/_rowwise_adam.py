"""Adam that updates, of a table, only the rows that a batch has touched.

Dense Adam passes over all rows of all tables at every step, whatever the size of the
batch. Here a table's moments and values change where its gradient has rows, and
nowhere else ("lazy" Adam). Parameters with dense gradients get ordinary Adam.

What differs from dense Adam: a row that a batch does not touch keeps its moments (dense
Adam decays them) and its values (dense Adam goes on moving it by the momentum
of earlier batches). The bias correction counts the steps of the optimiser, not those
of the row. Where every step touches every row, the two are the same, and so is the
first step of all rows it touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

from ._compiled_rows import is_plain
from ._row_gradients import RowGradient, put_rows
from ._rowwise_optimizer import RowwiseOptimizer

_NUMBERS_AT_A_TIME = 131_072  # half a MiB in single precision


class RowwiseAdam(RowwiseOptimizer):
    """Adam (Kingma & Ba, ICLR 2015), row by row for sparse gradients.

    The state of a parameter has the names and shapes of `torch.optim.Adam`: ``step``,
    ``exp_avg``, ``exp_avg_sq``. Row 0 of a table, that of unknown ids, never moves.

    Parameters
    ----------
    params : iterable of parameters or of groups
        What to optimise.
    lr : float, default=0.001
        Learning rate.
    betas : tuple of two floats, default=(0.9, 0.999)
        Decay of the moments.
    eps : float, default=1e-8
        Added to the denominator; positive, or rows without gradient would be NaN.
    weight_decay : float, default=0.0
        L2 penalty, of a table on the touched rows only.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not eps > 0.0:
            raise ValueError(f"eps={eps}: RowwiseAdam needs a positive one, as 1e-8.")
        # "fused" makes load_state_dict keep `step` on the device of its parameter.
        defaults = {"lr": lr, "betas": betas, "eps": eps, "fused": True}
        super().__init__(params, defaults | {"weight_decay": weight_decay})

    def step_group(self, group: dict[str, Any]) -> None:
        tables, dense = _by_gradient(group["params"])
        if self._compiled.cover(tables):
            tables += filter(is_plain, dense)
            self._compiled.adam(tables, map(self._state_of, tables), group)
            dense = [p for p in dense if not is_plain(p)]
        else:
            self._step_tables(tables, group)
        self._step_dense(dense, group)

    def _step_dense(self, dense: list[Tensor], group: dict[str, Any]) -> None:
        gradients: list[Any] = [p.grad for p in dense]
        if weight_decay := group["weight_decay"]:
            gradients = [g.add(p, alpha=weight_decay) for p, g in zip(dense, gradients)]
        self._adam(dense, self._tensors_of(dense), gradients, group)

    def _step_tables(self, tables: list[Tensor], group: dict[str, Any]) -> None:
        sparse: list[Any] = [p.grad for p in tables]
        rows = self._sums_by_row(sparse)
        for few in _few_at_a_time(tables):
            self._step_rows(few, list(islice(rows, len(few))), group)

    def _step_rows(
        self, tables: list[Tensor], rows: list[RowGradient], group: dict[str, Any]
    ) -> None:
        # Touched rows are taken out, updated by the same kernel as dense parameters,
        # and put back. Row 0 has no gradient and no moments, so it stays where it is.
        whole = self._tensors_of(tables)
        taken = [
            [tensor.index_select(0, row.codes) for tensor in tensors]
            for tensors, row in zip(whole, rows)
        ]
        if weight_decay := group["weight_decay"]:
            for (values, *_), row in zip(taken, rows):
                row.values.add_(values * row.is_known, alpha=weight_decay)
        self._adam(tables, taken, [row.values for row in rows], group)
        for tensors, row, updated in zip(whole, rows, taken):
            for tensor, values in zip(tensors, updated):
                put_rows(tensor, row.codes, values)

    def _tensors_of(self, parameters: list[Tensor]) -> list[list[Tensor]]:
        """Parameter and both moments of each of `parameters`."""
        states = [self._state_of(p) for p in parameters]
        return [
            [p, state["exp_avg"], state["exp_avg_sq"]]
            for p, state in zip(parameters, states)
        ]

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        state = self.state[parameter]
        if not state:
            # All at once: an interrupt leaves no part. The step is in single precision,
            # whatever the default: so the fused kernels read it.
            state.update(
                step=torch.zeros((), dtype=torch.float32, device=parameter.device),
                exp_avg=torch.zeros_like(parameter),
                exp_avg_sq=torch.zeros_like(parameter),
            )
        return state

    def _adam(
        self,
        parameters: list[Tensor],
        tensors: list[list[Tensor]],
        gradients: list[Tensor],
        group: dict[str, Any],
    ) -> None:
        """Update (parameter, exp_avg, exp_avg_sq) in place by torch's own Adam."""
        if not tensors:
            return
        values, exp_avgs, exp_avg_sqs = map(list, zip(*tensors))
        fused = values[0].device.type in ("cpu", "cuda")
        adam(
            values,
            gradients,
            exp_avgs,
            exp_avg_sqs,
            [],
            [self.state[p]["step"] for p in parameters],
            fused=fused,
            foreach=not fused,
            capturable=False,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=0.0,  # is in the gradients
            eps=group["eps"],
            maximize=False,
        )


def _by_gradient(parameters: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Those with a sparse gradient, and those with a dense one."""
    by_kind: dict[bool, list[Tensor]] = {True: [], False: []}
    for p in parameters:
        if p.grad is not None:
            by_kind[p.grad.is_sparse].append(p)
    return by_kind[True], by_kind[False]


def _few_at_a_time(tables: list[Tensor]) -> Iterator[list[Tensor]]:
    """Tables whose touched rows stay in the cache until they are put back.

    All of them on a GPU, where what costs is the number of calls.
    """
    if any(p.device.type != "cpu" for p in tables):
        yield tables
        return
    few: list[Tensor] = []
    n_numbers = 0
    for p in tables:
        assert p.grad is not None
        n_more = p.grad._values().numel()
        if few and n_numbers + n_more > _NUMBERS_AT_A_TIME:
            yield few
            few, n_numbers = [], 0
        few.append(p)
        n_numbers += n_more
    if few:
        yield few
