"""Speed of epochs and steps: against peers, against less, against table sizes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _plain_loop import PlainLoop
from _public_code import PublicCodeNet, PublicGMF
from _public_code_rows import PublicCodeRows
from _timing import Row, compared, in_turns
from scipy import sparse

from sklearn_invlearn.losses import MeanCrossEntropy
from sklearn_invlearn.modules import GMF, NeuMF
from sklearn_invlearn.training import (
    EndlessBatches,
    InverseGradientNet,
    PairNet,
    Pairs,
    RowwiseAdam,
    SameUserSource,
    TrainingData,
    UnobservedPairs,
    epoch_batches,
)

BATCH = 1024
# Seconds of an epoch of the authors' program, of `implicit`'s BPR, and of the plain
# loop, all measured on one other machine.
AUTHORS, BPR_THERE, LOOP_THERE = 9.3, 0.063, 0.27


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_pairs(n: int, n_users: int, n_items: int, seed: int) -> Pairs:
    """Labelled pairs of uniformly drawn known users and items."""
    rng = generator(seed)
    user = torch.randint(1, n_users, (n,), generator=rng)
    item = torch.randint(1, n_items, (n,), generator=rng)
    return Pairs(user, item, torch.randint(2, (n,), generator=rng).float())


def as_training_data(pairs: Pairs, n_users: int, n_items: int) -> TrainingData:
    """Nine tenths for supervised steps, one for the inverse gradient."""
    order = torch.randperm(len(pairs), generator=generator(0))
    test, train = order[: len(pairs) // 10], order[len(pairs) // 10 :]
    unobserved = UnobservedPairs(pairs, n_users, n_items)
    return TrainingData(
        pairs[train],
        unlabeled=SameUserSource(unobserved, generator(1)),
        held_out=EndlessBatches(pairs[test], BATCH, generator(2)),
    )


def make_net(net: Any, module: Any, sizes: tuple[int, int], **params: Any) -> Any:
    """Return an initialised net whose history is ready for an epoch."""
    made = net(
        module,
        module__n_users=sizes[0],
        module__n_items=sizes[1],
        **{"optimizer": RowwiseAdam, "lr": 1e-3, "batch_size": BATCH, "verbose": 0}
        | params,
    ).initialize()
    made.n_labelled_ = 1
    made.history.new_epoch()
    made.module_.train()
    return made


def epochs(pairs: Pairs, sizes: tuple[int, int], rounds: int) -> Iterator[Row]:
    """MovieLens-1M, GMF, 32 factors, batch 1,024: whole epochs against peers."""
    data = as_training_data(pairs, *sizes)
    everything = TrainingData(pairs)
    gradient = make_net(InverseGradientNet, GMF, sizes, alpha=1e-4)
    plain = make_net(PairNet, GMF, sizes)
    public = make_net(PublicCodeNet, PublicGMF, sizes, alpha=1e-4, lr=1e-4)
    assert data.held_out is not None
    rows = PublicCodeRows(data.labelled, data.held_out.pairs, sizes[1], BATCH)

    def public_epoch() -> None:
        public.train_epoch(data)
        rows.read_once()

    ours, theirs = in_turns(
        lambda: gradient.train_epoch(data), public_epoch, rounds=min(rounds, 3)
    )
    yield compared(
        "GMF + IG epoch",
        ("IG", ours),
        ("what the public code does, written anew", theirs),
        "≥ 30 × faster, aim 50 ×",
        times_faster=True,
    )
    ours, loop = in_turns(
        lambda: gradient.train_epoch(data),
        PlainLoop(pairs, sizes, BATCH).epoch,
        rounds=rounds,
    )
    yield beside_authors("a plain loop", ours / loop, AUTHORS / LOOP_THERE)
    fit = implicit_epochs(pairs, sizes)
    if fit is None:
        yield Row("GMF epoch", "", "", "`implicit` is not installed", "")
        return
    ours, supervised, more, start = in_turns(
        lambda: gradient.train_epoch(data),
        lambda: plain.train_epoch(everything),
        lambda: fit(3),
        lambda: fit(1),
        rounds=rounds,
    )
    peer = (more - start) / 2
    yield beside_authors("`implicit`'s BPR", ours / peer, AUTHORS / BPR_THERE)
    yield compared(
        "GMF epoch, cross entropy",
        ("ours", supervised),
        ("`implicit` BPR, one thread", peer),
        "≤ 5 ×, aim 2 ×",
    )


def beside_authors(what: str, ours: float, authors: float) -> Row:
    """Compare epochs on two machines, each in epochs of `what` on the same one."""
    return Row(
        f"GMF + IG epoch, in epochs of {what}",
        f"{ours:.1f} (IG)",
        f"{authors:.0f} (the authors' program, elsewhere)",
        f"{authors / ours:.1f} × faster",
        "≥ 30 × faster, aim 50 ×",
    )


def implicit_epochs(
    pairs: Pairs, sizes: tuple[int, int]
) -> Callable[[int], object] | None:
    """Return a function that runs so many epochs of BPR, if implicit is installed."""
    try:
        from implicit.cpu.bpr import BayesianPersonalizedRanking
    except ImportError:
        return None
    ones = np.ones(len(pairs), dtype=np.float32)
    seen = sparse.csr_matrix((ones, tuple(pairs.codes)), sizes)

    def fit(n_epochs: int) -> None:
        model = BayesianPersonalizedRanking(
            factors=32, iterations=n_epochs, num_threads=1, random_state=0
        )
        model.fit(seen, show_progress=False)

    return fit


def steps(pairs: Pairs, sizes: tuple[int, int], rounds: int) -> Iterator[Row]:
    """A step of the inverse gradient against a supervised one; shell against loop."""
    data = as_training_data(pairs, *sizes)
    assert data.held_out is not None
    assert data.unlabeled is not None
    for name, module, n_steps in (("GMF", GMF, 100), ("NeuMF", NeuMF, 20)):
        net = make_net(InverseGradientNet, module, sizes, alpha=1e-4)
        held_out = [next(data.held_out) for _ in range(n_steps)]
        drawn = [(data.unlabeled.draw(batch), batch) for batch in held_out]

        def gradient(net: Any = net, drawn: Any = drawn) -> None:
            for unlabeled, batch in drawn:
                net.inverse_gradient_step(unlabeled, batch)

        def supervised(net: Any = net, held_out: Any = held_out) -> None:
            for batch in held_out:
                net.supervised_step(batch)

        ours, other = in_turns(gradient, supervised, rounds=rounds)
        yield compared(
            f"{name}: step of IG",
            ("IG", ours / n_steps),
            ("supervised", other / n_steps),
            "≤ 2.5 ×",
        )
    for name, module, n_rows in (("GMF", GMF, 200_000), ("NeuMF", NeuMF, 30_000)):
        yield shell(name, module, pairs[:n_rows], sizes, rounds)
    yield matrix_products(pairs[:30_000], sizes, rounds)


def shell(
    name: str, module: Any, pairs: Pairs, sizes: tuple[int, int], rounds: int
) -> Row:
    """An epoch through skorch and the nets against a loop by hand."""
    data = TrainingData(pairs)
    net = make_net(PairNet, module, sizes)
    by_hand = make_net(PairNet, module, sizes)
    model, optimizer = by_hand.module_, by_hand.optimizer_
    criterion, order = MeanCrossEntropy(), generator(0)

    def loop() -> None:
        for batch in epoch_batches(pairs, BATCH, order):
            optimizer.zero_grad()
            criterion(model(batch.user, batch.item), batch.y).backward()
            optimizer.step()

    ours, other = in_turns(lambda: net.train_epoch(data), loop, rounds=rounds)
    return compared(
        f"{name}: skorch and shell", ("net", ours), ("loop by hand", other), "≤ 1.15 ×"
    )


def matrix_products(pairs: Pairs, sizes: tuple[int, int], rounds: int) -> Row:
    """A NeuMF epoch against its layers' products alone, forwards and backwards."""
    data = TrainingData(pairs)
    net = make_net(PairNet, NeuMF, sizes)
    layers = [m for m in net.module_.modules() if isinstance(m, torch.nn.Linear)]
    weights = [layer.weight.detach() for layer in layers]
    inputs = [torch.randn(BATCH, w.shape[1]) for w in weights]
    gradients = [torch.randn(BATCH, w.shape[0]) for w in weights]

    def products() -> None:
        for _ in range(0, len(pairs), BATCH):
            for x, w, g in zip(inputs, weights, gradients):
                _ = x @ w.t(), g @ w, g.t() @ x

    ours, other = in_turns(lambda: net.train_epoch(data), products, rounds=rounds)
    return compared(
        "NeuMF epoch", ("ours", ours), ("matrix products alone", other), "≤ 1.3 ×"
    )


