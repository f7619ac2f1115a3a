"""From thirty labels of MovieLens-1M to all: a table and a picture.

So many random pairs of the training part keep their label, the others become
``X_unlab``. Default parameters everywhere.

    python benchmarks/learning_curve.py --ratings ml1m.npz
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from _protocol import (
    THRESHOLD,
    Data,
    evaluate,
    log,
    make_logistic,
    provenance,
    read_data,
)
from _rivals import LogisticOnExposures
from _trials import Trials, arguments, write_page
from tabulate import tabulate

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.inspection._axes import COLORS

matplotlib.use("Agg")
from matplotlib import pyplot as plt

NUMBERS = (30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
POPULARITY = "how often an item is shown"
SHARE = "share of positives"
LOGISTIC = "logistic regression, one-hot"
FIGURES = ("AUC", "GAUC", "log loss")
PICTURE = "learning_curve.png"


class Popularity:
    """Ranks by the number of exposures; the probability is that of the labels."""

    def fit(self, X: np.ndarray, y: np.ndarray, X_unlab: Any = None) -> Popularity:
        pool = X if X_unlab is None else np.vstack([X, *X_unlab])
        items, counts = np.unique(pool[:, 1], return_counts=True)
        self.count_ = dict(zip(items.tolist(), counts.tolist()))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Not a probability: counts as shares of the largest, (n, 2)."""
        count = np.array([self.count_.get(item, 0) for item in X[:, 1].tolist()])
        share = count / max(self.count_.values())
        return np.column_stack([1 - share, share])


class BaseRate:
    """The same probability for all pairs, that of the labels."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> BaseRate:
        self.rate_ = float(np.mean(y))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.tile([1 - self.rate_, self.rate_], (len(X), 1))


def methods(seed: int) -> dict[str, tuple[bool, Any]]:
    """Return, for every name, whether it takes the pool, and the estimator."""
    shared: dict[str, Any] = {"random_state": seed, "device": "cpu"}
    return {
        SHARE: (False, BaseRate()),
        POPULARITY: (True, Popularity()),
        LOGISTIC: (False, make_logistic(1.0)),
        "the same + 32 SVD factors": (True, LogisticOnExposures()),
        "GMF, cross entropy": (
            False,
            CrossEntropyRecommender(backbone="gmf", **shared),
        ),
        "default": (True, CrossEntropyRecommender(**shared)),
    }


def measure(data: Data, n_labels: int, seed: int) -> dict[str, Any]:
    """Return what all methods make of one draw of labels."""
    X, y = data.train.X, data.train.y
    rng = np.random.default_rng(seed)
    while True:
        labelled, pool = np.split(rng.permutation(len(y)), [n_labels])
        if len(set(y[labelled])) == 2:
            break
    found: dict[str, Any] = {"n_labels": n_labels}
    for name, (takes_pool, estimator) in methods(seed).items():
        given = {"X_unlab": (X[pool],)} if takes_pool and len(pool) else {}
        start = time.process_time()
        estimator.fit(X[labelled], y[labelled], **given)
        seconds = time.process_time() - start
        found[name] = evaluate(estimator, data.report)
        log(f"{n_labels:,}, seed {seed}, {name}", found[name]["AUC"], seconds)
    return found


Found = list[list[dict[str, Any]]]  # by number of labels, then by seed


def means(found: Found, method: str, figure: str) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds and standard deviations, one for each number of labels."""
    values = [[of_seed[method][figure] for of_seed in of_seeds] for of_seeds in found]
    deviations = [np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in values]
    return np.array([np.mean(v) for v in values]), np.array(deviations)


def names(figure: str) -> list[str]:
    """Methods of which a figure says something."""
    says_nothing = POPULARITY if figure == "log loss" else SHARE
    return [name for name in methods(0) if name != says_nothing]


def table(found: Found, figure: str) -> str:
    """Return one figure as Markdown."""
    rows = []
    for name in names(figure):
        cells = {"method": name}
        for of_seeds, *cell in zip(found, *means(found, name, figure)):
            mean, deviation = cell
            cells[f"{of_seeds[0]['n_labels']:,}"] = f"{mean:.4f} ± {deviation:.4f}"
        rows.append(cells)
    return tabulate(rows, "keys", tablefmt="github", disable_numparse=True)


def draw(found: Found, path: Path) -> None:
    """Draw AUC and log loss over the number of labels."""
    numbers = [of_seeds[0]["n_labels"] for of_seeds in found]
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for ax, name in zip(axes, ("AUC", "log loss")):
        colors = dict(zip(methods(0), (COLORS[6], COLORS[6], *COLORS)))
        for method in names(name):
            mean, deviation = means(found, method, name)
            simple = method in (SHARE, POPULARITY)
            style = {"color": colors[method], "linestyle": "--" if simple else "-"}
            ax.plot(numbers, mean, label=method, **style)
            band = mean - deviation, mean + deviation
            ax.fill_between(numbers, *band, color=colors[method], alpha=0.15, lw=0)
        ax.set(xscale="log", xlabel="labels", ylabel=name)
        ax.legend(fontsize="small")
    # Worse than one probability for all by so much is all the same.
    best, constant = (means(found, k, "log loss")[0] for k in ("default", SHARE))
    axes[1].set_ylim(best.min() - 0.01, constant.max() + 0.06)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def page(found: Found, data: Data, origin: str) -> str:
    """Return the results as Markdown."""
    tables = "\n\n".join(f"## {name}\n\n{table(found, name)}" for name in FIGURES)
    return f"""\
# From thirty labels on

So many pairs of MovieLens-1M with a label, the other training pairs being the pool of
exposures without feedback. Default parameters. Means over {len(found[0])} seeds ±
standard deviation.

![AUC and log loss over the number of labels]({PICTURE})

{tables}

**Protocol.** Label = rating ≥ {THRESHOLD}; the first labels of
`numpy.random.default_rng(seed).permutation` of the {len(data.train.y):,} training
pairs, redrawn as long as all are of one class; measured on the {len(data.report.y):,}
pairs of the half of the validation part that no choice ever used. *{POPULARITY}*
needs no label; *{SHARE}* is one probability for all pairs, that of the labels.

{origin}"""


def main(argv: list[str] | None = None) -> None:
    """Run what is missing; page and picture are made again after each draw."""
    args = arguments(__doc__, "learning_curve.md", argv, seeds=[0, 1, 2, 3, 4])
    data, origin = read_data(args.ratings), provenance(__file__, args.ratings)
    trials = Trials("learning_curve", fresh=args.fresh)
    runs = [
        (f"{n:,}", f"{n}/{seed}", partial(measure, data, n, seed))
        for seed in args.seeds
        for n in NUMBERS
    ]

    def report(found: Found) -> None:
        write_page(args.output, page(found, data, origin))
        draw(found, args.output.with_name(PICTURE))

    trials.run_settings(runs, report)
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
