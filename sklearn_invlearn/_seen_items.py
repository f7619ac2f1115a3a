"""Which ids a fitted recommender knows, and who was labelled on what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ._columns import id_columns
from ._encoding import PairEncoder
from .training import Pairs


class SeenItemsMixin:
    """Known users and items of a fitted recommender."""

    if TYPE_CHECKING:
        _encoder: PairEncoder
        _seen: sparse.csr_array

    @property
    def user_ids_(self) -> np.ndarray:
        """Known user ids in order of first appearance, shape (n_users,)."""
        check_is_fitted(self, "net_")
        return self._encoder.users.ids

    @property
    def item_ids_(self) -> np.ndarray:
        """Known item ids in order of first appearance, shape (n_items,)."""
        check_is_fitted(self, "net_")
        return self._encoder.items.ids

    def seen_items(self, users) -> sparse.csr_array:
        """Return which items each user was labelled on in `fit`.

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
        rows = [[user] for user in users] or np.empty((0, 1))
        (column,) = id_columns(rows, name="users")
        return self._seen[self._encoder.users.lookup(column, name="users")]


def incidence(pairs: Pairs, encoder: PairEncoder) -> sparse.csr_array:
    """Boolean (n_users, n_items) matrix of `pairs`; row 0 is the unknown user's."""
    user, item = pairs.user.cpu().numpy(), pairs.item.cpu().numpy() - 1
    shape = (encoder.n_users, encoder.n_items - 1)
    return sparse.csr_array((np.ones(len(user), dtype=bool), (user, item)), shape)
