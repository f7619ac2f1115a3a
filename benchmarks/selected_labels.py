"""Labels that are no random sample of the exposures: does a fit have to be weighted?

MovieLens-1M. Every training pair keeps its label with a probability that depends on
its user, its item, or its label; the others are the pool. Logistic regression and the
default, without weights, with inverse propensities that are known, and with estimated
ones, measured on all kinds of pairs.

    python benchmarks/selected_labels.py --ratings ml1m.npz
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

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
from _trials import Trials, arguments, write_page
from scipy.optimize import brentq
from scipy.special import expit
from tabulate import tabulate

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.metrics import ece_score

STRENGTH = 1.5  # of the logit, for a standard deviation
LIKED = 3.0  # times as likely to be labelled as a pair that is not
CLIP = 0.98  # quantile of the weights above which they are cut
FIGURES = ("AUC", "GAUC", "log loss", "ECE", "mean − share")


def selections(data: Data) -> dict[str, np.ndarray]:
    """Return the probability (n,) of a label, for every name."""
    X, y = data.train.X, data.train.y
    users, items = (_log_counts(column) for column in X.T)
    logits = {
        "at random, 5 %": (np.zeros(len(y)), 0.05),
        "popular items, 5 %": (STRENGTH * items, 0.05),
        "unpopular items, 5 %": (-STRENGTH * items, 0.05),
        "active users, 5 %": (STRENGTH * users, 0.05),
        "active users and popular items, 20 %": (users + items, 0.2),
    }
    liked = np.where(y == 1, LIKED, 1.0)
    return {name: _with_mean(z, share) for name, (z, share) in logits.items()} | {
        "liked pairs, 5 %": 0.05 * liked / liked.mean()
    }


def _log_counts(ids: np.ndarray) -> np.ndarray:
    """Logarithm of how often each id comes, mean 0 and deviation 1."""
    _, code, counts = np.unique(ids, return_inverse=True, return_counts=True)
    z = np.log(counts)[code]
    return (z - z.mean()) / z.std()


def _with_mean(logit: np.ndarray, share: float) -> np.ndarray:
    def excess(intercept: float) -> float:
        return float(expit(logit + intercept).mean()) - share

    return expit(logit + brentq(excess, -30.0, 30.0))


def weights(propensity: np.ndarray) -> np.ndarray:
    """Return 1 / propensity, cut at a quantile, mean 1."""
    inverse = 1.0 / propensity
    inverse = np.minimum(inverse, np.quantile(inverse, CLIP))
    return inverse / inverse.mean()


def estimated(X: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Return the probability of a label as users and items tell it, (n_labelled,)."""
    is_labelled = np.isin(np.arange(len(X)), labelled).astype(int)
    model = make_logistic(1.0).fit(X, is_labelled)
    return model.predict_proba(X[labelled])[:, 1]


def measure(data: Data, propensity: np.ndarray, seed: int) -> dict[str, Any]:
    """Return what each method makes of one draw of the labels."""
    X, y = data.train.X, data.train.y
    drawn = np.random.default_rng(seed).random(len(y)) < propensity
    labelled, pool = np.flatnonzero(drawn), X[~drawn]
    known = weights(propensity[labelled])
    guessed = weights(estimated(X, labelled))
    found: dict[str, Any] = {
        "labels": len(labelled),
        "positive": float(y[labelled].mean()),
        "worth": float(known.sum() ** 2 / (known**2).sum()),
    }
    given = {"X_unlab": (pool,)}
    weighted = "logisticregression__sample_weight"
    fits: dict[str, tuple[Any, dict[str, Any]]] = {
        "LR": (make_logistic(1.0), {}),
        "LR, known propensities": (make_logistic(1.0), {weighted: known}),
    }
    for name, weight in (
        ("default", None),
        ("default, known propensities", known),
        ("default, estimated ones", guessed),
    ):
        default = CrossEntropyRecommender(random_state=seed, device="cpu")
        fits[name] = default, given | {"sample_weight": weight}
    for name, (estimator, params) in fits.items():
        estimator.fit(X[labelled], y[labelled], **params)
        proba = estimator.predict_proba(data.report.X)[:, 1]
        of_fit = evaluate(estimator, data.report)
        of_fit["ECE"] = ece_score(data.report.y, proba, n_bins=15)
        of_fit["mean − share"] = float(proba.mean() - data.report.y.mean())
        found[name] = of_fit
        log(f"{name}, seed {seed}", of_fit["AUC"], 0.0)
    return found


