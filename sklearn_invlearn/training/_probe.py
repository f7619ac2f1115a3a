"""The three points of the inverse gradient: θ - α∘g, θ and θ + α∘g."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ._row_gradients import SumsByRow, put_rows

# The order decides ties: direct, then pass.
DIRECTIONS = ("direct", "pass", "inverse")
DIRECT, PASS, INVERSE = range(3)


class _Part(NamedTuple):
    """What the probe moves of one parameter: rows of a table, or all of it."""

    parameter: Tensor
    codes: Tensor | None
    points: Tensor  # (3, *shape), in the order of DIRECTIONS


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
        tables = [(p, g) for p, g in gradient if g.is_sparse]
        self._parts = [
            _Part(p, None, _points(p, g, alpha, probe))
            for p, g in gradient
            if not g.is_sparse
        ]
        for (p, _), row in zip(tables, sums_by_row([g for _, g in tables])):
            theta = p.detach().index_select(0, row.codes)
            points = _points(theta, row.values, alpha, probe)
            self._parts.append(_Part(p, row.codes, points))

    @torch.no_grad()
    def move_to(self, direction: int | Tensor) -> None:
        """Write one of the three points into the model.

        A tensor () stays on its device: it indexes the points there.
        """
        for parameter, codes, points in self._parts:
            if isinstance(direction, Tensor):
                chosen = points.index_select(0, direction.reshape(1))[0]
            else:
                chosen = points[direction]
            if codes is None:
                parameter.copy_(chosen)
            else:
                put_rows(parameter, codes, chosen)


@torch.no_grad()
def _points(theta: Tensor, g: Tensor, alpha: float, probe: str) -> Tensor:
    """θ - α∘g, θ and θ + α∘g, shape (3, *shape)."""
    step = g.sign() if probe == "sign" else g
    # -α, 0, α, in the order of DIRECTIONS
    size = alpha * torch.arange(-1, 2, dtype=theta.dtype, device=theta.device)
    points = torch.addcmul(theta, step, size.view(3, *[1] * theta.ndim))
    points[PASS] = theta  # bit by bit; and 0 times an infinite step is not 0
    return points
