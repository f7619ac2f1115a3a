"""Tables 4 and 5 and Figure 11 of [ADT] on MovieLens: sparse extra feedback.

The data and the trials of `adt_movielens.py`, which are run first if they are missing.
Extra feedback are true positives of the training part, a fifth of them; of many users
fewer. Every method has two settings beside the number of epochs, and is chosen on
one half of the held-out clicks; both tables are measured on the other half.

    python benchmarks/adt_extra_feedback.py --ratings ml1m.npz

[ADT]: Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
arXiv:2112.01160.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from _adt import METHODS, Method, interval, with_spread
from _adt_colliding import MIXINGS, N_NEIGHBORS, THRESHOLDS, colliding_trial
from _adt_figures import sensitivity
from _adt_movielens import COLUMNS, R20, Data, read_data, trial
from _protocol import provenance
from _trials import Trials, with_bar, write_page
from adt_movielens import (
    GRID,
    Choice,
    arguments,
    choose,
    fits_at,
    protocol,
    reported,
    trial_key,
)
from adt_movielens import run as run_without_extra
from tabulate import tabulate

from sklearn_invlearn import MultiTaskRecommender, NegativeReweightingRecommender

N_EXTRA_EPOCHS = (3, 10)
STRATEGIES = {"finetuning": "finetune", "warm-up": "warmup"}
NMTR = Method("NMTR", MultiTaskRecommender)
NR = Method("NR", NegativeReweightingRecommender)
IGNORING = Method(
    "NR, silent clicks left out",
    NegativeReweightingRecommender,
    {"silent_clicks": "ignore", "skip_weight": 0.0},
)
OTHERS: list[tuple[Method, list[dict[str, Any]]]] = [
    (NMTR, [{"extra_weight": 0.3}, {"extra_weight": 0.7}]),
    (NR, [{"skip_weight": 0.05}, {"skip_weight": 0.25}]),
    (IGNORING, [{"complete_weight": 0.5}, {"complete_weight": 0.25}]),
]
SHOWN = ("R@50", "R@100", "N@50", "N@100")
R100 = COLUMNS.index("R@100")
PAPER_TABLE_4 = {  # Amazon-book, GMF
    "CE": (0.0609, 0.0949, 0.0256, 0.0331),
    "T-CE": (0.0707, 0.1113, 0.0292, 0.0382),
    "R-CE": (0.0682, 0.1075, 0.0275, 0.0362),
    "NMTR": (0.0616, 0.0967, 0.0254, 0.0332),
    "NR": (0.0615, 0.0958, 0.0254, 0.0331),
    "CE + finetuning": (0.0608, 0.0956, 0.0253, 0.0330),
    "T-CE + finetuning": (0.0722, 0.1140, 0.0293, 0.0386),
    "R-CE + finetuning": (0.0684, 0.1087, 0.0276, 0.0365),
    "CE + warm-up": (0.0611, 0.0954, 0.0255, 0.0332),
    "T-CE + warm-up": (0.0737, 0.1159, 0.0302, 0.0395),
    "R-CE + warm-up": (0.0691, 0.1099, 0.0278, 0.0368),
}
PAPER_TABLE_5 = {  # R@100 with warm-up, and with colliding inference
    ("T-CE", 0.1): (0.0805, 0.0890),
    ("T-CE", 0.2): (0.0924, 0.0959),
    ("T-CE", 0.3): (0.0991, 0.0993),
    ("R-CE", 0.1): (0.0805, 0.0847),
    ("R-CE", 0.2): (0.0817, 0.0819),
    ("R-CE", 0.3): (0.0903, 0.0939),
}


def with_extra(base: Method, strategy: str) -> Method:
    """Return the method that also trains on extra feedback."""
    params = {**base.params, "extra_feedback": STRATEGIES[strategy]}
    return Method(f"{base.name} + {strategy}", base.estimator, params)


def contenders(trials: Trials) -> list[tuple[Method, list[dict[str, Any]]]]:
    """Every method with extra feedback and its settings.

    The losses keep the parameters chosen without extra feedback; those that are
    finetuned also the number of epochs before that.
    """
    grids = list(OTHERS)
    for strategy, base in product(STRATEGIES, METHODS):
        best = choose(trials, base.name, GRID[base.name])
        fixed = dict(best.params)
        if strategy == "finetuning":
            fixed["max_epochs"] = best.n_epochs
        settings = [{**fixed, "n_extra_epochs": n} for n in N_EXTRA_EPOCHS]
        grids.append((with_extra(base, strategy), settings))
    return grids


def run(trials: Trials, data: Data, seeds: list[int]) -> None:
    """Run what has not been run: Table 4, then colliding inference."""
    run_without_extra(trials, data, seeds)
    ones = np.ones(len(data.extra), dtype=int)
    extra = {"X_extra": (data.extra,), "y_extra": (ones,)}
    for method, grid in contenders(trials):
        for params in with_bar(grid, f"{method.name}, trials"):
            key = trial_key(method.name, params, 0)
            trials.run(key, partial(trial, method, data, 0, params, **extra))
        best = choose(trials, method.name, grid)
        for seed in with_bar(seeds[1:], f"{method.name}, other seeds"):
            key = trial_key(method.name, best.params, seed)
            trials.run(key, partial(trial, method, data, seed, best.params, **extra))
    for base in METHODS[1:]:
        method, params = warmed_up(trials, base)
        for seed in with_bar(seeds, f"{base.name}, colliding inference"):
            key = colliding_key(base, seed)
            trials.run(key, partial(colliding_trial, method, data, seed, params))


def warmed_up(trials: Trials, base: Method) -> tuple[Method, dict[str, Any]]:
    """The method with warm-up, and the parameters that were chosen for it."""
    method = with_extra(base, "warm-up")
    grids = {other.name: grid for other, grid in contenders(trials)}
    best = choose(trials, method.name, grids[method.name])
    return method, {**best.params, "max_epochs": best.n_epochs}


def colliding_key(base: Method, seed: int) -> str:
    return f"{base.name}/colliding/{seed}"


# ---- Table 4 -------------------------------------------------------------------------


def table_4(trials: Trials, seeds: list[int]) -> tuple[str, dict[str, Choice]]:
    """The table, and what was chosen."""
    per_seed = {"popularity": [trials.array("popularity", "report")]}
    per_seed |= {m.name: reported(trials, m, seeds) for m in METHODS}
    choices = {}
    for method, grid in contenders(trials):
        best = choices[method.name] = choose(trials, method.name, grid)
        per_seed[method.name] = [
            trials.array(trial_key(method.name, best.params, s), "report")[
                best.position
            ]
            for s in seeds
        ]
    mean = {name: np.mean(values, axis=0) for name, values in per_seed.items()}
    rows = []
    for name, values in per_seed.items():
        row = {"method": name, "R@20": with_spread(values, R20)}
        row |= {c: f"{mean[name][:, COLUMNS.index(c)].mean():.4f}" for c in SHOWN}
        is_base = name == "CE"
        row["R@20, minus CE"] = (
            "–" if is_base else interval(mean[name][:, R20], mean["CE"][:, R20])
        )
        gain = mean[name][:, R100].mean() / mean["CE"][:, R100].mean() - 1
        row["R@100 to CE"] = "–" if is_base else f"{gain:+.1%}"
        row |= paper_of(name)
        rows.append(row)
    text = tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
    return text, choices


def paper_of(name: str) -> dict[str, str]:
    known = PAPER_TABLE_4.get(name)
    if known is None:
        return {"paper": "–", "paper, R@100 to CE": "–"}
    gain = known[1] / PAPER_TABLE_4["CE"][1] - 1
    return {
        "paper": " / ".join(f"{value:.4f}" for value in known),
        "paper, R@100 to CE": "–" if name == "CE" else f"{gain:+.1%}",
    }


# ---- Table 5 and Figure 11 -----------------------------------------------------------


def best_mixture(trials: Trials, base: Method, threshold: float) -> tuple[int, int]:
    """Positions of the neighbours and λ with the best R@20 of the choosing half."""
    key = colliding_key(base, 0)
    below = trials.array(key, "choose_ratio") < threshold
    scores = trials.array(key, "choose")[:, :, below, R20].mean(axis=2)
    k, mixing = np.unravel_index(scores.argmax(), scores.shape)
    return int(k), int(mixing)


def table_5(trials: Trials, seeds: list[int]) -> str:
    rows = []
    for base, threshold in product(METHODS[1:], THRESHOLDS):
        k, mixing = best_mixture(trials, base, threshold)
        alone, mixed = [], []
        for seed in seeds:
            key = colliding_key(base, seed)
            below = trials.array(key, "report_ratio") < threshold
            values = trials.array(key, "report")[:, :, below]
            alone.append(values[0, MIXINGS.index(1.0)])
            mixed.append(values[k, mixing])
        known = PAPER_TABLE_5[base.name, threshold]
        what = f"colliding, {N_NEIGHBORS[k]} neighbours, λ = {MIXINGS[mixing]}"
        means = [np.mean(values, axis=0) for values in (alone, mixed)]
        for name, mean, paper in zip(("warm-up", what), means, known, strict=True):
            row = {"loss": base.name, "ratio below": threshold, "users": len(mean)}
            row["method"] = name
            row |= {c: f"{mean[:, COLUMNS.index(c)].mean():.4f}" for c in SHOWN}
            for column in ("R@100", "N@100"):
                k100 = COLUMNS.index(column)
                row[f"{column}, minus warm-up"] = (
                    "–"
                    if name == "warm-up"
                    else interval(mean[:, k100], means[0][:, k100])
                )
            row["paper, R@100"] = f"{paper:.4f}"
            rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def figure_11(trials: Trials, output: Path) -> str:
    """Two metrics of the choosing half over λ, with the neighbours of Table 5."""
    lines = []
    base = METHODS[1]  # as in the paper, T-CE
    key = colliding_key(base, 0)
    ratio, values = trials.array(key, "choose_ratio"), trials.array(key, "choose")
    for metric in ("R@100", "N@100"):
        panels = {}
        for threshold in THRESHOLDS:
            k, _ = best_mixture(trials, base, threshold)
            scores = values[k][:, ratio < threshold, COLUMNS.index(metric)]
            name = f"ratio < {threshold}"
            panels[name, "λ"] = dict(zip(MIXINGS, scores, strict=True))
        path = output.with_name(f"{output.stem}_fig11_{metric[0].lower()}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        sensitivity(panels, metric).savefig(path, dpi=80)
        caption = (
            f"Figure 11: {metric} of T-CE on the choosing half (± standard error over "
            "users) over the weight λ of a user's own logits."
        )
        lines.append(f"![{caption}]({path.name})\n\n{caption}\n")
    return "\n".join(lines)


# ---- page ----------------------------------------------------------------------------


def page(trials: Trials, data: Data, args: argparse.Namespace) -> str:
    """Return the results as Markdown."""
    text, choices = table_4(trials, args.seeds)
    chosen = "\n".join(
        f"- {name}: {c.params}, {c.n_epochs} epochs" for name, c in choices.items()
    )
    users, count = np.unique(data.train[:, 0], return_counts=True)
    n_extra = np.bincount(data.extra[:, 0], minlength=users.max() + 1)[users]
    below = [f"{(n_extra / count < t).mean():.0%} below {t}" for t in THRESHOLDS]
    return f"""\
