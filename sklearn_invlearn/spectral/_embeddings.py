"""Embeddings of users and items from who was shown what, labels unseen.

The exposure matrix, scaled by degree, is decomposed by a truncated SVD. How many
directions are structure and not noise is read off the same matrix with its items
permuted: that keeps the number of exposures of each user and item and nothing else, so
singular values below its second one (the first belongs to the degrees) are noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import sparse

from ._als import implicit_als
from ._codes import distinct
from ._other_exposures import other_exposures
from ._svd import truncated_svd

_MAX_RANK = 128
_RAW_RANK = 32
# Implicit factors beside the singular vectors: where exposures have a few clear tastes
# they are the worse view, and half of the norm for them cost the full model .003 to
# .007 of AUC with 5,000 labels; where they have many, as films, none costs it .001.
_IMPLICIT_RANK = 16
_IMPLICIT_SHARE = 0.3  # of the squared norm
_CLEARLY = 1.05  # times the noise: a direction that they are to look for
_OFFSET = 50.0  # degrees below this count as if they were less different
_DEGREE_SCALE = 0.2
_MANY_NEWCOMERS = 0.1  # share of labelled pairs
# Learning from them costs passes over all. With 20 for each label, on MovieLens-1M,
# they say nothing that the embeddings do not.
_EXPOSURES_PER_LABEL = 12


@dataclass(frozen=True)
class Embeddings:
    """Two views of the exposures, one row per user or item code, float32; and these.

    Attributes
    ----------
    user, item : ndarray of shape (n_users, r), (n_items, r)
        Shrunken singular vectors, implicit factors and functions of the degree.
    raw_user, raw_item : ndarray of shape (n_users, s), (n_items, s)
        Plain singular vectors, s up to 32.
    labelled_user, labelled_item : ndarray of shape (n_users, r), (n_items, r)
        `user` and `item` as a labelled pair sees them, which is one of the exposures
        itself; the same arrays where that makes no difference.
    exposures : csr_array of shape (n_users, n_items), float32
        0/1: those that a model may learn from by itself, labelled pairs alone where
        there are too many others.
    """

    user: np.ndarray
    item: np.ndarray
    raw_user: np.ndarray
    raw_item: np.ndarray
    labelled_user: np.ndarray
    labelled_item: np.ndarray
    exposures: sparse.csr_array


def exposure_matrix(
    user: np.ndarray, item: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_array:
    """0/1 matrix of the pairs; a pair that occurs twice counts once."""
    ones = np.ones(len(user), dtype=np.float32)
    matrix = sparse.csr_array((ones, (user, item)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def without(exposures: sparse.csr_array, other: sparse.csr_array) -> sparse.csr_array:
    """Exposures that are not among `other`, another 0/1 matrix."""
    rest = exposures - exposures.multiply(other)
    rest.eliminate_zeros()
    return rest.tocsr()


def spectral_embeddings(
    exposures: sparse.csr_array,
    rng: np.random.Generator,
    *,
    rest: sparse.csr_array | None = None,
) -> Embeddings:
    """Embed all users and items.

    Parameters
    ----------
    exposures : csr_array of shape (n_users, n_items), float32
        0/1, at least one pair.
    rng : numpy Generator
        Drives the permutation and the randomised decompositions.
    rest : csr_array of shape (n_users, n_items), optional
        The exposures that `user` and `item` come from; None for all.
    """
    if rest is None:
        shrunken = _shrunken_embeddings(exposures, rng)
    else:
        shrunken = _shrunken_embeddings(rest, rng, newcomers_have_labels=True)
    raw = _raw_embeddings(exposures, rng)
    return Embeddings(*shrunken, *raw, *shrunken, exposures)


def embeddings_for(
    exposures: sparse.csr_array, labelled: sparse.csr_array, rng: np.random.Generator
) -> Embeddings:
    """Embed for a model of labelled pairs, which are among the exposures.

    The shrunken embeddings are those of all exposures, or of those without a label. A
    labelled pair is one of the exposures, a pair to be predicted is not. For a user
    with hundreds of exposures one more is nothing. Who has no other one would be told
    by it, when labelled, and not be known at all, when predicted: on Adressa that cost
    .03 of AUC. Elsewhere to leave out labelled pairs costs .001 to .006, hence the
    threshold. The raw vectors keep all: an own pair weighs little in them. What is left
    out would be missed where it is not the pair's own, so how many other exposures a
    user and an item have is told apart (.02 of AUC on Adressa with 37,000 labels).
    """
    many_more = exposures.nnz > _EXPOSURES_PER_LABEL * labelled.nnz
    seen = labelled if many_more else exposures
    rest = without(exposures, labelled)
    pairs = labelled.tocoo()
    of_user = np.diff(exposures.indptr)[pairs.coords[0]]
    of_item = np.bincount(exposures.indices, minlength=exposures.shape[1])
    alone = (of_user == 1) | (of_item[pairs.coords[1]] == 1)
    many = np.mean(alone) > _MANY_NEWCOMERS
    leave_out = rest.nnz > labelled.nnz and many
    if not leave_out:
        return replace(spectral_embeddings(exposures, rng), exposures=seen)
    found = spectral_embeddings(exposures, rng, rest=rest)
    of_labelled, of_new = other_exposures(exposures, labelled)
    return replace(
        found,
        user=np.hstack([found.user, of_new.user]),
        item=np.hstack([found.item, of_new.item]),
        labelled_user=np.hstack([found.user, of_labelled.user]),
        labelled_item=np.hstack([found.item, of_labelled.item]),
        exposures=seen,
    )


def _shrunken_embeddings(
    exposures: sparse.csr_array,
    rng: np.random.Generator,
    *,
    newcomers_have_labels: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Those of a user or item without an exposure are a mean of the others'.

    Zero is far from where embeddings lie, and a model that has seen only those goes
    wrong there. Where newcomers have labels, a column of their own tells them from
    the average: on Adressa a seventh of their clicks is followed by reading, and two
    fifths of the others', and the column is worth .009 of AUC.
    """
    dense, users, items, degrees = _exposed(exposures)
    left, scale, right = truncated_svd(_scaled(dense, degrees, _OFFSET), _MAX_RANK, rng)
    noise = _noise_level(dense, degrees, rng)
    keep = scale > noise
    shrunk = np.maximum(scale[keep] ** 2 - noise**2, 1e-12) ** 0.35
    sides = [
        [_normalised(left[:, keep] * shrunk, 0.75)],
        [_normalised(right[:, keep] * shrunk, 0.75)],
    ]
    n_clear = int((scale > _CLEARLY * noise).sum())
    if n_clear >= 2:
        factors = implicit_als(dense, min(_IMPLICIT_RANK, n_clear), rng)
        shares = 1 - _IMPLICIT_SHARE, _IMPLICIT_SHARE
        for views, side_factors in zip(sides, factors):
            views.append(_normalised(side_factors, 0.75))
            views[:] = [v * np.float32(s**0.5) for v, s in zip(views, shares)]
    sides[0].append(_degree_columns(dense, *degrees))
    sides[1].append(_degree_columns(dense.T.tocsr(), *degrees[::-1]))
    n_users, n_items = exposures.shape
    newcomer = partial(_with_newcomer, marked=newcomers_have_labels)
    return (
        _scattered(n_users, users, *newcomer(sides[0], degrees[0])),
        _scattered(n_items, items, *newcomer(sides[1], degrees[1])),
    )


