"""Transfer to any ratings files: the default beside what anybody would try first.

    python benchmarks/real_logs.py FILE=THRESHOLD [FILE=THRESHOLD ...]

Each file is read by ``load_ratings``; ratings of at least THRESHOLD are positive. A
validation part of the file (``valid_user``, …) is what is tested on, such as ratings of
items that were drawn at random; else a random fifth. With 5, 20 and 100 % of the labels
of the rest, whose other pairs are the pool. An interrupted run goes on where it
stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from _protocol import Part, provenance
from _trials import Trials, write_page
from tabulate import tabulate
from transfer import FRACTIONS, Result, Setting, measure, row, some_labels

from sklearn_invlearn.datasets import load_ratings

SPLIT_SEED = 999
File = tuple[Path, float]


def settings(file: File, seed: int) -> Iterator[Setting]:
    """The shares of the labels of one file."""
    path, threshold = file
    ratings = load_ratings(path, threshold=threshold)
    if ratings.X_valid is not None:
        train = Part(ratings.X, ratings.y)
        test = Part(ratings.X_valid, ratings.y_valid)
        name = f"{path.stem}, its own test"
    else:
        order = np.random.default_rng(SPLIT_SEED).permutation(len(ratings.y))
        parts = np.split(order, [int(0.8 * len(order))])
        train, test = (Part(ratings.X[rows], ratings.y[rows]) for rows in parts)
        name = path.stem
    for fraction in FRACTIONS:
        yield some_labels(name, train, test, fraction, seed)


def file_and_threshold(text: str) -> File:
    """Parse FILE=THRESHOLD."""
    path, _, threshold = text.rpartition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE=THRESHOLD.")
    return Path(path), float(threshold)


def page(found: list[list[Result]], origin: str) -> str:
    """Return the results as Markdown."""
    rows = [row(of_setting) for of_setting in found]
    table = tabulate(rows, "keys", tablefmt="github", disable_numparse=True)
    return f"""\
# Real logs

`CrossEntropyRecommender()` with default parameters on public ratings that played no
part in the development of what is measured, beside the same rivals, and in the same
columns, as in [transfer](transfer.md).

{table}

**Protocol.** A random fifth of the ratings is tested on, or what a file says is to be;
a seed decides which others have labels. These others are the pool.

{origin}"""


def main(argv: list[str] | None = None) -> None:
    """Run what is missing; the page is written again after each setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "files", type=file_and_threshold, nargs="+", metavar="FILE=THRESHOLD"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    parser.add_argument(
        "--output", type=Path, default=Path("docs/results/real_logs.md")
    )
    args = parser.parse_args(argv)
    origin = provenance(__file__, None)
    trials = Trials("real_logs", fresh=args.fresh)
    runs = (
        (s.name, f"{s.name}/{file[1]:g}/{seed}", partial(measure, s, seed))
        for seed in args.seeds
        for file in args.files
        for s in settings(file, seed)
    )
    trials.run_settings(
        runs, lambda found: write_page(args.output, page(found, origin))
    )
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
