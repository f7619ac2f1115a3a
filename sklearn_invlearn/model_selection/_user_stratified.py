"""Folds over which every user's rows, and every class, are spread evenly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..metrics._inputs import as_column, is_missing
from ._splitter import (
    IntArray,
    PairSplitter,
    check_n_splits,
    check_shuffle,
    first_seen_codes,
    folds_of,
    id_codes,
)


class UserStratifiedKFold(PairSplitter):
    """K folds, stratified by the pair of user and label.

    The rows are laid out class by class, inside a class user by user, and dealt to the
    folds in turn. So the rows that a user has of a class, the rows of a class, and all
    rows differ by one at most between any two folds. No row is left out, and no user
    needs a minimum of rows: those of a user with fewer than `n_splits` rows are tested
    in as many folds as there are rows, and are training rows in the others. A
    user with one row is thus tested once, without a label of its own in training.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.

    shuffle : bool, default=False
        Whether users, and the rows of each user and class, are dealt in random order
        instead of that of the table.

    random_state : int, RandomState instance or None, default=None
        Seed of the order; with ``shuffle=True`` only.

    user_column : int or str, default=0
        Position of the users in X, or their name if X is a DataFrame.

    See Also
    --------
    LeaveLastN : Tests the newest rows of every user.
    ColdUserKFold : Tests users who have no training rows.

    Examples
    --------
    >>> from sklearn_invlearn.model_selection import UserStratifiedKFold
    >>> X = [["ann", 1], ["ann", 2], ["ann", 3], ["ann", 4], ["bob", 1], ["bob", 2]]
    >>> y = [0, 0, 1, 1, 0, 1]
    >>> for train, test in UserStratifiedKFold(2).split(X, y):
    ...     print([(X[row][0], y[row]) for row in test])
    [('ann', 0), ('ann', 1), ('bob', 0)]
    [('ann', 0), ('ann', 1), ('bob', 1)]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: Any = None,
        user_column: int | str = 0,
    ) -> None:
        self.n_splits = check_n_splits(n_splits)
        check_shuffle(shuffle, random_state)
        self.shuffle = shuffle
        self.random_state = random_state
        self.user_column = user_column

    def _splits(self, X: Any, y: Any) -> Iterator[tuple[IntArray, IntArray]]:
        if y is None:
            raise ValueError(
                "UserStratifiedKFold stratifies by user and label, but y is None. Pass "
                "y, or use KFold of scikit-learn."
            )
        users = id_codes(X, self.user_column, "users")
        column = as_column(y, "y")
        if column.dtype.kind in "fO" and any(map(is_missing, column.tolist())):
            raise ValueError(
                "y has missing labels (None or NaN). Leave these rows out: exposures "
                "without feedback go to fit as X_unlab."
            )
        labels = first_seen_codes(column, "y")
        n_rows = len(users)
        if n_rows < self.n_splits:
            raise ValueError(
                f"{n_rows} rows cannot be dealt to n_splits={self.n_splits} folds. Use "
                "fewer folds."
            )
        order = np.lexsort((users, labels))
        if self.shuffle:
            random = check_random_state(self.random_state)
            # Users in another order for each class: else those who come first would
            # always have their positives and negatives in the same folds.
            block = labels * (users.max() + 1) + users
            place = random.permutation(block.max() + 1)
            order = np.lexsort((random.permutation(n_rows), place[block], labels))
        fold = np.empty(n_rows, dtype=np.int64)
        fold[order] = np.arange(n_rows) % self.n_splits
        yield from folds_of(fold, self.n_splits)
