"""Pickles say which release has written them."""

from __future__ import annotations

import warnings
from typing import Any

from .. import __version__

_KEY = "_sklearn_invlearn_version"


class PicklingMixin:
    """Warns, like scikit-learn, when a pickle comes from another release."""

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, _KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        written_by = state.pop(_KEY, "0.1.0")
        if written_by != __version__:
            warnings.warn(
                f"This {type(self).__name__} was pickled by sklearn_invlearn "
                f"{written_by}; this is {__version__}. It may break, or give wrong "
                "results. Files of `save` can be read by later releases.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)  # type: ignore[misc]
