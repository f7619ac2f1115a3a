"""Recommenders that sample negatives, and may train on extra feedback apart."""

from __future__ import annotations

from contextlib import suppress
from numbers import Integral
from typing import Any

import torch
from sklearn.utils._param_validation import StrOptions
from torch import nn

from .._intervals import Interval
from ..fitting._progress import EpochBar
from ..fitting._training_data import EncodedPairs, extra_stage_data
from ..modules import user_vectors
from ..training import MarkStage, NegativeSamplingNet, PairNet, TrainingData
from ._base import BaseRecommender


class ExtraFeedbackRecommender(BaseRecommender):
    """Base of recommenders with up to three stages ([ADT] Section 3.4, Figure 5).

    Warm-up on the extra feedback, the procedure itself on the labelled rows, and
    finetuning on the extra feedback, each with a net of its own around the same
    module.
    """

    n_negatives: int
    resample: str
    extra_feedback: str | None
    n_extra_epochs: int

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "resample": [StrOptions({"batch", "epoch"})],
        "extra_feedback": [StrOptions({"warmup", "finetune"}), None],
        "n_extra_epochs": [Interval(Integral, 1, None, closed="left")],
    }

    @property
    def _n_negatives(self) -> int:
        return self.n_negatives

    def _sampling(self) -> dict[str, Any]:
        return {"n_negatives": self.n_negatives, "resample": self.resample}

    def _stage(self, pairs: EncodedPairs) -> str | None:
        return "main" if pairs.extra is not None else super()._stage(pairs)

    def _run(
        self,
        module: nn.Module,
        pairs: EncodedPairs,
        data: TrainingData,
        seeds: dict[str, int],
        callbacks: list,
    ) -> None:
        self.__dict__.pop("warm_user_vectors_", None)
        if pairs.extra is None:
            super()._run(module, pairs, data, seeds, callbacks)
            return
        extra_data = extra_stage_data(
            pairs,
            data.valid,
            self._encoder,
            sampling=self.sampling,
            batch_size=int(self.batch_size),
            seed=seeds["extra_unlabeled"],
        )
        device = pairs.labelled.user.device
        main = self._make_net(module, device, seeds["shuffle"], callbacks)
        extra = self._extra_net(module, device, seeds["extra_shuffle"])
        self._resume(extra if self.extra_feedback == "warmup" else main)
        if self.extra_feedback == "warmup":
            self._train(extra, extra_data)
            self._keep_user_vectors(module)
            self._continue(main, data, after=extra)
        else:
            self._train(main, data)
            try:
                self._continue(extra, extra_data, after=main)
            finally:  # an interrupt leaves a net that can be saved and updated, too
                main.history = self.net_.history
                self.net_ = main

    def _keep_user_vectors(self, module: nn.Module) -> None:
        """Set `warm_user_vectors_`, unless the backbone has no such thing."""
        known = torch.arange(1, self._encoder.n_users, device=self.net_.device)
        with suppress(ValueError):
            vectors = user_vectors(module, known)
            self.warm_user_vectors_ = vectors.cpu().numpy().copy()

    def _continue(self, net: PairNet, data: TrainingData, *, after: PairNet) -> None:
        """Train `net`; its history goes on where that of `after` ends."""
        net.initialize()
        net.history.extend(after.history)
        self._train(net, data)

    def _extra_net(self, module: nn.Module, device: torch.device, seed: int) -> PairNet:
        params = {"max_epochs": self.n_extra_epochs, **self._sampling()}
        assert self.extra_feedback is not None
        callbacks: list = [("stage", MarkStage(self.extra_feedback))]
        if self.verbose:
            bar = EpochBar(f"{type(self).__name__} ({self.extra_feedback})")
            callbacks.append(("bar", bar))
        net = NegativeSamplingNet, params
        return self._make_net(module, device, seed, callbacks, net)
