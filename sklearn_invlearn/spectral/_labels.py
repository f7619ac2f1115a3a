"""What models are fitted to and judged by: labelled pairs in codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._codes import distinct
from ._cross_entropy import cross_entropies


@dataclass(frozen=True)
class Labels:
    """Labelled pairs as arrays of shape (n,); weights have mean 1.

    `offset` is a part of the logit that is known; None for zeros.
    """

    user: np.ndarray
    item: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    offset: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: np.ndarray | slice) -> Labels:
        known = None if self.offset is None else self.offset[rows]
        pairs = self.user[rows], self.item[rows]
        return Labels(*pairs, self.y[rows], self.weight[rows], known)

    @property
    def base_rate(self) -> float:
        """Weighted share of positives, kept off 0 and 1 by half a row each."""
        bound = 1.0 / (len(self) + 2)
        return float(np.clip(np.average(self.y, weights=self.weight), bound, 1 - bound))

    @property
    def n_ids(self) -> tuple[int, int]:
        """Numbers of users and of items that have rows."""
        return len(distinct(self.user)[0]), len(distinct(self.item)[0])


def loss_of(logit: np.ndarray, rows: Labels) -> float:
    """Summed cross entropy of logits (n,)."""
    return float(cross_entropies(logit[:, None], rows.y, rows.weight)[0])
