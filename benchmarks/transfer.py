"""Does the spectral backbone do no harm? Many settings, default parameters, one run.

For each setting: one-hot logistic regression (C = 1 and C cross-validated), the same
with singular vectors of all exposures, matrix factorisation with cross-validated
strength, and ``CrossEntropyRecommender()``, on pairs that nothing was chosen on.

    python benchmarks/transfer.py --data FOLDER

FOLDER holds ml1m.npz, ml100k.npz and adressa.npz (arrays as in README.md); settings
whose file is missing are left out, and said to be. An interrupted run goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _protocol import SPLIT_SEED, THRESHOLD, Part, log, make_logistic, provenance
from _rivals import MANY, LogisticOnExposures, tuned, tuned_factorisation
from _trials import Trials, write_page
from sklearn.metrics import log_loss, roc_auc_score
from tabulate import tabulate

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.datasets import make_sparse_feedback

FRACTIONS = (0.05, 0.2, 1.0)
LOSS = "log loss − LR's"
CHANCE = "ECE by chance"


@dataclass(frozen=True)
class Setting:
    """Labelled pairs, pool of exposures, and pairs to report on."""

    name: str
    labelled: Part
    pool: np.ndarray
    report: Part


def second_half(part: Part) -> Part:
    """The half that was not looked at during development."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(part.y))
    half = order[len(order) // 2 :]
    return Part(part.X[half], part.y[half])


def some_labels(
    name: str,
    train: Part,
    report: Part,
    fraction: float,
    seed: int,
    among: Any = None,
) -> Setting:
    """Keep a random fraction of the labels (among some rows); the rest is the pool."""
    order = np.random.default_rng(seed).permutation(len(train.y))
    eligible = order if among is None else order[among[order]]
    labelled = eligible[: int(len(eligible) * fraction)]
    pool = np.setdiff1d(order, labelled)
    kept = Part(train.X[labelled], train.y[labelled])
    return Setting(f"{name}, {fraction:.0%}", kept, train.X[pool], report)


def pairs(arrays: Any, prefix: str = "") -> np.ndarray:
    """Columns user and item, (n, 2) int64."""
    columns = [arrays[f"{prefix}{name}"] for name in ("user", "item")]
    return np.column_stack(columns).astype(np.int64)


def ml1m(path: Path, seed: int) -> Iterator[Setting]:
    """Labels of the most active users, of popular items, at the extremes only."""
    arrays = np.load(path)
    rating, X = arrays["train_rating"], pairs(arrays, "train_")
    train = Part(X, (rating >= THRESHOLD).astype(int))
    valid_y = (arrays["valid_rating"] >= THRESHOLD).astype(int)
    report = second_half(Part(pairs(arrays, "valid_"), valid_y))
    selections = {
        "ML-1M, most active tenth of users": most_frequent(X[:, 0]),
        "ML-1M, most popular tenth of items": most_frequent(X[:, 1]),
        "ML-1M, ratings 1 and 5 alone": np.isin(rating, (1, 5)),
    }
    for name, among in selections.items():
        for fraction in (0.1, 1.0):
            yield some_labels(name, train, report, fraction, seed, among)


def most_frequent(ids: np.ndarray) -> np.ndarray:
    """Which rows belong to the tenth of ids with the most rows."""
    known, counts = np.unique(ids, return_counts=True)
    return np.isin(ids, known[np.argsort(-counts)[: len(known) // 10]])


def ml100k(path: Path, seed: int) -> Iterator[Setting]:
    """A random fifth to test on, and the last fifth by time."""
    arrays = np.load(path)
    X, y = pairs(arrays), (arrays["rating"] >= THRESHOLD).astype(int)
    n_train = int(0.8 * len(y))
    orders = {
        "at random": np.random.default_rng(999).permutation(len(y)),
        "by time": np.argsort(arrays["timestamp"], kind="stable"),
    }
    for how, order in orders.items():
        train, test = order[:n_train], order[n_train:]
        report = second_half(Part(X[test], y[test]))
        for fraction in FRACTIONS:
            part = Part(X[train], y[train])
            yield some_labels(f"ML-100K {how}", part, report, fraction, seed)


def adressa(path: Path, seed: int) -> Iterator[Setting]:
    """Flags of 70 % of the validation part as labels; all clicks as exposures."""
    arrays = np.load(path)
    order = np.random.default_rng(999).permutation(len(arrays["valid_clean"]))
    X, y = pairs(arrays, "valid_")[order], arrays["valid_clean"][order].astype(int)
    n_train = int(0.7 * len(y))
    report = second_half(Part(X[n_train:], y[n_train:]))
    for fraction in (0.1, 1.0):
        part = Part(X[:n_train], y[:n_train])
        s = some_labels("Adressa, clean flags", part, report, fraction, seed)
        pool = np.vstack([pairs(arrays, "train_"), s.pool])
        yield Setting(s.name, s.labelled, pool, s.report)


def generated(seed: int) -> Iterator[Setting]:
    """Structure in exposures, in labels, in both, in neither."""
    kinds = {"neither": (0, 0), "exposures": (1, 0), "labels": (0, 1), "both": (1, 1)}
    for kind, (in_exposures, in_labels) in kinds.items():
        for fraction in (0.05, 0.3):
            data = make_sparse_feedback(
                n_users=2000,
                n_items=1000,
                n_exposures=120_000,
                label_fraction=fraction,
                exposure_affinity=1.0 * in_exposures,
                preference_strength=1.5 * in_labels,
                random_state=seed,
            )
            yield Setting(
                f"generated, structure in {kind}, {fraction:.0%}",
                Part(data.X, data.y),
                data.X_unlab,
                Part(data.X_test, data.y_test),
            )


def dense(seed: int) -> Iterator[Setting]:
    """Half of all pairs exposed, at random: all structure is in the labels."""
    for fraction in (0.2, 0.6):
        data = make_sparse_feedback(
            n_users=600,
            n_items=500,
            n_exposures=150_000,
            label_fraction=fraction,
            exposure_affinity=0.0,
            preference_strength=1.5,
            random_state=seed,
        )
        yield Setting(
            f"generated, dense, structure in labels, {fraction:.0%}",
            Part(data.X, data.y),
            data.X_unlab,
            Part(data.X_test, data.y_test),
        )


def methods(n_labels: int, seed: int) -> dict[str, tuple[bool, Any]]:
    """Return, for every name, whether it takes the pool, and the estimator."""
    logistic, exposures = make_logistic(1.0), LogisticOnExposures()
    searched = logistic, exposures
    if n_labels < MANY:  # from there on C no longer matters
        searched = (
            tuned(logistic, "logisticregression__C"),
            tuned(exposures, "C"),
        )
    return {
        "LR": (False, make_logistic(1.0)),
        "LR, tuned": (False, searched[0]),
        "LR + SVD, tuned": (True, searched[1]),
        "MF, tuned": (False, tuned_factorisation(n_labels)),
        "spectral": (
            True,
            CrossEntropyRecommender(random_state=seed, device="cpu"),
        ),
    }


def calibration_error(y: np.ndarray, proba: np.ndarray, n_bins: int = 15) -> float:
    """Expected calibration error over bins of equal width."""
    bins = np.minimum((proba * n_bins).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, proba - y, n_bins)).sum() / len(y))


def chance_calibration_error(proba: np.ndarray, n_bins: int = 15) -> float:
    """The same, on average, of labels that are drawn by just these probabilities.

    The sum of a bin's residuals is then close to normal, with a mean size of √(2/π)
    standard deviations.
    """
    bins = np.minimum((proba * n_bins).astype(int), n_bins - 1)
    variance = np.bincount(bins, proba * (1 - proba), n_bins)
    return float(np.sqrt(2 / np.pi * variance).sum() / len(proba))


Result = dict[str, Any]


def measure(setting: Setting, seed: int) -> Result:
    """Return what one seed found."""
    labelled, report = setting.labelled, setting.report
    auc, loss = {}, {}
    for name, (takes_pool, estimator) in methods(len(labelled.y), seed).items():
        given = {"X_unlab": (setting.pool,)} if takes_pool and len(setting.pool) else {}
        start = time.process_time()
        estimator.fit(labelled.X, labelled.y, **given)
        seconds = time.process_time() - start
        proba = estimator.predict_proba(report.X)[:, 1]
        auc[name] = float(roc_auc_score(report.y, proba))
        loss[name] = float(log_loss(report.y, proba))
        log(f"{setting.name}, seed {seed}, {name}", auc[name], seconds)
    return {
        "setting": setting.name,
        "labels": len(labelled.y),
        **{f"AUC {name}": value for name, value in auc.items()},
        LOSS: loss["spectral"] - loss["LR"],
        "ECE": calibration_error(report.y, proba),
        CHANCE: chance_calibration_error(proba),
        "seconds": seconds,
    }


def row(found: list[Result]) -> dict[str, str]:
    """One row of the table from the results of all seeds."""
    auc = {k: [r[k] for r in found] for k in found[0] if k.startswith("AUC")}
    means = {name: float(np.mean(values)) for name, values in auc.items()}
    best = max(value for name, value in means.items() if name != "AUC spectral")
    cells = {name: f"{value:.4f}" for name, value in means.items()}
    if len(found) > 1:
        cells["AUC spectral"] += f" ± {np.std(auc['AUC spectral'], ddof=1):.4f}"
    return {
        "setting, share labelled": found[0]["setting"],
        "labels": f"{found[0]['labels']:,}",
        "seeds": str(len(found)),
        **cells,
        "margin": f"{means['AUC spectral'] - best:+.4f}",
        LOSS: f"{np.mean([r[LOSS] for r in found]):+.4f}",
        "ECE": f"{np.mean([r['ECE'] for r in found]):.3f}",
        CHANCE: f"{np.mean([r[CHANCE] for r in found]):.3f}",
        "seconds": f"{np.mean([r['seconds'] for r in found]):.0f}",
    }


def page(found: list[list[Result]], origin: str) -> str:
    """Return the results as Markdown."""
    rows = [row(of_setting) for of_setting in found]
    table = tabulate(rows, "keys", tablefmt="github", disable_numparse=True)
    return f"""\
# Transfer of the spectral backbone

`CrossEntropyRecommender()` with default parameters beside logistic
regression on one-hot ids (C = 1; C by cross-validation) and the same with 32 singular
vectors of all exposures and their products, and a matrix factorisation with biases (16
factors, precisions by cross-validation). Means over seeds, ± standard deviation.
*Margin* is its AUC minus that of the best of the others (chosen after the fact);
ECE (15 bins of equal width) and CPU seconds of one fit are its own. *ECE by chance* is
what its probabilities would have if they were true: the error of counting so few pairs.

{table}

**Protocol.** A seed decides which rows have labels, and what is generated. Pairs to
report on: the second half of each test part, of which the first half was looked at
during development; of generated data, seeds below 100 were not used in development at
all. ML-100K: label = rating ≥ {THRESHOLD}. Adressa: the flags of the
training part are lost and those of the test part are all 1, so flags of the validation
part are split 70 : 30. C is searched among five values by the log loss of three folds
for fewer than {MANY:,} labels, and 1 otherwise.

{origin}"""


def all_settings(folder: Path, seed: int) -> Iterator[Setting]:
    """Every setting whose data are there."""
    yield from generated(seed)
    yield from dense(seed)
    sources: dict[str, Callable[[Path, int], Iterator[Setting]]] = {
        "ml100k.npz": ml100k,
        "adressa.npz": adressa,
        "ml1m.npz": ml1m,
    }
    for name, source in sources.items():
        if (folder / name).is_file():
            yield from source(folder / name, seed)
        else:
            print(f"Left out: {folder} has no {name}.")


def main(argv: list[str] | None = None) -> None:
    """Run what is missing; the page is written again after each setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    parser.add_argument("--output", type=Path, default=Path("docs/results/transfer.md"))
    args = parser.parse_args(argv)
    origin = provenance(__file__, "FOLDER").replace("--ratings", "--data")
    trials = Trials("transfer", fresh=args.fresh)
    runs = (
        (s.name, f"{s.name}/{seed}", partial(measure, s, seed))
        for seed in args.seeds
        for s in all_settings(args.data, seed)
    )
    trials.run_settings(
        runs, lambda found: write_page(args.output, page(found, origin))
    )
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
