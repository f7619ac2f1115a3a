"""Logs drawn at random: how often are the defaults behind, and where?

Every setting of the generator is drawn: sizes, share of labels, popularity, biases,
base rate, and how much structure exposures and labels have. Nothing is tuned to these
draws: those looked at in development have other seeds.

    python benchmarks/random_logs.py
"""

from __future__ import annotations

import argparse
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _protocol import make_logistic, provenance
from _rivals import LogisticOnExposures, tuned, tuned_factorisation
from _trials import Trials, with_bar, write_page
from sklearn.metrics import log_loss, roc_auc_score
from tabulate import tabulate
from transfer import calibration_error

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.datasets import make_sparse_feedback

FIRST_SEED = 17_000
FEWEST = 5  # labels of either class; fewer say nothing about anybody
CHOICES: dict[str, tuple[float, ...]] = {
    "label_fraction": (0.01, 0.03, 0.1, 0.3, 1.0),
    "exposure_affinity": (0.0, 0.5, 1.5),
    "preference_strength": (0.0, 0.7, 1.5, 3.0),
    "taste_correlation": (0.0, 0.5, 1.0),
    "popularity_scale": (0.3, 0.7, 1.5),
    "user_bias_scale": (0.1, 0.7, 1.5),
    "item_bias_scale": (0.1, 0.7, 1.5),
    "positive_rate": (0.05, 0.3, 0.6, 0.9),
    "n_factors": (1, 2, 6, 20),
}
BINS = (0, 500, 3_000, 10_000, 10**9)
BEHIND = 0.003
RIVALS = ("LR", "LR, tuned", "LR + SVD, tuned", "MF, tuned")

Result = dict[str, Any]


def draw(seed: int) -> dict[str, Any]:
    """Parameters of :func:`make_sparse_feedback`, at least 150 labels."""
    rng = np.random.default_rng(seed)

    def size(low: float, high: float) -> int:
        return int(np.exp(rng.uniform(np.log(low), np.log(high))))

    n_users, n_items, n_exposures = size(200, 6000), size(60, 3000), size(8e3, 1.6e5)
    n_exposures = min(n_exposures, int(0.4 * n_users * n_items))
    drawn = {k: values[rng.integers(len(values))] for k, values in CHOICES.items()}
    fewest = min(1.0, 150 / (0.5 * n_exposures))
    drawn["label_fraction"] = max(drawn["label_fraction"], fewest)
    sizes = {"n_users": n_users, "n_items": n_items, "n_exposures": n_exposures}
    return {**sizes, **drawn, "test_fraction": 0.5, "random_state": seed}


def measure(seed: int) -> Result:
    """AUC and log loss of everybody on one draw."""
    parameters = draw(seed)
    data = make_sparse_feedback(**parameters)
    n_positive = int(data.y.sum())
    if min(n_positive, len(data.y) - n_positive) < FEWEST:
        return {"seed": seed, "labels": len(data.y), "AUC": {}}
    given = {"X_unlab": (data.X_unlab,)} if len(data.X_unlab) else {}
    default = CrossEntropyRecommender(random_state=seed, device="cpu")
    methods = {
        "LR": (make_logistic(1.0), {}),
        "LR, tuned": (tuned(make_logistic(1.0), "logisticregression__C"), {}),
        "LR + SVD, tuned": (tuned(LogisticOnExposures(), "C"), given),
        "MF, tuned": (tuned_factorisation(len(data.y)), {}),
        "default": (default, given),
    }
    auc, loss, cost, error = {}, {}, {}, {}
    for name, (estimator, pool) in methods.items():
        start = time.process_time()
        estimator.fit(data.X, data.y, **pool)
        cost[name] = time.process_time() - start
        proba = estimator.predict_proba(data.X_test)[:, 1]
        auc[name] = float(roc_auc_score(data.y_test, proba))
        loss[name] = float(log_loss(data.y_test, proba))
        error[name] = calibration_error(data.y_test, proba)
    return {
        "seed": seed,
        "labels": len(data.y),
        "parameters": parameters,
        "AUC": auc,
        "log loss": loss,
        "ECE": error["default"],
        "seconds": cost["default"],
    }


