"""Ids to codes: any hashable id of a user or an item becomes a row number.

Code 0 is kept for ids that were never seen, so a table of parameters has one row
more than there are ids. Two ids are the same exactly when Python says they are
equal (``1 == 1.0 == numpy.int8(1)``, but ``1 != "1"``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._kinds import WHOLE, is_number, kinds_of
from ._repeated_text import first_rows

UNKNOWN = 0

_LONGEST_TABLE = 4  # entries per id
_TEXT = (str, np.str_)
_INT64 = np.iinfo(np.int64)


class IdIndex:
    """The ids of one side (users or items), numbered by first appearance.

    Integer ids are looked up in a table from the smallest to the largest where that is
    not much longer than their number, otherwise by binary search in a sorted array;
    all other ids in a dictionary. The index changes from the one to the other on
    its own when an id arrives that is not an integer.
    """

    _dtype: np.dtype | None = None  # of the integers as they came
    _kinds: tuple[int, set[str]] = (0, set())  # of so many ids, see `kinds`
    _listed: np.ndarray | None = None  # see `ids`

    def __init__(self) -> None:
        self._integers: np.ndarray | None = np.empty(0, dtype=np.int64)
        self._codes: dict[Any, int] = {}
        self._index_integers()

    def __len__(self) -> int:
        return len(self._codes if self._integers is None else self._integers)

    @property
    def ids(self) -> np.ndarray:
        """Ids in order of their codes 1, 2, …; shape (len(self),); read, never written.

        Numbers have the dtype they came in, the widest of several; int64 if they
        came both with and without sign or decimal point.
        """
        if self._integers is not None:
            return self._integers.astype(self._dtype or np.int64)
        listed = self._listed
        if listed is None or len(listed) != len(self):  # once for many questions
            listed = self._listed = _as_array(list(self._codes))
            listed.flags.writeable = False
        return listed

    def __getstate__(self) -> dict[str, Any]:
        """Without the list of ids, which is there twice."""
        return {k: v for k, v in vars(self).items() if k != "_listed"}

    @property
    def exact_ids(self) -> np.ndarray | list[Any]:
        """Ids in order of their codes: numbers (len(self),), or a list as they came."""
        return list(self._codes) if self._integers is None else self.ids

    @property
    def kinds(self) -> set[str]:
        """Kinds of the ids, see `kinds_of`."""
        if self._integers is not None:
            return {WHOLE} if len(self) else set()
        if self._kinds[0] != len(self):  # once for many questions
            self._kinds = len(self), kinds_of(self._codes)
        return self._kinds[1]

    @classmethod
    def from_exact_ids(cls, ids: np.ndarray | list[Any]) -> IdIndex:
        """Return the index that has these `exact_ids`."""
        index = cls()
        if isinstance(ids, np.ndarray):
            index._integers, index._dtype = ids.astype(np.int64), ids.dtype
            index._index_integers()
        else:
            index._integers, index._codes = None, {v: i for i, v in enumerate(ids, 1)}
        if len(np.unique(ids) if isinstance(ids, np.ndarray) else index) != len(ids):
            raise ValueError("an id occurs twice")
        return index

    def extend(self, column: np.ndarray, *, name: str = "X") -> np.ndarray:
        """Learn the new ids of `column` and return the codes (n,) int64 of all."""
        integers = _as_integers(column) if self._integers is not None else None
        if integers is None:
            self._use_dictionary()
            return _once_per_text(self._extend_dictionary, column, name)
        self._dtype = _common_dtype(self._dtype, column.dtype)
        distinct, first, inverse = _unique(integers)
        codes = self._find_integers(distinct)
        new = np.flatnonzero(codes == UNKNOWN)
        new = new[np.argsort(first[new], kind="stable")]
        codes[new] = len(self) + 1 + np.arange(len(new))
        self._integers = np.concatenate([self._integers, distinct[new]])
        self._index_integers()
        return codes[inverse]

    def lookup(self, column: np.ndarray, *, name: str = "X") -> np.ndarray:
        """Return the codes (n,) int64 of `column`, 0 for unknown ids."""
        if self._integers is not None:
            integers = _as_integers(column)
            if integers is not None:
                return self._find_integers(integers)
        return _once_per_text(self._look_up_objects, column, name)

    def __contains__(self, value: Any) -> bool:
        """Whether an id, a hashable one, is known."""
        if self._integers is None:
            return value in self._codes
        if not is_number(value) or not math.isfinite(value):
            return False
        whole: Any = math.floor(value)
        if value != whole or not _INT64.min <= whole <= _INT64.max:
            return False
        return bool(self._find_integers(np.array([whole]))[0] != UNKNOWN)

    def _index_integers(self) -> None:
        """Prepare what finds integers: a table of codes, or ids in sorted order."""
        known = self._integers
        self._table = self._sorter = self._sorted = np.empty(0, dtype=np.int64)
        if known is None or not len(known):
            return
        self._smallest = known.min()
        span = int(known.max()) - int(self._smallest) + 1
        if span <= _LONGEST_TABLE * len(known):
            # The last entry is for everything outside.
            self._table = np.full(span + 1, UNKNOWN, dtype=np.int64)
            self._table[known - self._smallest] = 1 + np.arange(len(known))
        else:
            self._sorter = np.argsort(known)
            self._sorted = known[self._sorter]

    def _find_integers(self, integers: np.ndarray) -> np.ndarray:
        if self._integers is None or not len(self._integers):
            return np.zeros(len(integers), dtype=np.int64)
        if len(self._table):
            # What is smaller than the smallest is huge without a sign.
            position = (integers - self._smallest).view(np.uint64)
            return self._table[np.minimum(position, len(self._table) - 1)]
        position = np.searchsorted(self._sorted, integers)
        position = np.minimum(position, len(self._sorted) - 1)
        found = self._sorted[position] == integers
        return np.where(found, self._sorter[position] + 1, UNKNOWN)

    def _dictionary(self) -> dict[Any, int]:
        if self._integers is None:
            return self._codes
        return {key: code for code, key in enumerate(self._integers.tolist(), 1)}

    def _use_dictionary(self) -> None:
        self._codes, self._integers = self._dictionary(), None
        self._index_integers()

    def _extend_dictionary(self, column: np.ndarray, name: str) -> np.ndarray:
        codes = self._codes
        values = as_objects(column)
        n_before = len(codes)
        try:
            coded = [codes.setdefault(v, len(codes) + 1) for v in values]
        except TypeError as error:
            raise _unhashable(name, error) from error
        _refuse_missing(list(codes)[n_before:], name)
        return np.array(coded, dtype=np.int64)

    def _look_up_objects(self, column: np.ndarray, name: str) -> np.ndarray:
        get = self._dictionary().get
        values = as_objects(column)
        try:
            codes = np.fromiter(
                (get(v, UNKNOWN) for v in values), np.int64, count=len(values)
            )
        except TypeError as error:
            raise _unhashable(name, error) from error
        _refuse_missing({values[row] for row in np.flatnonzero(codes == 0)}, name)
        return codes


def _unique(integers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct ones, sorted; where each comes first; the place of all among them."""
    if len(integers):
        smallest = integers.min()
        span = int(integers.max()) - int(smallest) + 1
        if span <= _LONGEST_TABLE * len(integers):  # a fifteenth of the time of a sort
            position = integers - smallest
            first = np.full(span, -1)
            first[position[::-1]] = np.arange(len(integers))[::-1]  # the last one stays
            there = first >= 0
            distinct = np.flatnonzero(there)
            places = (there.cumsum() - 1)[position]
            return distinct + smallest, first[distinct], places
    return np.unique(integers, return_index=True, return_inverse=True)


