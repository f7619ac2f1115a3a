"""Scores of pairs: logits, probabilities, labels, annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from . import _inputs
from ._encoding import UNKNOWN, PairEncoder
from ._scoring import score_pairs
from ._torch_state import torch_threads
from .losses import annotation_proba


class PredictionMixin:
    """Predictions of a fitted recommender."""

    if TYPE_CHECKING:
        net_: Any
        classes_: np.ndarray
        _encoder: PairEncoder
        handle_unknown: str
        n_threads: int | None

    def decision_function(self, X) -> np.ndarray:
        """Return the logit of every pair.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`.

        Returns
        -------
        logit : ndarray of shape (n,), float64
            Above 0 for the positive class ``classes_[1]``.

        Raises
        ------
        ValueError
            For missing ids; for unknown ids if ``handle_unknown="error"``.
        """
        check_is_fitted(self, "net_")
        columns = _inputs.check_pairs_like_fit(self, X)
        codes = self._encoder.lookup(columns)
        if self.handle_unknown == "error":
            _refuse_unknown(columns, codes)
        with torch_threads(self.n_threads):
            return score_pairs(self.net_.module_, codes)

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of both classes for every pair.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`.

        Returns
        -------
        proba : ndarray of shape (n, 2), float64
            Columns in the order of `classes_`; rows sum to 1.
        """
        logit = self.decision_function(X)
        return np.column_stack([expit(-logit), expit(logit)])

    def predict(self, X) -> np.ndarray:
        """Return the more probable class of every pair.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`.

        Returns
        -------
        label : ndarray of shape (n,)
            Entries of `classes_`.
        """
        positive = self.decision_function(X) > 0
        return self.classes_[positive.astype(int)]

    def annotate(self, X) -> np.ndarray:
        """Return the weight w1 that the dual loss gives the positive label.

        That is the label the model would teach itself: its own probability,
        sharpened ([IL] Eq. 4).

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`; usually the pool.

        Returns
        -------
        w1 : ndarray of shape (n,), float64
            Between 0 and 1.
        """
        logit = torch.from_numpy(self.decision_function(X))
        return annotation_proba(logit).numpy()


def _refuse_unknown(columns: list[np.ndarray], codes: np.ndarray) -> None:
    for what, column, code in zip(("user", "item"), columns, codes):
        unknown = column[code == UNKNOWN]
        if len(unknown):
            some = ", ".join(repr(u) for u in dict.fromkeys(unknown[:5].tolist()))
            raise ValueError(
                f"X has {len(unknown)} rows with a {what} id that fit has not seen, "
                f"such as {some}. handle_unknown='average' scores them by what is "
                "known of the other side of the pair."
            )
