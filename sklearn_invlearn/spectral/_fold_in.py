"""Embeddings of newcomers, from what they have been shown since the fit.

A singular vector of a user is a sum over the user's items, an implicit factor nearly
so. The embeddings of a user are therefore close to a linear function of the sum and the
mean of the items', and those of an item to one of its users'. The function is learned
from the users and items that a fit has embedded, and places newcomers until the next.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy import sparse

from ._bilinear import Bilinear
from ._embeddings import exposure_matrix
from ._sparse_times import sparse_times

_N_ROWS = 10_000  # to learn from
_N_EXPOSURES = 300_000  # of theirs, about
_N_DRAWS = 2  # of some of their exposures, beside all
_FEW = 10  # exposures
_RIDGE = 1e-3  # on features of variance 1, beside the mean of their squares


@torch.no_grad()
def learn_fold_in(
    models: Iterable[Bilinear], exposures: sparse.csr_array, seed: int
) -> None:
    """Set ``fold_P`` and ``fold_Q`` of all models that have embeddings.

    Parameters
    ----------
    exposures : csr_array of shape (n_users, n_items), float32
        0/1: those that the embeddings come from.
    seed : int
        Of the exposures that are left out.
    """
    of_users, of_items = exposures, exposures.T.tocsr()
    for model in models:
        if not model.rank:
            continue
        rng = np.random.default_rng(seed)
        P, Q = model.P.weight.numpy(), model.Q.weight.numpy()
        model.fold_P.copy_(torch.from_numpy(_regression(P, of_users, Q, rng)))
        model.fold_Q.copy_(torch.from_numpy(_regression(Q, of_items, P, rng)))


@torch.no_grad()
def fold_in(model: Bilinear, exposed: np.ndarray, n_users: int, n_items: int) -> None:
    """Embed users from code `n_users` on, and items from `n_items` on, in place.

    By their exposures to items and users before these; who has none stays where it is.

    Parameters
    ----------
    exposed : ndarray of shape (2, m), int64
        Codes of users and items that were shown to each other.
    """
    if not model.rank:
        return
    P, Q = model.P.weight, model.Q.weight
    user, item = exposed
    new_user, new_item = user >= n_users, item >= n_items
    of_user, of_item = new_user & ~new_item, new_item & ~new_user
    pairs = user[of_user] - n_users, item[of_user]
    of_users = exposure_matrix(*pairs, (len(P) - n_users, n_items))
    pairs = item[of_item] - n_items, user[of_item]
    of_items = exposure_matrix(*pairs, (len(Q) - n_items, n_users))
    new_P = _features(of_users, Q[:n_items].numpy()) @ model.fold_P.numpy()
    new_Q = _features(of_items, P[:n_users].numpy()) @ model.fold_Q.numpy()
    _put(model, "P", n_users, of_users, new_P)
    _put(model, "Q", n_items, of_items, new_Q)


def _put(
    model: Bilinear, side: str, n_old: int, matrix: sparse.csr_array, rows: np.ndarray
) -> None:
    """Write the rows (n, r) of those who have exposures, from code `n_old` on."""
    shown = np.flatnonzero(np.diff(matrix.indptr))
    place, found = torch.from_numpy(n_old + shown), torch.from_numpy(rows[shown])
    is_user = side == "P"
    (model.P if is_user else model.Q).weight[place] = found
    if model.structure == "svdpp":  # without a label they are where the prior is
        bias, factors = ("b_u", "p") if is_user else ("b_i", "q")
        model.block(bias)[place] = found[:, :1]
        model.block(factors)[place] = found[:, 1:]


def _regression(
    own: np.ndarray,
    exposures: sparse.csr_array,
    others: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Ridge regression of embeddings on features of exposures, (3r + 3, r).

    Of all of a row's, and of some: newcomers have few so far, and a function that has
    seen none but whole rows makes too much of these.
    """
    known = np.flatnonzero(np.diff(exposures.indptr))
    share = min(1.0, _N_ROWS / len(known), _N_EXPOSURES / exposures.nnz)
    n_rows = max(1, int(share * len(known)))
    rows = known[np.linspace(0, len(known) - 1, n_rows).astype(int)]
    whole = exposures[rows]
    some = [whole, *(_thinned(whole, rng) for _ in range(_N_DRAWS))]
    features = np.vstack([_features(m, others) for m in some])
    scale = np.sqrt((features**2).mean(axis=0)) + 1e-9
    features /= scale
    gram = features.T @ features / len(features)
    slopes = features.T @ np.tile(own[rows], (len(some), 1)) / len(features)
    found = np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), slopes)
    return (found / scale[:, None]).astype(np.float32)


def _thinned(matrix: sparse.csr_array, rng: np.random.Generator) -> sparse.csr_array:
    """Some entries of every row, from one to all of them, log-uniformly many."""
    n = np.diff(matrix.indptr)
    kept = ((n + 1.0) ** rng.random(len(n))).astype(int)
    row = np.repeat(np.arange(len(n)), n)
    order = np.argsort(row + rng.random(matrix.nnz))  # shuffled within rows
    place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], n)
    chosen = order[place < np.repeat(kept, n)]
    pairs = row[chosen], matrix.indices[chosen]
    return sparse.csr_array((matrix.data[chosen], pairs), shape=matrix.shape)


def _features(matrix: sparse.csr_array, others: np.ndarray) -> np.ndarray:
    """Sums of the others' rows in three scales, and functions of their number n."""
    n = np.diff(matrix.indptr)[:, None].astype(np.float32)
    root = np.sqrt(np.maximum(n, 1))
    sums = sparse_times(matrix, others)
    of_n = [np.ones_like(n), np.log1p(n), 1 / root]
    return np.hstack([sums / root, sums / root**2, sums / (n + _FEW), *of_n])
