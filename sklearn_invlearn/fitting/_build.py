"""Build the module of a fit: from random weights, or fitted to the labels."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import nn

from ..ids._encoding import PairEncoder
from ..modules import BACKBONES, check_backbone, set_intercept
from ..training import Pairs, TrainingData, with_negatives
from ._progress import stage_bar
from ._training_data import EncodedPairs

_LARGEST_SHARE = 1 - 2.0**-24  # one heavy row may leave nothing of the others, rounded


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
    n_negatives: int,
    batch_size: int,
    seed: int,
    verbose: bool = False,
    one_class: bool = False,
) -> nn.Module:
    """Build a backbone on the CPU.

    Parameters
    ----------
    shared : dict
        Parameters that a backbone is given if its constructor names them.
    params : dict
        Parameters that it is given in any case.
    n_negatives : int
        Unlabeled batches taken for negatives beside each labelled one.
    batch_size : int
        Rows of a labelled batch.
    one_class : bool
        Whether the labels may be of one class, since rows of the other are to come.
    """
    share = share_of_positives(data, n_negatives, batch_size, one_class)
    cls = backbone_class(backbone)
    sizes = {"n_users": encoder.n_users, "n_items": encoder.n_items}
    if comes_fitted(backbone):
        exposed = pairs.exposures.codes
        labels = _arrays(_labels_of_both_classes(data))
        given = {**sizes, "labels": labels, "exposed": exposed, "seed": seed, **params}
        _require_bound(cls.fitted, given, cls.__name__, params)
        with stage_bar(cls, verbose) as reporting:
            module = cls.fitted(**given, **reporting)
    else:
        given = {**shared, "history": observed_positives(data)}
        module = blank_module(
            backbone, shared=given, params=params, settings=None, **sizes
        )
        set_intercept(module, share)
    check_backbone(module, torch.device("cpu"))
    return module


def observed_positives(data: TrainingData) -> torch.Tensor:
    """Codes (2, n) int64, on the CPU, of the positives that may be looked at.

    Rows for early stopping are not among them: their labels would not be unseen.
    """
    parts = (
        [data.all_labelled] if data.extra is None else [data.all_labelled, data.extra]
    )
    pairs = Pairs.joined(parts)
    assert pairs.y is not None
    return torch.stack([pairs.user, pairs.item])[:, pairs.y > 0].cpu()


def blank_module(
    backbone: str | type,
    *,
    shared: dict[str, Any],
    params: dict[str, Any],
    n_users: int,
    n_items: int,
    settings: dict[str, Any] | None,
) -> nn.Module:
    """Build a backbone of another size, or one whose weights are still to be read.

    Parameters
    ----------
    settings : dict or None
        Of a module that comes fitted, see :func:`module_settings`.
    """
    cls = backbone_class(backbone)
    sizes = {"n_users": n_users, "n_items": n_items}
    if not issubclass(cls, nn.Module):
        raise TypeError(
            f"backbone={cls.__name__} is no torch.nn.Module. Pass a class derived from "
            "it, see the design page, or one of the names."
        )
    if taken := sorted(set(params) & set(sizes)):
        raise ValueError(
            f"backbone_params has {taken}, which follow from the ids that fit is "
            "given. Leave them out."
        )
    if settings is not None:
        return cls.blank(**sizes, **settings)
    named = signature(cls).parameters
    given = {"history": torch.empty((2, 0), dtype=torch.int64), **shared}
    optional = {name: value for name, value in given.items() if name in named}
    arguments = optional | params | sizes
    _require_bound(cls, arguments, cls.__name__, params)
    return cls(**arguments)


def _require_bound(
    function: Any, arguments: dict[str, Any], name: str, params: dict[str, Any]
) -> None:
    """Raise if the constructor of a backbone does not take its arguments."""
    try:
        signature(function).bind(**arguments)
    except TypeError as error:
        raise TypeError(
            f"The backbone {name} cannot be built: {error}. It is called with "
            f"n_users, n_items and backbone_params, here {sorted(params)}, and takes "
            f"{sorted(signature(function).parameters)}. See the design page for what "
            "a backbone is."
        ) from error


def module_settings(module: Any) -> dict[str, Any] | None:
    """What a module that comes fitted is rebuilt from, beside sizes and weights.

    Raises
    ------
    TypeError
        If it does not say.
    """
    if not hasattr(module, "fitted"):
        return None
    if hasattr(module, "settings") and hasattr(type(module), "blank"):
        return module.settings()
    raise TypeError(
        f"{type(module).__name__} comes fitted, and cannot be updated or read from a "
        "file without a method settings() and a classmethod blank(n_users, n_items, "
        "**settings) that returns a module of these sizes."
    )


def share_of_positives(
    data: TrainingData, n_negatives: int, batch_size: int, one_class: bool = False
) -> float:
    """Weighted share of positives in a pass, sampled negatives included.

    If it is 0 or 1, and `one_class` says that it may be, half a row of each class is
    added.

    Raises
    ------
    ValueError
        If there are positives alone, and nothing to sample negatives from.
    """
    labels = _arrays(data.all_labelled)
    n_sampled = 0
    if n_negatives and data.unlabeled is not None:
        n_full, rest = divmod(len(data.labelled), batch_size)
        sizes = [batch_size] * n_full + ([rest] if rest else [])
        n_sampled = n_negatives * sum(map(data.unlabeled.n_drawn, sizes))
    positive = float(labels["weight"] @ labels["y"])
    total = float(labels["weight"].sum()) + n_sampled
    only_positives = bool(labels["y"].all()) and not n_sampled
    if one_class and (only_positives or not labels["y"].any()):
        return (positive + 0.5) / (total + 1.0)
    if only_positives:
        raise ValueError(
            "y has one class alone, observed positives, and every known user has "
            "every known item among them: there is no unobserved pair to sample "
            "negatives from. Pass pairs without feedback as X_unlab=(pool,)."
        )
    return min(positive / total, _LARGEST_SHARE)


def _labels_of_both_classes(data: TrainingData) -> Pairs:
    """Labelled pairs; where they are all positive, with a draw of negatives."""
    labelled = data.all_labelled
    assert labelled.y is not None
    if data.unlabeled is None or not bool(labelled.y.all()):
        return labelled
    return with_negatives(labelled, data.unlabeled.draw(labelled))


def _arrays(pairs: Pairs) -> dict[str, np.ndarray]:
    assert pairs.y is not None
    weight = torch.ones_like(pairs.y) if pairs.weight is None else pairs.weight
    columns = {"user": pairs.user, "item": pairs.item, "y": pairs.y, "weight": weight}
    return {name: column.cpu().numpy() for name, column in columns.items()}
