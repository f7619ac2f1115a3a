"""Trials that are run once: an interrupted benchmark goes on where it stopped."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

FOLDER = Path(__file__).parent / ".trials"  # ignored by git
READING = "<!-- Below this line the page is written by hand; the script keeps it. -->"


class Trials:
    """Results by key, in a file of JSON lines; predictions in arrays beside it.

    Parameters
    ----------
    name : str
        Name of the file, without its ending.
    fresh : bool
        Whether to forget what an earlier run has left.
    """

    def __init__(self, name: str, *, fresh: bool = False) -> None:
        self.path = FOLDER / f"{name}.jsonl"
        self.path.parent.mkdir(exist_ok=True)
        if fresh:
            self.path.unlink(missing_ok=True)
        self.done: dict[str, dict] = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                self.done[record["key"]] = record

    def run(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the record of `key`; compute and store it if there is none.

        Values that are arrays are kept in files; `array` reads them.
        """
        if key not in self.done:
            record: dict[str, Any] = {"key": key}
            for name, value in compute().items():
                if isinstance(value, np.ndarray):
                    np.save(self._array_path(key, name), value)
                else:
                    record[name] = value
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            self.done[key] = record
        return self.done[key]

    def run_settings(
        self,
        settings: Iterable[tuple[str, str, Callable[[], dict[str, Any]]]],
        report: Callable[[list[list[dict[str, Any]]]], object],
    ) -> None:
        """Run each (name, key, compute); `report` all so far, by name, after each."""
        found: dict[str, list[dict[str, Any]]] = {}
        for name, key, compute in settings:
            found.setdefault(name, []).append(self.run(key, compute))
            report(list(found.values()))

    def array(self, key: str, name: str) -> np.ndarray:
        """Return an array that the trial `key` has stored."""
        return np.load(self._array_path(key, name))

    def _array_path(self, key: str, name: str) -> Path:
        safe = "".join(c if c.isalnum() else "-" for c in f"{key}-{name}")
        return self.path.with_name(f"{self.path.stem}-{safe}.npy")


def arguments(
    doc: str | None, page: str, argv: list[str] | None, seeds: list[int]
) -> argparse.Namespace:
    """Options of a script that measures draws of one ratings file."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--ratings", required=True, help=".npz, see README.md")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    parser.add_argument("--output", type=Path, default=Path("docs/results", page))
    return parser.parse_args(argv)


def with_bar(keys: Iterable[Any], what: str) -> Any:
    """Iterate with a progress bar and the time left."""
    return tqdm(list(keys), desc=what, unit="fit", dynamic_ncols=True)


def write_page(path: Path, generated: str) -> None:
    """Write what a script has found, and keep what people wrote below it."""
    by_hand = ""
    if path.exists():
        _, found, rest = path.read_text(encoding="utf-8").partition(READING)
        by_hand = found + rest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(generated.rstrip() + "\n\n" + (by_hand or READING + "\n"), "utf-8")
