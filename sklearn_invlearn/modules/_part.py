"""The rows of some users and items as a module of its own."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ._growth import ITEM, USER, Sides


class Part(nn.Module):
    """A backbone of some users and items, which is asked by the codes of the whole.

    For backbones that say ``rows_stand_alone = True``: the logit of a pair, and the
    prior of a row, depend on the rows of its user and its item, and on what all pairs
    share, but on no other row.

    Parameters
    ----------
    backbone : nn.Module
        Of ``len(users)`` users and ``len(items)`` items, weights unset.
    whole : nn.Module
        Of the same kind, with the weights.
    sides : dict
        Of the tensors of `whole`, see :func:`table_sides`.
    users, items : Tensor of shape (n,), int64
        Codes, ascending, of all that will be asked for.
    """

    users: Tensor
    items: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        whole: nn.Module,
        sides: Sides,
        users: Tensor,
        items: Tensor,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.sides = sides
        self.register_buffer("users", users)
        self.register_buffer("items", items)
        weights = whole.state_dict()
        with torch.no_grad():
            for name, tensor in backbone.state_dict().items():
                rows = self.rows_of(name)
                tensor.copy_(weights[name] if rows is None else weights[name][rows])
        if hasattr(backbone, "penalty"):
            self.penalty = backbone.penalty

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) of the whole -> logit (B,)."""
        user = torch.searchsorted(self.users, user)
        return self.backbone(user, torch.searchsorted(self.items, item))

    def rows_of(self, name: str) -> Tensor | None:
        """Codes (n,) of the rows of a tensor of the backbone; None if it is shared."""
        if name not in self.sides:
            return None
        return cast(Tensor, {USER: self.users, ITEM: self.items}[self.sides[name]])
