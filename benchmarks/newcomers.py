"""Users and items that come after the fit: what an update makes of them.

A fifth of the users, or of the items, is unknown to the fit, and named by one call of
``partial_fit`` with all of their exposures and labels. MovieLens-1M and generated logs,
a twentieth of the exposures labelled, default parameters.

    python benchmarks/newcomers.py --ratings ml1m.npz
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
from _protocol import THRESHOLD, Part, log, provenance, read_data
from _trials import Trials, arguments, write_page
from sklearn.metrics import log_loss, roc_auc_score
from tabulate import tabulate

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.modules import SpectralExposure

SHARE_NEW, SHARE_LABELLED = 0.2, 0.05
SIDES = ("users", "items")
ROWS: dict[str, dict[str, Any]] = {
    "the fit, to which they are unknown": {},
    "ten passes, not placed by exposures": {"n_epochs": 10},
    "one pass": {"n_epochs": 1},
    "ten passes": {"n_epochs": 10},
    "ten passes, gamma=0.01": {"n_epochs": 10, "gamma": 0.01},
    "fifty passes, gamma=0.03": {"n_epochs": 50, "gamma": 0.03},
}
REFIT = "a fit to everything"


def generated(seed: int) -> tuple[Part, Part]:
    """A log whose exposures say what users like, and pairs to report on."""
    data = make_sparse_feedback(
        n_users=2000,
        n_items=1000,
        n_exposures=120_000,
        label_fraction=1.0,
        exposure_affinity=1.0,
        preference_strength=1.5,
        random_state=100 + seed,
    )
    return Part(data.X, data.y), Part(data.X_test, data.y_test)


def measure(
    setting: str, train: Part, report: Part, side: int, seed: int
) -> dict[str, Any]:
    """Return AUC and log loss of pairs of newcomers, by row of the table."""
    X, y = train.X, train.y
    rng = np.random.default_rng(seed)
    ids = np.unique(X[:, side])
    new = rng.choice(ids, int(SHARE_NEW * len(ids)), replace=False)
    is_new, labelled = np.isin(X[:, side], new), rng.random(len(X)) < SHARE_LABELLED
    asked = np.isin(report.X[:, side], new)

    def rows(of: np.ndarray) -> dict[str, Any]:
        pool = {"X_unlab": (X[of & ~labelled],)}
        return {"X": X[of & labelled], "y": y[of & labelled]} | pool

    fitted = CrossEntropyRecommender(random_state=seed, device="cpu")
    fitted.fit(**rows(~is_new))
    found: dict[str, Any] = {"setting": setting}
    for name, params in ROWS.items():
        est, given = deepcopy(fitted), dict(params)
        est.set_params(gamma=given.pop("gamma", est.gamma))
        placed = SpectralExposure.embed_newcomers
        if "not placed" in name:
            placed = _stay
        if given:
            with patch.object(SpectralExposure, "embed_newcomers", placed):
                est.partial_fit(**rows(is_new), **given)
        found[name] = judged(est, report, asked)
        log(f"{name}, {setting}", found[name]["AUC"], 0.0)
    est = CrossEntropyRecommender(random_state=seed, device="cpu")
    found[REFIT] = judged(est.fit(**rows(np.ones(len(X), bool))), report, asked)
    log(f"{REFIT}, {setting}", found[REFIT]["AUC"], 0.0)
    return found


def _stay(self: Any, exposed: np.ndarray, n_users: int, n_items: int) -> None:
    """Leave newcomers where unknown users and items are."""


def judged(est: Any, report: Part, asked: np.ndarray) -> dict[str, float]:
    proba, y = est.predict_proba(report.X[asked])[:, 1], report.y[asked]
    return {
        "AUC": float(roc_auc_score(y, proba)),
        "log loss": float(log_loss(y, proba)),
    }


def page(found: dict[str, list[dict[str, Any]]], origin: str) -> str:
    """Return the results as Markdown."""
    tables = []
    for figure in ("AUC", "log loss"):
        rows = []
        for name in (*ROWS, REFIT):
            cells = {"newcomers after": name}
            for setting, of_seeds in found.items():
                values = [of_seed[name][figure] for of_seed in of_seeds]
                cells[setting] = f"{np.mean(values):.4f}"
                if len(values) > 1:
                    cells[setting] += f" ± {np.std(values, ddof=1):.4f}"
            rows.append(cells)
        table = tabulate(rows, "keys", tablefmt="github", disable_numparse=True)
        tables.append(f"## {figure}\n\n{table}")
    joined = "\n\n".join(tables)
    return f"""\
# Newcomers between two fits

{SHARE_NEW:.0%} of the users, or of the items, come after the fit of the default, with
all of their exposures and labels in one call of `partial_fit`. Pairs of newcomers
alone. Means over seeds ± standard deviation.

{joined}

**Protocol.** {SHARE_LABELLED:.0%} of the exposures have a label. MovieLens-1M: label =
rating ≥ {THRESHOLD}, pairs of the half of the validation part that no choice ever used.
Generated: 2,000 users, 1,000 items, 120,000 exposures drawn by the tastes that labels
come from; new seeds. *Not placed by exposures*: newcomers start where unknown users and
items are, as they did before exposures placed them.

{origin}"""


def settings(ratings: str, seeds: list[int]) -> Iterator[tuple[str, str, Any]]:
    """Yield name, key and what to measure."""
    data = read_data(ratings)
    for seed in seeds:
        logs = {"MovieLens-1M": (data.train, data.report), "generated": generated(seed)}
        for log_name, (train, report) in logs.items():
            for side, what in enumerate(SIDES):
                name = f"{log_name}, {what}"
                compute = partial(measure, name, train, report, side, seed)
                yield name, f"{name}/{seed}", compute


def main(argv: list[str] | None = None) -> None:
    """Run what is missing; the page is written again after each setting."""
    args = arguments(__doc__, "newcomers.md", argv, seeds=[0, 1, 2])
    origin = provenance(__file__, args.ratings)
    trials = Trials("newcomers", fresh=args.fresh)

    def report(found: list[list[dict[str, Any]]]) -> None:
        by_name = {of_seeds[0]["setting"]: of_seeds for of_seeds in found}
        write_page(args.output, page(by_name, origin))

    trials.run_settings(settings(args.ratings, args.seeds), report)
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
