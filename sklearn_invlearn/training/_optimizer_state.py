"""The memory of an optimiser, by name of the parameter it is about."""

from __future__ import annotations

from typing import Any

import torch

from ._net import PairNet

# Parameter -> entry (exp_avg, step, ...) -> tensor or number.
OptimizerState = dict[str, dict[str, Any]]


def optimizer_state(net: PairNet) -> OptimizerState:
    """Return the state of the net's optimiser; empty if it has taken no step."""
    state = net.optimizer_.state
    named = net.module_.named_parameters()
    return {name: state[p] for name, p in named if state.get(p)}


@torch.no_grad()
def set_optimizer_state(net: PairNet, state: OptimizerState) -> None:
    """Copy `state` into the net's optimiser.

    A tensor with fewer rows than its parameter gets rows of zeros: the optimiser
    knows nothing of them.
    """
    for name, parameter in net.module_.named_parameters():
        if name in state:
            entries = state[name]
            net.optimizer_.state[parameter] = {
                key: _fitting(value, parameter) for key, value in entries.items()
            }


def _fitting(value: Any, parameter: torch.Tensor) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if not value.ndim:  # a step counter, which optimisers keep where they like
        return value.clone()
    n_new = len(parameter) - len(value)
    new = value.new_zeros((n_new, *value.shape[1:]))
    return torch.cat([value, new]).to(parameter.device)
