"""What kind of thing an id is, and how it would look as another kind.

``7``, ``"7"`` and ``b"7"`` are three ids. That is right, and the usual cause of a table
in which no id is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

# Units in which numpy's times equal no datetime.
_NO_DATETIMES = {unit: f"times in {unit}" for unit in ("ns", "ps", "fs", "as")}
_NO_DATETIMES |= dict.fromkeys("DWMY", "dates of numpy")
WHOLE, FRACTION = "whole numbers", "numbers with a fraction"


def is_number(value: Any) -> bool:
    """Whether an id is a number; numpy's durations pass for integers, and are none."""
    # numpy.float32 is a Real and not a float.
    return isinstance(value, (Real, Decimal)) and not isinstance(value, np.timedelta64)


def kinds_of(ids: Iterable[Any]) -> set[str]:
    """Kinds of ids, in words (plural)."""
    return {kind_of(value) for value in ids}


def kind_of(value: Any) -> str:
    """Kind of one id, in words (plural)."""
    if is_number(value):  # bool is one, and equal to 0 or 1
        return WHOLE if value == math.floor(value) else FRACTION
    if isinstance(value, str):
        return "text"
    if isinstance(value, (datetime, np.datetime64)):
        return _kind_of_time(value)
    for types, kind in (
        (bytes, "bytes"),
        (date, "dates"),
        ((timedelta, np.timedelta64), "durations"),
        (tuple, "tuples"),
    ):
        if isinstance(value, types):  # type: ignore[arg-type]
            return kind
    return f"of type {type(value).__name__}"


def _kind_of_time(value: datetime | np.datetime64) -> str:
    if isinstance(value, np.datetime64):
        return _NO_DATETIMES.get(np.datetime_data(value)[0], "times")
    return "times" if value.tzinfo is None else "times with a zone"


def lookalikes(value: Any) -> Iterator[Any]:
    """Ids of other kinds that are written like `value`."""
    if isinstance(value, str):
        yield value.encode()
        yield from _read(value)
    elif isinstance(value, bytes):
        text = value.decode(errors="replace")
        yield text
        yield from _read(text)
    elif is_number(value):
        written = {str(value)}
        if kind_of(value) == WHOLE:
            whole = math.floor(value)
            written |= {f"{whole}", f"{whole}.0"}
        for text in sorted(written):
            yield text
            yield text.encode()
    elif isinstance(value, (date, np.datetime64)):  # a datetime is a date
        yield str(value)
        yield from _times_like(value)
    elif isinstance(value, tuple) and len(value) == 1:
        yield value[0]


def _read(text: str) -> Iterator[Any]:
    """Numbers and times that `text` can be read as."""
    for read in (int, float, date.fromisoformat, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        yield found
        if isinstance(found, date):
            yield from _times_like(found)


def _times_like(value: Any) -> Iterator[Any]:
    """The same moment as another type; its day; with and without a zone."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    yield from (value.date(), value.isoformat(), str(value.date()))
    naive = value.replace(tzinfo=None)
    yield from (naive, value.replace(tzinfo=UTC))
    if value.tzinfo is not None:
        naive = value.astimezone(UTC).replace(tzinfo=None)
        yield naive
    yield np.datetime64(naive, "ns")
