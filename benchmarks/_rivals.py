"""What anybody would try first: logistic regression on ids, and on exposures beside."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.extmath import randomized_svd

N_VECTORS = 32
CS = (0.03, 0.1, 0.3, 1.0, 3.0)


class LogisticOnExposures(ClassifierMixin, BaseEstimator):
    """One-hot logistic regression with singular vectors of all exposures beside.

    Columns for every user and item, 32 singular vectors of the exposures of each, and
    their products.
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: np.ndarray, y: np.ndarray, X_unlab: Any = None):
        self.one_hot_ = OneHotEncoder(handle_unknown="ignore").fit(X)
        shown = np.vstack([X, *(X_unlab or ())])
        n_users, n_items = shown.max(axis=0) + 1
        matrix = sparse.csr_array((np.ones(len(shown)), shown.T), (n_users, n_items))
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        left, right = (np.asarray(matrix.sum(axis=k)).ravel() + 1.0 for k in (1, 0))
        scaled = sparse.diags_array(left**-0.5) @ matrix
        scaled = (scaled @ sparse.diags_array(right**-0.5)).tocsr()
        U, _, V = randomized_svd(scaled, N_VECTORS, random_state=0)
        # A row of zeros for ids that were never shown.
        self.user_ = np.vstack([U, np.zeros(N_VECTORS)]) * np.sqrt(n_users)
        self.item_ = np.vstack([V.T, np.zeros(N_VECTORS)]) * np.sqrt(n_items)
        self.model_ = LogisticRegression(C=self.C, tol=1e-5, max_iter=1000)
        self.model_.fit(self._features(X), y)
        self.classes_ = self.model_.classes_
        return self

    def _features(self, X: np.ndarray) -> sparse.csr_array:
        rows = np.minimum(X, [len(self.user_) - 1, len(self.item_) - 1])
        U, V = self.user_[rows[:, 0]], self.item_[rows[:, 1]]
        return sparse.hstack([self.one_hot_.transform(X), U, V, U * V], format="csr")

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.model_.predict_proba(self._features(X))


def tuned(model: Any, parameter: str) -> GridSearchCV:
    """Choose C by the log loss of three folds of the labelled pairs."""
    return GridSearchCV(model, {parameter: CS}, scoring="neg_log_loss", cv=3)
