"""Ids of another type than those they are looked up among, where none is found."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np


def refuse_other_types(ids: list[Any], known: list[Any], what: str, where: str) -> None:
    """Raise if no id is of a type of those that are `known`, none of which it is."""
    theirs, ours = set(map(type_of, ids)), set(map(type_of, known))
    if not theirs & ours:
        raise ValueError(
            f"None of {what} occurs in {where}, since they are of another type: they "
            f"are {', '.join(sorted(theirs))} (such as {ids[0]!r}), those of {where} "
            f"{', '.join(sorted(ours))} (such as {known[0]!r}). The usual cause is a "
            "file or a frame that was read with other types: convert one of them."
        )


def type_of(value: Any) -> str:
    """Return a name for those ids that can be equal, and be sorted."""
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return str(value.dtype)  # with the unit
    if isinstance(value, Number):  # 1, 1.0 and Decimal(1) are one id
        return "numbers"
    return type(value).__name__
