"""What the default costs on large logs: seconds and memory of one fit.

    python benchmarks/large_logs.py --exposures 2e6 2e7

Users and items have tastes out of twenty; half of what a user is shown is of the own
taste, popular items more often than others. A process for each size, so that its peak
of memory is its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _protocol import log, provenance
from _trials import write_page
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.baselines import OneHotLogisticRegression

N_TASTES = 20
N_TEST = 100_000
PER_USER, PER_ITEM = 20, 200  # exposures, on average

COLUMNS = ("exposures", "users", "items", "labels", "CPU seconds", "peak memory",
           "pairs/s predicted", "AUC", "AUC logistic regression")  # fmt: skip


def draw(n_exposures: int, seed: int = 0) -> np.ndarray:
    """Exposed pairs (n, 2), and the tastes of both in columns 2 and 3."""
    rng = np.random.default_rng(seed)
    n_users, n_items = n_exposures // PER_USER, n_exposures // PER_ITEM
    taste_u, taste_i = (rng.integers(N_TASTES, size=n) for n in (n_users, n_items))
    activity, popularity = rng.pareto(1.2, n_users) + 1, rng.pareto(1.2, n_items) + 1
    user = rng.choice(n_users, n_exposures, p=activity / activity.sum())
    item = rng.choice(n_items, n_exposures, p=popularity / popularity.sum())
    own = rng.random(n_exposures) < 0.5
    for taste in range(N_TASTES):
        rows = np.flatnonzero(own & (taste_u[user] == taste))
        items = np.flatnonzero(taste_i == taste)
        p = popularity[items] / popularity[items].sum()
        item[rows] = rng.choice(items, len(rows), p=p)
    return np.column_stack([user, item, taste_u[user], taste_i[item]])


def measure(n_exposures: int, n_labels: int) -> list[str]:
    """Cells of a row, in the order of COLUMNS."""
    rng = np.random.default_rng(1)
    drawn = draw(n_exposures)
    n_users, n_items = drawn[:, 0].max() + 1, drawn[:, 1].max() + 1
    b_u, b_i = rng.normal(0, 0.7, n_users), rng.normal(0, 0.7, n_items)
    rows = rng.permutation(n_exposures)
    asked, pool = drawn[rows[: n_labels + N_TEST]], drawn[rows[n_labels + N_TEST :], :2]
    z = b_u[asked[:, 0]] + b_i[asked[:, 1]] + 1.2 * (asked[:, 2] == asked[:, 3])
    y = (rng.random(len(z)) < 1 / (1 + np.exp(-z))).astype(int)
    X, X_test = np.split(asked[:, :2], [n_labels])
    y, y_test = np.split(y, [n_labels])
    default = CrossEntropyRecommender(random_state=0, device="cpu")
    start = time.process_time()
    default.fit(X, y, X_unlab=(pool,))
    seconds = time.process_time() - start
    start = time.process_time()
    proba = default.predict_proba(X_test)[:, 1]
    rate = len(X_test) / (time.process_time() - start)
    auc = roc_auc_score(y_test, proba)
    logistic = OneHotLogisticRegression().fit(X, y)
    rival = roc_auc_score(y_test, logistic.predict_proba(X_test)[:, 1])
    log(f"{n_exposures:,} exposures", auc, seconds)
    sizes = (f"{n:,}" for n in (n_exposures, n_users, n_items, n_labels))
    gib = f"{peak_memory() / 2**30:.1f} GiB"
    return [*sizes, f"{seconds:.0f}", gib, f"{rate:.1e}", f"{auc:.3f}", f"{rival:.3f}"]


def peak_memory() -> int:
    """Bytes; what the process that started this one has used does not count."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(x for x in status.splitlines() if x.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def page(rows: list[list[str]], origin: str) -> str:
    """Return the results as Markdown."""
    table = tabulate(rows, COLUMNS, tablefmt="github", disable_numparse=True)
    return f"""\
# Large logs

What one fit of the default costs, on generated logs. Memory is the peak of the
process, log included.

{table}

{origin}"""


def main(argv: list[str] | None = None) -> None:
    """A row for each size; the page is written again after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--exposures", type=float, nargs="+", default=[2e6, 2e7])
    parser.add_argument("--labels", type=float, default=1e5)
    parser.add_argument(
        "--output", type=Path, default=Path("docs/results/large_logs.md")
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print("|".join(measure(int(args.exposures[0]), int(args.labels))))
        return
    origin, rows = provenance(__file__, None), []
    for n in args.exposures:
        command = [sys.executable, __file__, "--one", "--exposures", str(n)]
        command += ["--labels", str(args.labels)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(done.stdout.splitlines()[-1].split("|"))
        write_page(args.output, page(rows, origin))
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
