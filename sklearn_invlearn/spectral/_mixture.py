"""The whole fit: embeddings, three nested models, weights from held-out labels.

The full model learns its precisions. The convex ones, "biases" and "linear", have one
strength of regularisation each, chosen where the weights come from: on labels held out.
With few labels that is safer than evidence, which shrinks too much (by Laplace's
approximation), and they are what the full model has to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from sklearn.model_selection import KFold

from ._bilinear import STRUCTURES, Bilinear, expanded, rescale
from ._convex import fit_convex, learn_convex
from ._embeddings import Embeddings, exposure_matrix, spectral_embeddings, without
from ._stacking import cross_entropies, stacking_weights
from ._training import Labels, fit_bilinear

_N_STEPS = 500
_N_STEPS_LARGE = 700
_N_STEPS_FOLD = 300
_N_STEPS_SMALL = 150
_SMALL = 2_000  # rows up to which one batch holds all, and steps are not noisy
_TINY = 1_000  # rows up to which p and q have nothing to learn from
_LARGE = 300_000  # rows from which more steps pay
_ONE_FOLD = 50_000  # rows from which a single held-out tenth is enough
_MIN_ROWS = 10
_SMALLEST_WEIGHT = 1e-6
_MOST = 0.5  # share of exposures with a label from which terms are not weighed apart
_MANY_NEWCOMERS = 0.1  # share of labelled rows
# Times these precisions; g is free, as one direction explains few labels.
_STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3)
_CONVEX_PRECISIONS = {"b_u": 1.0, "b_i": 1.0, "a": 1.0, "c": 1.0, "g": 0.04}
_CANDIDATES = ("biases", "linear", "full")  # "crossed" for "full" with few labels

Precisions = dict[str, float]


@dataclass(frozen=True)
class SpectralFit:
    """Models for all users and items; the logit is intercept + Σ weight · model.

    Only models with a weight above zero are kept.
    """

    models: list[Bilinear]
    precisions: list[Precisions]
    intercept: float
    weights: np.ndarray


STAGES = ("embeddings", "precisions", "held-out labels", "final models")


def fit_spectral(
    labels: Labels,
    exposed: np.ndarray,
    shape: tuple[int, int],
    seed: int,
    report: Callable[[str], None] = lambda stage: None,
) -> SpectralFit:
    """Fit to labelled pairs, with the structure of all exposures.

    Parameters
    ----------
    labels : Labels
        Labelled pairs, codes of users and items.
    exposed : ndarray of shape (2, m), int64
        Codes of all exposures, labelled or not.
    shape : (n_users, n_items)
        Numbers of codes.
    seed : int
        Fixes everything, together with torch's global seed.
    report : callable
        Told each of STAGES when it begins.
    """
    rng = np.random.default_rng(seed)
    report("embeddings")
    exposures = exposure_matrix(exposed[0], exposed[1], shape)
    rest = _informative(exposures, labels)
    embeddings = spectral_embeddings(exposures, rng, rest=rest)
    report("precisions")
    full, learned = _fit_full(embeddings, labels, None, seed)
    if len(labels) < _MIN_ROWS:
        return SpectralFit([full], [learned], 0.0, np.ones(1))
    apart = _TINY <= len(labels) < _MOST * exposures.nnz
    report("held-out labels")
    strengths, intercept, weights = _weights(embeddings, labels, learned, apart, seed)
    report("final models")
    models, precisions, kept = [], [], []
    for structure, factors in zip(_CANDIDATES, weights):
        if factors.max() <= _SMALLEST_WEIGHT:
            continue
        if structure == "full":
            models.append(full)
            several = len(factors) > 1
            precisions.append(rescale(full, learned, factors) if several else learned)
            kept.append(1.0 if several else factors[0])
        else:
            strength = strengths[structure]
            models += _fit_path(embeddings, structure, labels, (strength,))
            precisions.append(_convex_precisions(structure, strength))
            kept.append(factors[0])
    return SpectralFit(models, precisions, intercept, np.array(kept))


def _informative(exposures: sparse.csr_array, labels: Labels) -> sparse.csr_array:
    """Exposures to embed for the full model: all, or without the labelled.

    A labelled pair is one of the exposures, a pair to be predicted is not. For a user
    with hundreds of exposures one more is nothing. Who has no other one would be told
    by it, when labelled, and not be known at all, when predicted: on Adressa that cost
    .03 of AUC. Elsewhere to leave out labelled pairs costs .001 to .006, hence the
    threshold. The raw vectors keep all: an own pair weighs little in them.
    """
    labelled = exposure_matrix(labels.user, labels.item, exposures.shape)
    rest = without(exposures, labelled)
    of_user = np.diff(exposures.indptr)[labels.user]
    of_item = np.bincount(exposures.indices, minlength=exposures.shape[1])[labels.item]
    many = np.mean((of_user == 1) | (of_item == 1)) > _MANY_NEWCOMERS
    return rest if rest.nnz > labelled.nnz and many else exposures


def _part(
    P: np.ndarray, Q: np.ndarray, structure: str, labels: Labels
) -> tuple[Bilinear, Labels, np.ndarray, np.ndarray]:
    """Unfitted model of the users and items that have labels, labels in its codes."""
    users, user = np.unique(labels.user, return_inverse=True)
    items, item = np.unique(labels.item, return_inverse=True)
    part = Bilinear(P[users], Q[items], structure, labels.base_rate)
    return part, Labels(user, item, labels.y, labels.weight), users, items


def _fit_full(
    embeddings: Embeddings, labels: Labels, precisions: Precisions | None, seed: int
) -> tuple[Bilinear, Precisions]:
    """Fit the full structure, exactly where it is convex; None learns precisions."""
    P, Q = embeddings.user, embeddings.item
    # Precisions that were learned say which blocks there were to learn.
    tiny = len(labels) < _TINY if precisions is None else "p" not in precisions
    part, compact, users, items = _part(P, Q, "crossed" if tiny else "full", labels)
    if not tiny:
        n_steps = _n_steps(len(labels), in_fold=precisions is not None)
        precisions = fit_bilinear(part, compact, precisions, n_steps=n_steps, seed=seed)
    elif precisions is None:
        precisions = learn_convex(part, compact, seed)
    else:
        fit_convex(part, compact, precisions)
    return expanded(part, P, Q, users, items), precisions


def _n_steps(n_labels: int, *, in_fold: bool) -> int:
    if n_labels < _SMALL:
        return _N_STEPS_SMALL
    if in_fold:
        return _N_STEPS_FOLD
    return _N_STEPS_LARGE if n_labels >= _LARGE else _N_STEPS


def _convex_precisions(structure: str, strength: float) -> Precisions:
    return {k: strength * _CONVEX_PRECISIONS[k] for k in STRUCTURES[structure]}


def _fit_path(
    embeddings: Embeddings, structure: str, labels: Labels, strengths: tuple[float, ...]
) -> Iterator[Bilinear]:
    """Fits of a convex structure, each started from the one before."""
    P, Q = embeddings.raw_user, embeddings.raw_item
    part, compact, users, items = _part(P, Q, structure, labels)
    for strength in strengths:
        fit_convex(part, compact, _convex_precisions(structure, strength))
        yield expanded(part, P, Q, users, items)


@torch.no_grad()
def _held_out(model: Bilinear, labels: Labels) -> np.ndarray:
    """Logits (n, 1), of the full model its terms (n, n_terms)."""
    rows = torch.from_numpy(labels.user), torch.from_numpy(labels.item)
    if "W" in model.blocks:
        return model.terms(*rows).numpy().astype(np.float64)
    return model(*rows).numpy().astype(np.float64)[:, None]


def _weights(
    embeddings: Embeddings, labels: Labels, learned: Precisions, apart: bool, seed: int
) -> tuple[dict[str, float], float, list[np.ndarray]]:
    """Cross-validate the convex structures' strengths, then weigh all structures.

    The full one has the precisions learned from all labels. `apart` gives each of its
    terms a weight: evidence leaves e shrunken too much and d too little (on a fifth of
    MovieLens-1M they want 1.3 and .7 times). It pays where most exposures have no
    label, by about .001 of AUC, and costs .002 to .003 where all have one: there p and
    q matter, have fewer steps in the folds, and get twice the weight they should.
    """
    n_folds = 3 if len(labels) < _ONE_FOLD else 10
    folds = list(KFold(n_folds, shuffle=True, random_state=seed).split(labels.y))
    folds = folds if len(labels) < _ONE_FOLD else folds[:1]
    rows = labels[np.concatenate([test for _, test in folds])]
    full: list[np.ndarray] = []
    convex: dict[str, list[np.ndarray]] = {"biases": [], "linear": []}
    for train, test in folds:
        for structure, parts in convex.items():
            path = _fit_path(embeddings, structure, labels[train], _STRENGTHS)
            parts.append(np.hstack([_held_out(model, labels[test]) for model in path]))
        fold = _fit_full(embeddings, labels[train], learned, seed)[0]
        full.append(_held_out(fold, labels[test]))
    strengths, columns = {}, []
    for structure, parts in convex.items():
        path_logits = np.vstack(parts)
        best = int(np.argmin(cross_entropies(path_logits, rows.y, rows.weight)))
        columns.append(path_logits[:, [best]])
        strengths[structure] = _STRENGTHS[best]
    terms = np.vstack(full)
    if not apart:
        terms = terms.sum(axis=1, keepdims=True)
    held_out = np.hstack([*columns, terms])
    n_terms = [1, 1, terms.shape[1]]
    intercept, weights = stacking_weights(
        held_out, rows.y, rows.weight, n_terms=n_terms
    )
    return strengths, intercept, np.split(weights, np.cumsum(n_terms)[:-1])
