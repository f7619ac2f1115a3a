"""When rows happened: from the order of the table, a column of X, or an array."""

from __future__ import annotations

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
    if isinstance(time, (str, int)):
        times, name = take_column(X, time), f"the column {time!r} of X"
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
        return np.unique(times, return_inverse=True)[1].astype(np.int64)
    except TypeError as error:
        raise TypeError(
            f"The times cannot be sorted ({error}). Use numbers, datetimes, or strings "
            "such as '2024-05-31', one type for all rows."
        ) from error
