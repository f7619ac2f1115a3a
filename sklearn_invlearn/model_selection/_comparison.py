"""What a comparison found: a table, a picture, and every run behind them."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from ._bootstrap import BootstrapDifference, percent
from ._resampled_metrics import Floats, get_metric


@dataclass(frozen=True)
class Comparison:
    """Result of `compare_recommenders`.

    Attributes
    ----------
    methods : list of str
        Names of the methods, the best by the first metric first.
    metrics : list of str
        Names of the metrics.
    reference : str
        The method that the others are compared with.
    means, deviations : dict of (method, metric) to float
        Mean of a metric over splits and seeds, and its standard deviation over seeds
        (NaN with one seed).
    differences : dict of (method, metric) to BootstrapDifference
        Method minus reference; none for the reference itself.
    runs : list of dict
        One for each method, split and seed: "params" chosen, "validation" score,
        "n_trials", "n_failed", "seconds" (search and refit), "refit_seconds", and
        the metrics on the test rows.
    predictions : dict of (method, split, seed) to ndarray
        Scores of the test rows, P(positive) where the method has one.
    """

    methods: list[str]
    metrics: list[str]
    reference: str
    means: dict[tuple[str, str], float]
    deviations: dict[tuple[str, str], float]
    differences: dict[tuple[str, str], BootstrapDifference]
    runs: list[dict[str, Any]]
    predictions: dict[tuple[str, int, int], Floats] = field(repr=False)
    title: str = ""

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each method.

        Returns
        -------
        DataFrame of shape (n_methods, 6 * n_metrics + 1)
            For each metric: its mean under its own name, ``_sd`` over seeds,
            ``_difference`` to the reference with the interval ``_low`` to ``_high``
            and ``_p``; and ``seconds`` of all runs.
        """
        import pandas as pd

        rows = {}
        for method in self.methods:
            row: dict[str, float] = {}
            for metric in self.metrics:
                found = self.differences.get((method, metric))
                row[metric] = self.means[method, metric]
                row[f"{metric}_sd"] = self.deviations[method, metric]
                row[f"{metric}_difference"] = found.difference if found else 0.0
                row[f"{metric}_low"] = found.low if found else np.nan
                row[f"{metric}_high"] = found.high if found else np.nan
                row[f"{metric}_p"] = found.p_value if found else np.nan
            row["seconds"] = self.seconds(method)
            rows[method] = row
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")

    def seconds(self, method: str) -> float:
        """Return the seconds that all runs of a method took."""
        return sum(run["seconds"] for run in self.runs if run["method"] == method)

    def __str__(self) -> str:
        header, *rows = self._cells()
        widths = [max(map(len, column)) for column in zip(header, *rows)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in (header, *rows)
        ]
        return "\n".join([self.title, "", *lines, "", self._legend()])

    def _repr_html_(self) -> str:
        header, *rows = self._cells()

        def line(cells: list[str], tag: str) -> str:
            inside = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
            return f"<tr>{inside}</tr>"

        body = "".join(line(row, "td") for row in rows)
        return (
            f"<p>{html.escape(self.title)}</p><table><thead>{line(header, 'th')}"
            f"</thead><tbody>{body}</tbody></table><p>{html.escape(self._legend())}</p>"
        )

    def _cells(self) -> list[list[str]]:
        first = self.metrics[0]
        header = ["", *self.metrics, f"{first}: difference", "seconds"]
        rows = []
        for method in self.methods:
            found = self.differences.get((method, first))
            difference = "reference"
            if found:
                difference = (
                    f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
                )
            values = [self._cell(method, metric) for metric in self.metrics]
            rows.append([method, *values, difference, f"{self.seconds(method):.1f}"])
        return [header, *rows]

    def _cell(self, method: str, metric: str) -> str:
        """Return a mean, marked where the interval of the difference is beside zero."""
        found = self.differences.get((method, metric))
        mark = " "
        if found and (found.low > 0 or found.high < 0):
            better = (found.difference > 0) == get_direction(metric)
            mark = "+" if better else "-"
        return f"{self.means[method, metric]:.4f}{mark}"

    def _legend(self) -> str:
        level = next((d.confidence_level for d in self.differences.values()), 0.95)
        return (
            f"+ better and - worse than {self.reference!r} beyond the {percent(level)} "
            "interval of a bootstrap over the test users."
        )

    def plot(self, ax: Any = None, *, metric: str | None = None) -> Any:
        """Draw the differences to the reference with their intervals.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.
        metric : str, default=None
            One of `metrics`; None for the first.

        Returns
        -------
        matplotlib axes
        """
        check_matplotlib_support("Comparison.plot")
        import matplotlib.pyplot as plt

        metric = self.metrics[0] if metric is None else metric
        if metric not in self.metrics:
            raise ValueError(f"metric must be one of {self.metrics}, got {metric!r}.")
        if ax is None:
            height = 1.2 + 0.35 * len(self.methods)
            _, ax = plt.subplots(figsize=(7, height), layout="constrained")
        ax.axvline(0, color="black", linewidth=0.8)
        sign = 1 if get_direction(metric) else -1
        best_last = sorted(self.methods, key=lambda m: sign * self.means[m, metric])
        for place, method in enumerate(best_last):
            found = self.differences.get((method, metric))
            if found is None:
                ax.plot(0, place, "s", color="black")
                continue
            beside = found.low > 0 or found.high < 0
            color = "#0072B2" if beside else "#767676"
            ax.plot([found.low, found.high], [place, place], color=color, linewidth=2)
            ax.plot(found.difference, place, "o", color=color)
        ax.set_yticks(range(len(best_last)), best_last)
        arrow = "right is better" if sign > 0 else "left is better"
        ax.set_xlabel(f"{metric}: difference to {self.reference} ({arrow})")
        return ax


def get_direction(metric: str) -> bool:
    """Return whether more of a metric is better; of functions, no losses, it is."""
    try:
        return get_metric(metric).greater_is_better
    except ValueError:
        return True
