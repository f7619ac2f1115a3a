"""Values as JSON and back, of the same type and equal; what cannot be is refused.

JSON has text, numbers, true, false, null and lists; they stand for themselves.
Everything else is an object with one key that names its type. Numeric arrays go to
`arrays`, to be stored in binary, and are named in their place. Nothing that is read is
ever executed.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from scipy import sparse

Arrays = dict[str, np.ndarray]


class NotExact(ValueError):
    """A value that has no exact form in JSON."""

    def __init__(self, value: Any) -> None:
        kind = type(value)
        super().__init__(f"{value!r:.80} of type {kind.__module__}.{kind.__qualname__}")


def to_bytes(value: Any, arrays: Arrays) -> bytes:
    """Return `value` as JSON in UTF-8; lone surrogates of a text are kept, too."""
    text = json.dumps(
        encode(value, arrays),
        allow_nan=False,
        ensure_ascii=False,  # escapes would join two lone surrogates
        separators=(",", ":"),
    )
    return text.encode("utf-8", "surrogatepass")


def from_bytes(content: bytes, arrays: Arrays) -> Any:
    """Return what `to_bytes` was given; see `decode` for errors."""
    return decode(json.loads(content.decode("utf-8", "surrogatepass")), arrays)


def encode(value: Any, arrays: Arrays) -> Any:
    """Return `value` for ``json.dumps``; numeric arrays are added to `arrays`.

    Raises
    ------
    NotExact
        For a value that `decode` could not give back.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float and np.isfinite(value):
        return value
    if kind is list:
        return [encode(v, arrays) for v in value]
    for tag, (kinds, to_json, _) in _TAGS.items():
        if kind in kinds:
            return {tag: to_json(value, arrays)}
    if isinstance(value, np.generic):
        return {"numpy": _numpy_to_json(value)}
    if isinstance(value, type) and _is_torch_optimizer(value):
        return {"torch.optim": value.__name__}
    raise NotExact(value)


def decode(value: Any, arrays: Arrays) -> Any:
    """Return what `encode` was given.

    Raises
    ------
    ValueError
        For a tag that this release does not know.
    """
    if isinstance(value, list):
        return [decode(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "numpy":
        return _numpy_from_json(*content)
    if tag == "torch.optim":
        optimizer = getattr(torch.optim, str(content), None)
        if _is_torch_optimizer(optimizer):
            return optimizer
        raise ValueError(f"torch.optim has no optimizer {content!r}")
    if tag not in _TAGS:
        raise ValueError(f"unknown type {tag!r}")
    return _TAGS[tag][2](content, arrays)


def _is_torch_optimizer(value: Any) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, torch.optim.Optimizer)
        and getattr(torch.optim, value.__name__, None) is value
    )


# ---- numpy ---------------------------------------------------------------------------


def _numpy_to_json(value: np.generic) -> list:
    kind = value.dtype.kind
    if type(value) is np.dtype(value.dtype.str).type and value.dtype.itemsize <= 8:
        if kind in "mM":
            return [value.dtype.str, int(value.astype(np.int64))]
        if kind in "biu" or (kind == "f" and np.isfinite(value)):
            return [value.dtype.str, value.item()]
    if kind == "U" and type(value) is np.str_:
        return [value.dtype.str, value.item()]
    if kind == "S" and type(value) is np.bytes_:
        return [value.dtype.str, base64.b64encode(value).decode("ascii")]
    raise NotExact(value)


def _numpy_from_json(dtype: str, item: Any) -> np.generic:
    if np.dtype(dtype).kind == "S":
        return np.bytes_(base64.b64decode(item, validate=True))
    if np.dtype(dtype).kind in "mM":
        return np.array([item], dtype=np.int64).view(dtype)[0]
    return np.dtype(dtype).type(item)


def _array_to_json(value: np.ndarray, arrays: Arrays) -> Any:
    if value.dtype.kind in "biuf" and value.dtype.isnative and value.itemsize <= 8:
        name = f"array.{len(arrays)}"
        arrays[name] = value
        return name
    if value.dtype.kind not in "UOmM":
        raise NotExact(value)
    flat = value.ravel()
    # tolist() would turn times of numpy into datetimes, or plain integers.
    items = list(flat) if flat.dtype.kind in "mM" else flat.tolist()
    values = [encode(v, arrays) for v in items]
    return [value.dtype.str, list(value.shape), values]


def _array_from_json(content: Any, arrays: Arrays) -> np.ndarray:
    if isinstance(content, str):
        return arrays[content]
    dtype, shape, values = content
    array = np.empty(len(values), dtype=dtype)
    array[:] = [decode(v, arrays) for v in values]
    return array.reshape(shape)


def _csr_to_json(value: sparse.csr_array, arrays: Arrays) -> list:
    parts = [encode(p, arrays) for p in (value.data, value.indices, value.indptr)]
    return [*parts, list(value.shape)]


def _csr_from_json(content: list, arrays: Arrays) -> sparse.csr_array:
    *parts, shape = content
    return sparse.csr_array(tuple(decode(p, arrays) for p in parts), shape=tuple(shape))


def _state_from_json(content: Any, arrays: Arrays) -> np.random.RandomState:
    random = np.random.RandomState(0)
    random.set_state(decode(content, arrays))
    return random


# ---- one line a type: tag, classes, to JSON, from JSON -------------------------------

_Rule = tuple[tuple[type, ...], Callable[[Any, Arrays], Any], Callable]
_TAGS: dict[str, _Rule] = {
    "float": ((float,), lambda v, _: repr(v), lambda v, _: float(v)),  # inf, nan
    "tuple": (
        (tuple,),
        lambda v, arrays: [encode(x, arrays) for x in v],
        lambda v, arrays: tuple(decode(x, arrays) for x in v),
    ),
    "dict": (
        (dict,),
        lambda v, arrays: [[encode(x, arrays) for x in pair] for pair in v.items()],
        lambda v, arrays: {decode(k, arrays): decode(x, arrays) for k, x in v},
    ),
    "bytes": (
        (bytes,),
        lambda v, _: base64.b64encode(v).decode("ascii"),
        lambda v, _: base64.b64decode(v, validate=True),
    ),
    "date": (
        (date,),
        lambda v, _: v.isoformat(),
        lambda v, _: date.fromisoformat(v),
    ),
    "Decimal": ((Decimal,), lambda v, _: str(v), lambda v, _: Decimal(v)),
    "UUID": ((uuid.UUID,), lambda v, _: v.hex, lambda v, _: uuid.UUID(hex=v)),
    "torch.device": (
        (torch.device,),
        lambda v, _: str(v),
        lambda v, _: torch.device(v),
    ),
    "RandomState": (
        (np.random.RandomState,),
        lambda v, arrays: encode(v.get_state(), arrays),
        _state_from_json,
    ),
    # A memory map, as of joblib.load(mmap_mode="r"), is an array that lies in a file.
    "array": ((np.ndarray, np.memmap), _array_to_json, _array_from_json),
    "csr_array": ((sparse.csr_array,), _csr_to_json, _csr_from_json),
}
