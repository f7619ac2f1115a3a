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
    "CollidingRecommender": "._colliding",
    "CrossEntropyRecommender": "._cross_entropy",
    "InverseDualLossRecommender": "._inverse_dual",
    "InverseGradientRecommender": "._inverse_gradient",
    "MultiTaskRecommender": "._multi_task",
    "NegativeReweightingRecommender": "._negative_reweighting",
    "ReweightedLossRecommender": "._reweighted_loss",
    "TruncatedLossRecommender": "._truncated_loss",
    "baselines": None,
    "load": "._files",
    "datasets": None,
    "inspection": None,
    "losses": None,
    "metrics": None,
    "model_selection": None,
    "modules": None,
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
    "training",
]

if TYPE_CHECKING:
    from ._colliding import CollidingRecommender
    from ._cross_entropy import CrossEntropyRecommender
    from ._files import load
    from ._inverse_dual import InverseDualLossRecommender
    from ._inverse_gradient import InverseGradientRecommender
    from ._multi_task import MultiTaskRecommender
    from ._negative_reweighting import NegativeReweightingRecommender
    from ._reweighted_loss import ReweightedLossRecommender
    from ._truncated_loss import TruncatedLossRecommender


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    if home is None:
        return import_module(f".{name}", __name__)
    return getattr(import_module(home, __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
