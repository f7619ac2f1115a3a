"""Inverse learning for recommendation, as scikit-learn estimators.

Few labelled (user, item) pairs, many unlabeled exposures: the estimators learn
from both. Names are imported on first use, so that the metrics and data sets do not
load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "CollidingRecommender": ".recommenders._colliding",
    "CrossEntropyRecommender": ".recommenders._cross_entropy",
    "InverseDualLossRecommender": ".recommenders._inverse_dual",
    "InverseGradientRecommender": ".recommenders._inverse_gradient",
    "MultiTaskRecommender": ".recommenders._multi_task",
    "NegativeReweightingRecommender": ".recommenders._negative_reweighting",
    "ReweightedLossRecommender": ".recommenders._reweighted_loss",
    "TruncatedLossRecommender": ".recommenders._truncated_loss",
    "baselines": None,
    "load": ".files._files",
    "datasets": None,
    "inspection": None,
    "losses": None,
    "metrics": None,
    "model_selection": None,
    "modules": None,
    "spectral": None,
    "training": None,
}

__all__ = [
    "CollidingRecommender",
    "CrossEntropyRecommender",
    "InverseDualLossRecommender",
    "InverseGradientRecommender",
    "MultiTaskRecommender",
    "NegativeReweightingRecommender",
    "ReweightedLossRecommender",
    "TruncatedLossRecommender",
    "baselines",
    "datasets",
    "inspection",
    "load",
    "losses",
    "metrics",
    "model_selection",
    "modules",
    "spectral",
    "training",
]

if TYPE_CHECKING:
    from .files._files import load
    from .recommenders._colliding import CollidingRecommender
    from .recommenders._cross_entropy import CrossEntropyRecommender
    from .recommenders._inverse_dual import InverseDualLossRecommender
    from .recommenders._inverse_gradient import InverseGradientRecommender
    from .recommenders._multi_task import MultiTaskRecommender
    from .recommenders._negative_reweighting import NegativeReweightingRecommender
    from .recommenders._reweighted_loss import ReweightedLossRecommender
    from .recommenders._truncated_loss import TruncatedLossRecommender


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    if home is None:
        return import_module(f".{name}", __name__)
    return getattr(import_module(home, __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
