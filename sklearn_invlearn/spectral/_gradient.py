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
from ._design import Blocks
from ._labels import Labels


class FlatBlocks:
    """μ and all blocks of a full model as views of one vector, and of its gradient.

    Parameters
    ----------
    model : Bilinear
        Of the structure "full". Its parameters become views: what moves `vector` moves
        the model.

    Attributes
    ----------
    vector, gradient : Tensor of shape (n_parameters,)
    values, slopes : dict of str to ndarray
        Views of both by name of the block, in its shape.
    """

    def __init__(self, model: Bilinear) -> None:
        self.P, self.Q = model.P.weight.numpy(), model.Q.weight.numpy()
        blocks = {name: model.block(name) for name in ("mu", *model.blocks)}
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
        user, item = batch.user, batch.item
        # Tables of the batch's users alone: who they are, and the row of each pair.
        there = np.zeros(len(self.P), dtype=bool)
        there[user] = True
        users, row = there.nonzero()[0], (there.cumsum() - 1).take(user)
        P = self.P.take(users, axis=0)
        z = self._logits(user, item, P, self._tastes(users, P), row)
        if batch.offset is not None:
            z += batch.offset
        r = batch.weight * (expit(z) - batch.y) / len(batch)
        R = sparse.coo_array((r.astype(np.float32), (row, item)), (len(P), len(self.Q)))
        slope, value = self.slopes, self.values
        of_user, of_item = R.sum(axis=1), R.sum(axis=0)
        slope["mu"] += of_user.sum()
        slope["b_u"][users, 0] += of_user
        slope["b_i"][:, 0] += of_item
        slope["a"] += of_user @ P
        slope["c"] += of_item @ self.Q
        RQ = R @ self.Q
        of_W = P.T @ RQ
        slope["g"] += of_W.diagonal()
        slope["W"] += of_W
        slope["e"][users] += RQ
        slope["d"] += R.T @ P
        slope["p"][users] += R @ value["q"]
        slope["q"] += R.T @ value["p"].take(users, axis=0)

    def _tastes(self, users: np.ndarray, P: np.ndarray) -> np.ndarray:
        """All that is multiplied with the embedding of an item."""
        tastes = P @ (self.values["W"] + np.diag(self.values["g"][0]))
        tastes += self.values["e"].take(users, axis=0)
        tastes += self.values["c"]
        return tastes

    def _logits(
        self,
        user: np.ndarray,
        item: np.ndarray,
        P: np.ndarray,
        tastes: np.ndarray,
        row: np.ndarray,
    ) -> np.ndarray:
        value = self.values
        z = value["mu"] + value["b_u"][:, 0].take(user) + value["b_i"][:, 0].take(item)
        z += np.vecdot(tastes.take(row, axis=0), self.Q.take(item, axis=0))
        of_P = value["d"].take(item, axis=0)
        of_P += value["a"]
        z += np.vecdot(of_P, P.take(row, axis=0))
        z += np.vecdot(value["p"].take(user, axis=0), value["q"].take(item, axis=0))
        return z
