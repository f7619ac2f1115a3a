"""The n best items of every user: exact, in blocks, ties by position.

A backbone whose logit is a product (see `modules`) is ranked by one matrix product.
Such a product rounds differently from column to column, so that equal logits may come
out unequal. It is therefore used to find the items that can be among the best n, up to
a bound of the rounding error; these are scored once more, one pair at a time. So is a
backbone with a cheaper way to the logits of all pairs (its method ``grid``).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import nn

from ._catalogue import catalogue_of
from ._replica import in_double_precision
from ._scoring import score_pairs
from ._sides import Side, is_product, side_of

_BLOCK_CELLS = 4_194_304  # pairs scored at once: 32 MiB of logits
_GROUP = 16
_MANY_GROUPS = 4  # times n; with fewer, many of the best would share a group
_EPSILON = np.finfo(np.float64).eps


def best_items(
    module: nn.Module,
    users: np.ndarray,
    items: np.ndarray,
    n_best: int,
    excluded: sparse.csr_array | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rank `items` for each of `users`.

    Parameters
    ----------
    users, items : ndarray of shape (n_users,), (n_items,), int64
        Codes.
    n_best : int
        Length of each list.
    excluded : csr_array of shape (n_users, n_items), bool, or None
        Pairs to leave out.

    Returns
    -------
    position : ndarray of shape (n_users, n_best), int64
        Positions in `items`, best first, equal logits by position; -1 where there are
        fewer items.
    logit : ndarray of shape (n_users, n_best), float64
        NaN where there are fewer items.
    """
    if is_product(module):
        catalogue = catalogue_of(module, items)
    position = np.full((len(users), n_best), -1)
    logit = np.full((len(users), n_best), np.nan)
    n_rows = max(1, _BLOCK_CELLS // max(1, len(items)))
    for start in range(0, len(users), n_rows):
        block = slice(start, start + n_rows)
        out = None if excluded is None else excluded[block]
        if is_product(module):
            side = side_of(module, "user_side", users[block])
            best = best_products(side, catalogue, n_best, out)
        elif hasattr(module, "grid"):
            best = _best_of_grid(module, users[block], items, n_best, out)
        else:
            scores = _require_finite(_all_pairs(module, users[block], items))
            rows, columns = _contenders(scores, n_best, np.zeros(len(scores)), out)
            best = _ranked(rows, columns, scores[rows, columns], len(scores), n_best)
        position[block], logit[block] = best
    return position, logit


def best_products(
    users: Side, items: Side, n_best: int, excluded: sparse.csr_array | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rank items by user bias + item bias + product of vectors; see `best_items`."""
    with np.errstate(invalid="ignore", over="ignore"):
        scores = _product(users.vectors, items.vectors)
        scores += users.bias[:, np.newaxis]
        scores += items.bias
        slack = _rounding_bound(users, items)
    rows, columns = _contenders(_require_finite(scores), n_best, slack, excluded)
    exact = np.empty(len(rows))
    n_rows = max(1, _BLOCK_CELLS // max(1, users.vectors.shape[1]))
    for start in range(0, len(rows), n_rows):
        block = slice(start, start + n_rows)
        user, item = users[rows[block]], items[columns[block]]
        products = (user.vectors * item.vectors).sum(axis=1)
        exact[block] = user.bias + item.bias + products
    return _ranked(rows, columns, exact, len(scores), n_best)


def _best_of_grid(
    module: nn.Module,
    users: np.ndarray,
    items: np.ndarray,
    n_best: int,
    excluded: sparse.csr_array | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rank items by the logits of ``module.grid``, scored again; see `best_items`."""
    device = next(module.parameters()).device
    grid = in_double_precision(module, "grid")
    with torch.no_grad():
        logit, error = grid(*(torch.tensor(c, device=device) for c in (users, items)))
    scores = _require_finite(logit.cpu().numpy())
    # Either side of a comparison may be off, in the grid and when scored again.
    slack = np.full(len(users), np.nan_to_num(4 * float(error), nan=np.inf))
    rows, columns = _contenders(scores, n_best, slack, excluded)
    # Equal codes are scored once, and so equally.
    codes, position = np.unique(
        np.stack([users[rows], items[columns]]), axis=1, return_inverse=True
    )
    exact = score_pairs(module, codes)[position.reshape(-1)]
    return _ranked(rows, columns, exact, len(scores), n_best)


def _product(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    # By torch, which keeps to the number of threads that the estimator has set.
    return (torch.from_numpy(users) @ torch.from_numpy(items).T).numpy()


def _rounding_bound(users: Side, items: Side) -> np.ndarray:
    """Bound of twice the rounding error of each user's logits, shape (n_users,)."""
    length = np.linalg.norm(users.vectors, axis=1)
    size = (
        length * items.longest
        + np.abs(users.bias)
        + np.abs(items.bias).max(initial=0.0)
    )
    return 4 * (users.vectors.shape[1] + 4) * _EPSILON * size


def _all_pairs(module: nn.Module, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Logits (n_users, n_items); equal codes are scored once, and so equally."""
    users, user_of_row = np.unique(users, return_inverse=True)
    items, item_of_column = np.unique(items, return_inverse=True)
    codes = np.stack([np.repeat(users, len(items)), np.tile(items, len(users))])
    logit = score_pairs(module, codes).reshape(len(users), len(items))
    return logit[user_of_row][:, item_of_column]


def _require_finite(scores: np.ndarray) -> np.ndarray:
    if not np.isfinite(scores).all():
        raise FloatingPointError(
            f"{int((~np.isfinite(scores)).sum())} of {scores.size} scores are NaN or "
            "infinite and have no place in a ranking. The usual cause is a training "
            "that diverged: fit again with a smaller gamma."
        )
    return scores


def _contenders(
    scores: np.ndarray,
    n_best: int,
    slack: np.ndarray,
    excluded: sparse.csr_array | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that can be among the best n; overwrites `scores` where excluded."""
    if excluded is not None:
        scores[excluded.nonzero()] = -np.inf
    n_items = scores.shape[1]
    lowest = np.full(len(scores), np.finfo(np.float64).min)
    if n_best < n_items:
        lowest = np.maximum(_at_most_nth_best(scores, n_best) - slack, lowest)
    # Four times as fast as a nonzero of two dimensions.
    rows, columns = divmod(np.flatnonzero(scores >= lowest[:, np.newaxis]), n_items)
    return rows, columns


def _at_most_nth_best(scores: np.ndarray, n_best: int) -> np.ndarray:
    """A score of each row that at least n of the row reach, shape (n_rows,).

    The n-th best of the maxima of groups of columns, since n groups then have a
    score as high; it is seldom less than the n-th best, and much faster to find.
    """
    n_groups = scores.shape[1] // _GROUP
    if n_groups >= _MANY_GROUPS * n_best:
        grouped = scores[:, : n_groups * _GROUP].reshape(-1, _GROUP, n_groups)
        rest = scores[:, n_groups * _GROUP :]
        scores = np.concatenate([grouped.max(axis=1), rest], axis=1)
    nth = scores.shape[1] - n_best
    return np.partition(scores, nth, axis=1)[:, nth]


def _ranked(
    rows: np.ndarray, columns: np.ndarray, logit: np.ndarray, n_rows: int, n_best: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sort pairs by row, falling logit and column; keep the first n of each row."""
    order = np.lexsort((columns, -logit, rows))
    rows, columns, logit = rows[order], columns[order], logit[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < n_best
    position = np.full((n_rows, n_best), -1)
    best = np.full((n_rows, n_best), np.nan)
    position[rows[kept], rank[kept]] = columns[kept]
    best[rows[kept], rank[kept]] = logit[kept]
    return position, best
