"""Speed: every target as a ratio, both sides measured in one run, turn by turn.

    python benchmarks/speed.py --ratings ml1m.npz --write docs/results/speed.md

Peers are optional: without `implicit` or a GPU their lines say so. `--only` runs
some sections, and `--scale` makes the large ones smaller. Without `--ratings` there
are the sections on generated data alone, as `--only gpu`.
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
from sklearn_invlearn.training._compiled_rows import kernels


def sections(args: Any) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return the sections by name, each a function that measures its lines."""
    n_large = int(10_000_000 * args.scale)
    generated = {
        "tables": lambda: table_sizes(args.rounds),
        "memory": lambda: memory(n_large),
        "linear": lambda: linear(n_large, args.rounds),
        "imports": lambda: imports(args.rounds),
        "gpu": lambda: gpu(10 * n_large),
    }
    if args.ratings is None:
        return generated
    train = read_data(args.ratings).train
    encoder = PairEncoder()
    codes = encoder.extend([train.X[:, 0], train.X[:, 1]])
    pairs = Pairs.from_codes(codes, train.y, device=torch.device("cpu"))
    sizes = encoder.n_users, encoder.n_items
    return {
        "epochs": lambda: epochs(pairs, sizes, args.rounds),
        "steps": lambda: steps(pairs, sizes, args.rounds),
        **generated,
        "predictions": lambda: predictions(train.X, train.y, args.rounds),
        "search": lambda: search(train.X, train.y),
    }


