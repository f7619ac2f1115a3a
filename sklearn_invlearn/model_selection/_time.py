"""The past trains, the future tests: a cut, or windows that expand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._splitter import IntArray, PairSplitter, check_n_splits
from ._times import (
    cut_of,
    refuse_cut_in_another_order,
    time_ranks,
    times_of,
)


class TimeCutSplit(PairSplitter):
    """One split at a point in time: rows before it train, the others are tested.

    Users who appear after the cut only have no training rows: that is what a model
    meets in use. Every row is on one of the two sides.

    Parameters
    ----------
    time : int, str or array-like of shape (n_rows,)
        When the rows happened: position or name of a column of X, or the times
        themselves (numbers, datetimes, ordered categories or sortable strings). None
        takes the order of the table.

    cut : number, datetime or str, default=None
        The first moment that is tested; for text, written as the times are. None cuts
        where the share of test rows is closest to `test_size`.

    test_size : float, default=0.2
        Share of the newest rows to test if `cut` is None. Rows of the same time
        stay on the same side.

    See Also
    --------
    ExpandingWindowSplit : Several cuts.
    LeaveLastN : The newest rows of each user.

    Examples
    --------
    >>> from sklearn_invlearn.model_selection import TimeCutSplit
    >>> X = [["ann", 1], ["ann", 2], ["bob", 1], ["eve", 3]]
    >>> days = ["2024-05-01", "2024-05-03", "2024-05-02", "2024-05-03"]
    >>> splitter = TimeCutSplit(time=days, cut="2024-05-03")
    >>> [(train.tolist(), test.tolist()) for train, test in splitter.split(X)]
    [([0, 2], [1, 3])]
    """

    n_splits = 1

    def __init__(self, *, time: Any, cut: Any = None, test_size: float = 0.2) -> None:
        if not isinstance(test_size, Real) or not 0 < test_size < 1:
            raise ValueError(f"test_size must be between 0 and 1, got {test_size!r}.")
        self.time: Any = time
        self.cut: Any = cut
        self.test_size: float = test_size

    def _splits(self, X: Any, y: Any) -> Iterator[tuple[IntArray, IntArray]]:
        times = times_of(X, self.time)
        ranks = time_ranks(times)  # which refuses what has no order
        if self.cut is not None:
            refuse_cut_in_another_order(times, self.cut)
            is_test = _from(times, cut_of(X, self.time, self.cut))
        else:
            starts = _window_starts(ranks, np.array([1 - self.test_size]))
            is_test = ranks >= starts[0] if len(starts) else np.zeros(len(ranks), bool)
        n_test = int(is_test.sum())
        if n_test in (0, len(times)):
            side = "test" if n_test == 0 else "training"
            raise ValueError(
                f"There are no {side} rows: the times run from {times.min()} to "
                f"{times.max()} and cut={self.cut!r}. Choose a cut inside, or look "
                "whether all rows have the same time."
            )
        yield np.flatnonzero(~is_test), np.flatnonzero(is_test)


class ExpandingWindowSplit(PairSplitter):
    """Several cuts in time: each window is tested by a model of all rows before it.

    The rows are put into ``n_splits + 1`` windows of about equal size, one after the
    other in time. Split k trains on the first k windows and tests the next one; the
    rows after that are not used in this split, since nobody knew them then. The
    first window is never tested, every other row is tested once.

    Parameters
    ----------
    n_splits : int, default=5
        Number of cuts.

    time : int, str or array-like of shape (n_rows,)
        When the rows happened: position or name of a column of X, or the times
        themselves (numbers, datetimes, ordered categories or sortable strings). None
        takes the order of the table. Rows of the same time are in the same window.

    See Also
    --------
    TimeCutSplit : A single cut.
    sklearn.model_selection.TimeSeriesSplit : Windows by position alone.

    Examples
    --------
    >>> from sklearn_invlearn.model_selection import ExpandingWindowSplit
    >>> X = [["ann", 1], ["bob", 2], ["ann", 3], ["bob", 4], ["ann", 5], ["eve", 6]]
    >>> splitter = ExpandingWindowSplit(2, time=[1, 1, 2, 3, 4, 5])
    >>> [(train.tolist(), test.tolist()) for train, test in splitter.split(X)]
    [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]
    """

    def __init__(self, n_splits: int = 5, *, time: Any) -> None:
        self.n_splits = check_n_splits(n_splits)
        self.time = time

    def _splits(self, X: Any, y: Any) -> Iterator[tuple[IntArray, IntArray]]:
        ranks = time_ranks(times_of(X, self.time))
        shares = np.arange(1, self.n_splits + 1) / (self.n_splits + 1)
        starts = _window_starts(ranks, shares)
        if len(starts) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} cuts need windows of different times, but "
                f"the {len(ranks)} rows have {ranks.max() + 1} distinct times, which "
                f"leaves {len(starts)} cuts. Use fewer, or finer times."
            )
        stops = [*starts[1:], ranks.max() + 1]
        for start, stop in zip(starts, stops):
            yield (
                np.flatnonzero(ranks < start),
                np.flatnonzero((ranks >= start) & (ranks < stop)),
            )


def _window_starts(ranks: IntArray, shares: NDArray[np.float64]) -> IntArray:
    """Return the ranks at which the share of earlier rows is closest to `shares`."""
    earlier = np.cumsum(np.bincount(ranks))[:-1] / len(ranks)  # before ranks 1, 2, …
    if not len(earlier):
        return np.empty(0, dtype=np.int64)
    distance = np.abs(earlier[np.newaxis] - shares[:, np.newaxis])
    # Rounding must not decide between two cuts that are equally far.
    return np.unique(distance.round(12).argmin(axis=1) + 1)


def _from(times: NDArray[Any], cut: Any) -> NDArray[np.bool_]:
    """Return which times are `cut` or later."""
    if isinstance(cut, float) and math.isnan(cut):
        raise ValueError("cut is NaN; pass a time.")
    try:
        if times.dtype.kind == "M":
            # A Timestamp of pandas would lose its nanoseconds.
            exact = cut.to_datetime64() if hasattr(cut, "to_datetime64") else cut
            return times >= np.datetime64(exact)
        if times.dtype == object:
            cut = _like(cut, times[0])
            return np.array([time >= cut for time in times.tolist()], dtype=bool)
        return np.asarray(times >= cut, dtype=bool)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"cut={cut!r} cannot be compared with times such as {times[0]!r}: {error}."
        ) from error


def _like(cut: Any, time: Any) -> Any:
    """Return text as a datetime like `time`, in its zone unless the text names one."""
    if not (isinstance(cut, str) and isinstance(time, datetime)):
        return cut
    kind: Any = type(time)
    if hasattr(time, "tz_localize"):  # pandas
        read = kind(cut)
        return read if read.tzinfo else read.tz_localize(time.tzinfo)
    read = kind.fromisoformat(cut)
    return read if read.tzinfo else read.replace(tzinfo=time.tzinfo)
