"""Table 3 of [ADT] on Adressa: CE, T-CE and R-CE with GMF, NeuMF and CDAE.

Beside them plain popularity, and what the public code does. Within a backbone every
method has the same number of trials, chosen by Recall@20 on the validation clicks
(false ones among them: the flags are not looked at). The report is on the clean test
clicks, over the ranking of all items with training and validation clicks masked. Trials
are kept, so an interrupted run goes on where it stopped.

    python benchmarks/adt_adressa.py --ratings adressa.npz

[ADT]: Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
arXiv:2112.01160.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _adt import (
    COMMIT,
    METHODS,
    SEARCH_SEED,
    Method,
    blocks_of,
    by_popularity,
    columns_of,
    interval,
    measured,
    ranked_by,
    recommended,
    told_apart,
    with_spread,
)
from _adt_figures import losses
from _protocol import provenance
from _public_adt import LOGGED, Logged, all_scores, trained
from _trials import Trials, with_bar, write_page
from tabulate import tabulate

from sklearn_invlearn.training import RecordRows

CUTOFFS = (3, 20)
COLUMNS = columns_of(CUTOFFS)
R20 = COLUMNS.index("R@20")
NAMES = {"gmf": "GMF", "neumf": "NeuMF", "cdae": "CDAE"}
UNMASKED = "popularity, validation clicks not masked"
FLAGGED = "NeuMF on the validation clicks"
KNOWN = {(run.backbone, run.name): run.figures for run in LOGGED}


@dataclass(frozen=True)
class Budget:
    """What a backbone may cost: NeuMF takes five times as long as the others."""

    n_trials: int
    epochs: tuple[int, ...]
    n_seeds: int
    n_choosing_users: int
    n_reported_users: int | None = None  # None: all


BUDGETS = {
    "gmf": Budget(6, (5, 10, 20), 3, 5_000),
    "cdae": Budget(3, (1, 2, 5), 2, 5_000),
    "neumf": Budget(2, (1, 2), 2, 1_000, 2_000),
}


@dataclass(frozen=True)
class Clicks:
    """Clicks (n, 2) of the three parts; of the test part the clean ones alone.

    Which validation clicks are false positives is for Figure 2 alone.
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    valid_is_false: np.ndarray

    @property
    def n_users(self) -> int:
        return 1 + int(max(p[:, 0].max() for p in (self.train, self.valid, self.test)))

    @property
    def n_items(self) -> int:
        return 1 + int(max(p[:, 1].max() for p in (self.train, self.valid, self.test)))

    @property
    def masked(self) -> np.ndarray:
        return np.concatenate([self.train, self.valid])


def read_clicks(path: str) -> Clicks:
    """Read ``train_``, ``valid_`` and ``test_`` arrays ``user`` and ``item``."""
    with np.load(path) as file:
        train, valid, test = (
            np.column_stack([file[f"{part}_user"], file[f"{part}_item"]]).astype(int)
            for part in ("train", "valid", "test")
        )
        test = np.unique(test[file["test_clean"] == 1], axis=0)
        return Clicks(train, valid, test, file["valid_clean"] == 0)


def of_some_users(pairs: np.ndarray, n_users: int | None) -> np.ndarray:
    """Distinct pairs of a sample of users."""
    users = np.unique(pairs[:, 0])
    rng = np.random.default_rng(SEARCH_SEED)
    if n_users is not None and len(users) > n_users:
        users = rng.choice(users, n_users, replace=False)
    return np.unique(pairs[np.isin(pairs[:, 0], users)], axis=0)


def values_of(
    est: Any, clicks: Clicks, relevant: np.ndarray, masked: np.ndarray
) -> np.ndarray:
    """Metrics of each user with a relevant item (n_users, n_columns)."""
    users, items = np.unique(relevant[:, 0]), np.arange(clicks.n_items)
    ranked = recommended(est, users, items, masked, max(CUTOFFS))
    return measured(ranked, users, relevant, CUTOFFS)


# ---- trials --------------------------------------------------------------------------


def trial_key(backbone: str, method: Method, params: dict[str, Any]) -> str:
    shown = ", ".join(f"{k} {v}" for k, v in sorted(params.items()))
    return f"{backbone}/{method.name}/choose/{shown}"


def report_key(backbone: str, name: str, seed: int) -> str:
    return f"{backbone}/{name}/report/{seed}"


def fitted(
    method: Method, backbone: str, clicks: Clicks, seed: int, params: dict
) -> tuple[Any, dict]:
    start = time.perf_counter()
    est = method.make(backbone, seed, **params)
    est.fit(clicks.train, np.ones(len(clicks.train), dtype=int))
    return est, {"seconds": time.perf_counter() - start, "commit": COMMIT}


def choose(
    method: Method, backbone: str, clicks: Clicks, relevant: np.ndarray, params: dict
) -> dict[str, Any]:
    est, record = fitted(method, backbone, clicks, 0, params)
    values = values_of(est, clicks, relevant, clicks.train)
    return {"score": values[:, R20].mean(), **record}