def rows(name: str, found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Rows of one selection, means over seeds."""
    fits = [k for k in found[0] if isinstance(found[0][k], dict)]
    table = []
    for fit in fits:
        cells = {"labels": name if fit == fits[0] else "", "fit": fit}
        for figure in FIGURES:
            values = [of_seed[fit][figure] for of_seed in found]
            sign = "+" if figure.startswith("mean") else ""
            cells[figure] = f"{np.mean(values):{sign}.4f}"
            if figure == "AUC" and len(values) > 1:
                cells[figure] += f" ± {np.std(values, ddof=1):.4f}"
        table.append(cells)
    return table


def page(found: dict[str, list[dict[str, Any]]], data: Data, origin: str) -> str:
    """Return the results as Markdown."""
    table = [row for name, of_seeds in found.items() for row in rows(name, of_seeds)]
    drawn = [
        {
            "labels": name,
            "number": f"{np.mean([r['labels'] for r in of_seeds]):,.0f}",
            "positive": f"{np.mean([r['positive'] for r in of_seeds]):.3f}",
            "worth, weighted": f"{np.mean([r['worth'] for r in of_seeds]):,.0f}",
        }
        for name, of_seeds in found.items()
    ]
    options: dict[str, Any] = {"tablefmt": "github", "disable_numparse": True}
    return f"""\
# Labels that are no random sample

Who labels, and what, is seldom drawn at random: active users answer surveys, popular
items get ratings, people say what they like. Should a fit be weighted by inverse
propensities (Schnabel et al., ICML 2016; Saito et al., WSDM 2020)?

{tabulate(table, "keys", **options)}

{tabulate(drawn, "keys", **options)}

**Protocol.** MovieLens-1M, label = rating ≥ {THRESHOLD}. Each of the
{len(data.train.y):,} training pairs keeps its label with a probability that depends on
how often its item or its user comes (a logit of {STRENGTH} for each standard deviation
of the logarithm, 1 of either in the last line but one), or on the label ({LIKED:.0f}
times as likely where positive); the others are the pool. *Known propensities*: the
weights are one over these probabilities, cut at the quantile {CLIP}, mean 1.
*Estimated*: over those of logistic regression on one-hot ids, labelled against pool.
*Worth*: (Σw)² / Σw², as many equal labels the weighted ones are worth. Means over
seeds, ± standard deviation, on the {len(data.report.y):,} pairs of the half of the
validation part that no choice ever used; *ECE* in 15 bins; *mean − share*: of the
predicted probabilities, and of the positives.

{origin}"""


def main(argv: list[str] | None = None) -> None:
    """Run what is missing; the page is written again after each draw."""
    args = arguments(__doc__, "selected_labels.md", argv, seeds=[0, 1, 2])
    data, origin = read_data(args.ratings), provenance(__file__, args.ratings)
    trials = Trials("selected_labels", fresh=args.fresh)
    drawn = selections(data)
    runs: list[tuple[str, str, Callable[[], dict[str, Any]]]] = [
        (name, f"{name}/{seed}", partial(measure, data, propensity, seed))
        for seed in args.seeds
        for name, propensity in drawn.items()
    ]

    def report(found: list[list[dict[str, Any]]]) -> None:
        by_name = dict(zip(drawn, found))
        write_page(args.output, page(by_name, data, origin))

    trials.run_settings(runs, report)
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
