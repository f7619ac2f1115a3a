"""Finished runs in a file of JSON lines, so that a comparison can be resumed."""

from __future__ import annotations

import hashlib
import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from ..metrics._columns import number_of_columns, take_column

_FORMAT = "sklearn_invlearn.comparison/1"


class RunCache:
    """Runs by key, read from `path` and appended to it; in memory alone without."""

    def __init__(self, path: Any) -> None:
        self.path = None if path is None else Path(path).expanduser()
        self.runs: dict[str, dict[str, Any]] = {}
        if self.path is not None and self.path.exists():
            self._read(self.path)

    def add(self, key: str, run: dict[str, Any]) -> None:
        """Keep a run, and write it down at once."""
        self.runs[key] = run
        if self.path is not None:
            line = json.dumps({"format": _FORMAT, "key": key, **run})
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _read(self, path: Path) -> None:
        content = path.read_bytes()
        complete, newline, tail = content.rpartition(b"\n")
        for number, line in enumerate(complete.split(b"\n") if newline else [], 1):
            run = _parse(line)
            if run is None:
                raise ValueError(
                    f"Line {number} of {path} is not a run of compare_recommenders. "
                    "Pass the path of a new file, or of one that it has written."
                )
            self.runs[run.pop("key")] = run
        if tail:
            ours = json.dumps({"format": _FORMAT}).encode()[:-1]
            if not (tail.startswith(ours) or ours.startswith(tail)):
                raise ValueError(
                    f"{path} was not written by compare_recommenders. Pass the path of "
                    "a new file."
                )
            warnings.warn(
                f"The last line of {path} was cut short, by an interrupt or a full "
                "disk. It is removed, and its run is repeated.",
                UserWarning,
                stacklevel=4,
            )
            with path.open("r+b") as file:  # not written anew: the disk may be full
                file.truncate(len(complete) + len(newline))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        run = json.loads(line)
    except ValueError:
        return None
    if not isinstance(run, dict) or run.pop("format", None) != _FORMAT:
        return None
    return run


def key_of(*parts: Any) -> str:
    """Return a key that changes if any of the parts does."""
    text = "\n".join(map(describe, parts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def table_hash(X: Any) -> str:
    """Return a hash of the values of a table, column by column, or of None."""
    if X is None:
        return "None"
    columns = [take_column(X, j) for j in range(number_of_columns(X))]
    return joblib.hash([c.tolist() if c.dtype == object else c for c in columns])


def describe(thing: Any) -> str:
    """Return text that is the same for equal things in another process.

    Where there is none, as for objects whose repr holds their address, the text
    differs, and the run is repeated rather than taken for another.
    """
    if isinstance(thing, BaseEstimator):
        return f"{describe(type(thing))}({describe(thing.get_params(deep=False))})"
    if isinstance(thing, np.ndarray):
        return f"array {joblib.hash(thing)}"
    if isinstance(thing, dict):
        items = sorted((str(key), describe(value)) for key, value in thing.items())
        return "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}"
    if isinstance(thing, (list, tuple)):
        return "[" + ", ".join(map(describe, thing)) + "]"
    if inspect.isclass(thing) or inspect.isfunction(thing):
        return f"{thing.__module__}.{thing.__qualname__}"
    if hasattr(thing, "dist") and hasattr(thing, "kwds"):  # of scipy.stats
        return f"{thing.dist.name}{describe(thing.args)}{describe(thing.kwds)}"
    return repr(thing)
