"""Columns of a ratings file: found by name, checked, ids kept exact.

A column is a 1-d array of numbers, of dates, or of objects such as str.
"""

from collections.abc import Sequence

import numpy as np

Columns = dict[str, np.ndarray]

POSITIONS = ("user", "item", "rating", "timestamp")

# Names in lower case without "_", the most telling first.
_NAMES = {
    "user": ("userid", "user"),
    "item": ("itemid", "movieid", "videoid", "item", "movie", "video"),
    "rating": ("rating",),
    "timestamp": ("timestamp",),
}


def named_columns(header: Sequence[str]) -> dict[str, int]:
    """Return the position of each column that has a known name, by its meaning."""
    plain = _plain(header)
    found = {}
    for meaning, known in _NAMES.items():
        positions = [plain.index(title) for title in known if title in plain]
        if positions:
            found[meaning] = positions[0]
    return found


def find_columns(header: Sequence[str], name: str) -> dict[str, int]:
    """Return the position of each column of the file `name` by its meaning."""
    found = named_columns(header)
    missing = [meaning for meaning in POSITIONS[:3] if meaning not in found]
    others = [at for at in range(len(header)) if at not in found.values()]
    if len(missing) == 3 and len(others) >= 3:
        found |= dict(zip(missing, others))
    elif missing:
        raise ValueError(
            f"{name} has no column for {', '.join(missing)} among {list(header)}. "
            "Rename the columns: user_id or user; item_id, movie_id, video_id, item, "
            "movie or video; rating; and, if present, timestamp."
        )
    plain = _plain(header)
    for at in found.values():
        if plain.count(plain[at]) > 1:
            raise ValueError(
                f"{name} has {plain.count(plain[at])} columns of the name "
                f"{header[at]!r}, which cannot be told apart. Rename or drop one."
            )
    return found


def _plain(header: Sequence[str]) -> list[str]:
    return [str(title).strip().lower().replace("_", "") for title in header]


def check_ids(ids: np.ndarray, meaning: str, name: str) -> np.ndarray:
    """Return ids as int64 where this keeps each exactly, else as objects."""
    _check_complete(ids, meaning, name)
    if ids.dtype.kind == "f" and np.all(ids == np.rint(ids)):
        if np.abs(ids).max() > 2.0 ** (np.finfo(ids.dtype).nmant + 1):
            raise ValueError(
                f"The {meaning} ids of {name} are stored as {ids.dtype} and so large "
                "that this no longer tells neighbours apart. Store them as integers or "
                "text."
            )
        return ids.astype(np.int64)
    if ids.dtype.kind in "iu" and ids.max() <= np.iinfo(np.int64).max:
        return ids.astype(np.int64)
    return ids.astype(object)


def numbers_of_text(ids: np.ndarray) -> np.ndarray:
    """Return a column of str as int64 if each is how its number is written."""
    try:
        numbers = ids.astype(np.int64)
    except (ValueError, OverflowError):
        return ids
    return numbers if np.array_equal(numbers.astype(str).astype(object), ids) else ids


def check_rating(rating: np.ndarray, name: str) -> np.ndarray:
    """Return ratings as float64."""
    _check_complete(rating, "rating", name)
    return _as_float(rating, "rating", name)


def check_timestamp(timestamp: np.ndarray, name: str) -> np.ndarray:
    """Return times as numbers, whole ones as int64."""
    _check_complete(timestamp, "timestamp", name)
    if timestamp.dtype.kind == "M":
        whole = timestamp.astype("datetime64[s]")
        fraction = (timestamp - whole) / np.timedelta64(1, "s")
        seconds = whole.astype(np.int64)
        return seconds + fraction if fraction.any() else seconds
    if timestamp.dtype.kind in "iu":
        return timestamp.astype(np.int64)
    return _as_float(timestamp, "timestamp", name)


def _as_float(values: np.ndarray, meaning: str, name: str) -> np.ndarray:
    for row, value in enumerate(values if values.dtype.kind not in "biuf" else ()):
        try:
            float(value)
        except (TypeError, ValueError) as error:
            is_time = meaning == "timestamp"
            what = (
                "neither a number nor an ISO 8601 date" if is_time else "not a number"
            )
            raise ValueError(
                f"The {meaning} in row {row} (from 0) of {name} is {value!r}, {what}. "
                "Perhaps the columns are in another order than user, item, "
                "rating, and have no header that names them."
            ) from error
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise ValueError(
            f"The {meaning} in row {row} (from 0) of {name} is {values[row]!r}, not a "
            "finite number. Remove such rows."
        )
    return numbers


def _check_complete(values: np.ndarray, meaning: str, name: str) -> None:
    kind = values.dtype.kind
    if kind == "M":
        missing = np.isnat(values)
    elif kind == "f":
        missing = np.isnan(values)
    elif kind in "OU":
        absent = [v is None or v == "" or v != v for v in values]
        missing = np.array(absent, dtype=bool)
    else:
        return
    if missing.any():
        raise ValueError(
            f"{name} has no {meaning} in {missing.sum()} of {len(values)} rows, first "
            f"in row {int(np.argmax(missing))} (from 0). Remove such rows; exposures "
            "without feedback go to fit as X_unlab, not to this file."
        )
