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


def plain_number(value: Any) -> Any:
    """Return a number of numpy as Python's; anything else as it is.

    Python's takes part in computations in the width of what it meets: 2 times
    ``numpy.uint8(200)`` is 144, and of half precision most counts are infinite.
    """
    return value.item() if isinstance(value, (np.bool_, np.number)) else value


def is_whole(value: Any, low: int) -> bool:
    """Whether `value` is a whole number of `low` or more."""
    return Interval(Integral, low, None, closed="left").is_satisfied_by(value)
