"""Many binary searches in a sorted column that is larger than the cache."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_MANY = 65_536  # searches; fewer are not worth being put in order
_AT_A_TIME = 2**20


def count_up_to(column: Tensor, wanted: Tensor) -> Tensor:
    """Count the values of a sorted `column` (n,) that are at most `wanted` (m,), int64.

    One search after the other, each would wait for memory at most of its steps. On the
    CPU many are put in order first, roughly, by sixteen bits (numpy has a
    radix sort for these): neighbours then find in the cache what they need.
    """
    if wanted.device.type != "cpu" or min(len(wanted), len(column)) < _MANY:
        return torch.searchsorted(column, wanted, right=True)
    shift = max(int(wanted.max()).bit_length() - 16, 0)
    count = torch.empty_like(wanted)
    for start in range(0, len(wanted), _AT_A_TIME):
        here = wanted[start : start + _AT_A_TIME]
        digits = (here >> shift).numpy().astype(np.uint16)
        order = torch.from_numpy(np.argsort(digits, kind="stable"))
        found = torch.searchsorted(column, here[order], right=True)
        count[start : start + _AT_A_TIME][order] = found
    return count