# MovieLens: adaptive denoising with extra feedback

## Table 4

{text}

Mean over {len(args.seeds)} seeds (± standard deviation) of the mean over users; in
brackets the middle 95 % over 2,000 resamples of the users, of the mean over seeds.
"Paper" is R@50 / R@100 / N@50 / N@100 on Amazon-book.

## Table 5

{table_5(trials, args.seeds)}

Users with fewer extra clicks than the ratio times their training clicks. Neighbours
({", ".join(map(str, N_NEIGHBORS))}) and λ (0, 0.1, …, 1; 1 is warm-up alone) have
the best Recall@20 of the choosing half for these users, first seed.

{figure_11(trials, args.output)}
{protocol(data)}

**Extra feedback.** {len(data.extra):,} true positives of the training part, each user
with a share drawn from Beta(1, 4). Ratio of extra to training clicks of the users:
{", ".join(below)}. The losses keep the parameters that were chosen without extra
feedback, and have {N_EXTRA_EPOCHS[0]} or {N_EXTRA_EPOCHS[1]} epochs on the extra
feedback. Chosen:

{chosen}

{provenance(__file__, args.ratings)}
{fits_at(trials)}"""


def main(argv: list[str] | None = None) -> None:
    """Run what is missing, then write the page."""
    text = "Tables 4 and 5 of [ADT] on MovieLens."
    args = arguments(text, "adt_extra_feedback.md").parse_args(argv)
    data = read_data(args.ratings, args.n_users)
    trials = Trials(f"adt_movielens_{args.n_users}", fresh=args.fresh)
    run(trials, data, args.seeds)
    write_page(args.output, page(trials, data, args))
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
