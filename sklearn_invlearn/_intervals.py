"""Numbers as parameters: True is none, though Python counts it as 1."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import _param_validation


class Interval(_param_validation.Interval):
    """An interval of numbers; scikit-learn's own also holds booleans."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether `val` is a number in the interval."""
        is_boolean = isinstance(val, (bool, np.bool_))
        return not is_boolean and super().is_satisfied_by(val)


def is_whole(value: Any, low: int) -> bool:
    """Whether `value` is a whole number of `low` or more."""
    return Interval(Integral, low, None, closed="left").is_satisfied_by(value)