def report(
    method: Method, backbone: str, clicks: Clicks, seed: int, params: dict
) -> dict[str, Any]:
    est, record = fitted(method, backbone, clicks, seed, params)
    test = of_some_users(clicks.test, BUDGETS[backbone].n_reported_users)
    return {"values": values_of(est, clicks, test, clicks.masked), **record}


def popularity(clicks: Clicks, masked: np.ndarray) -> dict[str, Any]:
    users = np.unique(clicks.test[:, 0])
    ranked = by_popularity(clicks.train, users, clicks.n_items, masked, max(CUTOFFS))
    return {"values": measured(ranked, users, clicks.test, CUTOFFS)}


def losses_of_flagged(clicks: Clicks) -> dict[str, Any]:
    """NeuMF on the validation clicks: the flags of the training part are lost."""
    ones = np.ones(len(clicks.valid), dtype=int)
    settings = {"max_epochs": 25, "callbacks": [RecordRows()]}
    est = METHODS[0].make("neumf", 0, **settings).fit(clicks.valid, ones)
    return {"loss": np.stack(est.history_[:, "row_loss"]), "commit": COMMIT}


def as_public_code(logged: Logged, clicks: Clicks) -> dict[str, Any]:
    """Train as the public code does; rank by the random vectors, too."""
    start = time.perf_counter()
    sizes = clicks.n_users, clicks.n_items
    module, step = trained(logged, clicks.train, clicks.valid, sizes, seed=0)
    test = of_some_users(clicks.test, BUDGETS[logged.backbone].n_reported_users)
    users, masked = np.unique(test[:, 0]), clicks.masked
    ranked = []
    for block in blocks_of(users):
        scores = all_scores(module, block)
        shown = masked[np.isin(masked[:, 0], block)]
        scores[np.searchsorted(block, shown[:, 0]), shown[:, 1]] = -np.inf
        ranked.append(ranked_by(scores, max(CUTOFFS)))
    values = measured(np.concatenate(ranked), users, test, CUTOFFS)
    seconds = time.perf_counter() - start
    return {
        "values": values,
        "step": step,
        "seconds": seconds,
        "commit": COMMIT,
    }


def run(trials: Trials, clicks: Clicks, backbones: list[str]) -> None:
    """Run what has not been run: the trials of each method, then its report."""
    trials.run("popularity", partial(popularity, clicks, clicks.masked))
    trials.run(UNMASKED, partial(popularity, clicks, clicks.train))
    for backbone in backbones:
        budget = BUDGETS[backbone]
        relevant = of_some_users(clicks.valid, budget.n_choosing_users)
        for method in METHODS:
            drawn = method.trials(budget.n_trials, budget.epochs)
            for params in with_bar(drawn, f"{backbone} {method.name}, trials"):
                key = trial_key(backbone, method, params)
                trials.run(
                    key, partial(choose, method, backbone, clicks, relevant, params)
                )
            best = chosen(trials, backbone, method)
            seeds = range(budget.n_seeds)
            for seed in with_bar(seeds, f"{backbone} {method.name}, report"):
                key = report_key(backbone, method.name, seed)
                trials.run(key, partial(report, method, backbone, clicks, seed, best))
    trials.run(FLAGGED, partial(losses_of_flagged, clicks))
    for logged in with_bar(
        [r for r in LOGGED if r.backbone in backbones], "public code"
    ):
        key = report_key(logged.backbone, f"{logged.name}, public code", 0)
        trials.run(key, partial(as_public_code, logged, clicks))


def chosen(trials: Trials, backbone: str, method: Method) -> dict[str, Any]:
    budget = BUDGETS[backbone]
    drawn = method.trials(budget.n_trials, budget.epochs)
    return max(
        drawn, key=lambda p: trials.done[trial_key(backbone, method, p)]["score"]
    )


# ---- page ----------------------------------------------------------------------------


def table(trials: Trials, clicks: Clicks, backbone: str) -> str:
    """One row for each method, popularity, and the public code."""
    reported = is_reported(clicks, backbone)
    users = np.unique(clicks.test[:, 0])[reported]
    per_seed = {
        name: [trials.array(name, "values")[reported]]
        for name in ("popularity", UNMASKED)
    }
    for method in METHODS:
        per_seed[method.name] = [
            trials.array(report_key(backbone, method.name, seed), "values")
            for seed in range(BUDGETS[backbone].n_seeds)
        ]
    for logged in public_runs(trials, backbone):
        name = f"{logged.name}, public code"
        per_seed[name] = [trials.array(report_key(backbone, name, 0), "values")]
    with_history = np.isin(users, clicks.train[:, 0])
    mean = {name: np.mean(values, axis=0) for name, values in per_seed.items()}
    rows = []
    for name, values in per_seed.items():
        row = {"method": name}
        row |= {c: with_spread(values, k) for k, c in enumerate(COLUMNS)}
        row["R@20, minus CE"] = (
            "–" if name == "CE" else interval(mean[name][:, R20], mean["CE"][:, R20])
        )
        row["known"] = _known(backbone, name.removesuffix(", public code"))
        row["R@20, users in training"] = f"{mean[name][with_history, R20].mean():.4f}"
        row["R@20, other users"] = f"{mean[name][~with_history, R20].mean():.4f}"
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def public_runs(trials: Trials, backbone: str) -> list[Logged]:
    """Runs of the public code that have been imitated."""
    return [
        run
        for run in LOGGED
        if run.backbone == backbone
        and report_key(backbone, f"{run.name}, public code", 0) in trials.done
    ]


