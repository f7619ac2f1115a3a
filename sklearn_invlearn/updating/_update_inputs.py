"""What users hand to ``partial_fit``, checked against what ``fit`` was given."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length

from ..fitting._build import comes_fitted
from ..fitting._inputs import (
    FitInputs,
    LabelledRows,
    check_pairs_like_fit,
    check_pool,
    names_of_columns,
)
from ..fitting._labels import label_column
from ..fitting._weights import check_weight, mean_weight, relative_weight


def check_update_inputs(
    estimator: Any, X: Any, y: Any, sample_weight: Any, classes: Any, X_unlab: Any
) -> FitInputs:
    """Check the arguments of a ``partial_fit`` that is not the first call."""
    require_same_classes(estimator, classes)
    columns = check_pairs_like_fit(estimator, X)
    y01 = _check_known_labels(estimator, y)
    check_consistent_length(columns[0], y01)
    weight = None
    if sample_weight is not None:
        raw = check_weight(sample_weight, y01)
        weight = relative_weight(raw, estimator._weight_unit)
    rows = LabelledRows(columns, y01, weight, np.arange(len(y01)), len(y01))
    if weight is not None:
        rows = rows.take(np.flatnonzero(weight > 0))
    names = names_of_columns(X, estimator)
    pool = None if X_unlab is None else check_pool(X_unlab, names)
    return FitInputs(estimator.classes_, rows, pool, None, None)


def weight_unit(sample_weight: Any) -> float:
    """Mean of the weights above zero: what later weights are relative to."""
    if sample_weight is None:
        return 1.0
    return mean_weight(np.asarray(sample_weight, dtype=np.float64))


def require_same_classes(estimator: Any, classes: Any) -> None:
    """Raise if `classes` are given and not those of the fitted estimator."""
    if classes is None or _same(np.unique(classes), estimator.classes_):
        return
    raise ValueError(
        f"classes={np.unique(classes).tolist()} is not the same as on the last call, "
        f"which was {estimator.classes_.tolist()}."
    )


def two_classes(classes: Any) -> np.ndarray:
    """Return `classes` sorted; raise if there are not two."""
    found = np.unique(classes)
    if len(found) != 2:
        raise ValueError(
            f"classes={found.tolist()} has {len(found)} labels; a recommender has two."
        )
    return found


def refuse_one_class(
    estimator: Any, y: Any, sample_weight: Any, classes: np.ndarray
) -> None:
    """Raise if a first call has rows of one class, and the method needs both."""
    if y is None:  # fit says so
        return
    y = label_column(y)
    if sample_weight is not None:
        y = y[check_weight(sample_weight, y) > 0]
    y = np.unique(y)
    if len(y) != 1:
        return
    name, sampled = type(estimator).__name__, estimator._n_negatives > 0
    if estimator._holds_out:
        why, instead = f"{name} holds a share of each class out", "another method"
    elif comes_fitted(estimator.backbone) and not (sampled and y[0] == classes[1]):
        why = f"backbone={estimator.backbone!r} is fitted to labels of both classes"
        instead = "backbone='gmf'"
    else:
        return
    counted = "" if sample_weight is None else " (of rows with a weight above zero)"
    label = y[:1].tolist()[0]
    raise ValueError(
        f"y of the first call{counted} has only the label {label!r} of classes="
        f"{classes.tolist()}, but {why}. Collect rows of both classes for the first "
        f"call, or take {instead}."
    )


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and bool((left == right).all())


def _check_known_labels(estimator: Any, y: Any) -> np.ndarray:
    name = type(estimator).__name__
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    y = label_column(y)
    unknown = set(np.unique(y).tolist()) - set(estimator.classes_.tolist())
    if unknown:
        raise ValueError(
            f"y has the labels {sorted(unknown, key=str)}, which are not among the "
            f"classes {estimator.classes_.tolist()}; a recommender has two."
        )
    return (y == estimator.classes_[1]).astype(np.float32)
