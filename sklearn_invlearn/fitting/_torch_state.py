"""Borrow torch's global state for the length of a fit, and give it back unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock, RLock

import torch

# Default type, number of threads and random numbers are those of the whole process.
_SETTINGS = Lock()
_MOST_THREADS = 1_024
_RANDOM = RLock()  # a callback may fit another estimator
_asked: list[list[int]] = []  # CPU threads, one entry for each block that is open
_outside: tuple[torch.dtype, int]  # as they were before the first of them


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the torch device for `device`; "auto" is CUDA where there is any.

    Raises
    ------
    ValueError
        If torch knows no such device, or finds none here that can compute.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is no device of torch {torch.__version__}. Use 'auto', "
            "'cpu', 'cuda' or 'cuda:0'."
        ) from error
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={str(device)!r} was asked for, but torch {torch.__version__} "
            "finds no CUDA device (a CPU build of torch, or no driver). Use "
            "device='auto' to fall back to the CPU."
        )
    try:
        torch.zeros(1, device=resolved).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={str(device)!r} was asked for, but torch {torch.__version__} "
            f"cannot compute there ({error}). Use device='auto'."
        ) from error
    return resolved


@contextmanager
def one_fit_at_a_time() -> Iterator[None]:
    """Let fits and updates in other threads wait until the block is over."""
    with _RANDOM:
        yield


@contextmanager
def torch_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block; the caller's generators are restored after it.

    Of several threads, one at a time is inside: they would draw from one generator.
    """
    with _RANDOM, random_numbers_kept(device):
        # torch.manual_seed would seed every GPU of the machine.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def random_numbers_kept(device: torch.device) -> AbstractContextManager[None]:
    """Return a block after which torch's generators are as before it."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


@contextmanager
def torch_settings(n_threads: int | None) -> Iterator[None]:
    """Use `n_threads` CPU threads and torch's original settings inside the block.

    None leaves the number of threads. The order of summation, and with it the last
    bits of a result, depends on it; a worker process of joblib has fewer than its
    parent. What a caller may have set besides (a default type or device, no gradients,
    mixed precision) would change a fit or break it.
    """
    with ExitStack() as original:
        if torch.is_inference_mode_enabled():
            original.enter_context(torch.inference_mode(False))
        if torch.get_default_device().type != "cpu":
            original.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                original.enter_context(torch.autocast(kind, enabled=False))
        original.enter_context(torch.enable_grad())
        original.enter_context(_process_settings(n_threads))
        yield


@contextmanager
def _process_settings(n_threads: int | None) -> Iterator[None]:
    """Single precision and `n_threads`, also where blocks of several threads overlap.

    The last one to leave restores what was there before the first one came.
    """
    global _outside
    with _SETTINGS:
        if not _asked:
            _outside = torch.get_default_dtype(), torch.get_num_threads()
        mine = [_outside[1] if n_threads is None else n_threads]
        _set_num_threads(mine[0])  # before anything that another block would keep
        torch.set_default_dtype(torch.float32)
        _asked.append(mine)
    try:
        yield
    finally:
        with _SETTINGS:
            _asked[:] = [other for other in _asked if other is not mine]
            if _asked:
                torch.set_num_threads(_asked[-1][0])
            else:
                torch.set_default_dtype(_outside[0])
                torch.set_num_threads(_outside[1])


def _set_num_threads(n_threads: int) -> None:
    try:
        if n_threads > _MOST_THREADS:  # torch would end the process
            raise ValueError(f"more than {_MOST_THREADS:,} cannot be started")
        torch.set_num_threads(n_threads)
    except (OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"n_threads={n_threads!r} is no number of CPU threads for torch ({error}). "
            "Set a whole number from 1, at most that of the cores, or None for as many "
            "as torch uses already."
        ) from error
