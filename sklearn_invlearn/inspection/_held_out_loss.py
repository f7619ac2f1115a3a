"""Loss of rows that are not trained on, after every epoch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from ..fitting._build import comes_fitted
from ..fitting._inputs import check_pairs
from ..metrics._inputs import BoolArray, FloatArray
from ..modules import fill_unknown_rows
from ..scoring._scoring import score_pairs


class HeldOutLoss(Callback):
    """Record the cross entropy of pairs after every epoch; change nothing.

    Attributes
    ----------
    losses : list of ndarray of shape (n,)
        One for each epoch.
    """

    def __init__(self, estimator: Any, X: Any, positive: BoolArray) -> None:
        self.estimator = estimator
        self.columns = check_pairs(X)
        self.positive = positive
        self.losses: list[FloatArray] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        encoder = self.estimator._encoder
        # A copy: the row of unknown ids is filled at the end of the training only.
        module = deepcopy(net.module_).eval()
        if not comes_fitted(self.estimator.backbone):
            fill_unknown_rows(module, encoder.n_users, encoder.n_items)
        logit = score_pairs(module, encoder.lookup(self.columns))
        self.losses.append(np.logaddexp(0, np.where(self.positive, -logit, logit)))


def watch(estimator: Any, X: Any, positive: BoolArray) -> HeldOutLoss:
    """Add a recorder to the callbacks of a recommender that is yet to be fitted."""
    if not hasattr(estimator, "callbacks") or not hasattr(estimator, "backbone"):
        raise ValueError(
            f"path=True needs a recommender of this package, which trains by epochs; "
            f"got {type(estimator).__name__}."
        )
    recorder = HeldOutLoss(estimator, X, positive)
    named = ("held_out_loss", recorder)
    estimator.set_params(callbacks=[*(estimator.callbacks or []), named])
    return recorder
