"""Take a table of ids apart, column by column, without changing a single id.

``numpy.asarray`` of a table with an int64 and a float64 column is a float64
array in which 2**53 and 2**53 + 1 are one id, and of a list of ``("a", 1)`` rows
an array of strings. So no table is ever converted as a whole: each column
becomes a 1-D array of its own, as exact as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

_N_IDS = 2  # a user and an item
# Neighbouring integers above this are the same float, by bytes.
_LARGEST_EXACT_FLOAT = {2: 2**11, 4: 2**24, 8: 2**53}


def id_columns(X: Any, *, name: str = "X") -> list[np.ndarray]:
    """Split a table into its columns of ids, the first two.

    Parameters
    ----------
    X : array-like, DataFrame (pandas, polars), pyarrow table or list of rows
        Shape (n, n_columns). Columns may differ in dtype; those after the first two
        are not looked at.

    name : str, default="X"
        What to call the table in error messages.

    Returns
    -------
    columns : list of at most two ndarray of shape (n,)
        Dtype bool, int, float (finite), str or object.

    Raises
    ------
    TypeError
        For sparse tables and lazy frames.
    ValueError
        If `X` is not two-dimensional, complex, ragged, or has missing, infinite
        or inexact (float64 beyond 2**53, float32 beyond 2**24) ids.
    """
    if sparse.issparse(X):
        raise TypeError(
            f"Sparse data was passed for {name}, but dense data is required: a "
            "table with one row per (user, item) pair. Use "
            "`np.column_stack(matrix.nonzero())` to list the pairs of an "
            "interaction matrix."
        )
    if isinstance(X, (list, tuple)) and not len(X):
        raise ValueError(
            f"Found array with 0 sample(s) (shape=(0,)) while a minimum of 1 is "
            f"required: {name} is empty."
        )
    if isinstance(X, (list, tuple)) and len(X) == 1 and is_table(X[0]):
        raise ValueError(
            f"{name} is a {type(X).__name__} that holds a table. Pass the table alone; "
            "a tuple is for the pool and the other tables of `fit`."
        )
    refuse_masked(X[:, :_N_IDS] if np.ma.isMA(X) and X.ndim == 2 else X, name)
    columns = _split(X, name)
    return [_checked(c, name, j) for j, c in enumerate(columns)]


def id_column(ids: Any, *, name: str) -> np.ndarray:
    """Return a list of ids as an exact column.

    Parameters
    ----------
    ids : array-like of shape (n,), Series (pandas, polars) or pyarrow array
        Ids of one side.

    name : str
        What to call them in error messages.

    Returns
    -------
    column : ndarray of shape (n,)
        Dtype bool, int, float (finite), str or object.

    Raises
    ------
    ValueError
        If `ids` is not one-dimensional, or has missing, infinite or inexact ids.
    TypeError
        If `ids` is a set, or a single id: text is no list of its characters.
    """
    refuse_masked(ids, name)
    if hasattr(ids, "iloc") and getattr(ids, "ndim", 2) == 1:  # pandas
        column = _from_series(ids, int(ids.isna().sum()), name)
    elif hasattr(ids, "iloc") or hasattr(ids, "columns"):
        raise ValueError(
            f"{name} is a table, but must be one column of ids: pass the column alone, "
            "such as table['user']."
        )
    elif callable(getattr(ids, "null_count", None)):  # polars
        column = _from_series(ids, ids.null_count(), name)
    elif hasattr(ids, "null_count"):  # pyarrow
        column = _from_series(ids, ids.null_count, name, zero_copy_only=False)
    elif isinstance(ids, np.ndarray) or hasattr(ids, "__array__"):
        column = np.asarray(ids)
        if column.dtype == object and column.ndim == 1:
            column = _from_values(column.tolist())
    elif isinstance(ids, (set, frozenset, dict)):
        raise TypeError(
            f"{name} is a {type(ids).__name__}; the rows of the result could not be "
            "told apart. Pass a list."
        )
    elif isinstance(ids, (str, bytes)) or not hasattr(ids, "__iter__"):
        raise TypeError(
            f"{name}={ids!r} is a single id, but must be a list of ids: pass [{ids!r}]."
        )
    else:
        column = _from_values(list(ids))
    if column.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional, an id per entry, but has the shape "
            f"{column.shape}."
        )
    return _checked(column, name, 0)


def _split(X: Any, name: str) -> list[np.ndarray]:
    if hasattr(X, "collect") and hasattr(X, "collect_schema"):
        raise TypeError(
            f"{name} is a lazy frame of type {type(X).__name__}; call .collect() first."
        )
    if hasattr(X, "iloc") and X.ndim == 2:
        # pandas; by position, since names may be repeated
        series = [X.iloc[:, j] for j in range(min(X.shape[1], _N_IDS))]
        return [_from_series(s, int(s.isna().sum()), name) for s in series]
    if hasattr(X, "get_columns"):  # polars
        return [_from_series(s, s.null_count(), name) for s in X.get_columns()[:_N_IDS]]
    if hasattr(X, "column_names") and hasattr(X, "columns"):  # pyarrow
        how = {"zero_copy_only": False}  # the array of a record batch wants it said
        ids = X.columns[:_N_IDS]
        return [_from_series(s, s.null_count, name, **how) for s in ids]
    if isinstance(X, (list, tuple)) and len(X) and _is_row(X[0]):
        return _from_rows(X, name)
    return _from_array(np.asarray(X), name)


def is_table(entry: Any) -> bool:
    """Whether something in a list or tuple is a table, and no row of ids."""
    return getattr(entry, "ndim", 1) == 2 or hasattr(entry, "columns")


def refuse_masked(table: Any, name: str) -> None:
    """Raise if entries are masked: a plain array would show what is under the mask."""
    n_masked = int(np.ma.getmaskarray(table).sum()) if np.ma.isMA(table) else 0
    if n_masked:
        raise ValueError(
            f"Input {name} contains NaN: {n_masked} of its entries are masked. Drop "
            "these rows, or fill them with `.filled(...)`."
        )


def _from_series(series: Any, n_missing: int, name: str, **how: bool) -> np.ndarray:
    if n_missing:
        label = getattr(series, "name", None)
        raise ValueError(
            f"Input {name} contains NaN: {n_missing} missing ids in column {label!r}. "
            "Drop these rows, or give missing users and items an id of their own."
        )
    return np.asarray(series.to_numpy(**how))


def _is_row(row: Any) -> bool:
    return isinstance(row, (list, tuple)) or (
        isinstance(row, np.ndarray) and row.ndim == 1
    )


def _from_rows(rows: Sequence[Sequence[Any]], name: str) -> list[np.ndarray]:
    for position, row in enumerate(rows):
        if not _is_row(row):
            raise ValueError(
                f"{name} is a list of rows, but row {position} of {name} is {row!r}: "
                "every row must be a list or tuple of a user id and an item id."
            )
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError(
            f"The rows of {name} differ in length (from {min(widths)} to "
            f"{max(widths)}): every row must hold a user id and an item id."
        )
    n_columns = min(_N_IDS, *widths)
    return [_from_values([row[j] for row in rows]) for j in range(n_columns)]


def _from_values(values: list[Any]) -> np.ndarray:
    """Make an array of Python objects without numpy's promotion between types."""
    for kind in (int, float):
        if all(type(v) is kind or _is_numpy(v, kind) for v in values):
            try:
                return np.array(values, dtype=np.int64 if kind is int else float)
            except OverflowError:  # beyond int64: keep them as Python integers
                break
    plain = [plain_id(v) for v in values]
    if any(p is not v for p, v in zip(plain, values)):
        return _from_values(plain)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def plain_id(value: Any) -> Any:
    """Take one id out of a scalar of pyarrow, or of an array or tensor without axes.

    Such a thing does not have the hash of its value; two tensors never have the same.
    """
    if hasattr(value, "as_py"):
        return value.as_py()
    if getattr(value, "ndim", None) != 0 or isinstance(value, np.generic):
        return value
    # item() of an array would turn nanoseconds into a plain integer.
    return value[()] if isinstance(value, np.ndarray) else value.item()


