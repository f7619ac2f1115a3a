"""What users hand to ``partial_fit``, checked against what ``fit`` was given."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_sample_weight

from ..fitting._inputs import FitInputs, LabelledRows, check_pairs_like_fit, check_pool


def check_update_inputs(
    estimator: Any, X: Any, y: Any, sample_weight: Any, classes: Any, X_unlab: Any
) -> FitInputs:
    """Check the arguments of a ``partial_fit`` that is not the first call."""
    require_same_classes(estimator, classes)
    columns = check_pairs_like_fit(estimator, X)
    y01 = _check_known_labels(estimator, y)
    check_consistent_length(columns[0], y01)
    weight = None
    if sample_weight is not None or estimator._weight_unit != 1.0:
        raw = _check_sample_weight(
            sample_weight, y01, dtype=np.float64, ensure_non_negative=True
        )
        weight = (raw / estimator._weight_unit).astype(np.float32)
    rows = LabelledRows(columns, y01, weight, np.arange(len(y01)), len(y01))
    if weight is not None:
        rows = rows.take(np.flatnonzero(weight > 0))
    pool = None if X_unlab is None else check_pool(X_unlab, X)
    return FitInputs(estimator.classes_, rows, pool, None, None)


def weight_unit(sample_weight: Any) -> float:
    """Mean of the weights above zero: what later weights are relative to."""
    if sample_weight is None:
        return 1.0
    weight = np.asarray(sample_weight, dtype=np.float64)
    return float(weight[weight > 0].mean())


def require_same_classes(estimator: Any, classes: Any) -> None:
    """Raise if `classes` are given and not those of the fitted estimator."""
    if classes is None or _same(np.unique(classes), estimator.classes_):
        return
    raise ValueError(
        f"classes={np.unique(classes).tolist()} is not the same as on the last call, "
        f"which was {estimator.classes_.tolist()}."
    )


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and bool((left == right).all())


def _check_known_labels(estimator: Any, y: Any) -> np.ndarray:
    name = type(estimator).__name__
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    y = column_or_1d(y, warn=True)
    if y.dtype.kind in "fc":
        check_array(y, ensure_2d=False, input_name="y")
    unknown = set(np.unique(y).tolist()) - set(estimator.classes_.tolist())
    if unknown:
        raise ValueError(
            f"y has the labels {sorted(unknown, key=str)}, which are not among the "
            f"classes {estimator.classes_.tolist()}; a recommender has two."
        )
    return (y == estimator.classes_[1]).astype(np.float32)
