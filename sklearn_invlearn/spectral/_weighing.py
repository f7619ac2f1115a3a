"""What the candidates make of held-out labels, fold by fold, and their weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.model_selection import KFold

from ._bilinear import Bilinear
from ._candidates import Precisions, fit_full, fit_path, n_steps_for
from ._combination import HeldOut, Weighing, weighed
from ._embeddings import Embeddings, embeddings_for, exposure_matrix, without
from ._factors import precision_of_factors
from ._labels import Labels, loss_of
from ._logits import logits_of, terms_of
from ._worth_trying import worth_trying

# Rows from which a single fold is enough, a fifth, and from which a tenth is.
_ONE_FOLD, _SMALL_FOLD = 50_000, 200_000
_OWN_SHARE = 0.02  # of a pair in the exposures of its user and its item, on average


def weigh(
    exposures: sparse.csr_array,
    embeddings: Embeddings,
    labels: Labels,
    learned: Precisions,
    seed: int,
) -> Weighing:
    """Cross-validate the strengths of all but the full one, then weigh all candidates.

    The full one has the precisions learned from all labels.

    A labelled pair is one of the exposures, a pair to be predicted is not: its user
    and item look a little less alike. Where one pair counts, the embeddings of a fold
    are therefore made without its held-out pairs. Else weights and intercept are those
    for exposed pairs, and probabilities come out .03 too low (on generated data).
    """
    n_folds = 10 if len(labels) >= _SMALL_FOLD else 5
    if len(labels) < _ONE_FOLD:
        n_folds = 3
    n_steps = n_steps_for(len(labels))
    folds = list(KFold(n_folds, shuffle=True, random_state=seed).split(labels.y))
    seen = HeldOut()
    tried: dict[str, tuple[float, ...]] = {}
    for train, test in folds if len(labels) < _ONE_FOLD else folds[:1]:
        known, held_out = labels[train], labels[test]
        of_fold = _of_fold(exposures, embeddings, known, held_out, seed)
        full, _ = fit_full(of_fold, known, learned, seed, n_steps=n_steps)
        if not seen.rows and "p" in learned:
            full, learned = _with_factors(
                full, learned, of_fold, known, held_out, seed, n_steps
            )
        seen.rows.append(test)
        seen.full.append(terms_of(full, held_out.user, held_out.item))
        logits: dict[str, np.ndarray] = {}
        if not tried:
            z = seen.full[0].sum(axis=1)
            tried, logits = worth_trying(exposures, of_fold, known, held_out, z, seed)
        for structure, strengths in tried.items():
            if structure not in logits:
                path = fit_path(of_fold, structure, known, strengths, seed=seed)
                models = (model for model, _ in path)
                logits[structure] = _held_out_logits(models, held_out)
            seen.paths.setdefault(structure, []).append(logits[structure])
    return weighed(seen, tried, labels, learned.get("p"))


def _with_factors(
    full: Bilinear,
    learned: Precisions,
    embeddings: Embeddings,
    known: Labels,
    held_out: Labels,
    seed: int,
    n_steps: int,
) -> tuple[Bilinear, Precisions]:
    """Full model of `known` with another precision of p and q, if that is better."""
    precision = precision_of_factors(full, learned, known, held_out, seed)
    if precision == learned["p"]:
        return full, learned
    changed = learned | dict.fromkeys("pq", precision)
    other, _ = fit_full(embeddings, known, changed, seed, n_steps=n_steps)
    pairs = held_out.user, held_out.item
    losses = [loss_of(logits_of(m, *pairs), held_out) for m in (full, other)]
    return (other, changed) if losses[1] < losses[0] else (full, learned)


def _of_fold(
    exposures: sparse.csr_array,
    embeddings: Embeddings,
    known: Labels,
    held_out: Labels,
    seed: int,
) -> Embeddings:
    """Embeddings for models of `known`; what these learn from knows no other label.

    A pair that is labelled in both stays: labels of `known` are among the exposures.
    """
    labelled, hidden = (
        exposure_matrix(rows.user, rows.item, exposures.shape)
        for rows in (known, held_out)
    )
    hidden = without(hidden, labelled)
    others = without(embeddings.exposures, hidden)
    if sum(exposures.shape) > _OWN_SHARE * exposures.nnz:
        kept = others
        if embeddings.exposures is not exposures:
            kept = without(exposures, hidden)
        embeddings = embeddings_for(kept, labelled, np.random.default_rng(seed))
    return replace(embeddings, exposures=others)


def _held_out_logits(models: Iterable[Bilinear], rows: Labels) -> np.ndarray:
    """Logits, shape (n, n_models)."""
    return np.column_stack([logits_of(m, rows.user, rows.item) for m in models])
