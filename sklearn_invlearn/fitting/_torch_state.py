"""Borrow torch's global state for the length of a fit, and give it back unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the torch device for `device`; "auto" is CUDA where there is any.

    Raises
    ------
    ValueError
        If CUDA is asked for and not available, or `device` is none that torch knows.
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
    return resolved


@contextmanager
def torch_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block; the caller's generators are restored after it."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Use `n_threads` CPU threads inside the block; None leaves torch's setting.

    The order of summation, and with it the last bits of a result, depends on the
    number of threads; a worker process of joblib has fewer than its parent.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(before if n_threads is None else n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