def _is_numpy(value: Any, kind: type) -> bool:
    numbers = np.integer if kind is int else np.floating
    # numpy's durations are integers by descent, and have a unit.
    return isinstance(value, numbers) and not isinstance(value, np.timedelta64)


def _from_array(X: np.ndarray, name: str) -> list[np.ndarray]:
    if X.ndim == 0:
        raise ValueError(
            f"Expected 2D array, got scalar array instead: {name} is of type "
            f"{type(X.item()).__name__}. Pass a table with one row per pair: an array "
            "of shape (n, 2), a DataFrame or a list of (user, item) rows."
        )
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead for {name}. Reshape "
            "your data: one row per pair, the user id in the first column and the "
            "item id in the second. For a single pair use [[user, item]]."
        )
    if X.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{X}\n")
    columns = [X[:, j] for j in range(min(X.shape[1], _N_IDS))]
    if X.dtype == object:
        return [_from_values(column.tolist()) for column in columns]
    return columns


def _checked(column: np.ndarray, name: str, position: int) -> np.ndarray:
    if column.ndim != 1:
        raise ValueError(
            f"Column {position} of {name} holds several values in each row (shape "
            f"{column.shape}). An id is one value; make tuples or text of them."
        )
    if column.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{column}\n")
    if column.dtype.kind == "f":
        bad = ~np.isfinite(column)
        if bad.any():
            what = "NaN" if np.isnan(column[bad]).any() else "infinity"
            raise ValueError(
                f"Input {name} contains {what}: {int(bad.sum())} ids in column "
                f"{position} are NaN or inf, the first in row {int(bad.argmax())}. "
                "Drop these rows, or give missing users and items an id of their own."
            )
        largest = _LARGEST_EXACT_FLOAT.get(column.dtype.itemsize, 2**53)
        if (np.abs(column) > largest).any():
            raise ValueError(
                f"Column {position} of {name} holds ids of dtype {column.dtype} beyond "
                f"2**{largest.bit_length() - 1}, where "
                "different integers become the same float. Pass the ids as integers "
                "or strings; a table with an integer and a float column keeps both "
                "exact as a DataFrame or as a list of rows."
            )
    return column
