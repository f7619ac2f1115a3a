"""Single columns of any X, each with its own dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from ._inputs import as_column


def take_column(X: Any, column: int | str) -> NDArray[Any]:
    """Return one column of X as a 1-D array of shape (n_samples,).

    The column is taken alone. As a whole, a frame of int64 and float64 columns would
    become float64, where 2**53 and 2**53 + 1 are one id.
    """
    return as_column(pick_column(X, column), f"Column {column!r} of X")


def pick_column(X: Any, column: int | str) -> Any:
    """Return one column of X as what X is made of: a series, an array, a list."""
    name = f"Column {column!r} of X"
    if isinstance(column, (bool, np.bool_)):
        raise ValueError(f"{column} is no position of a column of X, and no name.")
    if issparse(X):
        raise TypeError(
            "X is a sparse matrix, which has no column of ids. Use (user, item) ids; "
            "an encoder can be a step of the estimator's pipeline."
        )
    try:
        if hasattr(X, "iloc"):  # pandas
            return X[column] if isinstance(column, str) else X.iloc[:, column]
        elif hasattr(X, "get_column"):  # polars
            return X.get_column(
                column if isinstance(column, str) else X.columns[column]
            )
        elif hasattr(X, "column_names"):  # pyarrow
            return X.column(column)
        elif isinstance(column, str):
            raise TypeError(
                f"The column {column!r} is given by name, but X is "
                f"{type(X).__name__}. Give its position, or pass a DataFrame."
            )
        elif hasattr(X, "shape") or hasattr(X, "__array__"):
            return (X if np.ma.isMA(X) else np.asarray(X))[:, column]
        else:
            return [row[column] for row in X]
    except (IndexError, KeyError) as error:
        raise ValueError(f"{name} does not exist; X has {_columns_of(X)}.") from error
    except Exception as error:
        # Polars has its own exception, which cannot be named without the import.
        if type(error).__name__ != "ColumnNotFoundError":
            raise
        raise ValueError(f"{name} does not exist: {error}.") from error


def _columns_of(X: Any) -> str:
    names = getattr(X, "column_names", getattr(X, "columns", None))
    return f"{number_of_columns(X)} columns" if names is None else f"{list(names)}"


def number_of_columns(X: Any) -> int:
    """Return the number of columns of X, which has at least one row."""
    return X.shape[1] if hasattr(X, "shape") else len(X[0])


def cross_product(users: NDArray[Any], items: NDArray[Any]) -> NDArray[Any]:
    """Return all pairs as an array of shape (n_users * n_items, 2), items fastest.

    Integers only if both are of one kind: int64 and uint64 have no common integer
    type, so that numpy would round them to float64.
    """
    kinds = {users.dtype.kind, items.dtype.kind}
    if kinds in ({"i"}, {"u"}):
        dtype = np.promote_types(users.dtype, items.dtype)
    else:
        dtype = np.dtype(object)
    pairs = np.empty((len(users), len(items), 2), dtype=dtype)
    pairs[:, :, 0] = users[:, np.newaxis]
    pairs[:, :, 1] = items[np.newaxis, :]
    return pairs.reshape(-1, 2)
