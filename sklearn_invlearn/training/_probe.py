"""The three points of the inverse gradient: θ - α∘g, θ and θ + α∘g."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ._row_gradients import SumsByRow

# The order decides ties: direct, then pass.
DIRECTIONS = ("direct", "pass", "inverse")
DIRECT, PASS, INVERSE = range(3)


class _Part(NamedTuple):
    """What the probe moves of one parameter: rows of a table, or all of it."""

    parameter: Tensor
    codes: Tensor | None
    values: tuple[Tensor, Tensor, Tensor]  # in the order of DIRECTIONS


class Probe:
    """Moves a model between θ - α∘g, θ and θ + α∘g, in place.

    Of a table with a sparse gradient only the rows in which g is not zero are read and
    written; everything else is copied whole. What was at θ comes back exactly.

    Parameters
    ----------
    gradient : iterable of (parameter, Tensor)
        g, dense or sparse; parameters that are not in it stay.
    alpha : float
        Size of the step.
    probe : {"sgd", "sign"}
        Step along g, or along its sign.
    sums_by_row : SumsByRow
        Adds up the gradient of a row that comes more than once.
    """

    def __init__(
        self,
        gradient: Iterable[tuple[Tensor, Tensor]],
        alpha: float,
        probe: str,
        sums_by_row: SumsByRow,
    ) -> None:
        gradient = list(gradient)
        dense = [
            (p, None, p.detach().clone(), g) for p, g in gradient if not g.is_sparse
        ]
        tables = [(p, g) for p, g in gradient if g.is_sparse]
        rows = sums_by_row([g for _, g in tables])
        sparse = [
            (p, row.codes, p.detach().index_select(0, row.codes), row.values)
            for (p, _), row in zip(tables, rows)
        ]
        self._parts = []
        for p, codes, theta, g in (*dense, *sparse):
            step = g.sign() if probe == "sign" else g
            values = (theta - alpha * step, theta, theta + alpha * step)
            self._parts.append(_Part(p, codes, values))

    @torch.no_grad()
    def move_to(self, direction: int | Tensor) -> None:
        """Write one of the three points into the model.

        A tensor () stays on its device: the choice is made by `torch.where`.
        """
        for parameter, codes, values in self._parts:
            if isinstance(direction, Tensor):
                chosen = _select(direction, values)
            else:
                chosen = values[direction]
            if codes is None:
                parameter.copy_(chosen)
            else:
                parameter.index_put_((codes,), chosen)


def _select(choice: Tensor, values: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """`values[choice]` without bringing `choice` to the CPU."""
    direct, stay, inverse = values
    return torch.where(
        choice == DIRECT, direct, torch.where(choice == PASS, stay, inverse)
    )
