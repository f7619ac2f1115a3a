"""Ratios of two pieces of work, measured turn by turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table: `ours` against `other`, and what was aimed at."""

    what: str
    ours: str
    other: str
    ratio: str
    target: str


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process; other processes on the machine count little."""
    start = time.process_time()
    work()
    return time.process_time() - start


def wall_seconds(work: Callable[[], object]) -> float:
    """Seconds on the clock, for what uses several processes or a GPU."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(
    *works: Callable[[], object],
    rounds: int = 5,
    seconds: Callable[[Callable[[], object]], float] = cpu_seconds,
) -> list[float]:
    """Median seconds of each of `works`, run one after the other, `rounds` times."""
    found = [[seconds(work) for work in works] for _ in range(rounds)]
    return [statistics.median(times) for times in zip(*found)]


def compared(
    what: str,
    ours: tuple[str, float],
    other: tuple[str, float],
    target: str,
    *,
    times_faster: bool = False,
    digits: int = 2,
) -> Row:
    """Return ours / other (or, with `times_faster`, other / ours) as a line."""
    ratio = other[1] / ours[1] if times_faster else ours[1] / other[1]
    sides = [f"{_duration(seconds)} ({name})" for name, seconds in (ours, other)]
    how = "× faster" if times_faster else "×"
    return Row(what, *sides, f"{ratio:.{digits}f} {how}", target)


def _duration(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    if seconds < 1.0:
        return f"{1e3 * seconds:.1f} ms"
    return f"{seconds:.2f} s"
