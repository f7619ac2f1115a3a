"""Logits of all pairs of some users and items, for backbones with a tower.

The first layer of a tower is a sum of two halves, W·[p, q] + b = (W_u·p + b) + W_i·q,
so that each half is computed once per user and once per item instead of once per pair:
three quarters of the arithmetic of the published sizes. A sum in another order rounds
differently. How far that can take a logit is bounded beside it, for a ranking that is
found here and scored again pair by pair.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._rounding import largest, rounding

_PAIRS = 1_024  # hidden layers of so many pairs stay in the cache
_PAIRS_ON_DEVICE = 262_144


def tower_grid(
    layers: nn.Sequential, head: Tensor, p: Tensor, q: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return headᵀ layers([p_u, q_i]) of all users and items.

    Parameters
    ----------
    layers : Sequential
        In evaluation mode; the first is linear.
    head : Tensor of shape (n_factors,)
    p, q : Tensor of shape (n, width), (m, width)
        Embeddings.

    Returns
    -------
    logit : Tensor of shape (n, m)
    size : Tensor of shape ()
        What no logit exceeds in absolute value.
    error : Tensor of shape ()
        Bound of the rounding error of a logit, in whatever order it is summed.
    """
    first = cast(nn.Linear, layers[0])
    of_user, of_item = first.weight.split(p.shape[1], dim=1)
    by_user, by_item = F.linear(p, of_user, first.bias), F.linear(q, of_item)
    rest = layers[1:]
    logit = p.new_empty(len(p), len(q))
    budget = _PAIRS if p.device.type == "cpu" else _PAIRS_ON_DEVICE
    n_users = max(1, budget // max(1, len(q)))
    for u in range(0, len(p), n_users):
        for i in range(0, len(q), budget):
            users, items = slice(u, u + n_users), slice(i, i + budget)
            pairs = by_user[users, None] + by_item[None, items]  # (n_users, m, width)
            logit[users, items] = rest(pairs) @ head
    return logit, *_bounds(layers, head, p, q)


def _bounds(
    layers: nn.Sequential, head: Tensor, p: Tensor, q: Tensor
) -> tuple[Tensor, Tensor]:
    """Size and rounding error of a logit, from the largest factors of both sides."""
    size = torch.cat([largest(p), largest(q)])
    error = torch.zeros_like(size)
    zero = size.new_zeros(())
    linear = [(m.weight, m.bias) for m in layers if isinstance(m, nn.Linear)]
    for weight, bias in [*linear, (head[None], zero)]:
        error = weight.abs() @ error  # what the errors of the inputs become
        size = weight.abs() @ size + bias.abs()
        error = error + rounding(size + error, weight.shape[1])
    return size[0], error[0]
