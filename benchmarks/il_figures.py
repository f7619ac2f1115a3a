"""Figures 3 to 6 of [IL], from runs on MovieLens-1M.

Figure 3 (and in place of 4, whose data are not public, few labels): the weights w1 of
the dual loss after the first and the last epoch. Figure 5: the training-test loss at
every unlabeled step, marked by the direction taken. Figure 6: the same for several α/γ.
The settings are those of `il_table2.py`: as published, the public code, tuned.

    python benchmarks/il_figures.py --ratings ml1m.npz

[IL]: Lin et al., "Inverse Learning with Extremely Sparse Feedback for
Recommendation", WSDM 2024.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _il_figures_page import page
from _il_pictures import draw_all
from _judged import (
    BatchesOnly,
    JudgedPublicCode,
    JudgedRecommender,
    judged_losses,
)
from _protocol import Data, Part, evaluate, provenance, read_data
from _public_code import PublicCodeRecommender, public_code
from _trials import Trials, with_bar, write_page
from il_table2 import METHODS, NO_BIASES, PUBLISHED, TUNED, search_jobs, settings

from sklearn_invlearn import InverseGradientRecommender

SEED = 0
GAMMA = PUBLISHED["gamma"]
N_POOL = 100_000  # unrated pairs whose weights are drawn
N_TRIALS = 6
FEW_LABELS = 0.05
RATIOS = (1, 10, 50, 100)  # α/γ of Figure 6
IG = {method.name: method for method in METHODS}["IG"]

Job = tuple[str, Callable[[], dict[str, Any]]]


def fit(estimator: Any, data: Data, pool: np.ndarray | None = None) -> dict[str, Any]:
    """Fit; return trace, losses of the judge, metrics and weights.

    `pool` are the pairs whose weights are wanted, beside those to report on.
    """
    start = time.process_time()
    estimator.fit(data.train.X, data.train.y, X_val=data.choose.X, y_val=data.choose.y)
    found: dict[str, Any] = {
        "seconds": time.process_time() - start,
        "epochs": estimator.n_iter_,
        "valid_loss": [float(loss) for loss in estimator.history_[:, "valid_loss"]],
        "trace": estimator.trace_,
        **evaluate(estimator, data.report),
    }
    if hasattr(estimator.net_, "judged_"):
        found["judged"] = judged_losses(estimator)
    if pool is not None:
        found["w1_pool"] = estimator.annotate(pool).astype(np.float32)
        found["w1_report"] = estimator.annotate(data.report.X).astype(np.float32)
    return found


def unrated_pairs(data: Data) -> np.ndarray:
    """Draw items at random for the users of random ratings, as the public code does."""
    rng = np.random.default_rng(SEED)
    rated = {tuple(pair) for part in vars(data).values() for pair in part.X.tolist()}
    users = rng.choice(data.train.X[:, 0], 2 * N_POOL)
    items = rng.choice(np.unique(data.train.X[:, 1]), 2 * N_POOL)
    pairs = np.column_stack([users, items])
    unrated = [k for k, pair in enumerate(pairs.tolist()) if tuple(pair) not in rated]
    return pairs[unrated[:N_POOL]]


# ---- what is run -----------------------------------------------------------------


def published(backbone: str = "gmf", kind: Any = JudgedRecommender, **params: Any):
    settings = {**NO_BIASES, **PUBLISHED, **params}
    return kind(backbone=backbone, random_state=SEED, **settings)


def public(backbone: str = "gmf", kind: Any = JudgedPublicCode, **switches: Any):
    return public_code(backbone, SEED, estimator=kind, **switches)


def tuned(best: dict[str, Any], kind: Any = JudgedRecommender, **params: Any):
    settings = {**TUNED, **best, **params}
    return kind(backbone="gmf", random_state=SEED, **settings)


def weight_jobs(data: Data, best: dict[str, Any]) -> Iterator[Job]:
    """Figures 3 and 5: five ways to train, all of their epochs and the first alone."""
    pool = unrated_pairs(data)
    ours, theirs = InverseGradientRecommender, PublicCodeRecommender  # without a judge
    first = {"max_epochs": 1}
    for key, model in (
        ("last/GMF, as published", published()),
        ("last/GMF, public code", public()),
        ("last/GMF, tuned", tuned(best)),
        ("last/NeuMF, as published", published("neumf")),
        ("last/NeuMF, public code", public("neumf", theirs)),
        ("first/GMF, as published", published("gmf", ours, **first)),
        ("first/GMF, public code", public("gmf", theirs).set_params(**first)),
        ("first/GMF, tuned", tuned(best, ours, **first)),
        ("first/NeuMF, as published", published("neumf", ours, **first)),
        ("first/NeuMF, public code", public("neumf", theirs).set_params(**first)),
    ):
        yield key, lambda model=model: fit(model, data, pool)


def few_label_jobs(data: Data) -> Iterator[Job]:
    """In place of Figure 4: a twentieth of the labels; the other rows are the pool."""
    rows = np.random.default_rng(SEED).permutation(len(data.train.y))
    labelled, rest = np.split(rows, [int(FEW_LABELS * len(rows))])
    few = Part(data.train.X[labelled], data.train.y[labelled])
    pool = data.train.X[rest]

    def weights(model: Any) -> dict[str, Any]:
        model.fit(few.X, few.y, X_unlab=(pool,))
        w1 = model.annotate(pool).astype(np.float32)
        return {"w1_pool": w1, "trace": model.trace_, "y_pool": data.train.y[rest]}

    for title, backbone in (("GMF", "gmf"), ("NeuMF", "neumf")):
        for when, max_epochs in (("first", 1), ("last", None)):
            model = IG.make(backbone, SEED, max_epochs=max_epochs)
            yield f"few, {when}/{title}", lambda model=model: weights(model)


def control_jobs(data: Data, best: dict[str, Any]) -> Iterator[Job]:
    """The same with one thing changed: no probe, or a repair of the public code."""
    for name, model in (
        ("GMF, as published, α = 0", published(alpha=0.0)),
        ("GMF, tuned, α = 0", tuned(best, alpha=0.0)),
        ("GMF, public code, α = 0", public().set_params(alpha=0.0)),
        ("GMF, public code, clones zeroed", public(zero_clones=True)),
        ("GMF, public code, zero_grad", public(zero_grad=True)),
        ("GMF, public code, both", public(zero_grad=True, zero_clones=True)),
    ):
        yield f"control/{name}", lambda model=model: fit(model, data)


def ratio_jobs(data: Data) -> Iterator[Job]:
    """Figure 6, with the probe of the paper and that of its code."""
    for probe, ratios in (("sgd", (*RATIOS, 1e4, 1e6)), ("sign", (0.1, *RATIOS))):
        for ratio in ratios:
            model = published(alpha=ratio * GAMMA, probe=probe)
            yield f"ratio/{probe}/{ratio:g}", lambda model=model: fit(model, data)


def batch_jobs(data: Data) -> Iterator[Job]:
    """Share of positives in each training-test batch, the same in all runs."""

    def read() -> dict[str, Any]:
        model = published(kind=BatchesOnly)
        # With validation rows, as in the runs: without, more rows would be set aside.
        model.fit(data.train.X, data.train.y, X_val=data.choose.X, y_val=data.choose.y)
        return {"positives": np.array(model.net_.positives_)}

    yield "batches", read


def best_of_search(data: Data) -> dict[str, Any]:
    """Setting of the tuned row of `il_table2.py`, whose trials are used if kept."""
    table = Trials("il_table2")
    found = [
        table.run(key, compute)["choose"]
        for key, compute in with_bar(
            search_jobs(data, ["gmf"], N_TRIALS, (IG,)), "search"
        )
    ]
    return settings(IG, N_TRIALS)[int(np.argmax(found))]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--ratings", required=True, metavar="FILE")
    parser.add_argument(
        "--fresh", action="store_true", help="forget the runs of earlier times"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("docs/results/il_figures.md")
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    data = read_data(args.ratings)
    origin = provenance(__file__, args.ratings)
    best = best_of_search(data)
    trials = Trials("il_figures", fresh=args.fresh)
    for stage, jobs in (
        ("weights", weight_jobs(data, best)),
        ("few labels", few_label_jobs(data)),
        ("controls", control_jobs(data, best)),
        ("ratios", ratio_jobs(data)),
        ("batches", batch_jobs(data)),
    ):
        for key, compute in with_bar(jobs, stage):
            trials.run(key, compute)
    pictures = args.output.parent / "images"
    draw_all(trials, data.report.y, pictures)
    write_page(args.output, page(trials, data.report.y, best, origin))
    print(f"Written: {args.output}, and pictures to {pictures}")


if __name__ == "__main__":
    main()
