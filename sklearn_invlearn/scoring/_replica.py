"""A module that computes in double precision, of the same tables.

Single precision would make the score of a pair depend on the size of the batch it
is in, by rounding. The tables of a large model are not copied for this: only the
rows that are looked up, and the other (small) parameters, are promoted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def in_double_precision(
    module: nn.Module, method: str = "forward"
) -> Callable[..., Any]:
    """Return `module.method` as a function of codes that computes in float64.

    It is the method of a replica in evaluation mode: threads may score with one module
    at a time, and callbacks with one that is being trained.
    """
    return getattr(_replica(module, {}), method)


def _replica(module: nn.Module, done: dict[int, nn.Module]) -> nn.Module:
    """Copy a module; what it holds is shared, but for tensors of numbers, promoted.

    The rows of a table are promoted when they are looked up.
    """
    if id(module) in done:  # a part that several parts have in common
        return done[id(module)]
    replica = done[id(module)] = module.__new__(type(module))
    vars(replica).update(vars(module), training=False)
    is_table = isinstance(module, nn.Embedding)
    for kind in ("_parameters", "_buffers"):
        tensors = vars(module)[kind]
        promoted = tensors if is_table else {k: _double(t) for k, t in tensors.items()}
        vars(replica)[kind] = promoted
    vars(replica)["_modules"] = {
        name: part if part is None else _replica(part, done)
        for name, part in module._modules.items()
    }
    if is_table:
        vars(replica)["_forward_hooks"] = module._forward_hooks.copy()
        replica.register_forward_hook(lambda _module, _codes, rows: rows.double())
    return replica


def _double(tensor: Tensor | None) -> Tensor | None:
    return (
        tensor.double() if tensor is not None and tensor.is_floating_point() else tensor
    )
