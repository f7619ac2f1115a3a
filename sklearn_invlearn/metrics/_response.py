"""What a scorer asks of an estimator: classes, positive labels, scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._inputs import BoolArray, as_column


def is_positive(estimator: Any, y: Any) -> BoolArray:
    """Return which labels are ``estimator.classes_[1]``, shape (n_samples,)."""
    classes = np.asarray(estimator.classes_)
    if len(classes) != 2:
        raise ValueError(
            "User metrics need a binary classifier, but "
            f"{type(estimator).__name__}.classes_ is {classes.tolist()}. If it has one "
            "class, a training fold had no other label: stratify the folds by y."
        )
    y_array = as_column(y, "y")
    positive = np.asarray(y_array == classes[1], dtype=bool)
    known = positive | np.asarray(y_array == classes[0], dtype=bool)
    if not known.all():
        raise ValueError(
            f"y holds the label {y_array[~known].tolist()[0]!r}, but the estimator was "
            f"fitted with {classes.tolist()}. Use the same two labels for fitting and "
            "scoring."
        )
    return positive


def get_scores(
    estimator: Any, X: Any, response_method: str | tuple[str, ...]
) -> NDArray[Any]:
    """Return the scores of the rows of X from the first method the estimator has."""
    methods = (
        (response_method,) if isinstance(response_method, str) else response_method
    )
    for method in methods:
        if hasattr(estimator, method):
            scores = np.asarray(getattr(estimator, method)(X))
            break
    else:
        raise TypeError(
            f"{type(estimator).__name__} has none of the methods {list(methods)}. Use "
            "a classifier which has one, or set response_method of the scorer."
        )
    if method == "predict_proba" and scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1]
    if scores.ndim != 1:
        raise ValueError(
            f"{type(estimator).__name__}.{method} returned the shape {scores.shape}, "
            "not one score per row. User metrics need a binary classifier."
        )
    return scores
