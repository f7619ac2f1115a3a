"""How good are the annotations of the pool? Against its true labels.

MovieLens-1M with 1, 5 and 20 % of the labels; the pool is the rest of the training
part, whose labels the models do not see. With all labels there is no pool to annotate.

    python benchmarks/annotation_quality.py --ratings ml1m.npz --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _protocol import make_logistic, provenance
from _regimes import Ratings, make, read_ratings
from _rivals import LogisticOnExposures
from scipy.special import logit
from sklearn.metrics import log_loss, roc_auc_score
from tabulate import tabulate
from tqdm import tqdm

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.losses import annotation_proba
from sklearn_invlearn.metrics import ece_score

FRACTIONS = (0.01, 0.05, 0.2)
RECOMMENDERS = {
    "CE": CrossEntropyRecommender,
    "IDL": InverseDualLossRecommender,
    "IG": InverseGradientRecommender,
}
METRICS = {
    "AUC": "AUC",
    "log loss p": "log loss of `predict_proba`",
    "ECE p": "ECE of `predict_proba`",
    "log loss w1": "log loss of `annotate`",
    "ECE w1": "ECE of `annotate`",
}

Result = dict[str, Any]


def already_fitted(module: Any) -> type:
    """A backbone that is a copy of `module`, so that it is fitted once for all."""
    copy = classmethod(lambda cls, **_: deepcopy(module))
    return type("AlreadyFitted", (), {"fitted": copy})


def methods(seed: int) -> Iterator[tuple[str, bool, Any]]:
    """Name, whether it takes the pool, and estimator; defaults throughout.

    To be fitted before the next one is asked for: IDL and IG start from the fit of CE.
    """
    yield "logistic regression, one-hot", False, make_logistic(1.0)
    yield "the same + 32 SVD factors", True, LogisticOnExposures()
    for name, recommender in RECOMMENDERS.items():
        gmf = recommender(backbone="gmf", random_state=seed, device="cpu")
        yield f"GMF, {name}", True, gmf
    base = CrossEntropyRecommender(backbone="spectral", random_state=seed, device="cpu")
    yield "spectral, CE", True, base
    for name in ("IDL", "IG"):
        backbone = already_fitted(base.net_.module_)
        params = {"backbone": backbone, "random_state": seed, "device": "cpu"}
        yield f"spectral, {name}", True, RECOMMENDERS[name](**params)


def run(ratings: Ratings, fraction: float, seed: int) -> Iterator[Result]:
    """Yield a result for each method."""
    setting = make("clean, at random", ratings, fraction, seed)
    y = setting.true_of_pool
    for name, takes_pool, estimator in methods(seed):
        given = {"X_unlab": (setting.pool,)} if takes_pool else {}
        estimator.fit(setting.labelled.X, setting.labelled.y, **given)
        proba = estimator.predict_proba(setting.pool)[:, 1]
        if hasattr(estimator, "annotate"):
            w1 = estimator.annotate(setting.pool)
        else:
            w1 = annotation_proba(torch.from_numpy(logit(proba))).numpy()
        yield {
            "seed": seed,
            "fraction": fraction,
            "method": name,
            "AUC": float(roc_auc_score(y, proba)),
            "log loss p": float(log_loss(y, proba)),
            "ECE p": float(ece_score(y, proba)),
            "log loss w1": float(log_loss(y, w1)),
            "ECE w1": float(ece_score(y, w1)),
        }


def page(results: list[Result], origin: str) -> str:
    """Return the results as Markdown, a table for each metric."""
    tables = [f"## {title}\n\n{_table(results, m)}\n" for m, title in METRICS.items()]
    joined = "\n".join(tables)
    seeds = sorted({r["seed"] for r in results})
    return f"""\
# Quality of annotations

What a model trained on a share of the labels says about the other pairs of the
training part, its pool, against their true labels: the second research question of Lin
et al. (WSDM 2024). `predict_proba` gives p; `annotate` gives the paper's w1, which is p
sharpened: it ranks alike, so the AUC is the same, and it is overconfident by design.
Where probabilities matter, use `predict_proba`. w1 of the logistic regressions is
computed from their p. Mean ± standard deviation over seeds.

{joined}
**Protocol.** Label = rating ≥ 3. The first `int(n f)` rows of
`numpy.random.default_rng(seed).permutation(n)` of the 600,125 training rows are
labelled, the others are the pool and the rows to measure on; nothing is tuned. With all
labels, the papers' setting, no pair of the pool is left, and what was never rated has
no true label: annotations cannot be measured there. By default the spectral backbone
takes in a student of the pool only if held-out labels want it; with clean labels they
rarely do, so that its rows are alike. Seeds {", ".join(map(str, seeds))}.

{origin}"""


def _table(results: list[Result], metric: str) -> str:
    rows = []
    for name in dict.fromkeys(r["method"] for r in results):
        row = {"method": name}
        for fraction in FRACTIONS:
            found = [
                r[metric]
                for r in results
                if r["method"] == name and r["fraction"] == fraction
            ]
            spread = f" ± {np.std(found, ddof=1):.4f}" if len(found) > 1 else ""
            row[f"{fraction:.0%}"] = f"{np.mean(found):.4f}{spread}" if found else "–"
        rows.append(row)
    return tabulate(rows, "keys", tablefmt="github", disable_numparse=True)


def main(argv: list[str] | None = None) -> None:
    """Run what is missing; the page is written again after each share and seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ratings", required=True, help=".npz, see README.md")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--results", type=Path, default=Path("build/annotation_quality.jsonl")
    )
    parser.add_argument(
        "--output", type=Path, default=Path("docs/results/annotation_quality.md")
    )
    args = parser.parse_args(argv)
    origin = provenance(__file__, args.ratings)
    ratings, _ = read_ratings(args.ratings)
    for path in (args.results, args.output):
        path.parent.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    if args.results.is_file():
        lines = args.results.read_text(encoding="utf-8").splitlines()
        results = [json.loads(line) for line in lines]
    done = {(r["seed"], r["fraction"]) for r in results}
    todo = [(s, f) for s in args.seeds for f in FRACTIONS if (s, f) not in done]
    for seed, fraction in tqdm(todo, unit="case"):
        found = list(run(ratings, fraction, seed))
        with args.results.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in found)
        results += found
        args.output.write_text(page(results, origin), encoding="utf-8")
    args.output.write_text(page(results, origin), encoding="utf-8")
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
