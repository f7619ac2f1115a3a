"""Table 3 of [ADT] on Adressa: CE, T-CE and R-CE with GMF, and plain popularity.

Every method has the same number of trials, chosen by Recall@20 on the validation
clicks (false ones among them: the flags are not looked at). The report is on the
clean test clicks, over the ranking of all items with training and validation clicks
masked. Trials are kept, so an interrupted run goes on where it stopped.

    python benchmarks/adt_tables.py --ratings adressa.npz

[ADT]: Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
arXiv:2112.01160.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _protocol import provenance
from _trials import Trials, with_bar, write_page
from sklearn.model_selection import ParameterSampler
from tabulate import tabulate

from sklearn_invlearn import (
    CrossEntropyRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)

CUTOFFS = (3, 20)
COLUMNS = tuple(f"{name}@{k}" for name in ("R", "N") for k in CUTOFFS)
N_CHOOSING_USERS = 5_000
BLOCK_USERS = 2_048
SEARCH_SEED = 0
KNOWN = {  # R@3, R@20: what others have found on this split
    "popularity": "0.1400 / 0.3180",
    "CE": "0.0880 / 0.2141 (public log)",
}
SHARED = {
    "backbone": "gmf",
    "user_bias": False,
    "item_bias": False,
    "gamma": 1e-3,
    "batch_size": 1024,
    "resample": "epoch",
    "early_stopping": False,
    "device": "cpu",
}


@dataclass(frozen=True)
class Method:
    """A row of the table: its estimator, and what its trials choose from."""

    name: str
    estimator: Any
    params: dict[str, Any] = field(default_factory=dict)
    searched: dict[str, Any] = field(default_factory=dict)

    def trials(self, n_trials: int, epochs: list[int]) -> list[dict[str, Any]]:
        """Draw the parameters of each trial; fewer if there are fewer to draw."""
        grid = {"max_epochs": epochs, **self.searched}
        n_points = int(np.prod([len(values) for values in grid.values()]))
        n_drawn = min(n_trials, n_points)
        return list(ParameterSampler(grid, n_drawn, random_state=SEARCH_SEED))

    def make(self, seed: int, **params: Any) -> Any:
        return self.estimator(**SHARED, **self.params, **params, random_state=seed)


METHODS = (
    Method("CE", CrossEntropyRecommender, {"negatives": "sampled"}),
    Method(
        "T-CE",
        TruncatedLossRecommender,
        searched={
            "max_drop_rate": [0.05, 0.1, 0.2],
            "n_drop_steps": [1_000, 5_000, 10_000, 20_000, 30_000],
        },
    ),
    Method(
        "R-CE",
        ReweightedLossRecommender,
        searched={"beta": [0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0]},
    ),
)


@dataclass(frozen=True)
class Clicks:
    """Clicks (n, 2) of the three parts; of the test part the clean ones alone."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    @property
    def n_items(self) -> int:
        return 1 + max(int(part[:, 1].max()) for part in vars(self).values())


def read_clicks(path: str) -> Clicks:
    """Read ``train_``, ``valid_`` and ``test_`` arrays ``user`` and ``item``."""
    with np.load(path) as file:
        train, valid, test = (
            np.column_stack([file[f"{part}_user"], file[f"{part}_item"]]).astype(int)
            for part in ("train", "valid", "test")
        )
        return Clicks(train, valid, test[file["test_clean"] == 1])


