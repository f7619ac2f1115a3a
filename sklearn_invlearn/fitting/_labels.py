"""Labels of two classes, and what to say if they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..ids._columns import refuse_masked
from ..ids._encoding import is_missing


def check_labels(y: Any, estimator_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the two classes, sorted, and y as their indices 0 and 1 (n,)."""
    if y is None:
        raise ValueError(
            f"{estimator_name} requires y to be passed, but the target y is None."
        )
    y = label_column(y)
    if y.dtype.kind == "f" and type_of_target(y, input_name="y") == "continuous":
        raise ValueError(
            "Unknown label type: continuous. Recommenders learn from labels of two "
            "classes. For ratings or watch times, pass for example `y=(rating >= 4)`."
        )
    if y.dtype == object and type_of_target(y, input_name="y") == "unknown":
        kinds = sorted({type(label).__name__ for label in y})
        raise ValueError(
            f"Unknown label type: unknown. y has the dtype object and holds values of "
            f"type {', '.join(kinds)}. Drop rows without a label, and convert it, for "
            "example by `y.astype(int)`."
        )
    check_classification_targets(y)
    if type_of_target(y, input_name="y", raise_unknown=True) != "binary":
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}. For ratings, pass for example `y=(rating >= 4)`."
            f"{_if_unlabeled(y)}"
        )
    return np.unique(y, return_inverse=True)


def label_column(y: Any, name: str = "y") -> np.ndarray:
    """Return labels (n,); raise if some are missing, or text beside numbers."""
    _refuse_mixed(y, name)
    refuse_masked(y, name)
    with config_context(array_api_dispatch=False):  # tensors become arrays here
        y = column_or_1d(y, warn=True)
    if not y.dtype.isnative:
        y = y.astype(y.dtype.newbyteorder())
    if y.dtype.kind == "f":
        n_missing = int(np.isnan(y).sum())
    else:
        n_missing = sum(map(is_missing, y)) if y.dtype == object else 0
    if n_missing:
        raise ValueError(
            f"Input {name} contains NaN: {n_missing} of its labels are missing. Drop "
            "these rows; pairs without feedback belong in X_unlab."
        )
    if y.dtype.kind in "fc":
        check_array(y, ensure_2d=False, input_name=name)
    return y


def _if_unlabeled(y: np.ndarray) -> str:
    """What to do with the -1 that stands for no label elsewhere in scikit-learn."""
    if y.dtype.kind in "OUSb" or y.min() != -1:
        return ""
    return " If -1 stands for no label: pairs without feedback belong in X_unlab."


def _refuse_mixed(y: Any, name: str) -> None:
    """Raise for a list of text and numbers: numpy would write the numbers as text."""
    if not isinstance(y, (list, tuple)):
        return
    text = [isinstance(label, str) for label in y]
    if any(text) and not all(text):
        other = y[text.index(False)]
        raise ValueError(
            f"{name} mixes text and other labels, such as {y[text.index(True)]!r} and "
            f"{other!r}. Give all labels the same type."
        )


def both_classes(
    classes: np.ndarray, estimator_name: str, positives_suffice: bool
) -> np.ndarray:
    """Return the two classes; raise if those found (at a weight above 0) are too few.

    The class 1 (1.0, True) alone is enough where negatives are sampled: the other one
    is then 0 (0.0, False).
    """
    if len(classes) == 2:
        return classes
    if positives_suffice and classes[0] == 1:
        return np.array([0, 1]).astype(classes.dtype)
    advice = (
        "Observed positives alone are marked with ones: y = np.ones(len(X))."
        if positives_suffice
        else "Pairs whose feedback is unknown belong in X_unlab, not in X; positives "
        "alone are for CrossEntropyRecommender(negatives='sampled')."
    )
    raise ValueError(
        f"{estimator_name} needs labelled pairs of two classes, but y (of rows "
        f"with a weight above zero) has only one class: {classes.tolist()}. {advice}"
    )


def as_expected(
    classes: np.ndarray, y01: np.ndarray, expected: np.ndarray
) -> np.ndarray:
    """Indices (n,) of the labels among the `expected` classes."""
    unknown = set(classes.tolist()) - set(expected.tolist())
    if unknown:
        raise ValueError(
            f"y has the labels {sorted(unknown, key=str)}, which are not among "
            f"classes={expected.tolist()}."
        )
    return np.array([expected.tolist().index(c) for c in classes.tolist()])[y01]
