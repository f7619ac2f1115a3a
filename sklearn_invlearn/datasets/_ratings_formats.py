"""Readers of text, Parquet and ``.npz``: raw columns by meaning."""

import csv
import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ._optional import import_optional
from ._ratings_columns import (
    POSITIONS,
    Columns,
    find_columns,
    named_columns,
    numbers_of_text,
)

_SEPARATORS = (b"::", b"\t", b";", b",")
_CONTROLS = [bytes([code]) for code in range(31, 13, -1)]  # text has no use for them


def read_text(path: Path) -> Columns:
    """Read separated text; ids that are not whole numbers stay str."""
    pandas = import_optional("pandas", f"Reading {path.name}", extra="frames")
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    separator, first_fields = _first_line(text, path.name)
    has_header = not _is_number(first_fields[2])
    one, quoting = separator, csv.QUOTE_MINIMAL
    if separator == b"::":
        # The fast parser takes separators of one character only. Fields of this format
        # may hold a tab or a quotation mark, which stands for itself.
        one = next((c for c in _CONTROLS if c not in text), b"\t")
        text, quoting = text.replace(separator, one), csv.QUOTE_NONE
    try:
        # As text and without markers of missing values: "NA" and "007" are good ids.
        with warnings.catch_warnings():
            # It would cut fields off where lines have more of them than the header.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                io.BytesIO(text),
                sep=one.decode(),
                quoting=quoting,
                # Spaces after separators are for the eye.
                skipinitialspace=all(f.startswith(" ") for f in first_fields[1:]),
                header=0 if has_header else None,
                dtype=object,
                na_filter=False,
                index_col=False,
            )
    except (ValueError, pandas.errors.ParserWarning) as error:
        too_long = isinstance(error, pandas.errors.ParserWarning)
        why = "lines have more fields than the first" if too_long else str(error)
        raise ValueError(
            f"{path.name} is not UTF-8 text with {len(first_fields)} columns in every "
            f"line, separated by {separator.decode()!r}: {why.strip()}. Perhaps its "
            "writing broke off, it has another encoding, or fields that hold the "
            "separator are not in quotation marks."
        ) from error
    if has_header:
        _refuse_row_as_header(first_fields, path.name)
        places = find_columns(first_fields, path.name)
    else:
        places = dict(zip(POSITIONS, range(frame.shape[1])))
    columns = {key: frame.iloc[:, at].to_numpy(object) for key, at in places.items()}
    for key in ("user", "item"):
        if b'"' in text:
            _refuse_line_breaks(columns[key], key, path.name)
        columns[key] = numbers_of_text(columns[key])
    return _with_times(columns, path.name)


def _first_line(text: bytes, name: str) -> tuple[bytes, list[str]]:
    """Return the separator and the fields of the first line."""
    line = re.split(rb"[\r\n]", text, maxsplit=1)[0][:100_000]  # csv takes no more
    shown = line.decode(errors="replace")
    for separator in _SEPARATORS:
        fields = shown.split(separator.decode())
        if len(separator) == 1:  # where a field in quotes may hold it
            fields = next(csv.reader([shown], delimiter=separator.decode()), [])
        if len(fields) >= 3:
            return separator, fields
    raise ValueError(
        f"The first line of {name} has fewer than three columns, whether separated by "
        f"'::', tab, semicolon or comma: {line[:80]!r}. User, item and rating are "
        "needed."
    )


def _refuse_row_as_header(fields: list[str], name: str) -> None:
    """Raise if a first line without a known name looks like a row of ratings."""
    if named_columns(fields):
        return
    if any(_is_number(field) or not field.strip() for field in fields[:3]):
        raise ValueError(
            f"The first line of {name}, {fields}, is no header, since it names no "
            "known column and holds numbers or empty fields; and no row, since its "
            "third field, the rating, is no number. Remove or mend that line, or "
            "write a header such as user,item,rating above it."
        )


