"""Negative sampling: unlabeled pairs are taken for negatives ("NS" in [IL])."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ._data import TrainingData
from ._net import PairNet
from ._pairs import Pairs


class NegativeSamplingNet(PairNet):
    """Cross entropy on each labelled batch together with sampled negatives.

    Parameters
    ----------
    n_negatives : int, default=1
        Unlabeled batches that join each labelled batch.
    """

    def __init__(self, module: Any, *, n_negatives: int = 1, **kwargs: Any) -> None:
        self.n_negatives = n_negatives
        super().__init__(module, **kwargs)

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        assert data.unlabeled is not None
        for batch in self.labelled_batches(data):
            joint = batch
            for _ in range(self.n_negatives):
                joint = with_negatives(joint, data.unlabeled.draw(batch))
            yield self.supervised_step(joint)


def with_negatives(labelled: Pairs, negatives: Pairs) -> Pairs:
    """Append `negatives` with label 0 and weight 1."""
    assert labelled.y is not None
    zeros = labelled.y.new_zeros(len(negatives))
    weight = labelled.weight
    return Pairs(
        torch.cat([labelled.user, negatives.user]),
        torch.cat([labelled.item, negatives.item]),
        torch.cat([labelled.y, zeros]),
        None if weight is None else torch.cat([weight, torch.ones_like(zeros)]),
    )
