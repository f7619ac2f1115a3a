"""What decides on a direction? A judge, and what the training-test batches hold.

The direction of a step is chosen on one training-test batch. A judge of many more
labelled pairs, which no step is trained on, looks at the same three points; its
opinion changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from _public_code import PublicCodeNet, PublicCodeRecommender
from torch import Tensor, nn

from sklearn_invlearn import InverseGradientRecommender
from sklearn_invlearn.losses import cross_entropy
from sklearn_invlearn.training import InverseGradientNet, PairNet, Pairs, TrainingData

N_JUDGES = 20_000  # validation pairs


class _Judge:
    """Writes down the loss of the judge wherever the loss of a batch is asked for."""

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        assert data.valid is not None
        self.pairs_ = data.valid[:N_JUDGES]
        self.judged_ = [*getattr(self, "judged_", ())]
        yield from super().training_steps(data)  # type: ignore[misc]

    @torch.no_grad()
    def ask(self, model: nn.Module) -> None:
        logit = model(self.pairs_.user, self.pairs_.item)
        loss = cross_entropy(logit.double(), self.pairs_.y.double())
        self.judged_.append(loss.mean())


class _JudgedNet(_Judge, InverseGradientNet):
    def held_out_loss(self, held_out: Pairs) -> Tensor:
        self.ask(self.module_)
        return super().held_out_loss(held_out)


class _JudgedPublicCodeNet(_Judge, PublicCodeNet):
    def candidate_loss(self, model: nn.Module, held_out: Pairs) -> Tensor:
        self.ask(model)
        return super().candidate_loss(model, held_out)


class JudgedRecommender(InverseGradientRecommender):
    """The estimator of the package with a judge; `fit` needs validation pairs."""

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        return _JudgedNet, super()._net()[1]


class JudgedPublicCode(PublicCodeRecommender):
    """What the public code does, with a judge."""

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        return _JudgedPublicCodeNet, super()._net()[1]


class _BatchesNet(InverseGradientNet):
    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        assert data.held_out is not None
        batches = (next(data.held_out) for _ in range(data.held_out.n_batches_per_pass))
        self.positives_ = [
            *getattr(self, "positives_", ()),
            *(float(batch.y.mean()) for batch in batches),
        ]
        yield torch.zeros(())


class BatchesOnly(InverseGradientRecommender):
    """Trains nothing: reads what the training-test batches of a `random_state` hold.

    They depend on neither model nor settings, so they are those of every run.
    """

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        return _BatchesNet, super()._net()[1]


def judged_losses(estimator: Any) -> np.ndarray:
    """Loss of the judge at θ_d, θ and θ_i of every step, shape (n_steps, 3)."""
    losses = torch.stack(estimator.net_.judged_).cpu().numpy().reshape(-1, 3)
    # The estimator asks at θ first, the public code in the order of the trace.
    order = [1, 0, 2] if isinstance(estimator, JudgedRecommender) else [0, 1, 2]
    return losses[:, order]
