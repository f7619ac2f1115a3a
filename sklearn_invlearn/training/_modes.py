"""Whether a module computes in training what it computes in evaluation."""

from __future__ import annotations

from typing import Any

from torch import nn

_LAYERS = {nn.Embedding, nn.Identity, nn.Linear, nn.ModuleList, nn.ReLU, nn.Sequential}


def same_in_training(module: Any) -> bool:
    """Whether every part of `module` is known to do the same in both modes.

    These are some layers of torch, and classes that say so by ``same_in_training =
    True`` in their own body. A subclass has to say so again: it may have added dropout.
    """
    return all(
        type(part) in _LAYERS or vars(type(part)).get("same_in_training", False)
        for part in module.modules()
    )
