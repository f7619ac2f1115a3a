"""Shuffled batches as slices of tensors: one gather per epoch, none per batch."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ._pairs import Pairs


def epoch_batches(
    pairs: Pairs, batch_size: int, generator: torch.Generator
) -> Iterator[Pairs]:
    """Yield every row once, in a new random order; the last batch may be shorter."""
    order = torch.randperm(len(pairs), generator=generator, device=generator.device)
    shuffled = pairs[order]
    for start in range(0, len(pairs), batch_size):
        yield shuffled[start : start + batch_size]


def n_batches(n_rows: int, batch_size: int) -> int:
    """Batches in one pass over `n_rows`."""
    return -(-n_rows // batch_size)


class EndlessBatches:
    """Batch after batch; a new shuffled pass begins where the last one ends."""

    def __init__(
        self, pairs: Pairs, batch_size: int, generator: torch.Generator
    ) -> None:
        self.pairs = pairs
        self.batch_size = batch_size
        self.generator = generator
        self._batches: Iterator[Pairs] = iter(())

    @property
    def n_batches_per_pass(self) -> int:
        """Batches in one pass over the rows."""
        return n_batches(len(self.pairs), self.batch_size)

    def __iter__(self) -> EndlessBatches:
        return self

    def __next__(self) -> Pairs:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = epoch_batches(self.pairs, self.batch_size, self.generator)
            batch = next(self._batches)
        return batch
