"""The models that are weighed against each other, fitted to labels.

The full one learns a precision for each block. "biases", "linear" and "crossed" are
convex. The others are factorisations: "svdpp" knows the exposures, "factors" labels
alone, "posterior" and "relevance" what labels leave open, too, and "relevance" drops
what tells nothing. All but the full one have one strength of regularisation each,
chosen where the weights come from: on labels held out. With few labels that is safer
than evidence, which shrinks too much (by Laplace's approximation). With wrong labels it
is safer too, as evidence then shrinks too little: it takes for signal what the free
tables have learned by heart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ._bilinear import PRECISIONS, STRUCTURES, Bilinear, expanded
from ._codes import distinct
from ._convex import EXACTLY, fit_convex, learn_convex
from ._embeddings import Embeddings
from ._labels import Labels
from ._posterior_factors import fit_posterior_factors
from ._svdpp import fit_svdpp
from ._training import fit_bilinear

Precisions = dict[str, float]

# Strengths of regularisation, in the order in which they are tried; times the base.
STRENGTHS = {
    "biases": (0.3, 1.0, 3.0, 10.0, 30.0),
    "linear": (0.3, 1.0, 3.0, 10.0, 30.0),
    "crossed": (10.0, 30.0, 100.0),
    "svdpp": (1.0,),
    "factors": (0.25, 0.5, 1.0, 2.0),
    "relevance": (1.0, 0.25),
    "posterior": (4.0, 2.0, 1.0),
}
CANDIDATES = (*STRENGTHS, "full")
FEWEST_ROWS = 1_000  # below, p and q have nothing to learn from

# g is free, as one direction explains few labels.
_FREE = {"b_u": 1.0, "b_i": 1.0, "a": 1.0, "c": 1.0, "g": 0.04}
_BASE = {
    "biases": _FREE,
    "linear": _FREE,
    "crossed": PRECISIONS,
    "factors": dict.fromkeys(STRUCTURES["factors"], 8.0),
    "posterior": dict.fromkeys(STRUCTURES["posterior"], 1.0),
    "relevance": dict.fromkeys(STRUCTURES["relevance"], 1.0),  # at the start
    "svdpp": {"b_u": 2.0, "b_i": 6.0, "p": 8.0, "q": 8.0},
}
_N_STEPS = 500
_N_STEPS_LARGE = 700
_N_STEPS_SMALL = 150
_SMALL = 2_000  # rows up to which one batch holds all, and steps are not noisy
_LARGE = 270_000  # rows from which more steps pay


def fit_full(
    embeddings: Embeddings,
    labels: Labels,
    precisions: Precisions | None,
    seed: int,
    *,
    factors: float | None = None,
    n_steps: int | None = None,
) -> tuple[Bilinear, Precisions]:
    """Fit the full structure, exactly where it is convex; None learns precisions.

    But not that of p and q if `factors` gives it. A fit to a part of the labels has to
    take the `n_steps` of that to all: after fewer its logits are too small, and weights
    that make up for it are too large for all (a slope of .9, ECE .003 more).
    """
    P, Q = embeddings.labelled_user, embeddings.labelled_item
    # Precisions that were learned say which blocks there were to learn.
    tiny = len(labels) < FEWEST_ROWS if precisions is None else "p" not in precisions
    part, compact, users, items = _part(P, Q, "crossed" if tiny else "full", labels)
    if not tiny:
        precisions = fit_bilinear(
            part,
            compact,
            precisions,
            factors=factors,
            n_steps=n_steps or n_steps_for(len(labels)),
            seed=seed,
        )
    elif precisions is None:
        precisions = learn_convex(part, compact, seed)
    else:
        fit_convex(part, compact, precisions)
    whole = expanded(part, embeddings.user, embeddings.item, users, items)
    return whole, precisions


def fit_path(
    embeddings: Embeddings,
    structure: str,
    labels: Labels,
    strengths: tuple[float, ...],
    *,
    seed: int,
    tolerance: float = EXACTLY,
) -> Iterator[tuple[Bilinear, Precisions]]:
    """Fits of a structure at some strengths; convex ones start from the one before.

    Each comes with its precisions.

    "crossed" stands on the embeddings of the full structure, the others on the raw
    ones, or on none. `tolerance` is that of :func:`fit_convex`, `seed` the order of
    the rows for what is not convex.
    """
    if structure == "svdpp":
        for strength in strengths:
            precisions = _precisions_of(structure, strength)
            yield fit_svdpp(labels, embeddings.exposures, precisions, seed), precisions
        return
    P, Q = P_new, Q_new = embeddings.raw_user, embeddings.raw_item
    if structure == "crossed":
        P, Q = embeddings.labelled_user, embeddings.labelled_item
        P_new, Q_new = embeddings.user, embeddings.item
    part, compact, users, items = _part(P, Q, structure, labels)
    for strength in strengths:
        precisions = _precisions_of(structure, strength)
        if structure == "factors":  # from where it ended it would not find out again
            part, *_ = _part(P, Q, structure, labels)
            n_steps = n_steps_for(len(labels))
            fit_bilinear(part, compact, precisions, n_steps=n_steps, seed=seed)
        elif structure in ("posterior", "relevance"):
            precisions = fit_posterior_factors(part, compact, precisions["p"], seed)
        else:
            fit_convex(part, compact, precisions, tolerance)
        yield expanded(part, P_new, Q_new, users, items), precisions


def _precisions_of(structure: str, strength: float) -> Precisions:
    """Precisions of one of STRENGTHS."""
    return {k: strength * _BASE[structure][k] for k in STRUCTURES[structure]}


def _part(
    P: np.ndarray, Q: np.ndarray, structure: str, labels: Labels
) -> tuple[Bilinear, Labels, np.ndarray, np.ndarray]:
    """Unfitted model of the users and items that have labels, labels in its codes."""
    users, user = distinct(labels.user)
    items, item = distinct(labels.item)
    part = Bilinear(P[users], Q[items], structure, labels.base_rate)
    return part, Labels(user, item, labels.y, labels.weight), users, items


def n_steps_for(n_labels: int) -> int:
    """Steps of a fit to so many labels."""
    if n_labels < _SMALL:
        return _N_STEPS_SMALL
    return _N_STEPS_LARGE if n_labels >= _LARGE else _N_STEPS
