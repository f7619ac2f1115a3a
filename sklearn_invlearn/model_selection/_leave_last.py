"""The newest rows of every user against what came before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._intervals import is_whole
from ._splitter import IntArray, PairSplitter, complement, id_codes
from ._times import time_ranks, times_of


class LeaveLastN(PairSplitter):
    """One split: the last `n` rows of every user are tested.

    A user with fewer than ``n + min_train`` rows is not tested; all rows of such a
    user stay in training. So every row is on one of the two sides, and every
    tested user has training rows.

    Parameters
    ----------
    n : int, default=1
        Rows of each user to test.

    time : int, str or array-like of shape (n_rows,), default=None
        When the rows happened: position or name of a column of X, or the times
        themselves (numbers, datetimes, ordered categories or sortable strings). None
        takes the order of the table. Rows of a user at the same time keep that order.

    min_train : int, default=1
        Rows that a tested user keeps in training.

    user_column : int or str, default=0
        Position of the users in X, or their name if X is a DataFrame.

    See Also
    --------
    TimeCutSplit : The same point in time for all users.

    Examples
    --------
    >>> from sklearn_invlearn.model_selection import LeaveLastN
    >>> X = [["ann", 1], ["bob", 1], ["ann", 2], ["ann", 3]]
    >>> [(train.tolist(), test.tolist()) for train, test in LeaveLastN().split(X)]
    [([0, 1, 2], [3])]
    >>> splitter = LeaveLastN(time=[30, 20, 10, 15])
    >>> [(train.tolist(), test.tolist()) for train, test in splitter.split(X)]
    [([1, 2, 3], [0])]
    """

    n_splits = 1

    def __init__(
        self,
        n: int = 1,
        *,
        time: Any = None,
        min_train: int = 1,
        user_column: int | str = 0,
    ) -> None:
        if not is_whole(n, 1):
            raise ValueError(f"n must be an integer of 1 or more, got {n!r}.")
        if not is_whole(min_train, 0):
            raise ValueError(
                f"min_train must be an integer of 0 or more, got {min_train!r}."
            )
        self.n: int = int(n)
        self.time: Any = time
        self.min_train: int = int(min_train)
        self.user_column: int | str = user_column

    def _splits(self, X: Any, y: Any) -> Iterator[tuple[IntArray, IntArray]]:
        users = id_codes(X, self.user_column, "users")
        order = np.lexsort((time_ranks(times_of(X, self.time)), users))
        n_rows = np.bincount(users)
        stop = np.cumsum(n_rows)[users[order]]
        is_last = stop - np.arange(len(users)) <= self.n
        is_tested = (n_rows >= self.n + self.min_train)[users[order]]
        test = np.sort(order[is_last & is_tested])
        if not len(test):
            raise ValueError(
                f"No user has n + min_train = {self.n + self.min_train} rows (the most "
                f"active has {n_rows.max()}), so there is nothing to test. Lower n or "
                "min_train, or use TimeCutSplit."
            )
        train = complement(test, len(users))
        if not len(train):
            raise ValueError(
                "No row is left for training: every user has n rows at most, and "
                "min_train=0 lets all of them be tested. Raise min_train."
            )
        yield train, test
