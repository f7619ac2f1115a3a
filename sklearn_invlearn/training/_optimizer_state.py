"""The memory of an optimiser, by name of the parameter it is about."""

from __future__ import annotations

from typing import Any

import torch

# Parameter -> entry (exp_avg, step, ...) -> tensor or number.
OptimizerState = dict[str, dict[str, Any]]


def optimizer_state(net: Any) -> OptimizerState:
    """Return the state of the net's optimiser; empty if it has taken no step."""
    state = net.optimizer_.state
    named = net.module_.named_parameters()
    return {name: state[p] for name, p in named if state.get(p)}


@torch.no_grad()
def set_optimizer_state(net: Any, state: OptimizerState) -> None:
    """Copy `state` into the net's optimiser.

    A tensor with fewer rows than its parameter gets rows of zeros: the optimiser
    knows nothing of them.
    """
    defaults = net.optimizer_.defaults
    on_device = bool(defaults.get("fused") or defaults.get("capturable"))
    for name, parameter in net.module_.named_parameters():
        if name in state:
            entries = state[name]
            net.optimizer_.state[parameter] = {
                key: _fitting(value, parameter, on_device)
                for key, value in entries.items()
            }


@torch.no_grad()
def put_rows_back(
    net: Any, before: OptimizerState, rows: dict[str, torch.Tensor]
) -> None:
    """Restore the optimiser's memory of some `rows` of each parameter."""
    for name, entries in optimizer_state(net).items():
        for key, value in entries.items():
            if name in rows and _is_by_row(value):
                old = before.get(name, {}).get(key)
                kept = rows[name]
                known = kept if old is None else kept[kept < len(old)]
                value[kept] = 0
                if old is not None:
                    value[known] = old[known].to(value.device)


def _is_by_row(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim > 0


def _fitting(value: Any, parameter: torch.Tensor, on_device: bool) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if not value.ndim:  # a step counter
        return value.to(parameter.device if on_device else "cpu", copy=True)
    n_new = len(parameter) - len(value)
    new = value.new_zeros((n_new, *value.shape[1:]))
    return torch.cat([value, new]).to(parameter.device)
