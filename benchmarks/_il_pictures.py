"""Pictures of `il_figures.py`: displays of the package side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from _trials import Trials

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from sklearn_invlearn.inspection import AnnotationDisplay, DirectionDisplay

MODELS = (
    "GMF, as published",
    "GMF, public code",
    "GMF, tuned",
    "NeuMF, as published",
    "NeuMF, public code",
)
ROWS = {"first": "after the first epoch", "last": "after the last epoch"}
RATIOS = ("1", "10", "50", "100")
TRACES = (
    "last/GMF, as published",
    "last/GMF, tuned",
    "last/NeuMF, as published",
    "last/GMF, public code",
    "control/GMF, public code, clones zeroed",
    "last/NeuMF, public code",
)


def draw_all(trials: Trials, y_report: np.ndarray, folder: Path) -> None:
    """Write the four pictures, `y_report` being the labels of the rated pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    rated = {}
    for when in ROWS:
        for model in MODELS:
            key = f"{when}/{model}"
            rated[when, model] = {
                **split(trials.array(key, "w1_report"), y_report),
                "never rated": trials.array(key, "w1_pool"),  # colours go in order
            }
    save(draw_weights(rated, MODELS), folder / "il_figure3.png")
    few = {}
    for when in ROWS:
        for model in ("GMF", "NeuMF"):
            key = f"few, {when}/{model}"
            w1, y = (trials.array(key, name) for name in ("w1_pool", "y_pool"))
            few[when, model] = split(w1, y)
    save(draw_weights(few, ("GMF", "NeuMF")), folder / "il_figure4.png")
    traces = [(key.split("/")[1], trials.array(key, "trace")) for key in TRACES]
    save(draw_traces(traces, 3), folder / "il_figure5.png")
    ratios = [
        (f"{step}, α = {ratio} γ", trials.array(f"ratio/{probe}/{ratio}", "trace"))
        for probe, step in (("sgd", "step α·g"), ("sign", "step α·sign(g)"))
        for ratio in RATIOS
    ]
    save(draw_traces(ratios, 4), folder / "il_figure6.png")


def split(w1: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    return {"truly positive": w1[y == 1], "truly negative": w1[y == 0]}


def draw_weights(weights: dict, models: tuple[str, ...]) -> Any:
    """Weights by moment (rows) and model (columns)."""
    figure, axes = plt.subplots(
        len(ROWS),
        len(models),
        figsize=(2.9 * len(models), 5.2),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for (when, model), ax in zip(weights, axes.flat, strict=True):
        AnnotationDisplay(weights[when, model]).plot(ax=ax)
        ax.set(yscale="log", ylim=(1e-4, 1.5), title=f"{model}\n{ROWS[when]}")
        ax.title.set_fontsize("medium")
        if ax is not axes[0, 0]:
            ax.legend_.remove()
        ax.label_outer()
        ax.set_xlabel("w1" if ax in axes[-1] else "")
    return figure


def draw_traces(traces: list[tuple[str, np.ndarray]], n_columns: int) -> Any:
    """Training-test loss after every unlabeled step, marked by the direction."""
    n_rows = -(-len(traces) // n_columns)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(3.6 * n_columns, 3.1 * n_rows),
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for (name, trace), ax in zip(traces, axes.flat, strict=True):
        DirectionDisplay(trace, name=name).plot(ax=ax)
        ax.label_outer()
        ax.title.set_fontsize("medium")
    return figure


def save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=80)
    plt.close(figure)
