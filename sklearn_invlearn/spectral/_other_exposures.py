"""How many other exposures there are of a user and an item, beside the pair itself.

A labelled pair is one of the exposures, a pair to be predicted is not. Who has been
shown three things, one of them labelled, is seen by the label as somebody with two
others; asked about a fourth, as somebody with three.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

_SCALE = 0.2
_FEW = 2


class Columns(NamedTuple):
    """Functions of the count, (n_users, 6) and (n_items, 6), float32.

    Three of the user's and three of the item's own, each beside zeros for the other's.
    """

    user: np.ndarray
    item: np.ndarray


def other_exposures(
    exposures: sparse.csr_array, labelled: sparse.csr_array
) -> tuple[Columns, Columns]:
    """Columns for labelled pairs, and for pairs outside the exposures.

    Parameters
    ----------
    exposures, labelled : csr_array of shape (n_users, n_items)
        0/1; labelled pairs are among the exposures.
    """
    counts = [_of_users(exposures), _of_users(exposures.T.tocsr())]
    has_label = [_of_users(m) > 0 for m in (labelled, labelled.T.tocsr())]
    others = [n - known for n, known in zip(counts, has_label)]
    return _columns(others, counts), _columns(counts, counts)


def _of_users(matrix: sparse.csr_array) -> np.ndarray:
    return np.diff(matrix.indptr)


def _columns(seen: list[np.ndarray], counts: list[np.ndarray]) -> Columns:
    of_user, of_item = (_functions(*pair) for pair in zip(seen, counts))
    return Columns(
        np.hstack([of_user, np.zeros_like(of_user)]),
        np.hstack([np.zeros_like(of_item), of_item]),
    )


def _functions(seen: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """None, few, and the logarithm in units of its spread over who was exposed."""
    usual = np.log1p(counts[counts > 0])
    log = (np.log1p(seen) - usual.mean()) / (usual.std() + 1e-6)
    columns = [seen == 0, (seen > 0) & (seen <= _FEW), _SCALE * log.clip(-4, 4)]
    return np.column_stack(columns).astype(np.float32)
