"""Inverse Dual Loss ([IL] Eq. 2 and 4): labelled and unlabeled loss, one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ..losses import align_to_prior, annotation_proba, cross_entropy, inverse_dual
from ._data import TrainingData
from ._net import PairNet
from ._pairs import Pairs, share_of_positives


def dual_loss(module: Any, unlabeled: Pairs) -> Tensor:
    """Mean of w1·ℓ1 + w0·ℓ0 over a batch, shape () ([IL] Eq. 4); 0 if it is empty."""
    loss = inverse_dual(module(unlabeled.user, unlabeled.item))
    return loss.sum() / max(len(loss), 1)


def aligned_dual_loss(logit: Tensor, prior: float) -> Tensor:
    """Mean dual loss of a batch whose annotations have the mean `prior`, shape ()."""
    w1 = align_to_prior(annotation_proba(logit.detach()), prior)
    return cross_entropy(logit, w1).sum() / max(len(logit), 1)


class InverseDualLossNet(PairNet):
    """Steps on L_labelled + (α/γ)·L_dual, one unlabeled batch per labelled one.

    A plain gradient step of size γ on this sum moves by γ along the labelled
    gradient and by α along the unlabeled one. α = γ is the sum of Eq. 2.

    Parameters
    ----------
    alpha : float
        Learning rate on unlabeled pairs.
    prior_alignment : bool
        Whether annotations are scaled to the share of positives among the labels
        (an extension, see :func:`~sklearn_invlearn.losses.align_to_prior`).
    """

    def __init__(
        self, module: Any, *, alpha: float, prior_alignment: bool = False, **kwargs: Any
    ) -> None:
        self.alpha = alpha
        self.prior_alignment = prior_alignment
        super().__init__(module, **kwargs)

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        assert data.unlabeled is not None
        prior = share_of_positives(data.all_labelled) if self.prior_alignment else None
        for batch in self.labelled_batches(data):
            unlabeled = data.unlabeled.draw(batch)
            labelled_loss = self.batch_loss(batch)
            unlabeled_loss = (
                dual_loss(self.module_, unlabeled)
                if prior is None
                else aligned_dual_loss(
                    self.module_(unlabeled.user, unlabeled.item), prior
                )
            )
            self.descend(batch, labelled_loss + self.alpha / self.lr * unlabeled_loss)
            yield labelled_loss.detach()
