"""Metrics of all runs, and bootstrapped differences to a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._bootstrap import check_proba, multiplicities, summarise
from ._comparison import Comparison
from ._contenders import BASELINES
from ._resampled_metrics import BoolArray, Floats, IntArray, Metric

# What a run says besides its metrics.
_OF_RUNS = {
    "method", "split", "seed", "params", "validation", "n_trials", "n_failed",
    "refit_seconds", "seconds", "score",
}  # fmt: skip
_SEED = 0  # of the resamples: the same users for every method


@dataclass(frozen=True)
class TestRows:
    """Labels and users of test rows; users are coded alike in all splits."""

    __test__ = False  # not a test class

    positive: BoolArray
    users: IntArray
    rows: IntArray | None


def check_metrics(metrics: list[Metric]) -> None:
    """Raise unless there is one at least, and each has a name of its own."""
    if not metrics:
        raise ValueError("metrics is empty. Pass one at least, such as ['roc_auc'].")
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"metrics has {names.count(name)} of the name {name!r}, which would "
                "share a column of the table. Name each once; give functions names of "
                "their own by `def`."
            )
        if name in _OF_RUNS:
            raise ValueError(
                f"A metric is called {name!r}, which is what runs call something else. "
                "Give the function another name."
            )


def judge(
    runs: list[dict[str, Any]],
    tests: list[TestRows],
    metrics: list[Metric],
    reference: str | None,
    selector: Metric,
    n_boot: int,
    confidence_level: float,
    n_trials: int,
) -> Comparison:
    """Compute the table from the scores of the test rows."""
    methods = list(dict.fromkeys(run["method"] for run in runs))
    predictions = {
        (run["method"], run["split"], run["seed"]): np.array(run["score"])
        for run in runs
    }
    if reference is None:
        reference = _best_baseline(runs, selector)
    n_users = max(int(test.users.max()) for test in tests) + 1
    means, deviations, differences = {}, {}, {}
    rows = [{k: v for k, v in run.items() if k != "score"} for run in runs]
    for metric in metrics:
        replicates = {}
        counts = np.zeros(n_users, dtype=bool)
        for method in methods:
            prepared, values = [], []
            for row in rows:
                if row["method"] != method:
                    continue
                test = tests[row["split"]]
                score = predictions[method, row["split"], row["seed"]]
                if metric.needs_proba:
                    check_proba(score, f"{method!r}", metric)
                one = metric.build(test.positive, score, test.users, n_users)
                row[metric.name] = float(one(np.ones((1, n_users), dtype=np.int64))[0])
                prepared.append(one)
                counts |= one.counts
                values.append((row["seed"], row[metric.name]))
            means[method, metric.name] = float(np.mean([v for _, v in values]))
            deviations[method, metric.name] = _deviation(values)
            replicates[method] = _replicates(prepared, n_users, n_boot)
        for method in methods:
            if method == reference:
                continue
            pair = means[method, metric.name], means[reference, metric.name]
            difference = replicates[method] - replicates[reference]
            differences[method, metric.name] = summarise(
                metric.name, pair, difference, confidence_level, int(counts.sum())
            )
    first = metrics[0]
    sign = -1 if first.greater_is_better else 1
    methods.sort(key=lambda method: sign * means[method, first.name])
    return Comparison(
        methods=methods,
        metrics=[metric.name for metric in metrics],
        reference=reference,
        means=means,
        deviations=deviations,
        differences=differences,
        runs=rows,
        predictions=predictions,
        title=_title(tests, runs, n_users, n_trials),
    )


def _best_baseline(runs: list[dict[str, Any]], selector: Metric) -> str:
    sign = 1 if selector.greater_is_better else -1

    def validation(name: str) -> float:
        return sign * float(
            np.mean([run["validation"] for run in runs if run["method"] == name])
        )

    return max(BASELINES, key=validation)


def _replicates(prepared: list[Any], n_users: int, n_boot: int) -> Floats:
    """Return the mean over runs of a resampled metric, shape (n_boot,)."""
    return np.concatenate(
        [
            np.mean([one(multiplicity) for one in prepared], axis=0)
            for multiplicity in multiplicities(n_users, n_boot, _SEED)
        ]
    )


def _deviation(values: list[tuple[int, float]]) -> float:
    """Return the standard deviation over seeds of the mean over splits."""
    seeds = dict.fromkeys(seed for seed, _ in values)
    if len(seeds) < 2:
        return float("nan")
    by_seed = [np.mean([v for s, v in values if s == seed]) for seed in seeds]
    return float(np.std(by_seed, ddof=1))


def _title(
    tests: list[TestRows], runs: list[dict[str, Any]], n_users: int, n_trials: int
) -> str:
    def several(n: int, what: str) -> str:
        return f"{n:,} {what}{'' if n == 1 else 's'}"

    n_rows = sum(len(test.positive) for test in tests)
    n_seeds = len({run["seed"] for run in runs})
    return (
        f"{several(n_rows, 'test pair')} of {several(n_users, 'user')} in "
        f"{several(len(tests), 'split')}, {several(n_seeds, 'seed')}, at most "
        f"{several(n_trials, 'trial')} for each method."
    )
