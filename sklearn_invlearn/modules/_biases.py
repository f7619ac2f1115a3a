"""Intercept, user bias and item bias: the part that most backbones share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ._rounding import largest, rounding
from ._tables import BiasTable


class Biases(nn.Module):
    """μ + b_u + b_i, either bias optional.

    The published GMF, MLP and NeuMF have only μ (the bias of their output layer).
    Where labels are few, the two biases carry most of what can be learned.
    """

    same_in_training = True

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

    def of_user(self, user: Tensor) -> Tensor:
        """μ + b_u of codes (B,), shape (B,)."""
        bias = self.intercept.expand(user.shape)
        return bias if self.user is None else bias + self.user(user)

    def of_item(self, item: Tensor) -> Tensor:
        """b_i of codes (B,), shape (B,)."""
        if self.item is None:
            return torch.zeros_like(item, dtype=self.intercept.dtype)
        return self.item(item)

    def added_to_grid(
        self, logit: Tensor, size: Tensor, error: Tensor, user: Tensor, item: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Add the biases to logits (n, m) of all pairs of codes, in place.

        Returns them and a bound () of their rounding error, given the size () that none
        exceeded before and the error () of the largest.
        """
        of_user, of_item = self.of_user(user), self.of_item(item)
        logit += of_user[:, None]
        logit += of_item
        size = size + largest(of_user[:, None])[0] + largest(of_item[:, None])[0]
        return logit, error + rounding(size, 2)


class BiasOnly(nn.Module):
    """logit = μ + b_u + b_i: no interaction, the baseline to beat."""

    same_in_training = True

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

    def user_side(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors (B, 0)."""
        bias = self.biases.of_user(user)
        return bias, bias.new_zeros(len(user), 0)

    def item_side(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors (B, 0)."""
        bias = self.biases.of_item(item)
        return bias, bias.new_zeros(len(item), 0)


def set_intercept(module: nn.Module, base_rate: float) -> None:
    """Start from the logit of the share of positives, for modules with `Biases`.

    From zero, the first epochs would only move the intercept there.
    """
    for part in module.modules():
        if isinstance(part, Biases):
            nn.init.constant_(part.intercept, math.log(base_rate / (1.0 - base_rate)))
