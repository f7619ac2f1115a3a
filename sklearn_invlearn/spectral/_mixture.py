"""The whole fit: embeddings, three nested models, weights from held-out labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import KFold

from ._bilinear import STRUCTURES, Bilinear, expanded
from ._embeddings import Embeddings, exposure_matrix, spectral_embeddings
from ._evidence import logits
from ._stacking import stacking_weights
from ._training import Labels, fit_bilinear

_N_STEPS = 500
_N_STEPS_LARGE = 700
_N_STEPS_FOLD = 300
_N_STEPS_SMALL = 150
_SMALL = 2_000  # rows up to which one batch holds all, and steps are not noisy
_LARGE = 300_000  # rows from which more steps pay
_ONE_FOLD = 50_000  # rows from which a single held-out tenth is enough
_MIN_ROWS = 10
_SMALLEST_WEIGHT = 1e-6


@dataclass(frozen=True)
class SpectralFit:
    """Models for all users and items; the logit is intercept + Σ weight · model.

    Only models with a weight above zero are kept.
    """

    models: list[Bilinear]
    precisions: list[dict[str, float]]
    intercept: float
    weights: np.ndarray


def fit_spectral(
    labels: Labels, exposed: np.ndarray, shape: tuple[int, int], seed: int
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
    """
    rng = np.random.default_rng(seed)
    exposures = exposure_matrix(exposed[0], exposed[1], shape)
    embeddings = spectral_embeddings(exposures, rng)
    parts = [_fit_part(embeddings, s, labels, None, seed) for s in STRUCTURES]
    models, precisions = [model for model, _ in parts], [known for _, known in parts]
    intercept, weights = 0.0, np.array([0.0, 0.0, 1.0])
    if len(labels) >= _MIN_ROWS:
        intercept, weights = _weights(embeddings, labels, precisions, seed)
    kept = np.flatnonzero(weights > _SMALLEST_WEIGHT)
    return SpectralFit(
        [models[k] for k in kept],
        [precisions[k] for k in kept],
        intercept,
        weights[kept],
    )


def _fit_part(
    embeddings: Embeddings,
    structure: str,
    labels: Labels,
    precisions: dict[str, float] | None,
    seed: int,
) -> tuple[Bilinear, dict[str, float]]:
    """Fit one structure on the users and items that have labels; expand to all."""
    P, Q = embeddings.user, embeddings.item
    if structure != "full":
        P, Q = embeddings.raw_user, embeddings.raw_item
    users, user = np.unique(labels.user, return_inverse=True)
    items, item = np.unique(labels.item, return_inverse=True)
    compact = Labels(user, item, labels.y, labels.weight)
    part = Bilinear(P[users], Q[items], structure, labels.base_rate)
    if len(labels) < _SMALL:
        n_steps = _N_STEPS_SMALL
    elif precisions is not None:
        n_steps = _N_STEPS_FOLD
    else:
        n_steps = _N_STEPS_LARGE if len(labels) >= _LARGE else _N_STEPS
    precisions = fit_bilinear(part, compact, precisions, n_steps=n_steps, seed=seed)
    return expanded(part, P, Q, users, items), precisions


@torch.no_grad()
def _held_out_logits(model: Bilinear, labels: Labels) -> np.ndarray:
    return logits(model, labels.user, labels.item).numpy()


def _weights(
    embeddings: Embeddings,
    labels: Labels,
    precisions: list[dict[str, float]],
    seed: int,
) -> tuple[float, np.ndarray]:
    """Cross-validate the structures with the precisions learned from all labels."""
    n_folds = 3 if len(labels) < _ONE_FOLD else 10
    folds = list(KFold(n_folds, shuffle=True, random_state=seed).split(labels.y))
    folds = folds if len(labels) < _ONE_FOLD else folds[:1]
    logit, held_out = [], []
    for train, test in folds:
        models = [
            _fit_part(embeddings, structure, labels[train], known, seed)
            for structure, known in zip(STRUCTURES, precisions)
        ]
        columns = [_held_out_logits(model, labels[test]) for model, _ in models]
        logit.append(np.column_stack(columns).astype(np.float64))
        held_out.append(test)
    rows = labels[np.concatenate(held_out)]
    return stacking_weights(np.vstack(logit), rows.y, rows.weight)
