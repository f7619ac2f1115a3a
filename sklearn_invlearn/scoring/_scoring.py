"""Score pairs with a trained module: in blocks, in double precision.

Where the logit is a product, what a user or an item brings to it is computed once for
all of their pairs in a call, if these are few enough to be kept.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ._replica import in_double_precision
from ._sides import Side, is_product, side_of

_BLOCK_ROWS = 4_096  # what is computed of a block stays in the cache
_MOST_SIDES = 65_536  # users or items at once, which bounds the memory
_BLOCK_ROWS_ON_DEVICE = 262_144


@torch.no_grad()
def score_pairs(module: nn.Module, codes: np.ndarray) -> np.ndarray:
    """Return the logit (n,) float64 of coded pairs (2, n)."""
    device = next(module.parameters()).device
    if device.type == "cpu" and is_product(module):
        (users, of_user), (items, of_item) = map(_distinct, codes)
        if max(len(users), len(items)) <= _MOST_SIDES:
            user_sides = side_of(module, "user_side", users)
            item_sides = side_of(module, "item_side", items)
            return _products(user_sides, of_user, item_sides, of_item)
    logit = np.empty(codes.shape[1])
    n_rows = _BLOCK_ROWS if device.type == "cpu" else _BLOCK_ROWS_ON_DEVICE
    score = in_double_precision(module)
    for start in range(0, len(logit), n_rows):
        block = slice(start, start + n_rows)
        user, item = torch.tensor(codes[:, block], device=device).unbind()
        logit[block] = score(user, item).double().cpu().numpy()
    return logit


def _products(
    users: Side, of_user: np.ndarray, items: Side, of_item: np.ndarray
) -> np.ndarray:
    """Logit (n,) of pairs given by their rows in two sides."""
    logit = np.empty(len(of_user))
    for start in range(0, len(logit), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        user, item = users[of_user[block]], items[of_item[block]]
        logit[block] = user.bias + item.bias + np.vecdot(user.vectors, item.vectors)
    return logit


def _distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes that there are, ascending, and the position of each of `codes` (n,)."""
    n_codes = int(codes.max(initial=-1)) + 1
    if n_codes > len(codes):  # sorting is cheaper than a table of all
        return np.unique(codes, return_inverse=True)
    there = np.zeros(n_codes, dtype=bool)
    there[codes] = True
    return there.nonzero()[0], (there.cumsum() - 1)[codes]
