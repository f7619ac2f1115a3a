"""Checks of labelled pairs, in one place: labels, scores and ids of users.

Everything behind this module trusts its three results: ``positive`` (n,) bool,
``score`` (n,) numeric without NaN, ``codes`` (n,) int64 in ``0 .. n_users - 1``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]

# Neighbouring integers above this are the same float, by bytes; as for estimators.
_LARGEST_EXACT_FLOAT = {2: 2**11, 4: 2**24, 8: 2**53}


def check_pairs(
    y_true: Any,
    y_score: Any,
    users: Any,
    pos_label: Any = None,
    *,
    by_name: bool = False,
) -> tuple[BoolArray, NDArray[Any], IntArray]:
    """Return ``(positive, score, codes)`` of n pairs, each of shape (n,).

    `by_name` is that of `check_labels`.
    """
    y_array = as_column(y_true, "y_true")
    score = check_score(as_column(y_score, "y_score"))
    user_array = as_column(users, "users")
    lengths = [len(y_array), len(score), len(user_array)]
    if len(set(lengths)) > 1:
        raise ValueError(
            "y_true, y_score and users must have one entry per pair, but have "
            f"{lengths[0]}, {lengths[1]} and {lengths[2]} entries. Pass the user of "
            "every row, not the list of distinct users."
        )
    if not len(y_array):
        raise ValueError(
            "There are no pairs to evaluate: y_true, y_score and users are empty. "
            "Check the filter or the split which made them."
        )
    positive = check_labels(y_array, pos_label, by_name=by_name)
    codes, _ = factorise(user_array, "users")
    return positive, score, codes


def as_column(values: Any, name: str) -> NDArray[Any]:
    """Return `values` as a 1-D array, without making two ids one.

    A plain sequence becomes an array of objects: numpy would turn ``[1, "1"]`` into
    two equal strings and ``[2**63, -1]`` into floats.
    """
    if issparse(values):
        raise TypeError(f"{name} is a sparse matrix. Pass a dense 1-D array.")
    refuse_masked(values, name)
    if hasattr(values, "to_pylist") and values.null_count:
        # Arrow writes a null of a dictionary as its last entry, one of numbers as NaN.
        values = values.to_pylist()
    if hasattr(values, "dtype") or hasattr(values, "__array__"):
        array = np.asarray(values)
    elif isinstance(values, Iterable) and not isinstance(values, (str, bytes, dict)):
        array = np.fromiter(values, dtype=object)
    else:
        raise TypeError(
            f"{name} must be a 1-D array-like with one entry per pair, "
            f"got {type(values).__name__}."
        )
    if array.ndim != 1:
        hint = (
            " If this is the result of predict_proba, pass its column 1."
            if name == "y_score"
            else ""
        )
        raise ValueError(f"{name} must be 1-D, got the shape {array.shape}.{hint}")
    return array


def refuse_masked(values: Any, name: str) -> None:
    """Raise if a masked array hides anything."""
    if np.ma.isMA(values) and np.ma.getmaskarray(values).any():
        raise ValueError(
            f"{name} has masked entries, which a plain array would show. Drop these "
            "rows, or fill them with `.filled(...)`."
        )


def check_score(score: NDArray[Any], name: str = "y_score") -> NDArray[Any]:
    """Return numeric scores of any shape without NaN; infinite ones can be ranked."""
    if score.dtype.kind not in "biuf":
        try:
            # Whole numbers of a list stay what they are: floats may round two to one.
            exact = np.array(score.tolist()) if score.dtype == object else score
            score = exact if exact.dtype.kind in "iu" else score.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name} must be numbers, got the dtype {score.dtype}: {error}. "
                "Missing values and text cannot be ranked."
            ) from error
    if score.dtype.kind == "f" and (n_nan := int(np.isnan(score).sum())):
        raise ValueError(
            f"{name} has {n_nan} NaN among {score.size} values, which have no place "
            "in a ranking. Likely the model diverged: lower its learning rate, or "
            "look for NaN in its input."
        )
    return score


def check_labels(
    y_true: NDArray[Any], pos_label: Any = None, *, by_name: bool = False
) -> BoolArray:
    """Return which labels are the positive one: `pos_label`, or the larger of two.

    In a ranking, a single label has no other one to be ranked against, and its name
    does not matter. Where it does, `by_name` asks for 0 or 1 (False or True).
    """
    labels = _distinct_labels(y_true)
    if len(labels) > 2:
        raise ValueError(
            f"y_true must hold at most two different labels, got {len(labels)}: "
            f"{_shorten(labels)}. Make ratings binary first, for example with "
            "`rating >= 4`, and leave out unlabeled pairs."
        )
    if pos_label is None:
        if by_name and len(labels) == 1:
            if labels[0] not in (0, 1):
                raise ValueError(
                    f"y_true has one label only, {labels[0]!r}, which may be the "
                    "positive or the negative one: pass pos_label."
                )
            return np.full(len(y_true), labels[0] == 1)
        return np.asarray(y_true == labels[-1], dtype=bool)
    if len(labels) == 2 and pos_label not in labels:
        raise ValueError(
            f"pos_label={pos_label!r} is not one of the labels in y_true: {labels}."
        )
    return np.asarray(y_true == pos_label, dtype=bool)


def _distinct_labels(y_true: NDArray[Any]) -> list[Any]:
    """Return the distinct labels in ascending order."""
    if y_true.dtype.kind in "biuf":
        if y_true.dtype.kind == "f" and np.isnan(y_true).any():
            raise ValueError(
                "y_true has NaN. If it marks unlabeled pairs, leave these rows out: "
                "only labelled pairs can be evaluated."
            )
        low, high = y_true.min(), y_true.max()
        if not ((y_true == low) | (y_true == high)).all():
            return np.unique(y_true).tolist()
        return [low.item()] if low == high else [low.item(), high.item()]
    labels = set(y_true.tolist())
    if any(is_missing(label) for label in labels):
        raise ValueError(
            "y_true has missing labels (None or NaN). Leave unlabeled pairs out: "
            "only labelled pairs can be evaluated."
        )
    try:
        return sorted(labels)
    except TypeError as error:
        raise ValueError(
            f"The labels in y_true cannot be ordered: {_shorten(list(labels))}. "
            "Use one type for all of them."
        ) from error


def factorise(ids: NDArray[Any], name: str) -> tuple[IntArray, NDArray[Any]]:
    """Return ``(codes, distinct)`` with ``distinct[codes]`` equal to `ids`.

    Numbers keep their dtype; everything else goes through a dict, so that ids are the
    same exactly if they are equal in Python, whatever mixture of types they are.
    """
    if ids.dtype.kind in "iu" and len(ids):
        low, high = int(ids.min()), int(ids.max())
        if high - low <= 2 * len(ids):
            return _factorise_narrow(ids, low, high - low + 1)
    if ids.dtype.kind in "biuf":
        if ids.dtype.kind == "f" and np.isnan(ids).any():
            raise ValueError(_missing_message(name))
        if ids.dtype.kind == "f":
            _require_exact(ids, name)
        distinct, codes = np.unique(ids, return_inverse=True)
        return codes.astype(np.int64, copy=False), distinct
    values = as_objects(ids)
    try:
        table = {key: code for code, key in enumerate(dict.fromkeys(values))}
    except TypeError as error:
        raise TypeError(
            f"{name} must hold hashable ids such as integers, strings or tuples: "
            f"{error}. Turn lists into tuples."
        ) from error
    if any(is_missing(key) for key in table):
        raise ValueError(_missing_message(name))
    codes = np.fromiter(map(table.__getitem__, values), np.int64, count=len(values))
    return codes, np.fromiter(table, dtype=object, count=len(table))


def as_objects(ids: NDArray[Any]) -> list[Any]:
    """Ids of a column (n,) as Python objects."""
    # tolist() turns nanosecond datetimes into plain integers; list() keeps them.
    return list(ids) if ids.dtype.kind in "mM" else ids.tolist()


def _require_exact(ids: NDArray[Any], name: str) -> None:
    largest = _LARGEST_EXACT_FLOAT.get(ids.dtype.itemsize, 2**53)
    if (np.abs(ids) > largest).any():
        raise ValueError(
            f"{name} has ids of dtype {ids.dtype} beyond 2**"
            f"{largest.bit_length() - 1}, where different integers become the same "
            "float and count as one id. Pass them as integers or strings."
        )


def _factorise_narrow(
    ids: NDArray[Any], low: int, width: int
) -> tuple[IntArray, NDArray[Any]]:
    """Factorise integers in ``low .. low + width - 1`` by a table, without a sort."""
    # The differences are below `width`, which is small, but need not fit in a narrow
    # dtype such as int8 while they are computed; unsigned 64 bits wrap around.
    offset = (ids.astype(np.uint64) - np.uint64(low % 2**64)).astype(np.int64)
    present = np.zeros(width, dtype=bool)
    present[offset] = True
    code_of_offset = np.cumsum(present) - 1
    distinct = np.flatnonzero(present).astype(np.uint64) + np.uint64(low % 2**64)
    return code_of_offset[offset], distinct.astype(ids.dtype)


def is_missing(value: Any) -> bool:
    """Tell None, NaN, and the NA and NaT of pandas from values."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _missing_message(name: str) -> str:
    return (
        f"{name} has missing ids (None or NaN). All of them would count as one and the "
        "same, which is seldom meant: drop these rows or give them ids."
    )


def _shorten(labels: list[Any]) -> str:
    shown = ", ".join(map(repr, labels[:5]))
    return f"{shown}, ..." if len(labels) > 5 else shown
