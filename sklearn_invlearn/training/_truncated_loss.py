"""Adaptive denoising training with the truncated loss: Algorithm 1 of [ADT].

The observed positives with the largest losses are taken for false ones and left out
of a step. How many grows from none to a share of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..losses import cross_entropy, largest_positive_losses
from ._data import TrainingData
from ._negative_sampling import NegativeSamplingNet
from ._pairs import Pairs

_ROUNDING = 1e-9  # a rate of 0.29 of 100 rows is 29 rows, whatever floats say


class TruncatedLossNet(NegativeSamplingNet):
    """Algorithm 1; line numbers in the comments are the paper's.

    Parameters
    ----------
    max_drop_rate : float
        ε_max.
    n_drop_steps : int
        ε_N, steps after which the drop rate has reached ε_max.
    drop_reference : {"batch", "positives"}, default="batch"
        What the drop rate is a share of: all rows of the batch, sampled negatives
        included (line 5), or its positive rows.
    """

    counts = (*NegativeSamplingNet.counts, "n_steps_")

    def __init__(
        self,
        module: Any,
        *,
        max_drop_rate: float,
        n_drop_steps: int,
        drop_reference: str = "batch",
        **kwargs: Any,
    ) -> None:
        self.max_drop_rate = max_drop_rate
        self.n_drop_steps = n_drop_steps
        self.drop_reference = drop_reference
        super().__init__(module, **kwargs)

    @property
    def drop_rate(self) -> float:
        """ε(T) after T steps ([ADT] Eq. 3): none of the first batch is dropped."""
        share = min(self.n_steps_ / self.n_drop_steps, 1.0)
        return share * self.max_drop_rate

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        n_dropped = torch.zeros((), dtype=torch.int64, device=data.labelled.user.device)
        for batch in self.joint_batches(data):  # lines 2-4
            assert batch.y is not None
            rate = self.drop_rate
            logit = self.module_(batch.user, batch.item)
            loss = cross_entropy(logit, batch.y)
            dropped = self.dropped(loss.detach(), batch, rate)  # line 5
            n_dropped += dropped.sum()
            kept_loss = self.penalised(mean_of_kept(loss, ~dropped, batch.weight))
            yield self.descend(batch, kept_loss, dropped=dropped)  # lines 6-7
            self.n_steps_ += 1  # line 8
        self.history.record("drop_rate", rate)
        self.history.record("n_dropped", int(n_dropped))

    def dropped(self, loss: Tensor, batch: Pairs, rate: float) -> Tensor:
        """Mask (B,) of the positive rows to leave out; never leaves the device."""
        assert batch.y is not None
        if self.drop_reference == "batch":
            n = math.floor(rate * len(batch) + _ROUNDING)
            return largest_positive_losses(loss, batch.y, n)
        n_positive = (batch.y == 1).sum().double()
        n_drop = torch.floor(rate * n_positive + _ROUNDING)
        return largest_positive_losses(loss, batch.y, n_drop)


def mean_of_kept(loss: Tensor, kept: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of `weight`·`loss` (B,) over the rows that are kept; 0 if none is.

    As in :class:`MeanCrossEntropy` the divisor is the number of rows.
    """
    if weight is not None:
        loss = loss * weight
    # where, not a product: a loss that is dropped may be infinite.
    return torch.where(kept, loss, 0.0).sum() / kept.sum().clamp(min=1)
