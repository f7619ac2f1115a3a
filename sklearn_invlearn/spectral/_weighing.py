"""What held-out labels say: strengths of the candidates, and their weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.model_selection import KFold

from ._bilinear import Bilinear
from ._candidates import (
    FEWEST_ROWS,
    STRENGTHS,
    Precisions,
    fit_full,
    fit_path,
)
from ._combination import HeldOut, Weighing, weighed
from ._convex import ROUGHLY
from ._embeddings import Embeddings, embeddings_for, exposure_matrix, without
from ._factors import precision_of_factors
from ._labels import Labels, terms_of
from ._stacking import cross_entropies, stacking_weights

_ONE_FOLD = 50_000  # rows from which a single held-out tenth is enough
_ENOUGH_TO_TELL = 100_000  # rows that show whether strong regularisation is better
_PERHAPS_WRONG = 3.0  # strength that biases want where labels may be wrong
# Labels for each user or each item from which factors alone may help: where the
# vectors of one side are known, a few labels tell those of the other.
_ROWS_PER_ID = 10
# Fewer do to ask, where the full model finds little beyond biases.
_ROWS_PER_ID_FEW, _LITTLE = 3, 0.01
_FACTORISATIONS = ("svdpp", "factors")
_AS_WELL_KNOWN = 0.8
_LEAST_GAIN = 2.0  # nats of held-out loss that a factorisation has to add
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
    n_folds = 3 if len(labels) < _ONE_FOLD else 10
    folds = list(KFold(n_folds, shuffle=True, random_state=seed).split(labels.y))
    seen = HeldOut()
    tried: dict[str, tuple[float, ...]] = {}
    for train, test in folds if len(labels) < _ONE_FOLD else folds[:1]:
        known, held_out = labels[train], labels[test]
        of_fold = _of_fold(exposures, embeddings, known, held_out, seed)
        full, _ = fit_full(of_fold, known, learned, seed)
        if not seen.rows and "p" in learned:
            full, learned = _with_factors(full, learned, of_fold, known, held_out, seed)
        seen.rows.append(test)
        seen.full.append(terms_of(full, held_out))
        logits: dict[str, np.ndarray] = {}
        if not tried:
            z = seen.full[0].sum(axis=1)
            structures = list(STRENGTHS)
            if not _speak_for(exposures, known, held_out):
                structures = [s for s in structures if s not in _FACTORISATIONS]
            tried, logits = _worth_trying(structures, of_fold, known, held_out, z, seed)
        for structure, strengths in tried.items():
            if structure not in logits:
                path = fit_path(of_fold, structure, known, strengths, seed=seed)
                logits[structure] = _held_out_logits(path, held_out)
            seen.paths.setdefault(structure, []).append(logits[structure])
    return weighed(seen, tried, labels, learned.get("p"))


def _with_factors(
    full: Bilinear,
    learned: Precisions,
    embeddings: Embeddings,
    known: Labels,
    held_out: Labels,
    seed: int,
) -> tuple[Bilinear, Precisions]:
    """Full model of `known` with another precision of p and q, if that is better."""
    precision = precision_of_factors(full, learned, known, held_out, seed)
    if precision == learned["p"]:
        return full, learned
    changed = learned | dict.fromkeys("pq", precision)
    other, _ = fit_full(embeddings, known, changed, seed)
    losses = [_loss(terms_of(m, held_out).sum(axis=1), held_out) for m in (full, other)]
    return (other, changed) if losses[1] < losses[0] else (full, learned)


def _of_fold(
    exposures: sparse.csr_array,
    embeddings: Embeddings,
    known: Labels,
    held_out: Labels,
    seed: int,
) -> Embeddings:
    """Embeddings for models of `known`; what these learn from knows no other label."""
    others = _exposures_without(embeddings.exposures, held_out)
    if sum(exposures.shape) > _OWN_SHARE * exposures.nnz:
        labelled = exposure_matrix(known.user, known.item, exposures.shape)
        kept = _exposures_without(exposures, held_out)
        embeddings = embeddings_for(kept, labelled, np.random.default_rng(seed))
    return replace(embeddings, exposures=others)


def _exposures_without(exposures: sparse.csr_array, rows: Labels) -> sparse.csr_array:
    kept = without(exposures, exposure_matrix(rows.user, rows.item, exposures.shape))
    return kept if kept.nnz else exposures  # all rows are of one pair


def _speak_for(exposures: sparse.csr_array, known: Labels, held_out: Labels) -> bool:
    """Whether held-out labels are of ids as well known as those of all exposures.

    Not where labels are of popular items alone: there a factorisation predicts
    held-out labels best, and other items worse than embeddings do (.009 of AUC).
    """
    users, items = (np.zeros(n, dtype=bool) for n in exposures.shape)
    users[known.user] = items[known.item] = True
    pairs = exposures.tocoo().coords
    there, here = (
        float(np.mean(users[user] & items[item]))
        for user, item in (pairs, (held_out.user, held_out.item))
    )
    return there >= _AS_WELL_KNOWN * here


def _worth_trying(
    structures: list[str],
    embeddings: Embeddings,
    known: Labels,
    held_out: Labels,
    full: np.ndarray,
    seed: int,
) -> tuple[dict[str, tuple[float, ...]], dict[str, np.ndarray]]:
    """Strengths of each of `structures` on the way to the best one; some have none.

    Each way ends where the held-out loss rises. That of "crossed" has to start below
    the loss of the full model: it is there for labels that are wrong so often that
    what the full model learns from single ones is noise. Biases are the first to show
    that: on MovieLens-1M they want a strength of 1 with right labels, 3 with a tenth
    of them wrong and 10 from a fifth on, where "crossed" begins to win. It is asked
    roughly, and has to be fitted again; of the others the second result has the
    held-out logits (n, n_strengths). A factorisation has to add to the full model,
    whose free tables on embeddings that say nothing are only noise, and whose
    embeddings leave out what "svdpp" learns from. "factors" is asked if that is of no
    use.
    """
    tried: dict[str, tuple[float, ...]] = {}
    logits: dict[str, np.ndarray] = {}
    loss_of_full = _loss(full, held_out)
    for structure in structures:
        strengths = STRENGTHS[structure]
        best, rows, how = np.inf, known, {}
        if structure == "crossed":
            best, how = loss_of_full, {"tolerance": ROUGHLY}
            rows = known[np.arange(min(len(known), _ENOUGH_TO_TELL))]
            perhaps_wrong = max(tried.get("biases", (0.0,))) >= _PERHAPS_WRONG
            if len(known) < FEWEST_ROWS or not perhaps_wrong:
                continue
        if structure in _FACTORISATIONS:
            gain = 1 - loss_of_full / _loss(logits["biases"][:, -1], held_out)
            per_id = _ROWS_PER_ID_FEW if gain < _LITTLE else _ROWS_PER_ID
            too_few = len(known) < max(FEWEST_ROWS, per_id * min(known.n_ids))
            if too_few or "svdpp" in tried:
                continue
        columns: list[np.ndarray] = []
        path = fit_path(embeddings, structure, rows, strengths, seed=seed, **how)
        for model in path:
            z = terms_of(model, held_out).sum(axis=1)
            loss = _loss(z, held_out)
            if loss >= best:
                break
            best = loss
            columns.append(z)
        if structure in _FACTORISATIONS and not _adds(columns[-1], full, held_out):
            continue
        if columns:
            tried[structure] = strengths[: len(columns)]
            if not how:
                logits[structure] = np.column_stack(columns)
    return tried, logits


def _adds(factors: np.ndarray, full: np.ndarray, rows: Labels) -> bool:
    """Whether a factorisation beside the full model predicts better than that."""
    both = np.column_stack([full, factors])
    losses = []
    for logit in (both[:, :1], both):
        intercept, weights = stacking_weights(logit, rows.y, rows.weight)
        losses.append(_loss(intercept + logit @ weights, rows))
    return losses[0] - losses[1] > _LEAST_GAIN


def _loss(logit: np.ndarray, rows: Labels) -> float:
    return float(cross_entropies(logit[:, None], rows.y, rows.weight)[0])


def _held_out_logits(models: Iterable[Bilinear], rows: Labels) -> np.ndarray:
    """Logits, shape (n, n_models)."""
    return np.column_stack([terms_of(m, rows).sum(axis=1) for m in models])
