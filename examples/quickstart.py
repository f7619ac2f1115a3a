"""Few labels, many unlabeled exposures: seven methods side by side.

    python examples/quickstart.py                      # generated data
    python examples/quickstart.py --ratings FILE       # your own, see load_ratings

A few (user, item) pairs carry a label, the other exposures do not. Every method gets
the same number of trials in a random search (but the last, which has nothing to tune),
is judged on the same rows that no trial has seen, and fills one row of the table. The
picture shows which way Inverse Gradient
went at each of its steps.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # the picture goes to a file: no screen needed

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.datasets import load_ratings, make_sparse_feedback
from sklearn_invlearn.metrics import gauc_score, ndcg_score

N_TRIALS = 10
WORLD = {"n_users": 1000, "n_items": 500, "n_exposures": 100_000}
BIASES = "biases only"
IG = "Inverse Gradient (IG)"
SPECTRAL = "spectral exposures, CE"


# ---- data ------------------------------------------------------------------------


@dataclass
class Data:
    """What every method gets: labelled pairs, the pool, rows to choose and report on.

    The X are arrays of shape (n, 2), user and item; the y are 0 or 1.
    """

    X: np.ndarray
    y: np.ndarray
    X_unlab: np.ndarray
    X_choose: np.ndarray
    y_choose: np.ndarray
    X_report: np.ndarray
    y_report: np.ndarray


def generate_data(label_fraction: float, seed: int, **sizes: int) -> Data:
    """Generate a log of exposures with known truth."""
    world = make_sparse_feedback(
        **sizes, label_fraction=label_fraction, test_fraction=0.4, random_state=seed
    )
    X_choose, X_report = np.array_split(world.X_test, 2)  # in random order already
    y_choose, y_report = np.array_split(world.y_test, 2)
    return Data(world.X, world.y, world.X_unlab, X_choose, y_choose, X_report, y_report)


def read_data(path: str, threshold: float, label_fraction: float, seed: int) -> Data:
    """Read ratings, split them, and hide all but a few labels of the training part."""
    ratings = load_ratings(path, threshold=threshold)
    X, y = ratings.X, ratings.y
    X_rest, y_rest = ratings.X_valid, ratings.y_valid
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    if X_rest is None:  # no validation part in the file: 40 % of the rows
        rest, order = np.split(order, [round(0.4 * len(y))])
        X_rest, y_rest = X[rest], y[rest]
    labelled, pool = np.split(order, [int(label_fraction * len(order))])
    choose, report = np.array_split(rng.permutation(len(y_rest)), 2)
    return Data(
        X[labelled],
        y[labelled],
        X[pool],
        X_rest[choose],
        y_rest[choose],
        X_rest[report],
        y_rest[report],
    )


def check_data(data: Data) -> None:
    """Stop with a clear message where nothing can be learned or measured."""
    for name, y in {
        "labelled pairs": data.y,
        "pairs to choose on": data.y_choose,
        "pairs to report on": data.y_report,
    }.items():
        n_negative, n_positive = np.bincount(y, minlength=2)
        if min(n_negative, n_positive) < 10:
            raise SystemExit(
                f"The {name} have {n_positive} positives and {n_negative} negatives; "
                "10 of each are needed. Use more ratings, a larger --label-fraction, "
                "or a --threshold inside the range of the ratings."
            )
    reported = pd.DataFrame({"user": list(data.X_report[:, 0]), "y": data.y_report})
    if reported.groupby("user")["y"].nunique().max() < 2:
        raise SystemExit(
            "No user has a positive and a negative among the pairs to report on, so "
            "nothing can be measured by user. Use more ratings of each user, or "
            "another --threshold."
        )
    if not len(data.X_unlab):
        raise SystemExit("--label-fraction leaves no unlabeled pairs; lower it.")


# ---- methods ---------------------------------------------------------------------


def make_methods(n_labelled: int, seed: int) -> dict[str, tuple[Any, dict]]:
    """Return, for every name, an estimator and what the search may try."""
    one_hot = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegression(tol=1e-5, max_iter=1000),
    )
    shared = {
        "max_epochs": 30,
        "batch_size": min(512, max(32, n_labelled // 40)),
        "random_state": seed,
    }
    gmf = {"backbone": "gmf", **shared}
    # A weight decay of 1 / (C n) is the penalty of logistic regression with that C.
    penalty = loguniform(0.1 / n_labelled, 10 / n_labelled)
    tried = {"gamma": loguniform(2e-3, 2e-2), "weight_decay": penalty}
    # The dual loss has the weight alpha / gamma beside the loss of labelled pairs.
    tried_idl = {**tried, "alpha": loguniform(3e-4, 3e-2)}
    # A probe step is alpha times a gradient, not a step of Adam. The gradient of the
    # mean over a batch of B pairs is of order 1/B in the row of a user or an item, so
    # alpha is not small against gamma here as it is in the paper. From alpha = 3 or
    # so on, both ways overshoot and all steps are "pass"; far below 0.1 none is.
    tried_ig = {**tried, "alpha": loguniform(0.1, 1.0)}
    return {
        "logistic regression": (
            one_hot,
            {"logisticregression__C": loguniform(0.1, 10)},
        ),
        BIASES: (CrossEntropyRecommender(backbone="bias", **shared), tried),
        "GMF, labelled pairs (None)": (CrossEntropyRecommender(**gmf), tried),
        "GMF, pool as negatives (NS)": (
            CrossEntropyRecommender(negatives="sampled", **gmf),
            tried,
        ),
        "Inverse Dual Loss (IDL)": (InverseDualLossRecommender(**gmf), tried_idl),
        IG: (InverseGradientRecommender(**gmf), tried_ig),
        # Learns its regularisation from the labels, its features from all exposures.
        SPECTRAL: (CrossEntropyRecommender(random_state=seed), {}),
    }


def search_and_fit(
    model: Any, tried: dict, data: Data, *, n_trials: int, n_jobs: int, seed: int
) -> tuple[Any, dict[str, float]]:
    """Choose parameters on the choosing rows; return the fitted model and them."""
    if not tried:
        return model.fit(data.X, data.y, X_unlab=(data.X_unlab,)), {}
    fit_params = {}
    if not isinstance(model, Pipeline):
        # A tuple of one table is never cut into folds. The validation rows are for
        # early stopping.
        fit_params = {
            "X_unlab": (data.X_unlab,),
            "X_val": (data.X_choose,),
            "y_val": (data.y_choose,),
        }
    # One fold: train on the labelled pairs (-1), score the choosing rows (0).
    fold = np.repeat([-1, 0], [len(data.y), len(data.y_choose)])
    search = RandomizedSearchCV(
        model,
        tried,
        n_iter=n_trials,
        scoring="roc_auc",
        cv=PredefinedSplit(fold),
        refit=False,  # it would train on the choosing rows as well
        n_jobs=n_jobs,
        random_state=seed,
    )
    search.fit(
        np.vstack([data.X, data.X_choose]),
        np.concatenate([data.y, data.y_choose]),
        **fit_params,
    )
    best = clone(model).set_params(**search.best_params_)
    return best.fit(data.X, data.y, **fit_params), search.best_params_


def evaluate(model: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the four metrics of the table."""
    proba = model.predict_proba(X)[:, 1]
    users = X[:, 0]
    return {
        "AUC": roc_auc_score(y, proba),
        "GAUC": gauc_score(y, proba, users),
        "NDCG@10": ndcg_score(y, proba, users, k=10),
        "log loss": log_loss(y, proba),
    }


