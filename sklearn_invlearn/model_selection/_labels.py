"""Labels as an array that scikit-learn can split and fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics._inputs import BoolArray, as_column, check_labels


def two_classes(y: Any) -> tuple[NDArray[Any], list[Any], BoolArray]:
    """Return labels (n,), the two classes in order, and which labels are positive."""
    column = as_column(y, "y")
    if not len(column):
        raise ValueError("y is empty.")
    positive = check_labels(column)  # missing labels, more than two, no order
    if column.dtype == object:  # of a list; scikit-learn wants numbers or text
        column = np.array(column.tolist())
    if positive.all():
        raise ValueError(
            f"y has one class only: {column[:1].tolist()}. Labels of two classes are "
            "needed; models of positives alone are judged by make_full_ranking_scorer."
        )
    classes = [column[~positive][0].item(), column[positive][0].item()]
    return column, classes, positive
