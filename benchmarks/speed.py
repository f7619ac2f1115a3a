"""Speed: every target as a ratio, both sides measured in one run, turn by turn.

    python benchmarks/speed.py --ratings ml1m.npz --write docs/results/speed.md

Peers are optional: without `implicit` or a GPU their lines say so. `--only` runs
some sections, and `--scale` makes the large ones smaller.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from _protocol import provenance, read_data
from _speed_data import imports, linear, predictions, search
from _speed_gpu import gpu
from _speed_training import epochs, memory, steps, table_sizes
from _timing import Row
from tabulate import tabulate

from sklearn_invlearn.ids._encoding import PairEncoder
from sklearn_invlearn.training import Pairs


def sections(args: Any) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return the sections by name, each a function that measures its lines."""
    train = read_data(args.ratings).train
    encoder = PairEncoder()
    codes = encoder.extend([train.X[:, 0], train.X[:, 1]])
    pairs = Pairs.from_codes(codes, train.y, device=torch.device("cpu"))
    sizes = encoder.n_users, encoder.n_items
    n_large = int(10_000_000 * args.scale)
    return {
        "epochs": lambda: epochs(pairs, sizes, args.rounds),
        "steps": lambda: steps(pairs, sizes, args.rounds),
        "tables": lambda: table_sizes(args.rounds),
        "memory": lambda: memory(n_large),
        "linear": lambda: linear(n_large, args.rounds),
        "predictions": lambda: predictions(train.X, train.y, args.rounds),
        "imports": lambda: imports(args.rounds),
        "search": lambda: search(train.X, train.y),
        "gpu": lambda: gpu(10 * n_large),
    }


def page(rows: list[Row], args: Any) -> str:
    """Return the table as Markdown, with what it was measured with."""
    headers = ["what", "ours", "beside", "ratio", "aim"]
    cells = [[r.what, r.ours, r.other, r.ratio, r.target] for r in rows]
    table = tabulate(cells, headers, tablefmt="github", disable_numparse=True)
    try:
        peer = f"`implicit` {version('implicit')}"
    except PackageNotFoundError:
        peer = "`implicit` not installed"
    return f"""\
# Speed

{table}

{provenance(__file__, args.ratings)}
Peer: {peer}. MovieLens-1M, `--rounds {args.rounds} --scale {args.scale:g}`, batch
1,024, 32 factors where nothing else is said; medians over rounds, the sides of a ratio
taking turns. Seconds are CPU
seconds of one thread, but on the clock for the search and the GPU. Other work on the
machine does not count in CPU seconds, but it takes cache and memory bandwidth: absolute
numbers are then too large by a factor of up to four, and ratios of memory to
arithmetic (NeuMF beside its matrix products) too large as well.

**What "the public code" is.** The code of the authors is not part of this project. The
first line compares with what a description of it says (`benchmarks/_public_code.py`): a
pass over training-train, then a step per training-test batch with two copies of the
whole model, three optimisers of torch made anew, and unlabeled items drawn anew every
epoch; rows come one by one through a loader of torch (`_public_code_rows.py`). Both
sides take the same numbers of steps of either kind. The authors' own program was
measured once, on two cores of a machine where an epoch of `implicit`'s BPR took .063 s,
at 9.3 s per epoch: the second line compares in epochs of BPR, since the two machines
need not be alike. Our rewrite is faster than their program: it has nothing that
the description does not name.

**What is missed, and why.** A step of IG has four forward and one backward pass
beside the supervised step's one of each: of matrix products alone that is 9 against
3. What both steps do once, the optimiser, became cheaper, which brings NeuMF nearer
to that 3.

The tower of NeuMF, looked up, forwards and backwards, takes 1.2 × its products (4.4
ms against 3.6 ms a step). The rest is the optimiser, which reads and writes the rows
of a batch about a dozen times each, and is bound by memory. Kept: rows written in
units of 16 bytes, sums without a second lookup, a few tables at a time while they are
in the cache (3.5 to 2.1 ms a step for the tables of NeuMF by themselves). Tried
without gain: two products in place of the concatenation, activations in place, an
autograd function of our own, blocks of rows, both moments in one tensor, updates that
add differences. What is left needs kernels of our own, and the package is plain
Python.

`implicit` is one loop in C++ over two tables, without moments: plain SGD. Our step
keeps three numbers per weight, and about half of its time (by a sampling profiler) is
the overhead of some hundred calls into torch.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", default=None)
    parser.add_argument("--write", type=Path, default=None)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, measure in sections(args).items():
        if args.only and name not in args.only:
            continue
        for row in measure():
            rows.append(row)
            print(" | ".join([row.what, row.ours, row.other, row.ratio]), flush=True)
        if args.write:  # section by section: the large ones take minutes
            args.write.write_text(page(rows, args), encoding="utf-8")
    print(page(rows, args))


if __name__ == "__main__":
    main()
