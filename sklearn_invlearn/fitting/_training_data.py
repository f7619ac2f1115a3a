"""Divide labelled rows among their uses, and choose the source of unlabeled pairs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..ids._encoding import PairEncoder
from ..training import (
    EndlessBatches,
    Pairs,
    PoolSource,
    SameUserSource,
    TrainingData,
    UniformSource,
    UnlabeledSource,
    UnobservedPairs,
)
from ._id_kinds import check_id_kinds, frames_to_the_caller
from ._inputs import FitInputs, split_rows, warn_if_unknown

_SOURCES: dict[str, Any] = {"uniform": UniformSource, "same_user": SameUserSource}
SAMPLING = frozenset(_SOURCES)


def divide(
    labelled: Pairs, fraction: float, seed: int, purpose: str
) -> tuple[Pairs, Pairs]:
    """Set a stratified share of the labelled pairs aside; return (rest, share)."""
    assert labelled.y is not None
    rest, share = split_rows(labelled.y.cpu().numpy(), fraction, seed, purpose)
    device = labelled.user.device
    return (
        labelled[torch.as_tensor(np.sort(rest), device=device)],
        labelled[torch.as_tensor(np.sort(share), device=device)],
    )


def unlabeled_source(
    observed: Pairs,
    pool: Pairs | None,
    encoder: PairEncoder,
    *,
    as_negatives: bool,
    sampling: str,
    batch_size: int,
    generator: torch.Generator,
) -> UnlabeledSource:
    """Return batches of `pool`, or of unobserved pairs if there is no pool.

    Where they are taken for negatives, observed pairs are left out of the pool.
    """
    if pool is not None:
        pool = _without_observed(pool, observed) if as_negatives else pool
        return PoolSource(pool, batch_size, generator)
    unobserved = UnobservedPairs(observed, encoder.n_users, encoder.n_items)
    if not len(unobserved):
        warnings.warn(
            "Every known user is labelled on every known item, so there is no "
            "unobserved pair to sample; the model learns from the labels alone. Pass "
            "pairs without feedback as X_unlab=(pool,).",
            UserWarning,
            stacklevel=frames_to_the_caller(),
        )
    return _SOURCES[sampling](unobserved, generator)


def _without_observed(pool: Pairs, observed: Pairs) -> Pairs:
    """Return the pairs of a pool that have no feedback; raise if there are none."""
    pool = pool[~pool.among(observed)]
    if not len(pool):
        raise ValueError(
            "Every pair of X_unlab has feedback (in X, in X_extra or in an earlier "
            "call), and a pair with feedback is no sampled negative. Likely X_unlab is "
            "X itself: pass exposures without feedback, or None to sample pairs that "
            "were not observed."
        )
    return pool


@dataclass(frozen=True)
class EncodedPairs:
    """What `fit` was given, as codes on the device."""

    labelled: Pairs
    pool: Pairs | None
    valid: Pairs | None
    extra: Pairs | None
    n_rows: int
    earlier: Pairs | None = None  # pairs with feedback of earlier calls

    @property
    def rarer(self) -> int:
        """Labelled rows of the rarer class."""
        assert self.labelled.y is not None
        n_positive = int(self.labelled.y.sum())
        return min(n_positive, len(self.labelled) - n_positive)

    @property
    def observed(self) -> Pairs:
        """All pairs with feedback: labelled ones, extra ones, those of former calls."""
        more = [part for part in (self.extra, self.earlier) if part is not None]
        return Pairs.joined([self.labelled, *more])

    @property
    def class_count(self) -> np.ndarray:
        """Labelled rows of each class, weighted, shape (2,)."""
        assert self.labelled.y is not None
        y, weight = self.labelled.y.cpu(), self.labelled.weight
        weights = None if weight is None else weight.cpu().numpy()
        return np.bincount(y.numpy().astype(int), weights, minlength=2).astype(float)

    @property
    def exposures(self) -> Pairs:
        """All pairs that were shown: those with feedback, and the pool."""
        pools = [] if self.pool is None else [self.pool]
        return Pairs.joined([self.observed, *pools])


def encode(
    inputs: FitInputs, encoder: PairEncoder, device: torch.device, *, use_pool: bool
) -> EncodedPairs:
    """Teach `encoder` the ids of labelled, extra and pool pairs; encode all."""
    rows, pool, valid, extra = inputs.labelled, None, None, None
    check_id_kinds(encoder, rows.columns, "X")  # of earlier calls, if there were some
    codes = encoder.extend(rows.columns)
    labelled = Pairs.from_codes(codes, rows.y, rows.weight, rows.row, device=device)
    if inputs.extra is not None:
        columns, y = inputs.extra
        check_id_kinds(encoder, columns, "X_extra", warn=False)
        warn_if_unknown([columns], encoder, "X_extra")
        codes = encoder.extend(columns, name="X_extra")
        extra = Pairs.from_codes(codes, y, device=device)
    if use_pool and inputs.pool is not None:
        for table in inputs.pool:
            check_id_kinds(encoder, table, "X_unlab", warn=False)
        warn_if_unknown(inputs.pool, encoder, "X_unlab")
        pool_codes = [encoder.extend(table, name="X_unlab") for table in inputs.pool]
        pool = Pairs.from_codes(np.hstack(pool_codes), device=device)
    if inputs.validation is not None:
        columns, y = inputs.validation
        check_id_kinds(encoder, columns, "X_val", warn=False)
        warn_if_unknown([columns], encoder, "X_val")
        codes = encoder.lookup(columns, name="X_val")
        valid = Pairs.from_codes(codes, y, device=device)
    return EncodedPairs(labelled, pool, valid, extra, rows.n_rows)


def training_data(
    pairs: EncodedPairs,
    encoder: PairEncoder,
    *,
    draws_unlabeled: bool,
    holds_out: bool,
    stops_early: bool,
    as_negatives: bool,
    fraction: float,
    sampling: str,
    batch_size: int,
    seeds: dict[str, int],
) -> TrainingData:
    """Build what the procedure trains on; every labelled row has exactly one use."""

    def generator(purpose: str) -> torch.Generator:
        return torch.Generator(pairs.labelled.user.device).manual_seed(seeds[purpose])

    train, valid, held_out, source = pairs.labelled, pairs.valid, None, None
    if stops_early and valid is None:
        train, valid = divide(train, fraction, seeds["validation"], "Early stopping")
    if holds_out:
        train, test = divide(train, fraction, seeds["held_out"], "Inverse gradient")
        held_out = EndlessBatches(test, batch_size, generator("held_out"))
    if draws_unlabeled:
        source = unlabeled_source(
            pairs.observed,
            pairs.pool,
            encoder,
            as_negatives=as_negatives,
            sampling=sampling,
            batch_size=batch_size,
            generator=generator("unlabeled"),
        )
    return TrainingData(train, valid, source, held_out, pairs.extra, pairs.n_rows)


def extra_stage_data(
    pairs: EncodedPairs,
    valid: Pairs | None,
    encoder: PairEncoder,
    *,
    sampling: str,
    batch_size: int,
    seed: int,
) -> TrainingData:
    """Extra feedback as labelled rows, beside pairs without any ([ADT] Eq. 7)."""
    assert pairs.extra is not None
    generator = torch.Generator(pairs.extra.user.device).manual_seed(seed)
    source = unlabeled_source(
        pairs.observed,
        None,
        encoder,
        as_negatives=True,
        sampling=sampling,
        batch_size=batch_size,
        generator=generator,
    )
    return TrainingData(pairs.extra, valid, source)
