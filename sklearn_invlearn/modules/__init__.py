"""Backbones: torch modules with ``forward(user, item) -> logit``.

A backbone is built as ``Backbone(n_users, n_items, **params)`` and called with two
int64 tensors of codes, shape (B,); it returns a logit of shape (B,). It knows
nothing of estimators, batches or losses. Code 0 is the unknown user or item. A backbone
with a classmethod ``fitted`` is given the labels and all exposures and comes fitted;
one with a method ``penalty`` adds that, divided by the number of labels, to the loss;
one whose constructor names ``history`` is given the observed positives, int64 codes
(2, n), and takes new ones by a method ``set_history``.
"""

from torch import nn

from ._biases import Biases, BiasOnly, set_intercept
from ._cascade import Cascade
from ._cdae import CDAE
from ._colliding import colliding
from ._contract import check_backbone, user_vectors
from ._gmf import GMF
from ._growth import Sides, Snapshot, freeze_shared, grow, table_sides
from ._mlp import MLP
from ._neumf import NeuMF
from ._part import Part
from ._spectral import SpectralExposure
from ._tables import BiasTable, FactorTable, fill_unknown_rows, unknown_rows_filled

BACKBONES: dict[str, type[nn.Module]] = {
    "bias": BiasOnly,
    "cdae": CDAE,
    "gmf": GMF,
    "mlp": MLP,
    "neumf": NeuMF,
    "spectral": SpectralExposure,
}

__all__ = [
    "BACKBONES",
    "CDAE",
    "GMF",
    "MLP",
    "BiasOnly",
    "BiasTable",
    "Biases",
    "Cascade",
    "FactorTable",
    "NeuMF",
    "Part",
    "Sides",
    "Snapshot",
    "SpectralExposure",
    "check_backbone",
    "colliding",
    "fill_unknown_rows",
    "freeze_shared",
    "grow",
    "set_intercept",
    "table_sides",
    "unknown_rows_filled",
    "user_vectors",
]
