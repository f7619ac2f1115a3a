"""Two behaviours in a cascade, on shared tables (Gao et al., TKDE 2019)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ._biases import Biases
from ._tables import BiasTable

Side = Callable[[Tensor], tuple[Tensor, Tensor]]


class Cascade(nn.Module):
    """logit = first(u, i) + second(u, i): the second behaviour builds on the first.

    `first` is the logit of the first behaviour, a click say. `second` is a copy of it
    with the same embedding tables, but with layers, biases and intercept of its own;
    it adds what the second behaviour has beyond a click. Biases and intercept of the
    copy start from zero, its layers from the values that those of `first` have.

    Parameters
    ----------
    first : nn.Module
        A backbone.
    """

    first: Any
    second: Any

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        shared = [
            m
            for m in first.modules()
            if isinstance(m, nn.Embedding) and not isinstance(m, BiasTable)
        ]
        kept = [*shared, *first.buffers()]  # what deepcopy takes for copied already
        self.first = first
        self.second = copy.deepcopy(first, {id(part): part for part in kept})
        for part in self.second.modules():
            if isinstance(part, Biases):
                nn.init.zeros_(part.intercept)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit of the second behaviour (B,)."""
        return self.first(user, item) + self.second(user, item)

    def penalty(self) -> Tensor:
        """Sum of the parts' penalties, shape (); 0 where they have none."""
        parts = [
            p.penalty() for p in (self.first, self.second) if hasattr(p, "penalty")
        ]
        if not parts:
            return next(self.parameters()).new_zeros(())
        return torch.stack(parts).sum()

    @property
    def history(self) -> Tensor:
        """Observed positives (2, n), where the parts keep them."""
        return self.first.history

    def set_history(self, history: Tensor) -> None:
        """Hand the observed positives (2, n) to the parts that keep them."""
        for part in (self.first, self.second):
            if hasattr(part, "set_history"):
                part.set_history(history)

    # A sum of two products is a product of joined vectors. Where a backbone has no
    # sides, or no vectors, asking for them raises AttributeError, as it does there.

    @property
    def user_side(self) -> Side:
        """Codes (B,) -> bias (B,), vectors (B, d); see the contract."""
        return _joined_sides(self.first.user_side, self.second.user_side)

    @property
    def item_side(self) -> Side:
        """Codes (B,) -> bias (B,), vectors (B, d); see the contract."""
        return _joined_sides(self.first.item_side, self.second.item_side)

    @property
    def user_vectors(self) -> Callable[[Tensor], Tensor]:
        """Codes (B,) -> embeddings (B, d); see the contract."""
        return self.first.user_vectors

    @property
    def item_vectors(self) -> Callable[[Tensor], Tensor]:
        """Codes (B,) -> embeddings (B, d); see the contract."""
        return self.first.item_vectors


def _joined_sides(first: Side, second: Side) -> Side:
    def joined(codes: Tensor) -> tuple[Tensor, Tensor]:
        (bias, vectors), (more_bias, more_vectors) = first(codes), second(codes)
        return bias + more_bias, torch.cat([vectors, more_vectors], dim=-1)

    return joined
