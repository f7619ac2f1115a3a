"""Folds of users, or of items, that training has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.model_selection import GroupKFold

from ._splitter import IntArray, PairSplitter, check_n_splits, check_shuffle, id_codes


class _ColdKFold(PairSplitter):
    """Whole ids in folds of about equal numbers of rows."""

    shuffle: bool
    random_state: Any
    _what: str

    def _column(self) -> int | str:
        raise NotImplementedError

    def _splits(self, X: Any, y: Any) -> Iterator[tuple[IntArray, IntArray]]:
        codes = id_codes(X, self._column(), self._what)
        n_ids = int(codes.max()) + 1
        if n_ids < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} folds of whole {self._what} need as many "
                f"{self._what}, but the column {self._column()!r} of X has {n_ids}."
            )
        folds = GroupKFold(
            self.n_splits, shuffle=self.shuffle, random_state=self.random_state
        )
        yield from folds.split(codes, groups=codes)


class ColdUserKFold(_ColdKFold):
    """K folds of whole users: whoever is tested has no training rows.

    Every row is tested once. The users of a fold are new to the model in every
    labelled row; in `X_unlab` they are still there unless their exposures are taken
    out of it.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.

    shuffle : bool, default=False
        Whether users are put into folds at random, as many users in each. Otherwise
        the folds get about the same number of rows.

    random_state : int, RandomState instance or None, default=None
        Seed of the order; with ``shuffle=True`` only.

    user_column : int or str, default=0
        Position of the users in X, or their name if X is a DataFrame.

    See Also
    --------
    ColdItemKFold : The same for items.
    UserStratifiedKFold : Every user on both sides.

    Examples
    --------
    >>> from sklearn_invlearn.model_selection import ColdUserKFold
    >>> X = [["ann", 1], ["bob", 1], ["ann", 2], ["eve", 3]]
    >>> [test.tolist() for train, test in ColdUserKFold(2).split(X)]
    [[0, 2], [1, 3]]
    """

    _what = "users"

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

    def _column(self) -> int | str:
        return self.user_column


class ColdItemKFold(_ColdKFold):
    """K folds of whole items: whatever is tested has no training rows.

    Every row is tested once. The items of a fold are new to the model in every
    labelled row; in `X_unlab` they are still there unless their exposures are taken
    out of it.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.

    shuffle : bool, default=False
        Whether items are put into folds at random, as many items in each. Otherwise
        the folds get about the same number of rows.

    random_state : int, RandomState instance or None, default=None
        Seed of the order; with ``shuffle=True`` only.

    item_column : int or str, default=1
        Position of the items in X, or their name if X is a DataFrame.

    See Also
    --------
    ColdUserKFold : The same for users.

    Examples
    --------
    >>> from sklearn_invlearn.model_selection import ColdItemKFold
    >>> X = [["ann", "x"], ["bob", "x"], ["ann", "y"], ["eve", "z"]]
    >>> [test.tolist() for train, test in ColdItemKFold(2).split(X)]
    [[0, 1], [2, 3]]
    """

    _what = "items"

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: Any = None,
        item_column: int | str = 1,
    ) -> None:
        self.n_splits = check_n_splits(n_splits)
        check_shuffle(shuffle, random_state)
        self.shuffle = shuffle
        self.random_state = random_state
        self.item_column = item_column

    def _column(self) -> int | str:
        return self.item_column
