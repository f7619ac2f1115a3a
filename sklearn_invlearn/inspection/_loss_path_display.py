"""Loss of groups of rows over training ([ADT] Fig. 2 and 8)."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from ._axes import COLORS, axes_for
from ._recorded import recorded


class LossPathDisplay:
    """Mean loss of groups of rows after every epoch, with the middle half as a band.

    Figures 2 and 8 of [1]_: false positives have a larger loss early in training,
    and are learned by heart later on.

    Parameters
    ----------
    loss : array-like of shape (n_epochs, n_rows)
        Loss of every row after every epoch, in nats. NaN after the last epoch of a row,
        whose model has stopped early: lines and bands are of the rows that go on.

    groups : array-like of shape (n_rows,)
        Group of every row, such as "true positive" and "false positive".

    epochs : array-like of shape (n_epochs,), default=None
        Number of each epoch; None counts from 1.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where `plot` drew.

    lines_ : dict
        The line of each group.

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> from sklearn_invlearn.inspection import LossPathDisplay
    >>> loss = [[0.7, 0.9, 0.7], [0.3, 0.8, 0.2], [0.1, 0.4, 0.1]]
    >>> groups = ["true positive", "false positive", "true positive"]
    >>> sorted(LossPathDisplay(loss, groups).plot().lines_)
    ['false positive', 'true positive']
    """

    def __init__(self, loss: Any, groups: Any, *, epochs: Any = None) -> None:
        self.loss = loss
        self.groups = groups
        self.epochs = epochs

    @classmethod
    def from_estimator(
        cls, estimator: Any, groups: Any, *, ax: Any = None
    ) -> LossPathDisplay:
        """Draw what a fitted estimator has recorded.

        Parameters
        ----------
        estimator : recommender
            Fitted with ``callbacks=[RecordRows()]``. With `warm_start`, the last fit is
            drawn.

        groups : array-like of shape (n_rows,)
            Group of every row of `X` in `fit`. Rows that were not trained on (of
            weight 0, or held out) are left out.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : LossPathDisplay

        Raises
        ------
        ValueError
            If nothing was recorded, or the lengths differ.
        """
        loss = recorded(estimator, "row_loss")
        check_consistent_length(loss.T, groups)
        trained = ~np.isnan(loss).any(axis=0)
        return cls(loss[:, trained], np.asarray(groups)[trained]).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LossPathDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : LossPathDisplay
            This one.

        Raises
        ------
        ValueError
            If the shapes do not fit each other, or a loss is not finite before the
            last epoch of its row.
        """
        loss = check_array(self.loss, input_name="loss", ensure_all_finite="allow-nan")
        _refuse_gaps(np.isnan(loss))
        groups = np.asarray(self.groups)
        check_consistent_length(loss.T, groups)
        n_epochs = len(loss)
        epochs = np.arange(1, n_epochs + 1) if self.epochs is None else self.epochs
        check_consistent_length(loss, epochs)
        epochs = np.asarray(epochs)
        ax = axes_for(self, ax)
        self.lines_ = {}
        for color, group in zip(cycle(COLORS), np.unique(groups), strict=False):
            members = loss[:, groups == group]
            label = f"{group} ({members.shape[1]:,})"
            going_on = ~np.isnan(members).all(axis=1)
            at, members = epochs[going_on], members[going_on]
            low, high = np.nanquantile(members, [0.25, 0.75], axis=1)
            (line,) = ax.plot(at, np.nanmean(members, axis=1), color=color, label=label)
            ax.fill_between(at, low, high, color=color, alpha=0.15, linewidth=0)
            self.lines_[group.item() if hasattr(group, "item") else group] = line
        ax.set(xlabel="epoch", ylabel="cross entropy")
        ax.legend()
        return self


def _refuse_gaps(missing: np.ndarray) -> None:
    """Raise if NaN is anywhere but after the last epoch of a row."""
    bad = missing[0] | (missing[:-1] & ~missing[1:]).any(axis=0)
    if bad.any():
        raise ValueError(
            f"Input loss contains NaN: {int(bad.sum())} of its rows have none in the "
            "first epoch, or a gap. Rows that no model has judged have no path; leave "
            "them out, here and in groups."
        )