def table_sizes(rounds: int) -> Iterator[Row]:
    """The same number of pairs with few and with many users."""
    n = 2_000_000
    nets = []
    for n_users in (2_000_001, 10_001):
        sizes = (n_users, 10_001)
        data = TrainingData(random_pairs(n, *sizes, seed=0))
        nets.append((make_net(PairNet, GMF, sizes), data))
    many, few = in_turns(
        *(lambda net=net, data=data: net.train_epoch(data) for net, data in nets),
        rounds=min(rounds, 3),
    )
    yield compared(
        "GMF epoch of 2 M pairs", ("2 M users", many), ("10 k users", few), "≤ 2 ×"
    )


_LARGE = """
import sys
import numpy as np
sys.path.insert(0, {folder!r})
from sklearn_invlearn import CrossEntropyRecommender
def memory(name):  # getrusage would count the process that started this one
    line = next(x for x in open("/proc/self/status") if x.startswith(name + ":"))
    return int(line.split()[1]) * 1024
n = {n_users}
rng = np.random.default_rng(0)
X = np.stack([rng.permutation(n), rng.integers(0, 10_000, n)], axis=1)
y = rng.integers(0, 2, n)
est = CrossEntropyRecommender(
    backbone="gmf", n_factors=64, max_epochs=1, batch_size=65_536,
    early_stopping=False, random_state=0,
)
import torch, skorch
before = memory("VmRSS") - X.nbytes - y.nbytes
est.fit(X, y)
module = est.net_.module_
weights = sum(p.nbytes for p in module.parameters())
needed = 3 * weights + X.nbytes + y.nbytes
print(memory("VmHWM") - before, needed)
"""


def memory(n_users: int) -> Iterator[Row]:
    """Peak memory of a fit over parameters + optimiser state + data."""
    folder = str(Path(__file__).resolve().parent.parent)
    code = _LARGE.format(folder=folder, n_users=n_users)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"code {done.returncode}"]
        yield Row("Memory of a fit", "", "", f"failed: {last[0]}", "≤ 1.3 ×")
        return
    peak, needed = map(int, done.stdout.split())
    yield Row(
        f"Memory, {n_users / 1e6:g} M users × 64 factors",
        f"{peak / 2**30:.2f} GiB (peak of `fit`)",
        f"{needed / 2**30:.2f} GiB (parameters, two moments, data)",
        f"{peak / needed:.2f} ×",
        "≤ 1.3 ×",
    )
