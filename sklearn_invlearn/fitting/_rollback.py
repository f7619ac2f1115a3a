"""Attributes of a fitted estimator change as a whole, or not at all."""

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


def set_at_once(estimator: Any, attributes: dict[str, Any]) -> Any:
    """Set attributes so that neither an interrupt nor a thread sees a part of them.

    What they replace is freed afterwards: to free a net lets other threads run.
    """
    replaced = dict(vars(estimator))
    vars(estimator).update(attributes)
    del replaced
    return estimator
