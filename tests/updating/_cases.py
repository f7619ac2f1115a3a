"""Recommenders to update, and rows to update them with."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.modules import BACKBONES

SIZES = {"n_factors": 4, "gamma": 0.05, "batch_size": 64, "random_state": 0}
METHODS = {
    "none": (CrossEntropyRecommender, {}),
    "sampled": (CrossEntropyRecommender, {"negatives": "sampled"}),
    "dual": (InverseDualLossRecommender, {}),
    "gradient": (InverseGradientRecommender, {}),
    "truncated": (TruncatedLossRecommender, {"n_drop_steps": 20}),
    "reweighted": (ReweightedLossRecommender, {}),
}
each_method = pytest.mark.parametrize("method", METHODS)


class Distance(nn.Module):
    """A backbone with tables that are plain parameters."""

    def __init__(self, n_users, n_items, n_factors):
        super().__init__()
        self.user = nn.Parameter(0.1 * torch.randn(n_users, n_factors))
        self.item = nn.Embedding(n_items, n_factors)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, user, item):
        return self.offset - (self.user[user] - self.item(item)).square().sum(-1)


each_backbone = pytest.mark.parametrize("backbone", [*BACKBONES, Distance])


def make(method="none", backbone="gmf", **params):
    cls, own = METHODS[method]
    return cls(**{"backbone": backbone, "max_epochs": 3} | SIZES | own | params)


def fitted(data, method="none", backbone="gmf", **params):
    est = make(method, backbone, **params)
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


NEW = [["eve", 3], ["eve", "film"], [5, "film"], [5, 7], ["dan", 7], ["dan", 3]]
NEW_Y = [1, 0, 1, 0, 1, 1]
NEW_POOL = [["eve", 4], ["fay", 3], [6, "film"]]


def untouched(data, pool):
    users = {5, 6} if pool else {5}
    items = {3, 7, 4} if pool else {3, 7}
    return np.array([(u, i) for u, i in data.X if u not in users and i not in items])


class RaisesIn(Callback):
    """Raises `error` once the weights have changed."""

    def __init__(self, error):
        self.error = error

    def on_batch_end(self, net, **kwargs):
        raise self.error


def state_of(est):
    module = {k: v.clone() for k, v in est.net_.module_.state_dict().items()}
    params = est.get_params(deep=False)
    rest = {k: v for k, v in vars(est).items() if k not in params}
    return module, len(est.history_), rest, len(est.user_ids_)
