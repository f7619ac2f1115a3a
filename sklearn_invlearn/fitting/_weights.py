"""Weights of labelled rows: what may be one, and in which unit they are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from ..ids._columns import refuse_masked


def check_weight(sample_weight: Any, y: np.ndarray) -> np.ndarray:
    """Return weights (n,) float64, finite, not negative and not all zero."""
    refuse_masked(sample_weight, "sample_weight")
    weight = _check_sample_weight(
        sample_weight, y, dtype=np.float64, ensure_non_negative=True
    )
    if len(weight) and not weight.any():  # scikit-learn itself says so from 1.9 on
        raise ValueError(
            "Sample weights must contain at least one non-zero number: all are 0, so "
            "there is no row to learn from."
        )
    return weight


def mean_weight(weight: np.ndarray) -> float:
    """Mean of the weights above zero."""
    positive = weight[weight > 0]
    with np.errstate(over="ignore"):
        mean = positive.mean()
    return float(mean if np.isfinite(mean) else (positive / len(positive)).sum())


def relative_weight(weight: np.ndarray, unit: float) -> np.ndarray:
    """Return weights (n,) float32 in units of `unit`; raise if some would be lost."""
    with np.errstate(over="ignore", under="ignore"):
        relative = (weight / unit).astype(np.float32)
    positive = weight > 0
    if not np.isfinite(relative).all() or (relative[positive] == 0).any():
        low, high = weight[positive].min(), weight.max()
        raise ValueError(
            f"The positive values of sample_weight, from {low:.3g} to {high:.3g}, are "
            "too far apart for single precision: some would be lost. Clip them, or "
            "give rows that hardly count a weight of 0."
        )
    return relative
