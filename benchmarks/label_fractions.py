"""MovieLens-1M with few labels: 1, 5, 20 and 100 % of them, the rest as exposures.

For each fraction f and seed, the first ``int(n f)`` rows of a permutation of the
training part keep their label, the others become ``X_unlab``. Every method is fitted
with default parameters, without other validation data, and measured on one half of the
validation part (the other half is for choosing, during development).

    python benchmarks/label_fractions.py --ratings ml1m.npz

``--only`` runs some of the rows again and keeps the others as they stand on the page.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _protocol import (
    METRICS,
    SPLIT_SEED,
    THRESHOLD,
    Data,
    Part,
    current_commit,
    evaluate,
    log,
    make_logistic,
    provenance,
    read_data,
)
from _rivals import LogisticOnExposures
from _set_by_hand import SpectralSetByHand
from _trials import READING, write_page
from tabulate import tabulate

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)

FRACTIONS = (0.01, 0.05, 0.2, 1.0)
SEEDS = (0, 1, 2)


def rows() -> dict[str, tuple[bool, Callable[[int], Any]]]:
    """Return, for every name, whether it takes the pool, and how to make it."""
    methods = {
        "CE": CrossEntropyRecommender,
        "IDL": InverseDualLossRecommender,
        "IG": InverseGradientRecommender,
    }

    def make(method: Any, **params: Any) -> Callable[[int], Any]:
        return lambda seed: method(random_state=seed, device="cpu", **params)

    table: dict[str, tuple[bool, Callable[[int], Any]]] = {
        "logistic regression, one-hot": (False, lambda seed: make_logistic(1.0)),
        "the same + 32 SVD factors": (True, lambda seed: LogisticOnExposures()),
        "biases only, CE": (True, make(methods["CE"], backbone="bias")),
    }
    for backbone in ("gmf", "spectral"):
        for name, method in methods.items():
            table[f"{backbone}, {name}"] = (True, make(method, backbone=backbone))
    table["spectral, set by hand for these data"] = (True, SpectralSetByHand)
    return table


def fit(
    takes_pool: bool, estimator: Any, train: Part, fraction: float, seed: int
) -> float:
    """Fit on a fraction of the labels; return the seconds of the CPU."""
    order = np.random.default_rng(seed).permutation(len(train.y))
    labelled, pool = np.split(order, [int(len(order) * fraction)])
    given = {"X_unlab": (train.X[pool],)} if takes_pool and len(pool) else {}
    start = time.process_time()
    estimator.fit(train.X[labelled], train.y[labelled], **given)
    return time.process_time() - start


def page(
    results: dict[tuple[str, float], list[dict]],
    data: Data,
    origin: str,
    kept: dict[tuple[str, str], dict[str, str]],
) -> str:
    """Return the results as Markdown, a table for each metric.

    `kept` has rows of an earlier page, by metric and method, which stay as they are.
    """
    run = {name for name, _ in results}
    names = [n for n in rows() if n in run or any(n == k for _, k in kept)]
    tables = []
    for metric in (*METRICS, "seconds"):
        cells = []
        for name in names:
            if name not in run:
                cells.append(kept[metric, name])
                continue
            cell = {"method": name}
            for fraction in FRACTIONS:
                found = [r[metric] for r in results.get((name, fraction), [])]
                cell[f"{fraction:.0%}"] = _cell(
                    found, digits=4 - 3 * (metric[0] == "s")
                )
            cells.append(cell | {"commit": current_commit()})
        table = tabulate(
            cells, headers="keys", tablefmt="github", disable_numparse=True
        )
        tables.append(f"## {metric}\n\n{table}\n")
    joined = "\n".join(tables)
    return f"""\
# MovieLens-1M, few labels

A fraction of the labels of the training part; its other pairs are the pool of exposures
without feedback. Default parameters, no other validation data, nothing tuned. Mean ±
standard deviation over seeds.

{joined}
**Protocol.** Label = rating ≥ {THRESHOLD}; {len(data.train.y):,} training pairs;
`numpy.random.default_rng(seed).permutation`, seeds {", ".join(map(str, SEEDS))};
measured on the {len(data.report.y):,} pairs of the second half of
`numpy.random.default_rng({SPLIT_SEED}).permutation` of the validation part, which no
choice ever used. With 100 % of the labels there is no pool: exposures are the labelled
pairs, and unlabeled pairs are drawn among unobserved ones. Seconds are CPU time. The
command is that of the last run; every row has the commit that it was measured at.

{origin}"""


def read_page(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows of a page by metric and method."""
    found = {}
    columns = ("method", *(f"{fraction:.0%}" for fraction in FRACTIONS), "commit")
    metric = ""
    for line in text.splitlines():
        if line.startswith("## "):
            metric = line[3:]
        elif line.startswith("| ") and not line.startswith("| method"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found[metric, cells[0]] = dict(zip(columns, cells))
    return found


def _cell(found: list[float], digits: int) -> str:
    if not found:
        return "–"
    spread = f" ± {np.std(found, ddof=1):.{digits}f}" if len(found) > 1 else ""
    return f"{np.mean(found):.{digits}f}{spread}"


def main(argv: list[str] | None = None) -> None:
    """Run all rows; the page is written again after each fit."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--ratings", required=True, help=".npz, see README.md")
    parser.add_argument(
        "--output", type=Path, default=Path("docs/results/label_fractions.md")
    )
    parser.add_argument("--only", nargs="+", metavar="METHOD", choices=rows())
    args = parser.parse_args(argv)
    kept = {}
    if args.only:
        before = args.output.read_text(encoding="utf-8").partition(READING)[0]
        kept = {k: v for k, v in read_page(before).items() if k[1] not in args.only}
    data, origin = read_data(args.ratings), provenance(__file__, args.ratings)
    results: dict[tuple[str, float], list[dict]] = {}
    for seed in SEEDS:
        for fraction in FRACTIONS:
            for name in args.only or rows():
                takes_pool, make = rows()[name]
                estimator = make(seed)
                seconds = fit(takes_pool, estimator, data.train, fraction, seed)
                result = evaluate(estimator, data.report) | {"seconds": seconds}
                results.setdefault((name, fraction), []).append(result)
                log(f"{fraction:.0%}, seed {seed}, {name}", result["AUC"], seconds)
        write_page(args.output, page(results, data, origin, kept))
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
