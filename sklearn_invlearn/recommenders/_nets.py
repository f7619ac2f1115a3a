"""The module and the net that a fit trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EpochScoring,
    LRScheduler,
    ProgressBar,
    TrainEndCheckpoint,
)
from torch import nn

from .._intervals import plain_number
from ..fitting._build import blank_module, build_module, comes_fitted
from ..fitting._progress import EpochBar, SklearnCallbacks
from ..fitting._training_data import EncodedPairs
from ..ids._encoding import PairEncoder
from ..training import (
    KeepBest,
    MarkStage,
    PairNet,
    RowwiseAdam,
    RowwiseSGD,
    TrainingData,
)

OPTIMIZERS = {
    "adam": RowwiseAdam,
    "dense_adam": torch.optim.Adam,
    "sgd": RowwiseSGD,
}
# Callbacks that read batches from the history, which has none, and what to do instead.
_OF_BATCHES = {
    EpochScoring: "Pass X_val for the loss after every epoch, or a callback with "
    "on_epoch_end",
    Checkpoint: "Call save(path) after the fit",
    TrainEndCheckpoint: "Call save(path) after the fit",
    ProgressBar: "Set verbose=1 for a bar",
}
_BACKBONE_PARAMETERS = ("n_factors", "user_bias", "item_bias")


class NetMixin:
    """Builds module, optimiser and callbacks from the parameters of an estimator."""

    if TYPE_CHECKING:
        backbone: str | type
        backbone_params: dict[str, Any] | None
        batch_size: int
        callbacks: list | None
        gamma: float
        max_epochs: int | None
        n_iter_no_change: int
        optimizer: Any
        tol: float
        verbose: int
        weight_decay: float
        _assemble: Any
        _fitted_attributes: Any
        _net: Any

        @property
        def _draws_unlabeled(self) -> bool: ...

        @property
        def _goes_on(self) -> bool: ...

        @property
        def _n_negatives(self) -> int: ...

    def _new_module(
        self, encoder: PairEncoder, pairs: EncodedPairs, data: TrainingData, seed: int
    ) -> nn.Module:
        module = build_module(
            self.backbone,
            **self._backbone_params(),
            encoder=encoder,
            pairs=pairs,
            data=data,
            n_negatives=int(self._n_negatives),
            batch_size=int(self.batch_size),
            seed=seed,
            verbose=bool(self.verbose),
            one_class=getattr(self, "_expected_classes", None) is not None,
        )
        return self._assemble(module)

    def _n_epochs(self) -> int:
        if self.max_epochs is not None:
            return self.max_epochs
        if not comes_fitted(self.backbone):
            return 50
        # Labels have been learned already, by a fit that did not start from a model.
        return 1 if self._draws_unlabeled or self._goes_on else 0

    def _backbone_params(self) -> dict[str, Any]:
        shared = {name: getattr(self, name) for name in _BACKBONE_PARAMETERS}
        params = self.backbone_params or {}
        return {"shared": _plain_numbers(shared), "params": _plain_numbers(params)}

    def _blank_module(
        self, n_users: int, n_items: int, settings: dict[str, Any] | None
    ) -> nn.Module:
        """Build the backbone in these sizes, see :func:`blank_module`."""
        module = blank_module(
            self.backbone,
            **self._backbone_params(),
            n_users=n_users,
            n_items=n_items,
            settings=settings,
        )
        return self._assemble(module)

    def _make_net(
        self,
        module: nn.Module,
        device: torch.device,
        seed: int,
        callbacks: list,
        net: tuple[type[PairNet], dict[str, Any]] | None = None,
    ) -> PairNet:
        """Return the net of the procedure, or of the class and parameters `net`."""
        net_class, params = self._net() if net is None else net
        optimizer = OPTIMIZERS.get(self.optimizer, self.optimizer)
        if optimizer is torch.optim.Adam and device.type in ("cpu", "cuda"):
            params = {"optimizer__fused": True} | params
        shared = {
            "optimizer": optimizer,
            "optimizer__weight_decay": float(self.weight_decay),
            "lr": float(self.gamma),
            "max_epochs": int(self._n_epochs()),
            "batch_size": int(self.batch_size),
            "device": str(device),
            "seed": seed,
            "callbacks": callbacks,
            "verbose": 0,
        }
        return net_class(module, **shared | _plain_numbers(params))

    def _callbacks(
        self, stops_early: bool, shown: dict[str, Any] | None, stage: str | None
    ) -> list:
        callbacks: list = [] if stage is None else [("stage", MarkStage(stage))]
        if stops_early:
            stopping = KeepBest(int(self.n_iter_no_change), float(self.tol))
            callbacks.append(("early_stopping", stopping))
        if self.verbose:
            callbacks.append(("bar", EpochBar(type(self).__name__)))
        if shown is not None and hasattr(self, "_skl_callbacks"):
            bridge = SklearnCallbacks(self, shown, self._fitted_attributes)
            callbacks.append(("sklearn", bridge))
        for callback in self.callbacks or []:
            _require_callback(callback)
        return callbacks + (self.callbacks or [])


def _plain_numbers(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters without the width that numbers of numpy bring into computations."""
    return {name: plain_number(value) for name, value in params.items()}


def _require_callback(callback: Any) -> None:
    """Raise unless it is a skorch callback, its class, or a name and one of both."""
    named = isinstance(callback, tuple) and len(callback) == 2
    inner = callback[1] if named else callback
    is_class = isinstance(inner, type) and issubclass(inner, Callback)
    if not is_class and not isinstance(inner, Callback):
        raise TypeError(
            f"callbacks has {callback!r}, which is no skorch callback. Pass objects of "
            "classes derived from skorch.callbacks.Callback, or (name, callback)."
        )
    for kind, advice in _OF_BATCHES.items():
        if isinstance(inner, kind) or (is_class and issubclass(inner, kind)):
            raise TypeError(
                f"callbacks has {kind.__name__}, which needs the batches of an epoch, "
                f"and the history keeps none. {advice}."
            )
    by_batch = getattr(inner, "step_every", None) == "batch"
    if isinstance(inner, LRScheduler) and by_batch and inner.event_name is not None:
        raise TypeError(
            "callbacks has LRScheduler(step_every='batch'), which would note the rate "
            "of each batch, and the history keeps none. Pass event_name=None, too."
        )