def _raw_embeddings(
    exposures: sparse.csr_array, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Those of a user or item without an exposure are zero.

    Their norm grows with the number of exposures, so that is their place.
    """
    dense, users, items, degrees = _exposed(exposures)
    left, _, right = truncated_svd(_scaled(dense, degrees, 1.0), _RAW_RANK, rng)
    n_users, n_items = exposures.shape
    return (
        _scattered(n_users, users, _normalised(left, 0.0)),
        _scattered(n_items, items, _normalised(right, 0.0)),
    )


def _exposed(
    exposures: sparse.csr_array,
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Matrix of the users and items with an exposure, their codes and degrees."""
    users = np.flatnonzero(np.diff(exposures.indptr))
    items, _ = distinct(exposures.indices)
    dense = exposures[users][:, items].tocsr()
    by_user, by_item = (np.asarray(dense.sum(axis=k)).ravel() for k in (1, 0))
    return dense, users, items, (by_user, by_item)


def _scaled(matrix: sparse.csr_array, degrees: tuple, offset: float):
    left, right = (sparse.diags_array((d + offset) ** -0.5) for d in degrees)
    return (left @ matrix @ right).tocsr().astype(np.float32)


def _noise_level(
    matrix: sparse.csr_array, degrees: tuple, rng: np.random.Generator
) -> float:
    """Second singular value once the items of all exposures are permuted."""
    pairs = matrix.tocoo()
    user, item = pairs.coords
    permuted = exposure_matrix(user, rng.permutation(item), matrix.shape)
    scale = truncated_svd(_scaled(permuted, degrees, _OFFSET), 2, rng)[1]
    return float(scale[1]) if len(scale) > 1 else 0.0


def _normalised(rows: np.ndarray, power: float) -> np.ndarray:
    """Divide rows by a power of their norm; then the mean squared norm is 1."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.maximum(norm, 1e-8) ** power
    squared = (rows**2).sum(axis=1)
    squared = squared[squared > 0]
    mean = squared.mean() if len(squared) else 1.0
    return (rows / np.sqrt(mean + 1e-12)).astype(np.float32)


def _degree_columns(
    matrix: sparse.csr_array, degree: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """How much a row was exposed, how exposed its partners are, and a square."""
    size = np.log1p(degree)
    partners = np.asarray(matrix @ np.log1p(other)).ravel() / np.maximum(degree, 1)
    columns = np.column_stack([size, partners, size**2])
    columns = (columns - columns.mean(axis=0)) / (columns.std(axis=0) + 1e-6)
    size, square = columns[:, 0], columns[:, 2]
    columns[:, 2] = square - size * (size * square).mean()
    return (_DEGREE_SCALE * columns.clip(-4, 4)).astype(np.float32)


def _with_newcomer(
    views: list[np.ndarray], degree: np.ndarray, *, marked: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Joined views (n, r), and the row (r,) of one who was never exposed.

    Marked by a last column, which is 1 for newcomers and 0 for all others.

    Weights 1, degree^-½ and 1/degree are each the best somewhere; ½ is never far off.
    """
    rows = np.hstack(views)
    average = np.average(rows, axis=0, weights=degree**-0.5)
    if marked:
        rows, average = np.pad(rows, ((0, 0), (0, 1))), np.append(average, 1.0)
    return rows, average


def _scattered(
    n_rows: int, rows: np.ndarray, values: np.ndarray, default: np.ndarray | float = 0.0
) -> np.ndarray:
    table = np.zeros((n_rows, values.shape[1]), dtype=np.float32)
    table[:] = default
    table[rows] = values
    return table
