"""Which ids a fitted recommender knows, who was labelled on what, what to leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ..fitting._id_kinds import check_id_kind
from ..ids._columns import id_column
from ..ids._encoding import UNKNOWN, IdIndex, PairEncoder
from ..training import Pairs


class SeenItemsMixin:
    """Known users and items of a fitted recommender."""

    if TYPE_CHECKING:
        _encoder: PairEncoder
        _seen: sparse.csr_array

    @property
    def user_ids_(self) -> np.ndarray:
        """Known user ids in order of first appearance, shape (n_users,)."""
        check_is_fitted(self, "net_")
        return self._encoder.users.ids.copy()

    @property
    def item_ids_(self) -> np.ndarray:
        """Known item ids in order of first appearance, shape (n_items,)."""
        check_is_fitted(self, "net_")
        return self._encoder.items.ids.copy()

    def seen_items(self, users) -> sparse.csr_array:
        """Return on which items `fit` had feedback of each user, labelled or extra.

        Parameters
        ----------
        users : array-like of shape (n,)
            User ids; an unknown user has seen nothing.

        Returns
        -------
        seen : csr_array of shape (n, n_items), bool
            Columns in the order of `item_ids_`.
        """
        check_is_fitted(self, "net_")
        column = id_column(users, name="users")
        index = self._encoder.users
        check_id_kind(index, column, "The ids of users", "users")
        return self._seen[index.lookup(column, name="users")]


def incidence(pairs: Pairs, encoder: PairEncoder) -> sparse.csr_array:
    """Boolean (n_users, n_items) matrix of `pairs`; row 0 is the unknown user's."""
    user, item = pairs.user.cpu().numpy(), pairs.item.cpu().numpy() - 1
    shape = (encoder.n_users, encoder.n_items - 1)
    return _incidence(user, item, shape)


def excluded_pairs(
    seen: sparse.csr_array, user_codes: np.ndarray, item_codes: np.ndarray
) -> sparse.csr_array:
    """Rows of `seen` for `user_codes` (n,), its columns for `item_codes` (m,).

    Known item codes are distinct; nobody has seen an unknown item.
    """
    column_of = np.full(seen.shape[1] + 1, -1)
    column_of[item_codes] = np.arange(len(item_codes))
    column_of[UNKNOWN] = -1
    rows, items = seen[user_codes].nonzero()
    columns = column_of[items + 1]
    shape = (len(user_codes), len(item_codes))
    return _incidence(rows[columns >= 0], columns[columns >= 0], shape)


def pairs_among(
    pairs: list[np.ndarray], users: np.ndarray, items: IdIndex
) -> sparse.csr_array:
    """Boolean (len(users), len(items)) matrix of `pairs`, two columns of ids.

    By id and not by code, so that pairs of unknown users and items count.
    """
    asked = IdIndex()
    rows_of = asked.extend(users, name="users") - 1
    row = asked.lookup(pairs[0], name="exclude_seen") - 1
    column = items.lookup(pairs[1], name="exclude_seen") - 1
    here = (row >= 0) & (column >= 0)
    return _incidence(row[here], column[here], (len(asked), len(items)))[rows_of]


def _incidence(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape)
