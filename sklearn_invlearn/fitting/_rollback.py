"""What fails before the training begins leaves a fitted estimator as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unchanged_if_it_fails(estimator: Any) -> Iterator[None]:
    """Give `estimator` its attributes back if the block raises, a Ctrl-C included.

    Attributes are put back, not copied: the block must not change what they hold.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
