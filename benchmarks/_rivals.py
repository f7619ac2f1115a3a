"""What anybody would try first: logistic regression, matrix factorisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.extmath import randomized_svd

from sklearn_invlearn.spectral import Bilinear, Labels
from sklearn_invlearn.spectral._training import fit_bilinear

N_VECTORS = 32
CS = (0.03, 0.1, 0.3, 1.0, 3.0)
BIAS_PRECISIONS = (0.5, 2.0, 8.0)
FACTOR_PRECISIONS = (4.0, 8.0, 30.0)
N_STEPS = 500
MANY = 50_000  # labels from which one held-out tenth is enough to choose on


class LogisticOnExposures(ClassifierMixin, BaseEstimator):
    """One-hot logistic regression with singular vectors of all exposures beside.

    Columns for every user and item, 32 singular vectors of the exposures of each (fewer
    if there are fewer users or items), and their products.
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
        self.user_ = np.vstack([U, np.zeros(U.shape[1])]) * np.sqrt(n_users)
        self.item_ = np.vstack([V.T, np.zeros(len(V))]) * np.sqrt(n_items)
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


class MatrixFactorisation(ClassifierMixin, BaseEstimator):
    """Biases and a product of 16 factors, penalised, of the labelled pairs alone.

    Codes from 0; ids that were not seen get the intercept and the other side's bias.

    Parameters
    ----------
    bias, factors : float
        Precisions of the priors of biases and of factors.
    """

    def __init__(self, bias: float = 1.0, factors: float = 7.5) -> None:
        self.bias = bias
        self.factors = factors

    def fit(self, X: np.ndarray, y: np.ndarray):
        self.classes_ = np.array([0, 1])
        self.ids_, codes = zip(*(np.unique(c, return_inverse=True) for c in X.T))
        labels = Labels(*codes, y.astype(float), np.ones(len(y)))
        empty = [np.zeros((len(ids) + 1, 0), np.float32) for ids in self.ids_]
        torch.manual_seed(0)
        self.model_ = Bilinear(*empty, "factors", labels.base_rate)
        names = self.model_.blocks
        precisions = {k: self.factors if k in "pq" else self.bias for k in names}
        fit_bilinear(self.model_, labels, precisions, n_steps=N_STEPS, seed=0)
        with torch.no_grad():  # the last row is the unknown one
            for name in ("b_u", "b_i", "p", "q"):
                self.model_.block(name)[-1] = 0
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        codes = []
        for ids, column in zip(self.ids_, X.T):
            found = np.searchsorted(ids, column).clip(max=len(ids) - 1)
            code = np.where(ids[found] == column, found, len(ids))
            codes.append(torch.from_numpy(code))
        with torch.no_grad():
            positive = torch.sigmoid(self.model_(*codes)).double().numpy()
        return np.column_stack([1 - positive, positive])


def tuned_factorisation(n_labels: int) -> GridSearchCV:
    """Choose both precisions by log loss: three folds, or one tenth of many labels."""
    grid = {"bias": BIAS_PRECISIONS, "factors": FACTOR_PRECISIONS}
    many = n_labels >= MANY
    cv = ShuffleSplit(1, test_size=0.1, random_state=0) if many else 3
    return GridSearchCV(MatrixFactorisation(), grid, scoring="neg_log_loss", cv=cv)


def tuned(model: Any, parameter: str) -> GridSearchCV:
    """Choose C by the log loss of three folds of the labelled pairs."""
    return GridSearchCV(model, {parameter: CS}, scoring="neg_log_loss", cv=3)
