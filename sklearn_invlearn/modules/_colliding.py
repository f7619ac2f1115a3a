"""A trained backbone in which neighbours have a say ([ADT] Eq. 8)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid


class Colliding(nn.Module):
    """Mix the scores of some users with the mean score of their neighbours.

    Parameters
    ----------
    backbone : nn.Module
        Trained.
    neighbors : Tensor of shape (n, k), int64
        Codes of the neighbours, less 1, of the users 1 to n; -1 in all of a row for
        users who are not mixed. Nor are the unknown user and users beyond n.
    mixing : float
        Weight of the user's own score, from 0 to 1.
    on : {"logit", "proba"}
        What is mixed.
    """

    def __init__(
        self, backbone: nn.Module, neighbors: Tensor, mixing: float, on: str
    ) -> None:
        super().__init__()
        self.backbone: Any = backbone
        self.neighbors: Tensor
        self.register_buffer("neighbors", neighbors)
        self.mixing = mixing
        self.on = on

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,), of the mixed probability if that is mixed."""
        own = self.backbone(user, item)
        rows, neighbors = self._mixed(user)
        if not len(rows):
            return own
        others = [self.backbone(column, item[rows]) for column in neighbors.T]
        if self.on == "logit":
            mixed = self._mean(own[rows], others)
        else:
            mixed = self._log_mean(own[rows], others)
            mixed = mixed - self._log_mean(-own[rows], [-z for z in others])
        return own.index_copy(0, rows, mixed)

    def _mixed(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows (r,) of `user` that are mixed, and their neighbours (r, k)."""
        known = (user > 0) & (user <= len(self.neighbors))
        position = torch.where(known, user - 1, 0)
        rows = (known & (self.neighbors[position, 0] >= 0)).nonzero()[:, 0]
        return rows, self.neighbors[position[rows]] + 1

    def _mean(self, own: Tensor, others: list[Tensor]) -> Tensor:
        total = sum(others[1:], start=others[0])
        return self.mixing * own + (1 - self.mixing) * (total / len(others))

    def _log_mean(self, own: Tensor, others: list[Tensor]) -> Tensor:
        """Logarithm of the mixed probability; finite where that rounds to 0."""
        share = (1 - self.mixing) / len(others)
        weights = [self.mixing] + [share] * len(others)
        parts = [
            math.log(weight) + logsigmoid(z)
            for weight, z in zip(weights, [own, *others])
            if weight
        ]
        return torch.stack(parts).logsumexp(dim=0)


class CollidingProduct(Colliding):
    """The same for logits that are products: then the mixed logit is one, too."""

    def user_side(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors (B, d)."""
        bias, vectors = self.backbone.user_side(user)
        rows, neighbors = self._mixed(user)
        if not len(rows):
            return bias, vectors
        sides = [self.backbone.user_side(column) for column in neighbors.T]
        mixed_bias = self._mean(bias[rows], [side[0] for side in sides])
        mixed_vectors = self._mean(vectors[rows], [side[1] for side in sides])
        return (
            bias.index_copy(0, rows, mixed_bias),
            vectors.index_copy(0, rows, mixed_vectors),
        )

    def item_side(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors (B, d)."""
        return self.backbone.item_side(item)


def colliding(
    backbone: nn.Module, neighbors: Tensor, mixing: float, on: str
) -> nn.Module:
    """Return the module that scores; `backbone` itself if nobody has neighbours."""
    if not 0 <= mixing <= 1 or on not in ("logit", "proba"):
        raise ValueError(
            f"mixing={mixing!r} must be from 0 to 1, and on={on!r} 'logit' or 'proba'."
        )
    if mixing == 1 or not neighbors.shape[1]:
        return backbone
    is_product = hasattr(backbone, "user_side") and hasattr(backbone, "item_side")
    kind = CollidingProduct if on == "logit" and is_product else Colliding
    return kind(backbone, neighbors, mixing, on)
