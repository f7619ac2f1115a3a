"""Scores of pairs: logits, probabilities, labels."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, log_expit
from sklearn.utils.validation import check_is_fitted

from ..fitting._inputs import check_pairs_to_score, refuse_unknown
from ..fitting._progress import block_bar
from ..fitting._torch_state import torch_settings
from ..ids._encoding import UNKNOWN, PairEncoder
from ..scoring._scoring import score_pairs

_BLOCK_ROWS = 1_048_576  # rows encoded at once; bounds the memory beside X and result


class PredictionMixin:
    """Predictions of a fitted recommender."""

    if TYPE_CHECKING:
        net_: Any
        classes_: np.ndarray
        _encoder: PairEncoder
        handle_unknown: str
        n_threads: int | None
        verbose: int

    @property
    def _scorer(self) -> Any:
        """The module that scores codes of pairs."""
        return self.net_.module_

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
            For missing ids; for unknown ids if ``handle_unknown="error"``; if all
            users (or items) are unknown because they have another type than in `fit`,
            such as ``"7"`` for 7.

        Warns
        -----
        UserWarning
            If all users (or items) are unknown and of another type than in `fit`.
        """
        check_is_fitted(self, "net_")
        now = copy(self)  # another thread may update the recommender meanwhile
        columns = check_pairs_to_score(now, X)
        encoder, scorer = now._encoder, now._scorer
        if refuses_unknown(self.handle_unknown):
            for what, column, codes in zip(
                ("user", "item"), columns, encoder.lookup(columns)
            ):
                n_unknown = int((codes == UNKNOWN).sum())
                rows = f"X has {n_unknown} rows with a {what} id"
                refuse_unknown(rows, column, codes)
        logit = np.empty(len(columns[0]))
        with torch_settings(self.n_threads):
            starts = range(0, len(logit), _BLOCK_ROWS)
            for start in block_bar(starts, len(logit), bool(self.verbose)):
                block = slice(start, start + _BLOCK_ROWS)
                codes = encoder.lookup([column[block] for column in columns])
                logit[block] = score_pairs(scorer, codes)
        return logit

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

    def predict_log_proba(self, X) -> np.ndarray:
        """Return the logarithm of the probability of both classes for every pair.

        Finite where the probability itself rounds to 0.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`.

        Returns
        -------
        log_proba : ndarray of shape (n, 2), float64
            Columns in the order of `classes_`.
        """
        logit = self.decision_function(X)
        return np.column_stack([log_expit(-logit), log_expit(logit)])

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


def refuses_unknown(handle_unknown: Any) -> bool:
    """Whether unknown ids are an error; the parameter may have been set after `fit`."""
    if handle_unknown not in ("average", "error"):
        raise ValueError(
            f"handle_unknown={handle_unknown!r} is neither 'average' nor 'error'."
        )
    return handle_unknown == "error"
