"""Checks, encoding and labels, the same for all baselines."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ..fitting._inputs import check_pairs, check_pairs_to_score
from ..fitting._labels import check_labels
from ..fitting._rollback import unchanged_if_it_fails
from ..ids._encoding import PairEncoder


class PairClassifier(ClassifierMixin, BaseEstimator):
    """Base of the baselines; a subclass fits codes and returns logits of codes."""

    @abstractmethod
    def _fit_codes(self, codes: np.ndarray, y: np.ndarray, weight: np.ndarray) -> None:
        """Fit codes (2, n), 0 for no known id, labels in {0, 1} and weights (n,)."""

    @abstractmethod
    def _logit(self, codes: np.ndarray) -> np.ndarray:
        """Return the logit (n,) of codes (2, n)."""

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        with unchanged_if_it_fails(self):
            return self._checked_fit(X, y, sample_weight)

    def _checked_fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        name = type(self).__name__
        classes, y01 = check_labels(y, name)
        columns = check_pairs(X)
        check_consistent_length(columns[0], y01)
        validate_data(self, X, skip_check_array=True)
        weight = np.ones(len(y01))
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, y01, dtype=np.float64, ensure_non_negative=True
            )
        kept = weight > 0
        present = np.unique(y01[kept])
        if len(present) < 2:
            raise ValueError(
                f"{name} needs labelled pairs of two classes, but y (of rows with a "
                f"weight above zero) has only one class: {classes[present].tolist()}."
            )
        encoder = PairEncoder()
        codes = encoder.extend([column[kept] for column in columns[:2]])
        self._n_codes = encoder.n_users, encoder.n_items
        self._fit_codes(codes, y01[kept], weight[kept])
        self.classes_ = classes
        self._encoder = encoder
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logit of every pair.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`.

        Returns
        -------
        logit : ndarray of shape (n,), float64
            Above 0 for the positive class ``classes_[1]``.
        """
        check_is_fitted(self, "_encoder")
        return self._logit(self._encoder.lookup(check_pairs_to_score(self, X)))

    def predict_proba(self, X: Any) -> np.ndarray:
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

    def predict(self, X: Any) -> np.ndarray:
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

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_encoder")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.classifier_tags.multi_class = False
        return tags
