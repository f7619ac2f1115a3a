"""Inverse Dual Loss ([IL] Eq. 2 and 4): labelled and unlabeled loss, one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ..losses import inverse_dual
from ._data import TrainingData
from ._net import PairNet
from ._pairs import Pairs


def dual_loss(module: Any, unlabeled: Pairs) -> Tensor:
    """Mean of w1·ℓ1 + w0·ℓ0 over a batch, shape () ([IL] Eq. 4); 0 if it is empty."""
    loss = inverse_dual(module(unlabeled.user, unlabeled.item))
    return loss.sum() / max(len(loss), 1)


class InverseDualLossNet(PairNet):
    """Steps on L_labelled + (α/γ)·L_dual, one unlabeled batch per labelled one.

    A plain gradient step of size γ on this sum moves by γ along the labelled
    gradient and by α along the unlabeled one. α = γ is the sum of Eq. 2.
    """

    def __init__(self, module: Any, *, alpha: float, **kwargs: Any) -> None:
        self.alpha = alpha
        super().__init__(module, **kwargs)

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        assert data.unlabeled is not None
        for batch in self.labelled_batches(data):
            unlabeled = data.unlabeled.draw(batch)
            labelled_loss = self.batch_loss(batch)
            unlabeled_loss = dual_loss(self.module_, unlabeled)
            self.descend(batch, labelled_loss + self.alpha / self.lr * unlabeled_loss)
            yield labelled_loss.detach()
