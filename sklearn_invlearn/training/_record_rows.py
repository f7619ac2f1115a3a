"""Record what happens to each labelled row while training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor

from ._data import TrainingData


class RecordRows(Callback):
    """Record the loss of every row of `X` after every epoch, and what was dropped.

    A callback for any recommender. It adds to every row of `history_`

    ``row_loss`` : ndarray of shape (n,), float32
        Cross entropy of each row of `X` in ``fit``, without weights, at the end of
        the epoch; NaN for rows that are not trained on (of weight 0, set aside for
        early stopping, or held out for the inverse gradient).
    ``row_dropped`` : ndarray of shape (n,), bool
        Which rows the truncated loss left out in the epoch; False for other losses.

    That is five bytes a row and epoch. With flags of what is truly positive, known
    from elsewhere, this gives the loss of true and false positives over training, and
    recall and precision of what is dropped ([1]_, Fig. 8 and 9).

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_invlearn import CrossEntropyRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> from sklearn_invlearn.training import RecordRows
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = CrossEntropyRecommender(
    ...     backbone="gmf", max_epochs=3, callbacks=[RecordRows()], random_state=0
    ... ).fit(data.X, data.y)
    >>> np.stack(est.history_[:, "row_loss"]).shape == (3, len(data.X))
    True
    """

    def on_train_begin(self, net: Any, X: TrainingData, **kwargs: Any) -> None:
        assert X.labelled.row is not None
        self.data_ = X
        self.dropped_: list[Tensor] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.dropped_.clear()

    def on_batch_end(
        self, net: Any, batch: Any, dropped: Tensor | None = None, **kwargs: Any
    ) -> None:
        if dropped is not None:  # kept on the device, and read once per epoch
            self.dropped_.append(torch.where(dropped, batch.row, -1))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        assert self.data_.labelled.row is not None
        row = self.data_.labelled.row.cpu().numpy()
        loss = np.full(self.data_.n_rows, np.nan, dtype=np.float32)
        loss[row] = net.losses(self.data_.labelled).cpu().numpy()
        dropped = np.zeros(self.data_.n_rows, dtype=bool)
        if self.dropped_:
            positions = torch.cat(self.dropped_).cpu().numpy()
            dropped[positions[positions >= 0]] = True
        net.history.record("row_loss", loss)
        net.history.record("row_dropped", dropped)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        # A net is pickled with its callbacks, but it is not to carry the training data.
        self.__dict__.pop("data_", None)
        self.__dict__.pop("dropped_", None)
