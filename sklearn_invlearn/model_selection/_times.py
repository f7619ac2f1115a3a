"""When rows happened: from the order of the table, a column of X, or an array."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from ..metrics._columns import take_column
from ..metrics._inputs import as_column, is_missing


def times_of(X: Any, time: Any) -> NDArray[Any]:
    """Return the times of the rows of X (n,), which are complete and can be sorted."""
    n_rows = _num_samples(X)
    if time is None:
        return np.arange(n_rows)
    if isinstance(time, (str, Integral, np.bool_)):
        # True is no position, as `take_column` says.
        column: Any = time if isinstance(time, (str, bool, np.bool_)) else int(time)
        times, name = take_column(X, column), f"the column {column!r} of X"
    else:
        times, name = as_column(time, "time"), "time"
    if len(times) != n_rows:
        raise ValueError(
            f"time has {len(times)} entries, but X has {n_rows} rows. An array of "
            "times belongs to one table: where a search splits parts of it, give the "
            "position or the name of a column of X instead."
        )
    if times.dtype.kind in "mM":
        n_missing = int(np.isnat(times).sum())
    elif times.dtype.kind == "f":
        n_missing = int(np.isnan(times).sum())
    else:
        n_missing = sum(map(is_missing, times.tolist())) if times.dtype == object else 0
    if n_missing:
        raise ValueError(
            f"{n_missing} of the times in {name} are missing (None, NaN or NaT): their "
            "rows are neither before nor after the others. Leave these rows out."
        )
    return times


def time_ranks(times: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rank 0, 1, … of each time among the distinct ones, shape (n,)."""
    try:
        distinct, ranks = np.unique(times, return_inverse=True)
    except TypeError as error:
        raise TypeError(
            f"The times cannot be sorted ({error}). Use numbers, datetimes, or strings "
            "such as '2024-05-31', one type for all rows."
        ) from error
    _refuse_numbers_as_text(distinct)
    return ranks.astype(np.int64)


def _refuse_numbers_as_text(distinct: NDArray[Any]) -> None:
    """Raise if sorted texts are numbers in another order, as "100" and "8" are."""
    if not all(isinstance(text, (str, bytes)) for text in distinct[:1].tolist()):
        return
    try:
        numbers = distinct.astype(float)
    except ValueError:  # dates, say
        return
    wrong = np.flatnonzero(np.diff(numbers) <= 0)
    if len(wrong):
        first, second = distinct[wrong[0] : wrong[0] + 2].tolist()
        raise ValueError(
            f"The times are text that reads as numbers, and {first!r} would come "
            f"before {second!r}. The usual cause is an array of ids that are text and "
            "of times: numpy makes all of it text. Pass the times as numbers, as an "
            "array of their own or in a DataFrame."
        )
