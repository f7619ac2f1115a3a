"""Speed on a GPU; there is nothing to measure without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from _speed_training import make_net, random_pairs
from _timing import Row, compared, in_turns, wall_seconds
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

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
N_STEPS = 100  # on the GPU, between two looks at the clock; one on the CPU
NOT_MEASURED = "not measured: no CUDA device"
Steps = Callable[[int], None]


def gpu(
    n_pairs: int, sizes: tuple[int, int] = SIZES, batch: int = BATCH
) -> Iterator[Row]:
    """NeuMF + IG at a large batch against one CPU core, and an epoch of many pairs."""
    steps = f"NeuMF, steps of IG, batch {batch:,}"
    epoch = f"NeuMF epoch of {n_pairs / 1e6:g} M pairs"
    if torch.cuda.is_available():
        yield from against_one_core(steps, sizes, batch)
        yield epoch_on_gpu(epoch, n_pairs, sizes, batch)
    else:
        yield Row(steps, "", "", NOT_MEASURED, "≥ 20 × faster than one core")
        yield Row(epoch, "", "", NOT_MEASURED, "")


def against_one_core(what: str, sizes: tuple[int, int], batch: int) -> Iterator[Row]:
    """Steps of IG on both; of those on the GPU, waits and utilisation as well."""
    torch.set_num_threads(1)
    on_gpu, on_cpu = (steps_of_ig(device, sizes, batch) for device in ("cuda", "cpu"))

    def work() -> None:
        on_gpu(N_STEPS)
        torch.cuda.synchronize()

    in_turns(work, lambda: on_cpu(1), rounds=1)  # warms up
    ours, other = in_turns(work, lambda: on_cpu(1), rounds=3, seconds=wall_seconds)
    yield compared(
        what,
        (torch.cuda.get_device_name(), ours / N_STEPS),
        ("one core", other),
        "≥ 20 × faster",
        times_faster=True,
    )
    yield waits(on_gpu)
    yield utilisation(work, ours)


def steps_of_ig(device: str, sizes: tuple[int, int], batch: int) -> Steps:
    """Return a function that takes so many steps of the inverse gradient."""
    pairs = random_pairs(5 * batch, *sizes, seed=0).to(device)
    rng = torch.Generator(device).manual_seed(0)
    source = UniformSource(UnobservedPairs(pairs, *sizes), rng)
    held_out = EndlessBatches(pairs, batch, rng)
    net = make_net(
        InverseGradientNet, NeuMF, sizes, alpha=1e-4, batch_size=batch, device=device
    )

    def steps(n: int) -> None:
        for _ in range(n):
            rows = next(held_out)
            net.inverse_gradient_step(source.draw(rows), rows)

    return steps


def waits(steps: Steps) -> Row:
    """Whether torch sees the host wait for the device within steps."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        steps(N_STEPS)
        found = "none"
    except RuntimeError as error:
        found = f"at least one: {str(error).splitlines()[0]}"
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return Row("Waits for the device in steps of IG", found, "", "", "none")


def utilisation(work: Callable[[], None], seconds: float) -> Row:
    """Share of the time in which a kernel runs, by torch's profiler.

    Kernels are timed in a run that is slower for being profiled; `seconds` is the time
    of one that is not.
    """
    with profile(activities=[ProfilerActivity.CUDA]) as trace:
        work()
    busy = 1e-6 * sum(
        event.self_device_time_total
        for event in trace.key_averages()
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    )
    what = "Device busy in steps of IG"
    if not busy:
        return Row(what, "", f"{seconds:.2f} s", "the profiler sees no kernels", "")
    return Row(what, f"{busy:.2f} s", f"{seconds:.2f} s", f"{busy / seconds:.0%}", "")


def epoch_on_gpu(what: str, n_pairs: int, sizes: tuple[int, int], batch: int) -> Row:
    """Time an epoch of cross entropy; the first one warms up."""
    try:
        data = TrainingData(random_pairs_on_gpu(n_pairs, sizes))
        net = make_net(PairNet, NeuMF, sizes, batch_size=batch, device="cuda")
        net.train_epoch(data)
        torch.cuda.reset_peak_memory_stats()
        (seconds,) = in_turns(
            lambda: net.train_epoch(data), rounds=2, seconds=wall_seconds
        )
    except torch.OutOfMemoryError:
        return Row(what, "", "", "not measured: the device has too little memory", "")
    return Row(
        what,
        f"{seconds:.1f} s",
        f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the device",
        f"{n_pairs / seconds / 1e6:.1f} M pairs/s",
        "stated",
    )


def random_pairs_on_gpu(n: int, sizes: tuple[int, int]) -> Pairs:
    """Labelled pairs drawn on the device."""
    rng = torch.Generator("cuda").manual_seed(0)

    def codes(n_rows: int) -> torch.Tensor:
        return torch.randint(1, n_rows, (n,), generator=rng, device="cuda")

    return Pairs(codes(sizes[0]), codes(sizes[1]), (codes(3) - 1).float())
