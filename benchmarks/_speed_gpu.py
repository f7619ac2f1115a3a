"""Speed on a GPU; there is nothing to measure without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from _speed_training import make_net, random_pairs
from _timing import Row, compared, in_turns, wall_seconds

from sklearn_invlearn.modules import NeuMF
from sklearn_invlearn.training import (
    EndlessBatches,
    InverseGradientNet,
    PairNet,
    Pairs,
    TrainingData,
    UniformSource,
    UnobservedPairs,
)

BATCH = 65_536
SIZES = (1_000_001, 100_001)
N_STEPS = 5


def on(device: str, pairs: Pairs) -> Pairs:
    """Copy labelled pairs to a device."""
    assert pairs.y is not None
    return Pairs(pairs.user.to(device), pairs.item.to(device), pairs.y.to(device))


def gpu(n_pairs: int) -> Iterator[Row]:
    """NeuMF + IG at a large batch against one CPU core, and an epoch of many pairs."""
    what = f"NeuMF, steps of IG, batch {BATCH:,}"
    if not torch.cuda.is_available():
        missing = "not measured: no CUDA device"
        yield Row(what, "", "", missing, "≥ 20 × faster than one core")
        yield Row(f"NeuMF epoch of {n_pairs / 1e6:g} M pairs", "", "", missing, "")
        return
    cpu = random_pairs(N_STEPS * BATCH, *SIZES, seed=0)

    def rounds_on(device: str, n_rounds: int) -> Any:
        pairs = on(device, cpu)
        rng = torch.Generator(device).manual_seed(0)
        source = UniformSource(UnobservedPairs(pairs, *SIZES), rng)
        held_out = EndlessBatches(pairs, BATCH, rng)
        net = make_net(
            InverseGradientNet,
            NeuMF,
            SIZES,
            alpha=1e-4,
            batch_size=BATCH,
            device=device,
        )

        def run() -> None:
            for _ in range(n_rounds):
                batch = next(held_out)
                net.inverse_gradient_step(source.draw(batch), batch)
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    torch.set_num_threads(1)
    fast, slow = rounds_on("cuda", 20 * N_STEPS), rounds_on("cpu", 1)
    fast()
    ours, other = in_turns(fast, slow, rounds=3, seconds=wall_seconds)
    yield compared(
        what,
        (torch.cuda.get_device_name(), ours / (20 * N_STEPS)),
        ("one core", other),
        "≥ 20 × faster",
        times_faster=True,
    )
    data = TrainingData(random_pairs_on_gpu(n_pairs))
    net = make_net(PairNet, NeuMF, SIZES, batch_size=BATCH, device="cuda")
    torch.cuda.reset_peak_memory_stats()
    (seconds,) = in_turns(lambda: net.train_epoch(data), rounds=2, seconds=wall_seconds)
    yield Row(
        f"NeuMF epoch of {n_pairs / 1e6:g} M pairs",
        f"{seconds:.1f} s",
        f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the device",
        f"{n_pairs / seconds / 1e6:.1f} M pairs/s",
        "stated",
    )
    yield utilisation(fast)


def random_pairs_on_gpu(n: int) -> Pairs:
    """Labelled pairs drawn on the device."""
    rng = torch.Generator("cuda").manual_seed(0)

    def codes(n_rows: int) -> torch.Tensor:
        return torch.randint(1, n_rows, (n,), generator=rng, device="cuda")

    return Pairs(codes(SIZES[0]), codes(SIZES[1]), (codes(3) - 1).float())


def utilisation(work: Any) -> Row:
    """Share of the time in which a kernel runs, by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as trace:
        seconds = wall_seconds(work)
    busy = sum(event.self_device_time_total for event in trace.key_averages()) / 1e6
    what = "Device busy in steps of IG"
    return Row(what, f"{busy:.2f} s", f"{seconds:.2f} s", f"{busy / seconds:.0%}", "")
