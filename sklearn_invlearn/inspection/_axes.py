"""Axes to draw on, and curves with colours that everyone can tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.utils._optional_dependencies import check_matplotlib_support

# Okabe and Ito, "Color Universal Design", without the yellow that is lost on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#767676")


def axes_for(display: Any, ax: Any) -> Any:
    """Return `ax`, or new axes; set ``ax_`` and ``figure_`` of the display."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_ = ax
    display.figure_ = ax.figure
    return ax


def require_names(curves: Any, what: str) -> None:
    """Raise unless `curves` has a name for each of them, and one at least."""
    if not isinstance(curves, Mapping):
        raise TypeError(
            f"{what} must be a dict with a name for each array, such as "
            f"{{'model': array}}, got {type(curves).__name__}."
        )
    if not curves:
        raise ValueError(
            f"{what} is empty. Pass one array at least, such as {{'model': array}}."
        )
