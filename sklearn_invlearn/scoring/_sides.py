"""What the user and the item bring to a logit that is a product (see `modules`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from ._replica import in_double_precision

_BLOCK_ROWS = 65_536
_SIDES = ("user_side", "item_side")


@dataclass(frozen=True)
class Side:
    """What one side (n users or n items) brings to a logit that is a product.

    Attributes
    ----------
    bias : ndarray of shape (n,), float64
    vectors : ndarray of shape (n, d), float64
    """

    bias: np.ndarray
    vectors: np.ndarray

    def __getitem__(self, rows: slice | np.ndarray) -> Side:
        return Side(self.bias[rows], self.vectors[rows])

    @cached_property
    def longest(self) -> float:
        """Length of the longest vector."""
        return float(np.linalg.norm(self.vectors, axis=1).max(initial=0.0))


def is_product(module: nn.Module) -> bool:
    """Whether the backbone says what each side brings to its logit."""
    return all(hasattr(module, name) for name in _SIDES)


@torch.no_grad()
def side_of(module: nn.Module, name: str, codes: np.ndarray) -> Side:
    """Call ``user_side`` or ``item_side`` for codes (n,), in double precision."""
    device = next(module.parameters()).device
    biases, vectors = [], []
    side = in_double_precision(module, name)
    for start in range(0, max(1, len(codes)), _BLOCK_ROWS):
        block = torch.tensor(codes[start : start + _BLOCK_ROWS], device=device)
        bias, rows = side(block)
        biases.append(bias.double().cpu().numpy())
        vectors.append(rows.double().cpu().numpy())
    return Side(np.concatenate(biases), np.concatenate(vectors))