def _as_array(ids: list[Any]) -> np.ndarray:
    """Ids of a dictionary (n,), as text if all of them are."""
    # numpy's strings lose a NUL at the end, and two ids would look like one. Of
    # another class of text (an Enum) numpy would take what str() says of it.
    if ids and all(type(k) in _TEXT and not k.endswith("\0") for k in ids):
        return np.array(ids)
    array = np.empty(len(ids), dtype=object)
    array[:] = ids
    return array


def _once_per_text(
    code: Callable[[np.ndarray, str], np.ndarray], column: np.ndarray, name: str
) -> np.ndarray:
    """Codes (n,) of a column, with one question for all rows of the same text."""
    first = first_rows(column)
    if first is None:
        return code(column, name)
    distinct = np.flatnonzero(first == np.arange(len(first)))
    codes = np.empty(len(first), dtype=np.int64)
    codes[distinct] = code(column[distinct], name)
    return codes[first]


class PairEncoder:
    """The users and the items of all pairs seen so far.

    Attributes
    ----------
    users, items : IdIndex
        One index per column; nothing is shared between them.
    """

    def __init__(self) -> None:
        self.users = IdIndex()
        self.items = IdIndex()

    def copy(self) -> PairEncoder:
        """Return an encoder that can learn more without changing this one."""
        return PairEncoder.from_exact_ids(self.users.exact_ids, self.items.exact_ids)

    @classmethod
    def from_exact_ids(cls, users: Any, items: Any) -> PairEncoder:
        """Return the encoder whose indices have these `exact_ids`."""
        encoder = cls()
        encoder.users = IdIndex.from_exact_ids(users)
        encoder.items = IdIndex.from_exact_ids(items)
        return encoder

    @property
    def n_users(self) -> int:
        """Rows that a table of users needs, the one of unknown users included."""
        return len(self.users) + 1

    @property
    def n_items(self) -> int:
        """Rows that a table of items needs, the one of unknown items included."""
        return len(self.items) + 1

    def extend(self, columns: list[np.ndarray], *, name: str = "X") -> np.ndarray:
        """Learn the ids of the first two columns; return codes (2, n) int64."""
        user, item = columns[:2]
        return np.stack(
            [self.users.extend(user, name=name), self.items.extend(item, name=name)]
        )

    def lookup(self, columns: list[np.ndarray], *, name: str = "X") -> np.ndarray:
        """Return codes (2, n) int64 of the first two columns, 0 for unknown ids."""
        user, item = columns[:2]
        return np.stack(
            [self.users.lookup(user, name=name), self.items.lookup(item, name=name)]
        )


