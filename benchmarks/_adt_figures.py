"""Figures 7 to 11 of [ADT], drawn from the arrays that the benchmarks keep."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np

from sklearn_invlearn.inspection import (
    DropsDisplay,
    GroupsDisplay,
    LossPathDisplay,
    SensitivityDisplay,
)
from sklearn_invlearn.metrics import activity_groups

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PANEL = (4.2, 3.2)  # inches


def panels(n: int, **kwargs: Any) -> tuple[Any, np.ndarray]:
    size = (PANEL[0] * n, PANEL[1])
    figure, axes = plt.subplots(
        1, n, figsize=size, layout="constrained", squeeze=False, **kwargs
    )
    return figure, axes[0]


def losses(loss: dict[str, np.ndarray], is_false: np.ndarray) -> Any:
    """Figure 8, a panel for each method; `loss` are arrays (n_epochs, n_rows)."""
    names = np.where(is_false, "false positive", "true positive")
    figure, axes = panels(len(loss), sharey=True)
    for ax, (name, values) in zip(axes, loss.items(), strict=True):
        LossPathDisplay(values, names).plot(ax=ax)
        ax.set_title(name)
    return figure


def drops(dropped: np.ndarray, is_false: np.ndarray) -> Any:
    """Figure 9; `dropped` (n_epochs, n_rows)."""
    figure, axes = panels(1)
    DropsDisplay(dropped, is_false).plot(ax=axes[0])
    return figure


def groups(
    recall: dict[str, np.ndarray], users: np.ndarray, history: np.ndarray
) -> Any:
    """Figure 7; `recall` of each of `users`, `history` the users of training clicks."""
    group = activity_groups(users, history=history)
    count = np.bincount(history)[users]
    names = [
        f"{count[group == g].min()}-{count[group == g].max()}"
        for g in range(group.max() + 1)
    ]
    means = {
        name: np.bincount(group, weights=values) / np.bincount(group)
        for name, values in recall.items()
    }
    figure, axes = panels(1)
    display = GroupsDisplay(means, np.bincount(group), names, metric_name="Recall@20")
    display.plot(ax=axes[0])
    return figure


def sensitivity(
    scores: dict[tuple[str, str], dict[float, np.ndarray]],
    metric: str,
    base: np.ndarray | None = None,
) -> Any:
    """Figures 10 and 11: a panel for each (method, parameter).

    Parameters
    ----------
    scores : dict
        Of each panel, value of the parameter to the score of each user (n_users,).
    metric : str
        What the score is.
    base : ndarray of shape (n_users,), default=None
        Scores of what is compared with: a dotted line.
    """
    figure, axes = panels(len(scores), sharey=True)
    for ax, ((name, param), by_value) in zip(axes, scores.items(), strict=True):
        values = sorted(by_value)
        per_user = [by_value[value] for value in values]
        mean = np.array([v.mean() for v in per_user])
        error = np.array([v.std(ddof=1) / np.sqrt(len(v)) for v in per_user])
        display = SensitivityDisplay(values, mean, error, param=param, scoring="")
        display.plot(ax=ax)
        if base is not None:
            ax.axhline(base.mean(), color="black", linestyle=":")
        ax.set_title(name)
    axes[0].set_ylabel(metric)
    return figure