def compare(
    data: Data, *, n_trials: int = N_TRIALS, n_jobs: int = 1, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table, a row for each method, and the fitted models by name."""
    rows, models = {}, {}
    for name, (model, tried) in make_methods(len(data.y), seed).items():
        print(f"  {name} ...", flush=True)
        start = time.perf_counter()
        models[name], chosen = search_and_fit(
            model, tried, data, n_trials=n_trials, n_jobs=n_jobs, seed=seed
        )
        seconds = time.perf_counter() - start
        rows[name] = {
            **evaluate(models[name], data.X_report, data.y_report),
            "seconds": seconds,
            "chosen": ", ".join(
                f"{key.rsplit('__')[-1]}={value:.2g}" for key, value in chosen.items()
            )
            or "(nothing to choose)",
        }
    return pd.DataFrame.from_dict(rows, orient="index"), models


# ---- what is shown ---------------------------------------------------------------


def verdict(table: pd.DataFrame) -> str:
    """Say who won, and what that is worth next to biases alone."""
    ranking = table["AUC"].sort_values(ascending=False, kind="stable")
    best = ranking.index[0]
    others = [
        f"{name} {ranking[name]:.4f} (number {place} of {len(ranking)})"
        for place, name in enumerate(ranking.index, start=1)
        if name in (BIASES, IG) and name != best
    ]
    return (
        f"Highest AUC: {best} {ranking[best]:.4f}; {', '.join(others)}. With one split "
        "and one seed, differences of thousandths mean nothing."
    )


# Colours of Okabe and Ito, told apart by all; the shapes say the same once more.
STYLES = {
    "direct": {"color": "#0072B2", "marker": "o", "label": "direct: along it"},
    "pass": {"color": "#767676", "marker": "s", "label": "pass: stay"},
    "inverse": {"color": "#D55E00", "marker": "^", "label": "inverse: against it"},
}


def plot_trace(trace: np.ndarray, path: str | Path) -> None:
    """Draw the loss of the training-test rows at each unlabeled step."""
    step = np.arange(1, len(trace) + 1)
    loss = np.min([trace[f"loss_{name}"] for name in STYLES], axis=0)
    # What a step along the gradient would change; the sign decides the direction.
    change = trace["loss_direct"] - trace["loss_pass"]
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(8, 6), sharex=True, layout="constrained"
    )
    for direction, style in STYLES.items():
        taken = trace["direction"] == direction
        options = {**style, "s": 22, "linewidths": 0, "alpha": 0.85}
        options["label"] += f" ({taken.sum()} of {len(trace)})"
        top.scatter(step[taken], loss[taken], **options)
        bottom.scatter(step[taken], change[taken], **options)
    top.set_ylabel("training-test loss\nafter the choice")
    bottom.axhline(0, color="black", linewidth=0.8)
    bottom.set_ylabel("change of that loss\nby a direct step")
    bottom.set_xlabel("unlabeled step")
    top.legend(title="step on the inverse dual loss", fontsize=9)
    shares = {name: np.mean(trace["direction"] == name) for name in STYLES}
    figure.suptitle(
        f"Held-out labels turned {shares['inverse']:.0%} of the unlabeled steps "
        f"around and cancelled {shares['pass']:.0%}"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description="Seven methods for few labels and many unlabeled exposures.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--ratings",
        metavar="FILE",
        help="ratings to use instead of generated data: .csv, .tsv, .dat, .data, .txt, "
        ".parquet or .npz with user, item and rating (see load_ratings)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=3.0,
        metavar="R",
        help="ratings of at least R are positive; for --ratings",
    )
    parser.add_argument(
        "--label-fraction",
        type=float,
        default=0.05,
        metavar="F",
        help="share of the training pairs that carry a label, between 0 and 1; the "
        "others are the unlabeled pool",
    )
    parser.add_argument(
        "--figure",
        type=Path,
        default=Path("quickstart_trace.png"),
        metavar="FILE",
        help="where to write the picture",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of data, splits, search and weights"
    )
    parser.add_argument(
        "--n-jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes of each search; changes the seconds only",
    )
    args = parser.parse_args(argv)
    if not 0 < args.label_fraction < 1:
        parser.error("--label-fraction must be between 0 and 1")
    if args.ratings is not None and not Path(args.ratings).expanduser().is_file():
        parser.error(f"--ratings: there is no file {args.ratings!r}")
    if not args.figure.absolute().parent.is_dir():
        parser.error(f"--figure: there is no folder {str(args.figure.parent)!r}")
    return args


def main(
    argv: list[str] | None = None,
    *,
    n_trials: int = N_TRIALS,
    world: dict[str, int] = WORLD,
) -> pd.DataFrame:
    """Run the comparison; return its table."""
    args = parse_args(argv)
    if args.ratings is None:
        data = generate_data(args.label_fraction, args.seed, **world)
    else:
        data = read_data(args.ratings, args.threshold, args.label_fraction, args.seed)
    check_data(data)
    print(
        f"{len(data.y):,} labelled pairs, {len(data.X_unlab):,} unlabeled exposures; "
        f"{len(data.y_choose):,} pairs to choose on, {len(data.y_report):,} to report "
        f"on. {n_trials} trials for each method."
    )
    table, models = compare(data, n_trials=n_trials, n_jobs=args.n_jobs, seed=args.seed)
    formats = dict.fromkeys(["AUC", "GAUC", "NDCG@10", "log loss"], "{:.4f}".format)
    formats["seconds"] = "{:.1f}".format
    print(f"\n{table.to_string(formatters=formats)}\n\n{verdict(table)}")
    plot_trace(models[IG].trace_, args.figure)
    print(f"Picture of the steps of IG: {args.figure}")
    return table


if __name__ == "__main__":
    main()