def page(rows: list[Row], args: Any) -> str:
    """Return the table as Markdown, with what it was measured with."""
    headers = ["what", "ours", "beside", "ratio", "aim"]
    cells = [[r.what, r.ours, r.other, r.ratio, r.target] for r in rows]
    table = tabulate(cells, headers, tablefmt="github", disable_numparse=True)
    peer = version_of("implicit")
    updates = "by torch alone" if kernels() is None else f"with {version_of('numba')}"
    beside = f"\n**What else ran.** {args.beside}\n" if args.beside else ""
    return f"""\
# Speed

{table}

{provenance(__file__, args.ratings)}
Peer: {peer}; rows of tables are updated {updates}. MovieLens-1M,
`--rounds {args.rounds} --scale {args.scale:g}`, batch 1,024, 32 factors where nothing
else is said; medians over rounds, the sides of a ratio taking turns. Seconds are CPU
seconds of one thread, but on the clock for the search and the GPU. Other work on the
machine does not count in CPU seconds, but it takes cache and memory bandwidth: absolute
numbers are then too large by a factor of up to four, and ratios of memory to
arithmetic (NeuMF beside its matrix products) too large as well.
{beside}
**What "the public code" is.** The code of the authors is not part of this project. The
first line compares with what a description of it says (`benchmarks/_public_code.py`): a
pass over training-train, then a step per training-test batch with two copies of the
whole model, three optimisers of torch made anew, and unlabeled items drawn anew every
epoch; rows come one by one through a loader of torch (`_public_code_rows.py`). Both
sides take the same numbers of steps of either kind. The authors' own program was
measured once, on two cores of another machine, at 9.3 s per epoch. Two lines compare
with it, in epochs of what was measured there, too: of a loop as a textbook has it
(`_plain_loop.py`; .27 s there), which like ours spends its time on calls into torch,
and of `implicit`'s BPR (.063 s), which spends it on memory. Our rewrite is faster than
their program: it has nothing that the description does not name.

**With and without numba.** With the extra `fast`, touched rows of tables are updated in
one compiled pass (`training/_row_kernels.py`), and so are parameters with dense
gradients. Before that last step, the same lines one after the other,
`--only epochs steps tables`, without it (`NUMBA_DISABLE_JIT=1`, three rounds) and with
it (five): the epoch of GMF 731 and 513 ms, with IG 925 and 609 ms; the supervised step
of GMF 1.4 and .83 ms, of IG 3.6 and 2.2 ms; of NeuMF 9.2 and 6.1 ms, of IG 23.7 and
16.3 ms; 2 M pairs with 2 M users 4.4 and 2.8 s. The first epoch compiles (two seconds,
once per machine) or loads what was compiled (half a second); medians leave it out.

**What is missed, and why.** A step of IG has three forward and one backward pass
beside the supervised step's one of each: of matrix products alone that is 8 against 3.
Three things made it cheaper. The supervised step at the chosen point takes over
the forward pass of its loss, where training mode changes nothing (without dropout); on
the CPU the losses are compared in Python; and the gradient on unlabeled pairs starts
from the slope of the dual loss, which has a closed form. Before and after, taking turns
in one run, medians of ratios: GMF 2.7 and 2.4, NeuMF 2.8 and 2.5; run by run NeuMF
comes out between 2.5 and 2.65, so GMF meets the aim and NeuMF is still beside it. Its
passes, and the optimiser, are 2.3 supervised steps; probe and moves, whose rows have
left the cache by then, are the rest. Without numba none but the slope applies.

Tried for the step of IG: one pass at θ for unlabeled and held-out pairs together (GMF
3 %, NeuMF 11 % slower, since the gradient then runs through the rows of both); the sums
of the probe done anew at each move instead of kept (no gain); the graph of a loss that
cannot win dropped at once (no more than 1 %); activations in place (2 % of either
step, the ratio stays). The three held-out passes as one of three times the rows
would save GMF a sixth of a supervised step at most; every point has weights of
its own, so a backbone would no longer be plain torch.

NeuMF forwards and backwards takes 1.3 × its products (4.6 ms against 3.5 ms a step)
by lookups, concatenation, activations and gradients of biases. The optimiser takes .6
ms where its rows are in the cache (2.7 ms without numba); with their moments the tables
are 20 MB, so in training they are not, and it takes twice as long: 1.1
of 4.2 ms at f9c3c72, .6 of them in the compiled passes. Without it a step would still
take 1.8 × its products.

Tried without gain, or with too little of it: two products in place of NeuMF's
concatenation (again, with the head in two halves: 0 to 2 % of a step), activations in
place; bfloat16 by autocast (a step of NeuMF takes half as long again on this CPU);
`torch.compile` (37 s to compile; NeuMF's passes over looked-up rows then take 3.2 ms
instead of 2.6, its products alone 1.7: what they wait for is BLAS);
fetching rows ahead (a third of the pass over 2 M users, nothing on
MovieLens-1M); GMF's product and its derivatives as kernels (15 % of either
step, the ratio stays, and a backbone would no longer be plain torch).

`implicit` is one loop in C++ over two tables, without moments: plain SGD. Our step
keeps three numbers per weight, and most of its time is the overhead of calls into
torch. Fewer of them took a thirteenth off GMF's step, 907 to 840 µs: dense parameters
in the compiled pass, where torch's own function takes 50 to 100 µs to find out what to
do; arrays of tensors made once. Biases of one number per row, a product with one vector
in place of a layer, and the mean of the loss in one operation would take off 6 % more;
but hooks see calls of tables alone, and the last digits of a score or a loss would
depend on the size of the batch and on weights of 1.

**Predictions.** A user or item that occurs in many pairs of a call brings its vector
once where the logit is a product (all but MLP and NeuMF). `--rounds 5 --only
predictions`, at 4a05ab1 and at 0df074b before it, in the same minutes: GMF 8.6 (6.0) M
pairs/s, the default with 30,000 labels 2.0 (.7); CDAE about six times as fast. Where a
call has more than 65,536 users or items, pairs are scored as before.

**Growth.** Metrics sort, and text ids and unobserved pairs are found, in pieces that
fit into the cache, after one pass that distributes the rows. What remains above 4 × for
4 × the rows is that pass, and fresh memory: arrays above 32 MiB get new pages from the
system every time. Where the C library is told to keep them
(`MALLOC_MMAP_THRESHOLD_` and `MALLOC_TRIM_THRESHOLD_` of some GB), the four lines grow
by 4.4, 4.0, 4.3 and 4.2 × instead of 5.1, 4.5, 5.7 and 4.5 × (in the same minutes,
beside two other programs, at 250717d).

**The search** is on the clock and needs both cores: with others at work its line says
nothing. On an idle machine (`--only search`) 8 fits took 10.1 s with n_jobs=2 and
17.8 s with n_jobs=1 at commit 9a352d6: 1.76 ×, aim ≥ 1.7; 8.8 and 15.3 s, 1.74 ×, at
4a05ab1; 2.00 × at a5ac1fe.
"""


def version_of(package: str) -> str:
    """Name and version of an optional package."""
    try:
        return f"`{package}` {version(package)}"
    except PackageNotFoundError:
        return f"`{package}` not installed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", default=None, help="names of sections")
    parser.add_argument("--beside", default="", help="what else ran on the machine")
    parser.add_argument("--write", type=Path, default=None)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    found = sections(args)
    if unknown := set(args.only or ()) - set(found):
        needed = "" if args.ratings else " without --ratings"
        listed = ", ".join(unknown), ", ".join(found)
        parser.error(f"no section {listed[0]}{needed}; there are {listed[1]}")
    for name, measure in found.items():
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
