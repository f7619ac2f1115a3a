"""Train what an update names; the rows of all other ids stay as they were."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..modules import Sides, Snapshot, freeze_shared
from ..training import (
    PairNet,
    Pairs,
    TrainingData,
    optimizer_state,
    put_rows_back,
    set_optimizer_state,
)

_IN_PART = "backbone."  # how the names of a part's parameters begin


def train_whole(
    net: PairNet,
    data: TrainingData,
    given: Pairs,
    n_rows: tuple[int, int],
    n_known: tuple[int, int],
    sides: Sides,
    keep_shared: bool,
) -> None:
    """Train, then put back all rows of ids that are in none of the `given` pairs.

    Parameters
    ----------
    n_rows : (n_users, n_items)
        Rows of the tables.
    n_known : (n_users, n_items)
        Rows before this update.
    sides : dict
        Of the tensors of the module, see :func:`table_sides`.
    keep_shared : bool
        Whether what is no row of a table stays, too.
    """
    untouched = _others(given.user, n_rows[0]), _others(given.item, n_rows[1])
    before = Snapshot(net.module_, sides)
    memory = {
        name: {k: _cloned(v) for k, v in entries.items()}
        for name, entries in optimizer_state(net).items()
    }
    frozen = freeze_shared(net.module_, sides) if keep_shared else []
    held = hasattr(net.module_, "hold")
    if held:
        users, items = (torch.arange(n, device=given.user.device) for n in n_rows)
        net.module_.hold(users < n_known[0], items < n_known[1], _strength(net, data))
    net.partial_fit(data)
    if held:
        net.module_.release()
    for parameter in frozen:
        parameter.requires_grad_(True)
    before.put_back(net.module_, untouched, shared=keep_shared)
    rows = {name: untouched[side] for name, side in sides.items()}
    put_rows_back(net, memory, rows)


def codes_read(data: TrainingData, given: Pairs) -> tuple[Tensor, Tensor]:
    """Users and items, ascending, that training asks for, and the unknown ones."""
    pairs = [given] if data.held_out is None else [given, data.held_out.pairs]
    unknown = given.user.new_zeros(1)
    users = torch.cat([unknown, *(p.user for p in pairs)]).unique()
    return users, torch.cat([unknown, *(p.item for p in pairs)]).unique()


def train_part(
    net: PairNet,
    part_net: PairNet,
    data: TrainingData,
    given: Pairs,
    n_known: tuple[int, int],
    keep_shared: bool,
) -> None:
    """Train a part of the module of `net`, which takes over what has changed.

    The same steps as those of :func:`train_whole`, but for rounding, at a cost that
    does not grow with the tables: a prior has a gradient, and moments, in every row.

    Parameters
    ----------
    part_net : PairNet
        Of a :class:`Part` with :func:`codes_read`.
    """
    part_net.resume(net)
    part: Any = part_net.module_
    memory = {
        _IN_PART + name: {
            key: _taken(v, part.rows_of(name)) for key, v in state.items()
        }
        for name, state in optimizer_state(net).items()
    }
    set_optimizer_state(part_net, memory)
    sides = {_IN_PART + name: side for name, side in part.sides.items()}
    frozen = freeze_shared(part, sides) if keep_shared else []
    if hasattr(part.backbone, "hold"):
        known = part.users < n_known[0], part.items < n_known[1]
        part.backbone.hold(*known, _strength(net, data))
    part_net.partial_fit(data)
    for parameter in frozen:
        parameter.requires_grad_(True)
    _take_over(net, part_net, given)
    net.history_ = part_net.history_
    for name in net.counts:
        setattr(net, name, getattr(part_net, name))


def _strength(net: PairNet, data: TrainingData) -> float:
    """Of a prior that the net divides by all labelled rows so far, for those of a call.

    Rows that are known have a prior around what the earlier labels have told, so that
    it is due in every call; newcomers have all their labels in this one.
    """
    n_rows = data.n_earlier + len(data.all_labelled)
    return n_rows / (n_rows - net.n_labelled_)


@torch.no_grad()
def _take_over(net: PairNet, part_net: PairNet, given: Pairs) -> None:
    """Copy rows of the `given` ids, and what is shared, and the memory of both."""
    part: Any = part_net.module_
    is_given = torch.isin(part.users, given.user), torch.isin(part.items, given.item)

    def put(new: Tensor, name: str, old: Tensor) -> None:
        rows = part.rows_of(name)
        if rows is None:  # shared by all pairs
            old.copy_(new)
            return
        changed = is_given[part.sides[name]]
        old[rows[changed].to(old.device)] = new[changed.to(new.device)]

    weights = net.module_.state_dict()
    for name, tensor in part.backbone.state_dict().items():
        put(tensor, name, weights[name])
    parameters = dict(net.module_.named_parameters())
    for in_part, entries in optimizer_state(part_net).items():
        name = in_part.removeprefix(_IN_PART)
        parameter = parameters[name]
        memory = net.optimizer_.state[parameter]
        for key, value in entries.items():
            if not _is_by_row(value):  # a counter of steps
                memory[key] = value
                continue
            if key not in memory:  # nothing is known of rows that have not moved
                memory[key] = torch.zeros_like(parameter)
            put(value, name, memory[key])


def _others(codes: Tensor, n_rows: int) -> Tensor:
    mask = torch.ones(n_rows, dtype=torch.bool, device=codes.device)
    mask[codes] = False
    return mask.nonzero()[:, 0]


def _cloned(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _is_by_row(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0


def _taken(value: Any, rows: Tensor | None) -> Any:
    """`rows` of an entry of an optimiser's memory, where it has any."""
    if rows is None or not _is_by_row(value):
        return value
    return value[rows.to(value.device)]
