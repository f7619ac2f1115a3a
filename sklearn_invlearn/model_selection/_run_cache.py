"""Finished runs in a file of JSON lines, so that a comparison can be resumed."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import joblib

from ..metrics._columns import number_of_columns, take_column
from ._description import describe

_FORMAT = "sklearn_invlearn.comparison/1"


class RunCache:
    """Runs by key, read from `path` and appended to it; in memory alone without."""

    def __init__(self, path: Any) -> None:
        self.path = None if path is None else Path(path).expanduser()
        self.runs: dict[str, dict[str, Any]] = {}
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)  # fails before any run
            if self.path.exists():
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
