"""The whole fit: embeddings, nested models, weights from held-out labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._bilinear import STRUCTURES, Bilinear, rescale
from ._candidates import CANDIDATES, Precisions, fit_full, fit_path
from ._embeddings import Embeddings, embeddings_for, exposure_matrix
from ._fold_in import learn_fold_in
from ._labels import Labels
from ._weighing import Weighing, weigh

_MIN_ROWS = 10
_SMALLEST_WEIGHT = 1e-6
# Where embeddings do not count, this much of the full model stays: it breaks ties of
# items without a label, and its vectors still say who is alike.
_TO_TELL_APART = 1e-3


@dataclass(frozen=True)
class SpectralFit:
    """Models for all users and items; the logit is intercept + Σ weight · model.

    Only models with a weight above zero are kept, at least one with embeddings.
    `out_of_fold` has the rows of each fold that was held out, and the logits that
    fits to the others gave them.
    """

    models: list[Bilinear]
    precisions: list[Precisions]
    intercept: float
    weights: np.ndarray
    out_of_fold: list[tuple[np.ndarray, np.ndarray]]


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
    report("embeddings")
    exposures = exposure_matrix(exposed[0], exposed[1], shape)
    labelled = exposure_matrix(labels.user, labels.item, shape)
    embeddings = embeddings_for(exposures, labelled, np.random.default_rng(seed))
    report("precisions")
    full, learned = fit_full(embeddings, labels, None, seed)
    if len(labels) < _MIN_ROWS:
        fit = SpectralFit([full], [learned], 0.0, np.ones(1), [])
    else:
        report("held-out labels")
        weighing = weigh(exposures, embeddings, labels, learned, seed)
        report("final models")
        if weighing.factors != learned.get("p"):
            full, learned = fit_full(
                embeddings, labels, None, seed, factors=weighing.factors
            )
        fit = _mixture(weighing, full, learned, embeddings, labels, seed)
    learn_fold_in(fit.models, exposures, seed)
    return fit


def _mixture(
    weighing: Weighing,
    full: Bilinear,
    learned: Precisions,
    embeddings: Embeddings,
    labels: Labels,
    seed: int,
) -> SpectralFit:
    """Fit what has a weight to all labels."""
    models, precisions, kept = [], [], []
    weights = dict(weighing.weights)
    embedded = [s for s in CANDIDATES if "a" in STRUCTURES[s]]
    if all(weights[s].max() <= _SMALLEST_WEIGHT for s in embedded):
        weights["full"] = weights["full"] + _TO_TELL_APART
    for structure in CANDIDATES:
        factors = weights[structure]
        if factors.max() <= _SMALLEST_WEIGHT:
            continue
        if structure == "full":
            models.append(full)
            several = len(factors) > 1
            precisions.append(rescale(full, learned, factors) if several else learned)
            kept.append(1.0 if several else factors[0])
        else:
            strength = weighing.strengths[structure]
            path = fit_path(embeddings, structure, labels, (strength,), seed=seed)
            model, prior = next(path)
            models.append(model)
            precisions.append(prior)
            kept.append(factors[0])
    return SpectralFit(
        models, precisions, weighing.intercept, np.array(kept), weighing.out_of_fold
    )
