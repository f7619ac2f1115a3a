"""Axes to draw on, and colours that everyone can tell apart."""

from __future__ import annotations

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