def measured(ranked: np.ndarray, users: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Metrics of each user, in the order of COLUMNS, shape (n_users, n_columns).

    Parameters
    ----------
    ranked : ndarray of shape (n_users, max(CUTOFFS)), int64
        Items, best first; -1 where there are no more.
    users : ndarray of shape (n_users,), sorted
    relevant : ndarray of shape (n, 2)
        Distinct pairs of these users and an item.
    """
    width = 1 + max(int(ranked.max()), int(relevant[:, 1].max()))
    key = np.searchsorted(users, relevant[:, 0]) * width + relevant[:, 1]
    shown = np.arange(len(users))[:, np.newaxis] * width + ranked
    hit = np.isin(shown, key) & (ranked >= 0)
    n_relevant = np.bincount(key // width, minlength=len(users))
    discount = 1 / np.log2(np.arange(2, 2 + ranked.shape[1]))
    ideal = np.append(0.0, np.cumsum(discount))
    recall = [hit[:, :k].sum(axis=1) / n_relevant for k in CUTOFFS]
    ndcg = [
        hit[:, :k] @ discount[:k] / ideal[np.minimum(n_relevant, k)] for k in CUTOFFS
    ]
    return np.column_stack(recall + ndcg)


def blocks_of(users: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(users), BLOCK_USERS):
        yield users[start : start + BLOCK_USERS]


def by_recommender(
    est: Any, clicks: Clicks, relevant: np.ndarray, masked: np.ndarray
) -> np.ndarray:
    """Metrics of each user with a relevant item (n_users, n_columns)."""
    users = np.unique(relevant[:, 0])
    items = np.arange(clicks.n_items)
    ranked = []
    for block in blocks_of(users):
        shown = masked[np.isin(masked[:, 0], block)]
        ids, _ = est.recommend(
            block,
            max(CUTOFFS),
            exclude_seen=shown if len(shown) else True,
            candidates=items,
        )
        ranked.append(np.where(ids == None, -1, ids).astype(int))  # noqa: E711 - by element
    return measured(np.concatenate(ranked), users, relevant)


def by_popularity(clicks: Clicks, relevant: np.ndarray) -> np.ndarray:
    """The same for the number of training clicks of an item, ties by item."""
    users = np.unique(relevant[:, 0])
    count = np.bincount(clicks.train[:, 1], minlength=clicks.n_items)
    masked = np.concatenate([clicks.train, clicks.valid])
    ranked = []
    for block in blocks_of(users):
        scores = np.repeat(count[np.newaxis].astype(float), len(block), axis=0)
        shown = masked[np.isin(masked[:, 0], block)]
        scores[np.searchsorted(block, shown[:, 0]), shown[:, 1]] = -np.inf
        ranked.append(np.argsort(-scores, axis=1, kind="stable")[:, : max(CUTOFFS)])
    return measured(np.concatenate(ranked), users, relevant)


def choosing_rows(clicks: Clicks) -> np.ndarray:
    """Validation clicks of a sample of users."""
    users = np.unique(clicks.valid[:, 0])
    rng = np.random.default_rng(SEARCH_SEED)
    if len(users) > N_CHOOSING_USERS:
        users = rng.choice(users, N_CHOOSING_USERS, replace=False)
    return np.unique(clicks.valid[np.isin(clicks.valid[:, 0], users)], axis=0)


def fitted(method: Method, clicks: Clicks, seed: int, params: dict) -> tuple[Any, dict]:
    start = time.perf_counter()
    est = method.make(seed, **params)
    est.fit(clicks.train, np.ones(len(clicks.train), dtype=int))
    return est, {"seconds": time.perf_counter() - start}


def trial_key(method: Method, params: dict[str, Any]) -> str:
    shown = ", ".join(f"{k} {v}" for k, v in sorted(params.items()))
    return f"{method.name}/choose/{shown}"


def run(trials: Trials, clicks: Clicks, args: argparse.Namespace) -> None:
    """Run what has not been run: the trials of each method, then its report."""
    choosing = choosing_rows(clicks)
    test = np.unique(clicks.test, axis=0)
    masked = np.concatenate([clicks.train, clicks.valid])
    trials.run("popularity", lambda: {"values": by_popularity(clicks, test)})

    def choose(method: Method, params: dict[str, Any]) -> dict[str, Any]:
        est, record = fitted(method, clicks, args.seeds[0], params)
        values = by_recommender(est, clicks, choosing, clicks.train)
        return {"score": values.mean(axis=0)[CUTOFFS.index(20)], **record}

    def report(method: Method, params: dict[str, Any], seed: int) -> dict[str, Any]:
        est, record = fitted(method, clicks, seed, params)
        return {"values": by_recommender(est, clicks, test, masked), **record}

    for method in METHODS:
        drawn = method.trials(args.trials, args.epochs)
        for params in with_bar(drawn, f"{method.name}, trials"):
            trials.run(
                trial_key(method, params), lambda m=method, p=params: choose(m, p)
            )
        best = chosen(trials, method, args)
        for seed in with_bar(args.seeds, f"{method.name}, report"):
            trials.run(
                f"{method.name}/report/{seed}",
                lambda m=method, p=best, s=seed: report(m, p, s),
            )


def chosen(trials: Trials, method: Method, args: argparse.Namespace) -> dict[str, Any]:
    drawn = method.trials(args.trials, args.epochs)
    return max(drawn, key=lambda p: trials.done[trial_key(method, p)]["score"])


def interval(ours: np.ndarray, base: np.ndarray) -> str:
    """Difference of the mean R@20 with the middle 95 % over resampled users."""
    difference = (ours - base)[:, CUTOFFS.index(20)]
    rng = np.random.default_rng(0)
    n = len(difference)
    means = [difference[rng.integers(n, size=n)].mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def page(trials: Trials, clicks: Clicks, args: argparse.Namespace) -> str:
    """Return the results as Markdown."""
    per_seed = {"popularity": [trials.array("popularity", "values")]}
    for method in METHODS:
        per_seed[method.name] = [
            trials.array(f"{method.name}/report/{seed}", "values")
            for seed in args.seeds
        ]
    users = {name: np.mean(values, axis=0) for name, values in per_seed.items()}
    rows = []
    for name, values in per_seed.items():
        means = np.array([v.mean(axis=0) for v in values])
        row = {"method": name}
        for column, mean in zip(COLUMNS, means.T):
            spread = f" ± {mean.std(ddof=1):.4f}" if len(mean) > 1 else ""
            row[column] = f"{mean.mean():.4f}{spread}"
        row["R@20, minus CE"] = (
            "" if name == "CE" else interval(users[name], users["CE"])
        )
        row["known R@3 / R@20"] = KNOWN.get(name, "")
        rows.append(row)
    table = tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
    choices = "\n".join(f"- {m.name}: {chosen(trials, m, args)}" for m in METHODS)
    return f"""\
# Adressa: adaptive denoising training

{table}

Mean over {len(args.seeds)} seeds (± standard deviation) of {len(users["CE"]):,} users
with clean test clicks; in brackets the middle 95 % over 2,000 resamples of the users,
of the mean over seeds.

**Protocol.** {len(clicks.train):,} training clicks, all taken for positive; GMF with
32 factors and no biases, Adam, γ = 0.001, batches of 1024 with one sampled negative
per click, drawn anew and shuffled in each epoch. At most {args.trials} trials per
method (CE has only the number of epochs to choose, among {args.epochs}), judged by
Recall@20 on the validation clicks of {N_CHOOSING_USERS:,} users with the first seed;
validation clicks are not trained on. Reported on clean test clicks, over the ranking
of all {clicks.n_items:,} items, training and validation clicks masked.

Chosen:

{choices}

{provenance(__file__, args.ratings)}"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description="Table 3 of adaptive denoising training, on Adressa.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--ratings", required=True, metavar="FILE", help="adressa.npz")
    parser.add_argument("--trials", type=int, default=6, help="trials per method")
    parser.add_argument("--epochs", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fresh", action="store_true", help="forget earlier trials")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("docs/results/adt_tables.md"),
        metavar="FILE",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run what is missing, then write the page."""
    args = parse_args(argv)
    clicks = read_clicks(args.ratings)
    trials = Trials("adt_tables", fresh=args.fresh)
    run(trials, clicks, args)
    write_page(args.output, page(trials, clicks, args))
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
