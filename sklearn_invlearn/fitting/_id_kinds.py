"""A column in which no id is known because it was written in another type."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from ..ids._encoding import UNKNOWN, IdIndex, PairEncoder, as_objects
from ..ids._kinds import FRACTION, WHOLE, kinds_of, lookalikes

_FIRST_ROWS = 1_024  # nearly always, one of them is known
_BLOCK_ROWS = 1_048_576
_MOST_COMPARED = 1_000
_OURS = (__name__.partition(".")[0], "sklearn")


def check_id_kinds(
    encoder: PairEncoder, columns: list[np.ndarray], name: str, *, warn: bool = True
) -> None:
    """Check the users and the items of a table with `check_id_kind`."""
    for index, column, side in zip(
        (encoder.users, encoder.items), columns, ("user", "item")
    ):
        check_id_kind(index, column, f"The {side} ids of {name}", name, warn=warn)


def check_id_kind(
    index: IdIndex, column: np.ndarray, what: str, name: str, *, warn: bool = True
) -> None:
    """Refuse ids that are known, but written in another type; warn of suspicious ones.

    Unknown ids are legal. If all of them are of another kind than those that are
    known (text instead of numbers), that is no coincidence.

    Parameters
    ----------
    index : IdIndex
        Known ids; nothing is checked while there are none.
    column : ndarray of shape (n,)
        Ids.
    what, name : str
        What to call the ids, and the argument they are in.
    warn : bool, default=True
        Whether to warn if none of them is a known id in another type.

    Raises
    ------
    ValueError
        If no id is known, all are of another kind, and one would be known if it
        were converted.
    """
    if not len(index) or not len(column) or _any_known(index, column, name):
        return
    asked = list(dict.fromkeys(as_objects(column)))
    theirs, ours = kinds_of(asked), set(index.kinds)
    if FRACTION in ours:
        ours.add(WHOLE)
    if theirs & ours:
        return
    known = as_objects(index.ids[:1])[0]
    kinds = (
        f"{what} are {_listed(theirs)} (such as {asked[0]!r}), and none of them is "
        f"known; those of fit are {_listed(index.kinds)} (such as {known!r})"
    )
    for value in asked[:_MOST_COMPARED]:
        twin = next((other for other in lookalikes(value) if other in index), None)
        if twin is not None:
            raise ValueError(
                f"{kinds}. {value!r} and {twin!r} are two different ids. The usual "
                "cause is a file or a frame that was read with other types than the "
                f"one of fit: convert the ids of {name} to the type of those of fit."
            )
    if warn:
        warnings.warn(
            f"{kinds}. If they are new, give them the same type as known ones have, "
            f"which silences this warning; if not, convert the ids of {name}.",
            UserWarning,
            stacklevel=frames_to_the_caller(),
        )


def _any_known(index: IdIndex, column: np.ndarray, name: str) -> bool:
    first, rest = column[:_FIRST_ROWS], column[_FIRST_ROWS:]
    blocks = [first] + [
        rest[start : start + _BLOCK_ROWS] for start in range(0, len(rest), _BLOCK_ROWS)
    ]
    return any((index.lookup(b, name=name) != UNKNOWN).any() for b in blocks)


def _listed(kinds: set[str]) -> str:
    return " and ".join(sorted(kinds))


def frames_to_the_caller() -> int:
    """Number of frames from the caller of this function to the user's code."""
    frame: Any = sys._getframe(1)
    level = 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame, level = frame.f_back, level + 1
    return level
