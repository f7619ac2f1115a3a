"""The derivative J of the logits, as an operator: never a matrix."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ._bilinear import Bilinear
from ._codes import order_by
from ._pair_products import pair_products
from ._sparse_times import sparse_times

Blocks = dict[str, np.ndarray]


class Design:
    """J of the linear blocks at labelled pairs.

    Parameters
    ----------
    model : Bilinear
        Its blocks and embeddings.
    user, item : ndarray of shape (n,)
        Labelled pairs.
    """

    def __init__(self, model: Bilinear, user: np.ndarray, item: np.ndarray) -> None:
        self.user, self.item = user, item
        self.names = [name for name in model.blocks if name not in "pq"]
        self.shape = (len(model.block("b_u")), len(model.block("b_i")))
        self.by_user = _sorted_pairs(user, item, self.shape)
        self.by_item = _sorted_pairs(item, user, self.shape[::-1])
        if "a" in self.names:
            self.P, self.Q = model.P.weight.numpy(), model.Q.weight.numpy()

    def times(self, v: Blocks) -> np.ndarray:
        """J v: change of the logits (n,) for a change `v` of the parameters."""
        user, item = self.user, self.item
        if "a" not in self.names:
            return v["b_u"][user, 0] + v["b_i"][item, 0]
        P, Q = self.P, self.Q
        left, right = P * v["g"], Q
        if "W" in self.names:
            left = np.hstack([left + P @ v["W"] + v["e"], P])
            right = np.hstack([Q, v["d"]])
        z = (v["b_u"] + P @ v["a"].T)[user, 0] + (v["b_i"] + Q @ v["c"].T)[item, 0]
        return z + pair_products(left, user, right, item)

    def transposed_times(self, r: np.ndarray) -> Blocks:
        """Jᵀ r: gradient of Σ r z."""
        return self._reduce(r, *((self.P, self.Q) if "a" in self.names else ()))

    def squared_times(self, w: np.ndarray) -> Blocks:
        """Diagonal of Jᵀ diag(w) J."""
        squares = (self.P**2, self.Q**2) if "a" in self.names else ()
        return self._reduce(w, *squares)

    def _reduce(self, r: np.ndarray, *tables: np.ndarray) -> Blocks:
        (order, M), (transposed_order, MT) = self.by_user, self.by_item
        M.data, MT.data = r[order], r[transposed_order]
        n_users, n_items = self.shape
        of_user = np.bincount(self.user, r, n_users)
        of_item = np.bincount(self.item, r, n_items)
        out = {"b_u": of_user[:, None], "b_i": of_item[:, None]}
        if tables:
            P, Q = tables
            MQ = sparse_times(M, Q)
            out |= {"a": (of_user @ P)[None], "c": (of_item @ Q)[None]}
            out["g"] = np.einsum("ij,ij->j", P, MQ)[None]
            if "W" in self.names:
                out |= {"W": P.T @ MQ, "e": MQ, "d": sparse_times(MT, P)}
        return {name: out[name].astype(np.float32) for name in self.names}


def _sorted_pairs(
    row: np.ndarray, column: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, sparse.csr_array]:
    """Order of pairs by row, and a matrix whose entries are to be put in that order.

    A pair that occurs twice has two entries.
    """
    order, starts = order_by(row, shape[0])
    entries = np.ones(len(row), dtype=np.float32)
    return order, sparse.csr_array((entries, column[order], starts), shape=shape)
