"""Rows for new users and items, and rows that an update must not touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

USER, ITEM = 0, 1

# Builds a module, with weights still to be set, of (n_users, n_items).
Make = Callable[[int, int], nn.Module]
Sides = dict[str, int]


def table_sides(make: Make) -> Sides:
    """Return the names of all tensors with a row per user (0) or per item (1).

    Found by building the module in two small sizes and comparing shapes, so that it
    serves modules of any kind. A name that is not returned is shared by all pairs.

    Raises
    ------
    ValueError
        If the sizes change the shape of a tensor in another way.
    """
    small, large = make(5, 7), make(6, 9)
    sizes = {(5, 6): USER, (7, 9): ITEM}
    sides = {}
    for name, tensor in small.state_dict().items():
        other = large.state_dict()[name]
        if tensor.shape == other.shape:
            continue
        side = sizes.get((len(tensor), len(other)))
        if side is None or tensor.shape[1:] != other.shape[1:]:
            raise ValueError(
                f"{type(small).__name__} cannot be given rows for new users and items: "
                f"the shape of {name!r} depends on their numbers, but not as one row "
                "(the first axis) for every user or every item."
            )
        sides[name] = side
    return sides


@torch.no_grad()
def grow(
    new: nn.Module, old: nn.Module, sides: Sides, sizes: tuple[int, int], *, drawn: bool
) -> None:
    """Copy all that `old` holds to the larger `new`; rows it lacks get a start.

    Parameters
    ----------
    sizes : (n_users, n_items)
        Rows of the tables of `old`.
    drawn : bool
        Whether newcomers start at the average (row 0) plus what `new` has drawn for
        them, which is what a fit would start from; else at row 0 itself.

    Raises
    ------
    ValueError
        If the two are not of the same kind.
    """
    _copy_history(new, old)  # for its length
    before, after = old.state_dict(), new.state_dict()
    averaged = {
        f"{name}.weight"
        for name, part in new.named_modules()
        if isinstance(part, nn.Embedding)
    }
    for name in before.keys() | after.keys():
        if not _match(before.get(name), after.get(name), name in sides):
            raise ValueError(
                f"{name!r} of the backbone has another shape than before: the backbone "
                "or its parameters were changed since `fit`. Undo that, or fit anew."
            )
        if name not in sides:
            after[name].copy_(before[name])
            continue
        n, average = sizes[sides[name]], before[name][0].to(after[name].device)
        after[name][:n].copy_(before[name])
        if not drawn:
            after[name][n:] = average
        elif name in averaged:
            after[name][n:] += average
    _copy_history(new, old)  # a module may number pairs by its sizes


def _match(before: Tensor | None, after: Tensor | None, is_table: bool) -> bool:
    if before is None or after is None:
        return False
    start = 1 if is_table else 0
    return before.shape[start:] == after.shape[start:]


def _copy_history(new: nn.Module, old: nn.Module) -> None:
    """Hand on observed positives, for modules that score by them."""
    if hasattr(old, "history"):
        cast(Any, new).set_history(old.history)


class Snapshot:
    """The state of a module before an update, to put back what must not change."""

    def __init__(self, module: nn.Module, sides: Sides) -> None:
        self.sides = sides
        self.state = {k: v.clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def put_back(
        self, module: nn.Module, untouched: tuple[Tensor, Tensor], *, shared: bool
    ) -> None:
        """Restore the rows `untouched` (codes of users, of items), and shared parts.

        Parameters
        ----------
        shared : bool
            Whether what is not a table is restored, too.
        """
        for name, tensor in module.state_dict().items():
            if name in self.sides:
                rows = untouched[self.sides[name]]
                tensor[rows] = self.state[name][rows]
            elif shared:
                tensor.copy_(self.state[name])


def freeze_shared(module: nn.Module, sides: Sides) -> list[nn.Parameter]:
    """Take the shared parameters out of training; return those it was in."""
    frozen = [
        parameter
        for name, parameter in module.named_parameters()
        if name not in sides and parameter.requires_grad
    ]
    for parameter in frozen:
        parameter.requires_grad_(False)
    return frozen
