"""Held-out rows between calls: arrays, since an estimator may change its device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..training import Pairs


def kept_rows(held_out: Pairs | None) -> dict[str, np.ndarray] | None:
    """Return held-out rows as arrays; None stays None."""
    if held_out is None:
        return None
    held_out = with_weights([held_out])
    assert held_out.y is not None
    assert held_out.weight is not None
    y, weight = held_out.y.cpu().numpy(), held_out.weight.cpu().numpy()
    return {"codes": held_out.codes, "y": y, "weight": weight}


def pairs_from(rows: dict[str, np.ndarray] | None, device: torch.device) -> Pairs:
    """Return what `kept_rows` was given, on the device."""
    assert rows is not None
    elsewhere = np.full(len(rows["y"]), -1)  # not among the rows of this call
    columns = rows["codes"], rows["y"], rows["weight"], elsewhere
    return Pairs.from_codes(*columns, device=device)


def with_weights(parts: list[Pairs]) -> Pairs:
    """Join the parts; rows without a weight get 1."""
    return Pairs.joined(
        [
            part if part.weight is not None else replace(part, weight=_ones(part))
            for part in parts
        ]
    )


def _ones(pairs: Pairs) -> torch.Tensor:
    assert pairs.y is not None
    return torch.ones_like(pairs.y)