def _known(backbone: str, name: str) -> str:
    figures = KNOWN.get((backbone, name))
    return "–" if figures is None else " / ".join(f"{f:.4f}" for f in figures)


def is_reported(clicks: Clicks, backbone: str) -> np.ndarray:
    """Mask of the users with test clicks: those whom the backbone is reported on."""
    test = of_some_users(clicks.test, BUDGETS[backbone].n_reported_users)
    return np.isin(np.unique(clicks.test[:, 0]), test[:, 0])


def section(trials: Trials, clicks: Clicks, backbone: str) -> str:
    budget = BUDGETS[backbone]
    reported = is_reported(clicks, backbone)
    choices = "\n".join(f"- {m.name}: {chosen(trials, backbone, m)}" for m in METHODS)
    stops = [
        (run, trials.done[report_key(backbone, f"{run.name}, public code", 0)]["step"])
        for run in public_runs(trials, backbone)
    ]
    steps = ", ".join(f"{r.name} {step} (log: {r.best_step})" for r, step in stops)
    stopped = f"\nThe public code reports the model of step {steps}." if steps else ""
    return f"""\
## {NAMES[backbone]}

{table(trials, clicks, backbone)}

At most {budget.n_trials} trials per method (CE has only the number of epochs to choose,
among {list(budget.epochs)}), judged on {budget.n_choosing_users:,} users with the first
of {budget.n_seeds} seeds, and reported on {int(reported.sum()):,} users. Chosen:

{choices}
{stopped}
"""


def figure_2(trials: Trials, clicks: Clicks, output: Path) -> str:
    loss = trials.array(FLAGGED, "loss")
    path = output.with_name(f"{output.stem}_fig2.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    losses({"NeuMF, CE": loss}, clicks.valid_is_false).savefig(path, dpi=80)
    caption = (
        f"Figure 2: cross entropy of true and false positives, NeuMF trained on the "
        f"{len(clicks.valid):,} validation clicks, of which flags are known."
    )
    told = told_apart(loss, clicks.valid_is_false, clicks.valid[:, 1])
    return f"![{caption}]({path.name})\n\n{caption} {told}"


def page(trials: Trials, clicks: Clicks, args: argparse.Namespace) -> str:
    """Return the results as Markdown."""
    users = np.unique(clicks.test[:, 0])
    n_trained = int(np.isin(users, clicks.train[:, 0]).sum())
    sections = "\n".join(section(trials, clicks, b) for b in args.backbones)
    commits = sorted({r["commit"] for r in trials.done.values() if "commit" in r})
    return f"""\
# Adressa: adaptive denoising training

{sections}
## True and false positives

{figure_2(trials, clicks, args.output)}

**Columns.** Mean over seeds (± standard deviation) of the mean over {len(users):,}
users with clean test clicks; in brackets the middle 95 % over 2,000 resamples of the
users, of the mean over seeds. "Known" is R@3 / R@20 / N@3 / N@20 at the end of the logs
of the authors' public code. The last two columns are R@20 of the {n_trained:,} of these
users who have a training click, and of the {len(users) - n_trained:,} who have none.

**Protocol.** {len(clicks.train):,} training clicks, all taken for positive; 32 factors
(CDAE: 200) and no biases, Adam, γ = 0.001, batches of 1024 with one sampled negative
per click, drawn anew and shuffled in each epoch. Chosen by Recall@20 on validation
clicks, false ones included, which are not trained on. Reported on clean test clicks,
over the ranking of all {clicks.n_items:,} items, training and validation clicks masked.
A user without a training click is ranked as the average user. "Public code" is
`benchmarks/_public_adt.py`, which imitates the authors' program, with the parameters of
their logs, one seed.

{provenance(__file__, args.ratings)}
Fits at commits: {", ".join(commits)}."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description="Table 3 of adaptive denoising training, on Adressa.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--ratings", required=True, metavar="FILE", help="adressa.npz")
    parser.add_argument(
        "--backbones", nargs="+", choices=NAMES, default=["gmf", "neumf", "cdae"]
    )
    parser.add_argument(
        "--page-only", action="store_true", help="write the page from earlier trials"
    )
    parser.add_argument("--fresh", action="store_true", help="forget earlier trials")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("docs/results/adt_adressa.md"),
        metavar="FILE",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run what is missing, then write the page."""
    args = parse_args(argv)
    clicks = read_clicks(args.ratings)
    trials = Trials("adt_adressa", fresh=args.fresh)
    if not args.page_only:
        run(trials, clicks, args.backbones)
    write_page(args.output, page(trials, clicks, args))
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
