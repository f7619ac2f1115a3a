"""Where unlabeled batches come from: a given pool, or unobserved pairs."""

from __future__ import annotations

from typing import Protocol

import torch

from ._batches import EndlessBatches
from ._pairs import Pairs
from ._unobserved import UnobservedPairs


class UnlabeledSource(Protocol):
    """Draws the unlabeled batch that goes with a labelled one."""

    def draw(self, labelled: Pairs) -> Pairs:
        """Return a batch of pairs without labels."""
        ...

    def n_drawn(self, n_labelled: int) -> int:
        """Pairs in the batch that goes with a labelled one of `n_labelled` rows."""
        ...


class PoolSource:
    """Batches from a pool of exposures; every pair once before any comes again."""

    def __init__(
        self, pool: Pairs, batch_size: int, generator: torch.Generator
    ) -> None:
        self._batches = EndlessBatches(pool, batch_size, generator)

    def draw(self, labelled: Pairs) -> Pairs:
        return next(self._batches)

    def n_drawn(self, n_labelled: int) -> int:
        return min(self._batches.batch_size, len(self._batches.pairs))


class UniformSource:
    """Uniformly drawn unobserved pairs, as many as the labelled batch has."""

    def __init__(self, unobserved: UnobservedPairs, generator: torch.Generator) -> None:
        self._unobserved = unobserved
        self._generator = generator

    def draw(self, labelled: Pairs) -> Pairs:
        return self._unobserved.draw(len(labelled), self._generator)

    def n_drawn(self, n_labelled: int) -> int:
        return n_labelled if len(self._unobserved) else 0


class SameUserSource:
    """For each labelled row an unobserved pair of the same user.

    Of a user who has seen every item there is none: a pair of any user is drawn.
    """

    def __init__(self, unobserved: UnobservedPairs, generator: torch.Generator) -> None:
        self._unobserved = unobserved
        self._generator = generator

    def draw(self, labelled: Pairs) -> Pairs:
        return self._unobserved.draw_for_users(labelled.user, self._generator)

    def n_drawn(self, n_labelled: int) -> int:
        return n_labelled if len(self._unobserved) else 0