def _refuse_line_breaks(ids: np.ndarray, meaning: str, name: str) -> None:
    """Raise if rows between two quotation marks have become an id."""
    for row, value in enumerate(ids):
        if "\n" in value or "\r" in value:
            raise ValueError(
                f"The {meaning} in row {row} (from 0) of {name} holds a line break: "
                f"{value[:80]!r}. Likely a quotation mark before it has no partner, "
                "and the rows up to the next one were read as one field. Double or "
                "remove it."
            )


def _is_number(field: str) -> bool:
    try:
        float(field.strip(' "'))
    except ValueError:
        return False
    return True


def _with_times(columns: Columns, name: str) -> Columns:
    """Return columns in which times that are text have been read."""
    times = columns.get("timestamp", np.empty(0))
    if times.dtype.kind in "OU" and all(isinstance(time, str) for time in times):
        times = times.astype(object)
        pandas = import_optional("pandas", f"Reading dates of {name}", extra="frames")
        columns["timestamp"] = _times_of_text(pandas, times)
    return columns


def _times_of_text(pandas: Any, times: np.ndarray) -> np.ndarray:
    """Return whole numbers, numbers or ISO 8601 dates, whichever these are."""
    numbers = numbers_of_text(times)
    if numbers.dtype != object:
        return numbers
    try:
        return times.astype(np.float64)
    except ValueError:
        pass
    try:
        dates = pandas.to_datetime(times, utc=True, format="ISO8601")
    except ValueError:
        return times  # the check of the values names the row
    return dates.tz_localize(None).to_numpy()


def read_parquet(path: Path) -> Columns:
    """Read the needed columns of a Parquet file."""
    purpose = f"Reading {path.name}"
    pyarrow = import_optional("pyarrow", purpose, extra="frames")
    parquet = import_optional("pyarrow.parquet", purpose, extra="frames")
    try:
        header = parquet.read_schema(path).names
        places = find_columns(header, path.name)
        table = parquet.read_table(path, columns=[header[at] for at in places.values()])
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise ValueError(
            f"{path.name} is no Parquet file, or is damaged ({error}). Write it again, "
            "for example with pandas.DataFrame.to_parquet."
        ) from error
    columns = {}
    for key, at in places.items():
        column = table.column(header[at])
        if pyarrow.types.is_dictionary(column.type):  # a column of categories
            column = column.cast(column.type.value_type)
        columns[key] = _of_arrow(column)
    return _with_times(columns, path.name)


def _of_arrow(column: Any) -> np.ndarray:
    """Return an Arrow column as an array that keeps whole numbers exact."""
    if column.null_count:
        # The conversion would make whole numbers floats, before the check of nulls.
        return np.array(column.to_pylist(), dtype=object)
    return column.to_numpy()


def read_npz(path: Path) -> tuple[Columns, Columns | None]:
    """Read arrays named by meaning, or by part and meaning, without unpickling."""
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path.name} is no .npz archive, or is damaged. Write it with numpy.savez."
        )
    with np.load(path, allow_pickle=False) as file:
        if any(name.startswith(("train_", "valid_")) for name in file.files):
            return _arrays(file, "train_", path), _arrays(file, "valid_", path)
        return _arrays(file, "", path), None


def _arrays(file: Any, prefix: str, path: Path) -> Columns:
    missing = {prefix + key for key in POSITIONS[:3]} - set(file.files)
    if missing:
        raise ValueError(
            f"{path.name} lacks the arrays {', '.join(sorted(missing))} among "
            f"{sorted(file.files)}. Needed are user, item, rating; or train_user, "
            "train_item, train_rating, valid_user, valid_item, valid_rating."
        )
    columns = {}
    for key in POSITIONS:
        if prefix + key not in file.files:
            continue
        try:
            columns[key] = file[prefix + key]
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"The array {prefix + key} of {path.name} cannot be read ({error}). "
                "Arrays of Python objects are not loaded, since they can run code: "
                "store ids as integers or as text of dtype str."
            ) from error
        if columns[key].ndim != 1:
            raise ValueError(
                f"The array {prefix + key} of {path.name} has shape "
                f"{columns[key].shape}; one value a rating is needed."
            )
    return _with_times(columns, path.name)
