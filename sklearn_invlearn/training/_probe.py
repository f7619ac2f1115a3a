"""The three points of the inverse gradient: θ - α∘g, θ and θ + α∘g."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ._compiled_rows import CompiledPoints, CompiledRows, is_plain
from ._row_gradients import SumsByRow, put_rows

# The order decides ties: direct, then pass.
DIRECTIONS = ("direct", "pass", "inverse")
DIRECT, PASS, INVERSE = range(3)


class _Part(NamedTuple):
    """Three points of a parameter or, with codes, of some rows of a table."""

    parameter: Tensor
    codes: Tensor | None
    points: list[Tensor]  # in the order of DIRECTIONS

    def move_to(self, direction: int | Tensor) -> None:
        if isinstance(direction, Tensor):
            points = torch.stack(self.points)
            chosen = points.index_select(0, direction.reshape(1))[0]
        else:
            chosen = self.points[direction]
        if self.codes is None:
            self.parameter.data.copy_(chosen)
        else:
            put_rows(self.parameter.data, self.codes, chosen)


class Probe:
    """Moves a model between θ - α∘g, θ and θ + α∘g, in place.

    Of a table with a sparse gradient only the rows in which g is not zero are read and
    written; everything else is copied whole. What was at θ comes back exactly. Moves go
    past autograd's count of changes: a forward pass may be differentiated, if the model
    is back at the point where it was made.

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
    compiled : CompiledRows
        Does so, and the moves, for the tables it covers.
    """

    @torch.no_grad()
    def __init__(
        self,
        gradient: Iterable[tuple[Tensor, Tensor]],
        alpha: float,
        probe: str,
        sums_by_row: SumsByRow,
        compiled: CompiledRows,
    ) -> None:
        gradient = list(gradient)
        by_row = [(p, g) for p, g in gradient if g.is_sparse]
        dense = [(p, g) for p, g in gradient if not g.is_sparse]
        self._parts: list[_Part | CompiledPoints] = []
        self.is_compiled = compiled.cover([p for p, _ in by_row])
        if self.is_compiled:
            plain = by_row + [(p, g) for p, g in dense if is_plain(p)]
            self._parts += compiled.points(plain, alpha, probe == "sign")
            by_row, dense = [], [(p, g) for p, g in dense if not is_plain(p)]
        for (p, _), row in zip(by_row, sums_by_row([g for _, g in by_row])):
            points = _points(p.index_select(0, row.codes), row.values, alpha, probe)
            self._parts.append(_Part(p, row.codes, points))
        for p, g in dense:
            self._parts.append(_Part(p, None, _points(p, g, alpha, probe)))

    @torch.no_grad()
    def move_to(self, direction: int | Tensor) -> None:
        """Write one of the three points into the model.

        A tensor () stays on its device, and indexes the points there; compiled passes,
        which are on the CPU, read it.
        """
        if self.is_compiled:  # on the CPU, where nothing waits for an int
            direction = int(direction)
        for part in self._parts:
            part.move_to(direction)


def _points(theta: Tensor, g: Tensor, alpha: float, probe: str) -> list[Tensor]:
    """θ - α∘g, θ and θ + α∘g."""
    step = g.sign() if probe == "sign" else g
    # θ is a copy: 0 times an infinite step would not be 0.
    return [theta.sub(step, alpha=alpha), theta.clone(), theta.add(step, alpha=alpha)]
