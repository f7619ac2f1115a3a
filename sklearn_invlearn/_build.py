"""Build the module of a fit: from random weights, or fitted to the labels."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import nn

from ._encoding import PairEncoder
from ._training_data import EncodedPairs
from .modules import BACKBONES, check_backbone, set_intercept
from .training import Pairs, TrainingData


def backbone_class(backbone: str | type) -> Any:
    """Return the class for a name; a class is returned as it is."""
    return BACKBONES.get(backbone) if isinstance(backbone, str) else backbone


def comes_fitted(backbone: str | type) -> bool:
    """Whether the backbone is built from labels and exposures, see `modules`."""
    return hasattr(backbone_class(backbone), "fitted")


def build_module(
    backbone: str | type,
    *,
    shared: dict[str, Any],
    params: dict[str, Any],
    encoder: PairEncoder,
    pairs: EncodedPairs,
    data: TrainingData,
    seed: int,
) -> nn.Module:
    """Build a backbone on the CPU.

    Parameters
    ----------
    shared : dict
        Parameters that a backbone is given if its constructor names them.
    params : dict
        Parameters that it is given in any case.
    """
    cls = backbone_class(backbone)
    labels = _arrays(data.all_labelled)
    sizes = {"n_users": encoder.n_users, "n_items": encoder.n_items}
    if comes_fitted(backbone):
        exposed = pairs.exposures.codes
        module = cls.fitted(
            **sizes, labels=labels, exposed=exposed, seed=seed, **params
        )
    else:
        named = signature(cls).parameters
        optional = {name: value for name, value in shared.items() if name in named}
        module = cls(**optional | params | sizes)
        base_rate = np.average(labels["y"], weights=labels["weight"])
        set_intercept(module, float(base_rate))
    check_backbone(module, torch.device("cpu"))
    return module


def _arrays(pairs: Pairs) -> dict[str, np.ndarray]:
    assert pairs.y is not None
    weight = torch.ones_like(pairs.y) if pairs.weight is None else pairs.weight
    columns = {"user": pairs.user, "item": pairs.item, "y": pairs.y, "weight": weight}
    return {name: column.cpu().numpy() for name, column in columns.items()}
