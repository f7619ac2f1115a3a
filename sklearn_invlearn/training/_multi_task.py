"""Two behaviours learned together: clicks, and reliable feedback (NMTR)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ._batches import n_batches
from ._data import TrainingData
from ._negative_sampling import with_negatives
from ._net import PairNet
from ._pairs import Pairs


class MultiTaskNet(PairNet):
    """Steps on the sum of both losses, in which every row counts once an epoch.

    An epoch's labelled rows (clicks) and extra rows are cut into the same number of
    batches. A step goes along

        (1 - λ)·Σ over clicks and their negatives + λ·Σ over extra rows and theirs

    divided by the number of rows of the first sum (Gao et al., TKDE 2019). The module
    is a :class:`~sklearn_invlearn.modules.Cascade`: the first sum is of its part
    ``first``, the second of the whole. Without extra rows the labelled ones
    stand for both behaviours.

    Parameters
    ----------
    extra_weight : float, default=0.5
        The λ of the extra rows.
    n_negatives : int, default=1
        Unlabeled pairs for each row, taken for negatives.
    """

    def __init__(
        self,
        module: Any,
        *,
        extra_weight: float = 0.5,
        n_negatives: int = 1,
        **kwargs: Any,
    ) -> None:
        self.extra_weight = extra_weight
        self.n_negatives = n_negatives
        super().__init__(module, **kwargs)

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        extra = data.labelled if data.extra is None else data.extra
        n_steps = n_batches(len(data.labelled), self.batch_size)
        generator = self.shuffler_
        order = torch.randperm(
            len(extra), generator=generator, device=generator.device
        ).tensor_split(n_steps)
        for batch, rows in zip(self.labelled_batches(data), order):
            clicks = self.joined_by_negatives(batch, data)
            satisfied = self.joined_by_negatives(extra[rows], data)
            loss = (1 - self.extra_weight) * self.total(self.module_.first, clicks)
            if len(satisfied):
                loss = loss + self.extra_weight * self.total(self.module_, satisfied)
            loss = loss / len(clicks) + self.module_.penalty() / self.n_labelled_
            yield self.descend(clicks, loss)

    def joined_by_negatives(self, rows: Pairs, data: TrainingData) -> Pairs:
        """Rows, and for each of them at most `n_negatives` unlabeled pairs."""
        assert data.unlabeled is not None
        joint = rows
        for _ in range(self.n_negatives if len(rows) else 0):
            negatives = data.unlabeled.draw(rows)[: len(rows)]
            joint = with_negatives(joint, negatives)
        return joint

    def total(self, module: Any, rows: Pairs) -> Tensor:
        """Sum of the criterion over rows, shape ()."""
        logit = module(rows.user, rows.item)
        return self.criterion_(logit, rows.y, rows.weight) * len(rows)
