"""Intercept, user bias and item bias: the part that most backbones share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ._tables import BiasTable


class Biases(nn.Module):
    """μ + b_u + b_i, either bias optional.

    The published GMF, MLP and NeuMF have only μ (the bias of their output layer).
    Where labels are few, the two biases carry most of what can be learned.
    """

    def __init__(
        self, n_users: int, n_items: int, *, user_bias: bool, item_bias: bool
    ) -> None:
        super().__init__()
        self.intercept = nn.Parameter(torch.zeros(()))
        self.user = BiasTable(n_users) if user_bias else None
        self.item = BiasTable(n_items) if item_bias else None

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,), or () if there is no bias table."""
        logit: Tensor = self.intercept
        if self.user is not None:
            logit = logit + self.user(user)
        if self.item is not None:
            logit = logit + self.item(item)
        return logit


class BiasOnly(nn.Module):
    """logit = μ + b_u + b_i: no interaction, the baseline to beat."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        user_bias: bool = True,
        item_bias: bool = True,
    ) -> None:
        super().__init__()
        self.biases = Biases(n_users, n_items, user_bias=user_bias, item_bias=item_bias)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        return self.biases(user, item).expand(user.shape)


def set_intercept(module: nn.Module, base_rate: float) -> None:
    """Start from the logit of the share of positives, for modules with `Biases`.

    From zero, the first epochs would only move the intercept there.
    """
    for part in module.modules():
        if isinstance(part, Biases):
            nn.init.constant_(part.intercept, math.log(base_rate / (1.0 - base_rate)))
