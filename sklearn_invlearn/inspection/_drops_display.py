"""What the truncated loss leaves out: recall and precision ([ADT] Fig. 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length

from ..metrics._response import is_positive
from ._axes import COLORS, axes_for
from ._recorded import recorded


class DropsDisplay:
    """Recall and precision of the dropped rows as false positives, epoch by epoch.

    Figure 9 of [1]_. Recall is the share of the false positives that was dropped in
    the epoch, precision the share of the dropped rows that are false positives. Rows
    dropped at random would have a precision equal to the share of false positives
    and a recall equal to the share of dropped rows: both are drawn beside.

    Parameters
    ----------
    dropped : array-like of shape (n_epochs, n_rows), bool
        Which rows were left out, of the observed positives.

    is_false : array-like of shape (n_rows,), bool
        Which of them are false positives, known from elsewhere.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where `plot` drew.

    recall_, precision_ : ndarray of shape (n_epochs,)
        What was drawn; the precision is NaN where nothing was dropped.

    random_recall_ : ndarray of shape (n_epochs,)
        Share of the rows that was dropped.

    random_precision_ : float
        Share of the rows that are false positives.

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> from sklearn_invlearn.inspection import DropsDisplay
    >>> dropped = [[False, False, False, False], [True, True, False, False]]
    >>> display = DropsDisplay(dropped, is_false=[True, False, False, False]).plot()
    >>> display.recall_.tolist(), display.precision_.tolist()
    ([0.0, 1.0], [nan, 0.5])
    """

    def __init__(self, dropped: Any, is_false: Any) -> None:
        self.dropped = dropped
        self.is_false = is_false

    @classmethod
    def from_estimator(
        cls, estimator: Any, y: Any, is_false: Any, *, ax: Any = None
    ) -> DropsDisplay:
        """Draw what a fitted estimator has recorded.

        Parameters
        ----------
        estimator : TruncatedLossRecommender
            Fitted with ``callbacks=[RecordRows()]``. With `warm_start`, the last fit is
            drawn.

        y : array-like of shape (n_rows,)
            Labels in `fit`. Rows of the negative class, and rows that were not trained
            on (of weight 0, or held out), are left out of the picture.

        is_false : array-like of shape (n_rows,), bool
            Which rows of `fit` are false positives.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : DropsDisplay

        Raises
        ------
        ValueError
            If nothing was recorded, the lengths differ, or `y` has other labels than
            in `fit`.
        """
        dropped = recorded(estimator, "row_dropped")
        check_consistent_length(dropped.T, y, is_false)
        trained = ~np.isnan(recorded(estimator, "row_loss")).any(axis=0)
        rows = trained & is_positive(estimator, y)
        return cls(dropped[:, rows], np.asarray(is_false)[rows]).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> DropsDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : DropsDisplay
            This one.

        Raises
        ------
        ValueError
            If the shapes do not fit, or there is no false positive.
        """
        dropped = np.asarray(self.dropped, dtype=bool)
        is_false = np.asarray(self.is_false, dtype=bool)
        check_consistent_length(dropped.T, is_false)
        if not is_false.any():
            raise ValueError("is_false has no True: there is nothing to recall.")
        n_found = dropped[:, is_false].sum(axis=1)
        n_dropped = dropped.sum(axis=1)
        self.recall_ = n_found / is_false.sum()
        self.precision_ = np.divide(
            n_found, n_dropped, out=np.full(len(dropped), np.nan), where=n_dropped > 0
        )
        self.random_recall_ = n_dropped / len(is_false)
        self.random_precision_ = float(is_false.mean())
        ax = axes_for(self, ax)
        epoch = np.arange(1, len(dropped) + 1)
        chance = {"linestyle": ":", "linewidth": 1.2}
        ax.plot(epoch, self.recall_, color=COLORS[0], label="recall")
        ax.plot(epoch, self.random_recall_, color=COLORS[0], **chance)
        ax.plot(epoch, self.precision_, color=COLORS[1], label="precision")
        ax.axhline(self.random_precision_, color=COLORS[1], **chance)
        ax.plot([], [], color="black", label="at random", **chance)
        ax.set(xlabel="epoch", ylabel="of false positives", ylim=(0, None))
        ax.legend()
        return self
