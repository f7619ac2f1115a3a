"""Pairs as columns of tensors that live on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """Coded (user, item) pairs, with labels and weights where there are any.

    Attributes
    ----------
    user, item : Tensor of shape (n,), int64
        Codes; 0 is the unknown id.
    y : Tensor of shape (n,), float32, or None
        Labels 0.0 and 1.0.
    weight : Tensor of shape (n,), float32, or None
        Weights of mean 1 over the labelled rows; None for equal weights.
    row : Tensor of shape (n,), int64, or None
        Positions among the labelled rows handed to ``fit``; -1 for other pairs.
    """

    user: Tensor
    item: Tensor
    y: Tensor | None = None
    weight: Tensor | None = None
    row: Tensor | None = None

    @classmethod
    def from_codes(
        cls,
        codes: np.ndarray,
        y: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        row: np.ndarray | None = None,
        *,
        device: torch.device,
    ) -> Pairs:
        """Copy codes (2, n), labels and weights to the device.

        Always a copy: an array may be a read-only memory map shared with other
        processes, and torch would write through it.
        """

        def column(values: np.ndarray, dtype: torch.dtype) -> Tensor:
            return torch.tensor(np.asarray(values), dtype=dtype, device=device)

        return cls(
            column(codes[0], torch.int64),
            column(codes[1], torch.int64),
            None if y is None else column(y, torch.float32),
            None if weight is None else column(weight, torch.float32),
            None if row is None else column(row, torch.int64),
        )

    @classmethod
    def joined(cls, parts: list[Pairs]) -> Pairs:
        """Rows of all parts, in order; a column that one part lacks is left out."""

        def column(name: str) -> Tensor | None:
            tensors = [getattr(part, name) for part in parts]
            return None if any(t is None for t in tensors) else torch.cat(tensors)

        user, item = column("user"), column("item")
        assert user is not None
        assert item is not None
        return cls(user, item, column("y"), column("weight"), column("row"))

    def to(self, device: torch.device | str) -> Pairs:
        """Return the same pairs on another device."""

        def column(values: Tensor | None) -> Tensor | None:
            return None if values is None else values.to(device)

        user, item = self.user.to(device), self.item.to(device)
        return Pairs(user, item, column(self.y), column(self.weight), column(self.row))

    def among(self, others: Pairs) -> Tensor:
        """Whether each pair is one of `others`, shape (n,) bool."""
        base = 1 + torch.cat([self.item, others.item]).max()
        return torch.isin(
            self.user * base + self.item, others.user * base + others.item
        )

    @property
    def codes(self) -> np.ndarray:
        """Codes (2, n) int64 on the CPU."""
        return torch.stack([self.user, self.item]).cpu().numpy()

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: slice | Tensor) -> Pairs:
        return Pairs(
            self.user[rows],
            self.item[rows],
            None if self.y is None else self.y[rows],
            None if self.weight is None else self.weight[rows],
            None if self.row is None else self.row[rows],
        )


def share_of_positives(labelled: Pairs) -> float:
    """Weighted share of positives."""
    y, weight = labelled.y, labelled.weight
    assert y is not None
    return float(y.mean() if weight is None else (weight * y).sum() / weight.sum())