def _common_dtype(known: np.dtype | None, new: np.dtype) -> np.dtype:
    new = new.newbyteorder("=") if new.itemsize <= 8 else np.dtype(np.float64)
    if known is None or known == new:
        return new
    if known.kind != new.kind:
        return np.dtype(np.int64)
    return np.promote_types(known, new)


def _as_integers(column: np.ndarray) -> np.ndarray | None:
    """Return `column` as int64 if that is exact for every id, else None."""
    if column.dtype.kind == "i":
        return column.astype(np.int64, copy=False)
    if column.dtype.kind == "u":
        fits = not len(column) or column.max() <= _INT64.max
        return column.astype(np.int64) if fits else None
    if column.dtype.kind == "f":
        integers = column.astype(np.int64)
        return integers if np.array_equal(integers, column) else None
    return None


def as_objects(column: np.ndarray) -> list[Any]:
    """Ids of a column (n,) as Python objects."""
    # tolist() turns nanosecond datetimes into plain integers; list() keeps them.
    return list(column) if column.dtype.kind in "mM" else column.tolist()


def _refuse_missing(values: Any, name: str) -> None:
    missing = [v for v in values if is_missing(v)]
    if missing:
        what = "infinity" if _is_infinite(missing[0]) else "NaN"
        raise ValueError(
            f"Input {name} contains {what}: {missing[0]!r} is not an id. Drop rows "
            "with a missing user or item, or give missing ones an id of their own."
        )


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, NaT, infinity; NaN in a tuple, too.

    (1, nan) would be another id each time it comes; (1, None) and (1, inf) are one.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    if isinstance(value, tuple):
        parts = (part for part in value if part is not None and not _is_infinite(part))
        return any(map(is_missing, parts))
    return is_number(value) and (value != value or _is_infinite(value))


def _is_infinite(value: Any) -> bool:
    return is_number(value) and value in (math.inf, -math.inf)


def _unhashable(name: str, error: TypeError) -> TypeError:
    return TypeError(
        f"An id in {name} is not hashable ({error}). User and item ids must be "
        "hashable: each argument must be a string, a number or a tuple of those."
    )
