"""What an audit of labels found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from ..metrics._inputs import BoolArray, FloatArray, IntArray

_SHOWN = 10


@dataclass(frozen=True)
class LabelAudit:
    """Result of `audit_labels`; all arrays are in the order of the rows of X.

    Attributes
    ----------
    users, items : ndarray of shape (n,)
        Ids of the pairs.
    label : ndarray of shape (n,)
        Labels as they were given.
    positive : ndarray of shape (n,), bool
        Whether the label is the positive one.
    proba : ndarray of shape (n,), float64
        Probability of the positive label by the model that was trained without the row.
    loss : ndarray of shape (n,), float64
        Cross entropy of the label, in nats.
    margin : ndarray of shape (n,), float64
        Probability of the label minus that of the other one, in [-1, 1].
    order : ndarray of shape (n,), int64
        Rows, the most suspicious first; equal ones in the order of the table.
    rank : ndarray of shape (n,), int64
        Place of each row in `order`, from 1.
    thresholds : tuple of two float
        Mean probability of the negative label among rows that carry it, and of the
        positive one.
    suspected : ndarray of shape (n,), bool
        Whether the other label is as probable as its threshold, and the label itself
        is not, or less probable than the other.
    pred_probs : ndarray of shape (n, 2), float64
        Probabilities of both labels, as cleanlab takes them, beside ``positive``
        as its `labels`.
    path : ndarray of shape (n_epochs, n), float64, or None
        Loss after every epoch, NaN after the last one of a fold.
    best_epoch : int or None
        Epoch, from 1, after which the mean loss of rows that were not trained on was
        smallest. From there on the model memorises labels rather than learns from
        them.
    """

    users: NDArray[Any] = field(repr=False)
    items: NDArray[Any] = field(repr=False)
    label: NDArray[Any] = field(repr=False)
    positive: BoolArray = field(repr=False)
    proba: FloatArray = field(repr=False)
    path: FloatArray | None = field(default=None, repr=False)

    @property
    def pred_probs(self) -> FloatArray:
        return np.column_stack([1 - self.proba, self.proba])

    @property
    def loss(self) -> FloatArray:
        return label_loss(self.positive, self.proba)

    @property
    def margin(self) -> FloatArray:
        return np.where(self.positive, 1.0, -1.0) * (2 * self.proba - 1)

    @property
    def order(self) -> IntArray:
        # By the probability itself: the loss has no digits left for those near one.
        own = np.where(self.positive, self.proba, 1 - self.proba)
        return np.argsort(own, kind="stable")

    @property
    def rank(self) -> IntArray:
        rank = np.empty(len(self.label), dtype=np.int64)
        rank[self.order] = np.arange(1, len(rank) + 1)
        return rank

    @property
    def thresholds(self) -> tuple[float, float]:
        negative = 1 - self.proba[~self.positive]
        return float(negative.mean()), float(self.proba[self.positive].mean())

    @property
    def suspected(self) -> BoolArray:
        # A row may be below both thresholds, or above both; the more probable label
        # then decides.
        low, high = self.thresholds
        as_negative, as_positive = 1 - self.proba >= low, self.proba >= high
        other = np.where(self.positive, as_negative, as_positive)
        own = np.where(self.positive, as_positive, as_negative)
        return other & (~own | (self.margin < 0))

    @property
    def best_epoch(self) -> int | None:
        if self.path is None:
            return None
        complete = self.path[~np.isnan(self.path).any(axis=1)]
        return int(complete.mean(axis=1).argmin()) + 1

    def to_frame(self) -> Any:
        """Return a pandas DataFrame, the most suspicious row first.

        Returns
        -------
        DataFrame of shape (n, 8)
            ``user``, ``item``, ``label``, ``proba``, ``loss``, ``margin``, ``rank`` and
            ``suspected``; its index holds the positions of the rows in X.
        """
        import pandas as pd

        columns = {
            "user": self.users,
            "item": self.items,
            "label": self.label,
            "proba": self.proba,
            "loss": self.loss,
            "margin": self.margin,
            "rank": self.rank,
            "suspected": self.suspected,
        }
        return pd.DataFrame(columns).rename_axis("row").iloc[self.order]

    def __repr__(self) -> str:
        n_rows, n_suspected = len(self.label), int(self.suspected.sum())
        return f"LabelAudit(n_rows={n_rows}, n_suspected={n_suspected})"

    def __str__(self) -> str:
        suspected, order = self.suspected, self.order
        sides = [
            int((suspected & side).sum()) for side in (self.positive, ~self.positive)
        ]
        lines = [
            f"{suspected.sum():,} of {len(order):,} labels are suspected: "
            f"{sides[0]:,} of {self.positive.sum():,} positive and {sides[1]:,} of "
            f"{(~self.positive).sum():,} negative ones.",
            f"{'row':>8}  {'label':>8}  P(positive)  user, item",
        ]
        lines += [
            f"{row:>8}  {self.label[row]!s:>8}  {self.proba[row]:>11.4f}  "
            f"{self.users[row]}, {self.items[row]}"
            for row in order[:_SHOWN].tolist()
        ]
        return "\n".join(lines)


def label_loss(positive: BoolArray, proba: FloatArray) -> FloatArray:
    """Return the cross entropy (n,) of labels; finite for probabilities of 0 and 1."""
    eps = np.finfo(np.float64).eps
    own = np.clip(np.where(positive, proba, 1 - proba), eps, 1.0)
    return -xlogy(1.0, own)
