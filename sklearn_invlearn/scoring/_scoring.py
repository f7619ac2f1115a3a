"""Score pairs with a trained module: in blocks, in double precision.

Single precision would make the score of a pair depend on the size of the batch it
is in, by rounding. The tables of a large model are not copied for this: only the
rows that are looked up, and the other (small) parameters, are promoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

_BLOCK_ROWS = 4_096  # what is computed of a block stays in the cache
_BLOCK_ROWS_ON_DEVICE = 262_144


@torch.no_grad()
def score_pairs(module: nn.Module, codes: np.ndarray) -> np.ndarray:
    """Return the logit (n,) float64 of coded pairs (2, n)."""
    device = next(module.parameters()).device
    logit = np.empty(codes.shape[1])
    n_rows = _BLOCK_ROWS if device.type == "cpu" else _BLOCK_ROWS_ON_DEVICE
    with double_precision(module) as score:
        for start in range(0, len(logit), n_rows):
            block = slice(start, start + n_rows)
            user, item = (torch.tensor(c, device=device) for c in codes[:, block])
            logit[block] = score(user, item).double().cpu().numpy()
    return logit


@contextmanager
def double_precision(
    module: nn.Module, method: str = "forward"
) -> Iterator[Callable[..., Any]]:
    """Give `module.method` as a function of codes that computes in float64."""
    parameters = _in_double_precision(module)
    named = {f"module.{name}": tensor for name, tensor in parameters.items()}
    bound = _Method(module, method)
    with _lookups_in_double_precision(module):
        yield lambda *codes: functional_call(bound, named, codes)


class _Method(nn.Module):
    """Calls a method of `module`; `functional_call` knows only ``forward``."""

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__()
        self.module = module
        self.method = method

    def forward(self, *codes: Tensor) -> Any:
        return getattr(self.module, self.method)(*codes)


def _in_double_precision(module: nn.Module) -> dict[str, Tensor]:
    tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    state = dict(module.named_parameters()) | dict(module.named_buffers())
    return {
        name: tensor.double()
        for name, tensor in state.items()
        if tensor.is_floating_point() and id(tensor) not in tables
    }


@contextmanager
def _lookups_in_double_precision(module: nn.Module) -> Iterator[None]:
    hooks = [
        m.register_forward_hook(lambda _module, _args, rows: rows.double())
        for m in module.modules()
        if isinstance(m, nn.Embedding)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
