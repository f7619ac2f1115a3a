"""What all splitters share: scikit-learn's interface, and exact ids."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples

from .._intervals import is_whole
from ..metrics._columns import take_column
from ..metrics._inputs import factorise

IntArray = NDArray[np.int64]


class PairSplitter(BaseCrossValidator):
    """Base of the splitters; a subclass says which rows are tested in each split."""

    n_splits: int

    @abstractmethod
    def _splits(self, X: Any, y: Any) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield positions of training and test rows."""

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield the rows of every split.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Labelled pairs: user id in the first column, item id in the second.

        y : array-like of shape (n,), default=None
            Labels.

        groups : object, default=None
            Ignored, with a warning: users and items are read from `X`.

        Yields
        ------
        train : ndarray of shape (n_train,), int64
            Positions of the training rows, ascending.

        test : ndarray of shape (n_test,), int64
            Positions of the test rows, ascending.
        """
        name = type(self).__name__
        if groups is not None:
            warnings.warn(
                f"{name} does not use groups; it reads ids from the columns of X.",
                UserWarning,
                stacklevel=2,
            )
        n_rows = _num_samples(X)
        if y is not None and len(y) != n_rows:
            raise ValueError(f"X has {n_rows} rows, but y has {len(y)} labels.")
        if n_rows == 0:
            raise ValueError(f"{name} has no rows to split: X is empty.")
        yield from self._splits(X, y)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits; the arguments are not used."""
        return self.n_splits


def id_codes(X: Any, column: int | str, what: str) -> IntArray:
    """Return the ids of one column of X as codes (n,), see `first_seen_codes`."""
    name = f"The column {column!r} of X ({what})"
    return first_seen_codes(take_column(X, column), name)


def first_seen_codes(values: NDArray[Any], name: str) -> IntArray:
    """Number the distinct values 0, 1, … by first appearance, whatever their type."""
    return by_first_appearance(factorise(values, name)[0])


def by_first_appearance(codes: IntArray) -> IntArray:
    """Renumber codes 0, 1, … such that the ones that come first are the smallest."""
    first = np.unique(codes, return_index=True)[1]
    return np.argsort(np.argsort(first))[codes]


def complement(test: IntArray, n_rows: int) -> IntArray:
    """Return the positions below `n_rows` that are not in `test`, ascending."""
    mask = np.ones(n_rows, dtype=bool)
    mask[test] = False
    return np.flatnonzero(mask)


def folds_of(fold: IntArray, n_splits: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the splits of rows that each have the number of their test fold."""
    for k in range(n_splits):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def check_n_splits(n_splits: Any) -> int:
    """Return a number of folds of 2 at least."""
    if not is_whole(n_splits, 2):
        raise ValueError(
            f"n_splits must be an integer of 2 or more, got {n_splits!r}: every fold "
            "is tested by a model trained on the others."
        )
    return int(n_splits)


def check_shuffle(shuffle: bool, random_state: Any) -> None:
    """Refuse a `random_state` that would have no effect."""
    if not isinstance(shuffle, (bool, np.bool_)):
        raise TypeError(f"shuffle must be True or False, got {shuffle!r}.")
    if not shuffle and random_state is not None:
        raise ValueError(
            "random_state has no effect without shuffle=True; set shuffle=True, or "
            "leave random_state at None."
        )