def margin(result: Result, *rivals: str) -> float:
    """AUC of the default minus that of the best of `rivals`."""
    return result["AUC"]["default"] - max(result["AUC"][name] for name in rivals)


def row(name: str, found: list[Result]) -> dict[str, str]:
    """One row of the table."""
    best = np.array([margin(r, *RIVALS) for r in found])
    alone = {name: np.mean([margin(r, name) for r in found]) for name in RIVALS[1:]}
    losses = np.array([r["log loss"]["default"] - r["log loss"]["LR"] for r in found])
    return {
        "labels": name,
        "logs": str(len(found)),
        **{f"− {name}": f"{mean:+.4f}" for name, mean in alone.items()},
        "− best of four": f"{best.mean():+.4f}",
        "median": f"{np.median(best):+.4f}",
        f"behind by > {BEHIND}": str(int((best < -BEHIND).sum())),
        "worst margin": f"{best.min():+.4f}",
        "log loss − LR's": f"{losses.mean():+.4f}",
        "worst loss": f"{losses.max():+.4f}",
        "ECE": f"{np.mean([r['ECE'] for r in found]):.3f}",
    }


def page(results: list[Result], origin: str) -> str:
    """Return the results as Markdown."""
    usable = [r for r in results if r["AUC"]]
    rows = []
    for low, high in pairwise(BINS):
        inside = [r for r in usable if low <= r["labels"] < high]
        name = f"{low:,} to {high:,}" if high < BINS[-1] else f"{low:,} and more"
        rows += [row(name, inside)] if inside else []
    behind = sorted(usable, key=lambda r: margin(r, *RIVALS))
    listed = [
        {
            "seed": r["seed"],
            "labels": f"{r['labels']:,}",
            **{f"AUC {name}": f"{value:.4f}" for name, value in r["AUC"].items()},
            **{k.replace("_", " "): f"{r['parameters'][k]:g}" for k in CHOICES},
        }
        for r in behind[:8]
    ]
    tables = [
        tabulate(t, "keys", tablefmt="github", disable_numparse=True)
        for t in (rows, listed)
    ]
    left_out = len(results) - len(usable)
    return f"""\
# Logs drawn at random

`CrossEntropyRecommender()` with default parameters beside logistic regression on
one-hot ids (C = 1; C by cross-validation), the same with singular vectors of all
exposures, and a matrix factorisation of the labels (precisions by cross-validation), on
{len(usable)} generated logs whose every parameter is drawn. Differences
of AUC, means over logs; *best of four* is chosen after the fact, on the pairs that are
reported, which favours it the more the fewer labels there are.

{tables[0]}

The eight logs on which the default is furthest behind the best of them:

{tables[1]}

**Protocol.** Seeds {results[0]["seed"]} to {results[-1]["seed"]}; {left_out} of them,
with fewer than {FEWEST} labels of one class, are left out. 200 to 6,000 users, 60 to
3,000 items, 8,000 to 160,000 exposures (uniform in the logarithm, at most 40 % of all
pairs), half of them to test on; the rest is drawn from `CHOICES` in the script.

{origin}"""


def main(argv: list[str] | None = None) -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--logs", type=int, default=60, help="how many to draw")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    parser.add_argument(
        "--output", type=Path, default=Path("docs/results/random_logs.md")
    )
    args = parser.parse_args(argv)
    trials = Trials("random_logs", fresh=args.fresh)
    results = []
    for seed in with_bar(range(FIRST_SEED, FIRST_SEED + args.logs), "logs"):
        with warnings.catch_warnings():  # of C on the edge, of folds with one class
            warnings.simplefilter("ignore")
            results.append(trials.run(str(seed), lambda seed=seed: measure(seed)))
    origin = provenance(__file__, "").replace(" --ratings ", "")  # it needs no data
    write_page(args.output, page(results, origin))
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
