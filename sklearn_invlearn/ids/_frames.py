"""Tables of results beside the ids they belong to, of the kind that came in."""

from __future__ import annotations

import importlib
from collections.abc import Collection
from typing import Any

import numpy as np

ID_NAMES = ("user", "item")


def beside_ids(
    X: Any,
    ids: list[np.ndarray],
    columns: dict[str, np.ndarray],
    missing: dict[str, np.ndarray] | None = None,
) -> Any:
    """Put `columns` beside the first two columns of `X`.

    Parameters
    ----------
    X : array-like, DataFrame or list of rows of shape (n, n_columns)
        Where the ids came from. A polars frame gives a polars frame, a pyarrow table a
        pyarrow table, anything else a pandas frame; frames keep their id columns
        as they are, names, dtypes and (pandas) index included.
    ids : list of ndarray of shape (n,)
        The columns of `X`, for the names "user" and "item" if it has none.
    columns : dict of ndarray of shape (n,)
        Results by name.
    missing : dict of ndarray of shape (n,), bool, default=None
        Where a result is missing.

    Raises
    ------
    ValueError
        If a column of ids has the name of a result.
    ImportError
        If pandas is needed and not there.
    """
    missing = missing or {}
    if hasattr(X, "get_columns"):  # polars
        return _polars(X, columns, missing)
    if hasattr(X, "column_names") and hasattr(X, "columns"):  # pyarrow
        return _pyarrow(X, columns, missing)
    pandas = _import("pandas")
    if hasattr(X, "iloc"):
        frame = X.iloc[:, :2].copy()
    else:
        # A dict of arrays of tuples is taken apart; Series are not.
        frame = pandas.DataFrame(
            {name: pandas.Series(column) for name, column in zip(ID_NAMES, ids)}
        )
    _require_free(frame.columns, {_key(frame, name) for name in columns})
    for name, values in columns.items():
        if name in missing:
            values = _with_missing(pandas, values, missing[name])
        frame[_key(frame, name)] = values
    return frame


def frame_like(
    column: Any, names: Any, ids: list[np.ndarray], results: dict[str, np.ndarray]
) -> Any:
    """Frame of two columns of ids and of `results`, of the kind that `column` is.

    Parameters
    ----------
    column : array-like or id
        A column of polars or pyarrow gives a frame of theirs, anything else one of
        pandas.
    names : sequence of str
        Names of the columns of ids.
    ids : list of ndarray of shape (n,)
        Ids.
    results : dict of ndarray of shape (n,)
        Results by name.

    Raises
    ------
    ValueError, ImportError
        As `beside_ids`.
    """
    _require_free(names, results)
    columns = dict(zip(names, ids)) | results
    package = type(column).__module__.partition(".")[0]
    if package in ("polars", "pyarrow"):
        plain = {name: _without_objects(values) for name, values in columns.items()}
        make = "DataFrame" if package == "polars" else "table"
        return getattr(_import(package), make)(plain)
    pandas = _import("pandas")
    # A dict of arrays of tuples is taken apart; Series are not.
    return pandas.DataFrame({k: pandas.Series(v) for k, v in columns.items()})


def _without_objects(column: np.ndarray) -> np.ndarray | list[Any]:
    """Objects (n,) as a list; numpy's times as an array of times.

    Of a list of times polars takes the first nanoseconds for microseconds.
    """
    if column.dtype != object:
        return column
    values = column.tolist()
    times = all(isinstance(v, (np.datetime64, np.timedelta64)) for v in values)
    return np.array(values) if values and times else values


def _key(frame: Any, name: str) -> Any:
    """Name of a new column; in every level where there are several."""
    n_levels = frame.columns.nlevels
    return name if n_levels == 1 else (name, *[""] * (n_levels - 1))


def _polars(X: Any, columns: dict[str, np.ndarray], missing: dict) -> Any:
    polars = _import("polars")
    _require_free(X.columns[:2], columns)
    series = []
    for name, values in columns.items():
        column = polars.Series(name, values)
        if name in missing:
            column = column.to_frame().select(
                polars.when(~polars.Series(missing[name])).then(polars.col(name))
            )[name]
        series.append(column)
    return X.select(X.columns[:2]).with_columns(series)


def _pyarrow(X: Any, columns: dict[str, np.ndarray], missing: dict) -> Any:
    pyarrow = _import("pyarrow")
    _require_free(X.column_names[:2], columns)
    table = pyarrow.Table.from_arrays(list(X.columns[:2]), list(X.column_names[:2]))
    for name, values in columns.items():
        column = pyarrow.array(values, mask=missing.get(name))
        table = table.append_column(name, column)
    return table


def _with_missing(pandas: Any, values: np.ndarray, missing: np.ndarray) -> Any:
    """Column of labels some of which are missing, of a dtype that can say so."""
    nullable = {"i": "Int64", "u": "UInt64", "b": "boolean", "f": "Float64"}
    if values.dtype.kind in nullable:
        column = pandas.array(values, dtype=nullable[values.dtype.kind])
    else:
        column = values.astype(object)
    column[missing] = None
    return column


def _require_free(taken: Any, names: Collection[Any]) -> None:
    both = [name for name in taken if name in names]
    if both:
        raise ValueError(
            f"The ids of X are in columns named {both}, which are names of results. "
            "Rename these columns of X."
        )


def _import(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"A result as a frame needs the package {package}, which cannot be "
            f"imported ({error}): run `pip install 'sklearn-invlearn[frames]'`, or use "
            "return_frame=False."
        ) from error
