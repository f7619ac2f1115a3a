"""The contract between a backbone and everything that uses it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


@torch.no_grad()
def user_vectors(module: Any, user: Tensor) -> Tensor:
    """Return what `module` knows of users as vectors: codes (B,) -> (B, d).

    These are its ``user_vectors(user)`` or, where the logit is a product, the vectors
    of ``user_side(user)``. Their inner products say which users are alike.

    Raises
    ------
    ValueError
        If the module has neither, or the vectors are empty.
    """
    if hasattr(module, "user_vectors"):
        vectors = module.user_vectors(user)
    elif hasattr(module, "user_side"):
        _, vectors = module.user_side(user)
    else:
        vectors = torch.empty(len(user), 0)
    if not vectors.shape[-1]:
        raise ValueError(
            f"The backbone {type(module).__name__} has no vectors of users. Use "
            "another one, such as 'gmf', 'mlp' or 'neumf'; a class of your own needs "
            "a method user_vectors(user) that takes codes (B,) and returns (B, d)."
        )
    return vectors


@torch.no_grad()
def check_backbone(module: nn.Module, device: torch.device) -> None:
    """Call `module` on two pairs and check what comes back.

    Raises
    ------
    ValueError
        If the module is not callable as ``module(user, item)``, or does not return
        one floating-point number per pair.
    """
    codes = torch.tensor([0, 1], device=device)
    name = type(module).__name__
    advice = (
        "A backbone's forward(user, item) takes two int64 tensors of codes, shape "
        "(B,), and returns logits of shape (B,)."
    )
    try:
        logit = module(codes, codes)
    except (TypeError, IndexError, RuntimeError) as error:
        raise ValueError(f"{name} cannot score a pair: {error}. {advice}") from error
    if not isinstance(logit, torch.Tensor) or not logit.is_floating_point():
        raise ValueError(f"{name} returned {type(logit).__name__}. {advice}")
    if logit.shape != codes.shape:
        raise ValueError(
            f"{name} returned shape {tuple(logit.shape)} for 2 pairs. {advice} "
            "`.squeeze(-1)` drops a last axis of length one."
        )
