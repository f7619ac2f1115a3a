"""Gradient of the cross entropy of a bilinear model, written out.

Autograd takes two or three times as long: it makes a table of zeros for each of the
eight lookups in a batch, and multiplies with W once for each row, not for each user.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.special import expit

from ._bilinear import Bilinear
from ._codes import distinct
from ._design import Blocks
from ._labels import Labels
from ._pair_products import pair_products


class FlatBlocks:
    """μ and all blocks of a model as views of one vector, and of its gradient.

    Parameters
    ----------
    model : Bilinear
        Of the structure "full" or "factors". Its parameters become views: what moves
        `vector` moves the model.

    Attributes
    ----------
    vector, gradient : Tensor of shape (n_parameters,)
    values, slopes : dict of str to ndarray
        Views of both by name of the block, in its shape.
    """

    def __init__(self, model: Bilinear) -> None:
        blocks = {name: model.block(name) for name in ("mu", *model.blocks)}
        self.n_items = len(blocks["b_i"])
        if "a" in blocks:
            self.P, self.Q = model.P.weight.numpy(), model.Q.weight.numpy()
        self.vector = torch.cat([block.detach().ravel() for block in blocks.values()])
        self.gradient = torch.zeros_like(self.vector)
        self.values: Blocks = {}
        self.slopes: Blocks = {}
        sizes = [block.numel() for block in blocks.values()]
        parts = zip(self.vector.split(sizes), self.gradient.split(sizes))
        for (name, block), (value, slope) in zip(blocks.items(), parts):
            block.data = value.view_as(block)
            self.values[name] = block.data.numpy()
            self.slopes[name] = slope.view_as(block).numpy()

    def add_loss_gradient(self, batch: Labels) -> None:
        """Add the gradient of the mean cross entropy; a pair may occur twice."""
        # Tables of the batch's users alone: who they are, and the row of each pair.
        users, row = distinct(batch.user)
        value = self.values
        p = value["p"].take(users, axis=0)
        z = value["mu"] + value["b_i"][:, 0].take(batch.item)
        z += value["b_u"][:, 0].take(batch.user)
        z += pair_products(p, row, value["q"], batch.item)
        if batch.offset is not None:
            z += batch.offset
        if "a" in value:
            P = self.P.take(users, axis=0)
            z += self._of_embeddings(users, P, row, batch.item)
        r = (batch.weight * (expit(z) - batch.y) / len(batch)).astype(np.float32)
        shape = len(users), self.n_items
        R = sparse.coo_array((r, (row, batch.item)), shape)
        R_T = R.T
        slope = self.slopes
        of_user, of_item = (  # sums of R itself take as long as products with it
            np.bincount(codes, r, n).astype(np.float32)
            for codes, n in zip((row, batch.item), shape)
        )
        slope["mu"] += of_user.sum()
        slope["b_u"][users, 0] += of_user
        slope["b_i"][:, 0] += of_item
        slope["p"][users] += R @ value["q"]
        slope["q"] += R_T @ p
        if "a" in value:
            slope["a"] += of_user @ P
            slope["c"] += of_item @ self.Q
            RQ = R @ self.Q
            of_W = P.T @ RQ
            slope["g"] += of_W.diagonal()
            slope["W"] += of_W
            slope["e"][users] += RQ
            slope["d"] += R_T @ P

    def _of_embeddings(
        self, users: np.ndarray, P: np.ndarray, row: np.ndarray, item: np.ndarray
    ) -> np.ndarray:
        """All of the logits (n,) that P or Q is in; P (n_users, r) is that of users."""
        value = self.values
        of_Q = P @ (value["W"] + np.diag(value["g"][0]))
        of_Q += value["e"].take(users, axis=0)
        of_Q += value["c"]
        z = pair_products(of_Q, row, self.Q, item)
        z += pair_products(P, row, value["d"], item)
        return z + (P @ value["a"][0]).take(row)
