"""When rows happened: from the order of the table, a column of X, or an array."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from ..metrics._columns import pick_column
from ..metrics._inputs import as_column, is_missing

_NUMBERS = (
    "The usual cause is an array of ids that are text and of times: numpy makes all of "
    "it text. Pass the times as numbers, as an array of their own or in a DataFrame."
)
_DATES = (
    "Text is sorted letter by letter: write dates as '2024-09-01', all in one zone, or "
    "pass datetimes, for example by pandas.to_datetime."
)
_MOST_READ = 10_000


def times_of(X: Any, time: Any) -> NDArray[Any]:
    """Return the times of the rows of X (n,), which are complete and can be sorted."""
    n_rows = _num_samples(X)
    if time is None:
        return np.arange(n_rows)
    given, name = _given(X, time)
    times = as_column(given, name)
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
    if _ordered_categories(given) is not None:
        return np.asarray(getattr(given, "cat", given).codes)
    return times


def cut_of(X: Any, time: Any, cut: Any) -> Any:
    """Return a cut in terms of `times_of`: of ordered categories, the position."""
    categories = _ordered_categories(_given(X, time)[0])
    if categories is None:
        return cut
    if cut not in categories:
        raise ValueError(
            f"cut={cut!r} is none of the categories of the times, {list(categories)}."
        )
    return categories.get_loc(cut)


def _given(X: Any, time: Any) -> tuple[Any, str]:
    """Return times as they were handed in, and what to call them."""
    if not isinstance(time, (str, Integral, np.bool_)):
        return time, "time"
    # True is no position, as `pick_column` says.
    column: Any = time if isinstance(time, (str, bool, np.bool_)) else int(time)
    return pick_column(X, column), f"the column {column!r} of X"


def _ordered_categories(times: Any) -> Any:
    """Return the categories of pandas that say themselves which comes first."""
    dtype: Any = getattr(times, "dtype", None)
    return dtype.categories if getattr(dtype, "ordered", False) else None


def time_ranks(times: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rank 0, 1, … of each time among the distinct ones, shape (n,)."""
    try:
        distinct, ranks = np.unique(times, return_inverse=True)
    except TypeError as error:
        raise TypeError(
            f"The times cannot be sorted ({error}). Use numbers, datetimes, or strings "
            "such as '2024-05-31', one type for all rows."
        ) from error
    if all(isinstance(text, (str, bytes)) for text in distinct[:1].tolist()):
        _refuse_text_in_another_order(distinct.astype(str))
    return ranks.astype(np.int64)


def _refuse_text_in_another_order(distinct: NDArray[Any]) -> None:
    """Raise if sorted texts are numbers, or dates, in another order."""
    for texts, values, what, advice in _readings(distinct):
        wrong = np.flatnonzero(values[1:] <= values[:-1])
        if len(wrong):
            first, second = texts[wrong[0] : wrong[0] + 2].tolist()
            raise ValueError(
                f"The times are text that reads as {what}, and {first!r} would come "
                f"before {second!r}. {advice}"
            )


def refuse_cut_in_another_order(times: NDArray[Any], cut: Any) -> None:
    """Raise if text is compared with a text `cut` otherwise than what both stand for.

    `times` (n,) have passed `time_ranks`.
    """
    if not all(isinstance(text, (str, bytes)) for text in (cut, times[0])):
        return
    distinct = np.unique(times).astype(str)
    both = np.concatenate([np.array([cut]).astype(str), distinct])
    what = None
    for texts, values, what, advice in _readings(both):
        other = (texts[1:] >= texts[0]) != (values[1:] >= values[0])
        if other.any():
            raise ValueError(
                f"cut={cut!r} and the times, such as {str(texts[1:][other][0])!r}, are "
                f"text that reads as {what}, but sorts otherwise. {advice} Write the "
                "cut as the times are written."
            )
    if what is None and (reading := next(_readings(distinct), None)) is not None:
        raise ValueError(
            f"The times are text that reads as {reading[2]}, such as "
            f"{str(distinct[0])!r}, and cut={cut!r} does not. Write the cut as the "
            "times are written."
        )


def _readings(texts: NDArray[Any]) -> Iterator[tuple[NDArray[Any], Any, str, str]]:
    """Yield texts, what each may stand for, and what to call and to do about it."""
    try:
        yield texts, texts.astype(float), "numbers", _NUMBERS
        return
    except ValueError:
        pass
    try:
        import pandas as pd
    except ImportError:
        return
    try:
        yield texts, pd.to_datetime(texts, format="ISO8601", utc=True), "dates", _DATES
        return
    except ValueError:
        pass
    texts = texts[:: len(texts) // _MOST_READ + 1]  # one by one, they are slow to read
    for dayfirst in (False,) if texts[0][:4].isdigit() else (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of days that cannot be months
            try:
                dates = pd.to_datetime(
                    texts, format="mixed", utc=True, dayfirst=dayfirst
                )
            except (ValueError, OverflowError):
                return
        yield texts, dates, "dates", _DATES
