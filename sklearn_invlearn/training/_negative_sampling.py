"""Negative sampling: unlabeled pairs are taken for negatives ("NS" in [IL])."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ._batches import epoch_batches
from ._data import TrainingData
from ._net import PairNet
from ._pairs import Pairs


class NegativeSamplingNet(PairNet):
    """Cross entropy on each labelled batch together with sampled negatives.

    Parameters
    ----------
    n_negatives : int, default=1
        Unlabeled batches that join each labelled batch.
    resample : {"batch", "epoch"}, default="batch"
        Whether a batch is a labelled batch and negatives drawn for it, or the
        negatives of an epoch are drawn first, shuffled together with the labelled
        rows, and all of them cut into batches.
    """

    def __init__(
        self,
        module: Any,
        *,
        n_negatives: int = 1,
        resample: str = "batch",
        **kwargs: Any,
    ) -> None:
        self.n_negatives = n_negatives
        self.resample = resample
        super().__init__(module, **kwargs)

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        for batch in self.joint_batches(data):
            yield self.supervised_step(batch)

    def joint_batches(self, data: TrainingData) -> Iterator[Pairs]:
        """Every labelled row once, among sampled negatives."""
        joint = (self.joined(batch, data) for batch in self.labelled_batches(data))
        if self.resample == "batch":
            return joint
        epoch = Pairs.joined(list(joint))
        return epoch_batches(epoch, self.batch_size, self.shuffler_)

    def joined(self, batch: Pairs, data: TrainingData) -> Pairs:
        """Return `batch` and the negatives drawn for it."""
        assert data.unlabeled is not None
        for negatives in [data.unlabeled.draw(batch) for _ in range(self.n_negatives)]:
            batch = with_negatives(batch, negatives)
        return batch


def with_negatives(labelled: Pairs, negatives: Pairs) -> Pairs:
    """Append `negatives` with label 0 and weight 1."""
    assert labelled.y is not None
    zeros = labelled.y.new_zeros(len(negatives))
    weight, row = labelled.weight, labelled.row
    return Pairs(
        torch.cat([labelled.user, negatives.user]),
        torch.cat([labelled.item, negatives.item]),
        torch.cat([labelled.y, zeros]),
        None if weight is None else torch.cat([weight, torch.ones_like(zeros)]),
        None if row is None else torch.cat([row, row.new_full((len(zeros),), -1)]),
    )
