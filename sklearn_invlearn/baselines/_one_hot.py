"""Logistic regression on one column for every user and every item."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.linear_model import LogisticRegression

from .._intervals import Interval
from ._pair_classifier import PairClassifier

_LARGEST = float(np.finfo(np.float64).max)
_NO_PENALTY = 1e100


class OneHotLogisticRegression(PairClassifier):
    """Logistic regression on one-hot user and item ids.

    An intercept, a bias for every user and one for every item, with an L2 penalty, at
    the exact optimum. With few labels it is harder to beat than it looks.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, as in scikit-learn.

    tol : float, default=1e-5
        Tolerance of the solver. At scikit-learn's own 1e-4 it stops short of the
        optimum on tables of many ids.

    max_iter : int, default=1000
        Most iterations of the solver.

    Attributes
    ----------
    model_ : LogisticRegression
        The fitted model; columns are users first, then items, in order of their first
        appearance.

    n_iter_ : int
        Iterations of the solver.

    classes_ : ndarray of shape (2,)
        The two labels; the second is the positive one.

    n_features_in_ : int
        Columns of `X` in `fit`; those beyond the first two are not used.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if `X` had names.

    See Also
    --------
    ItemPositiveShare : Items alone.

    Notes
    -----
    An id that `fit` has not seen has no column, and so a bias of 0: that of the average
    user or item.

    Examples
    --------
    >>> from sklearn_invlearn.baselines import OneHotLogisticRegression
    >>> X = [["ann", "film"], ["bob", "film"], ["ann", "book"], ["bob", "book"]]
    >>> model = OneHotLogisticRegression(C=10.0).fit(X, [1, 1, 0, 1])
    >>> model.predict([["ann", "book"], ["bob", "film"], ["eve", "film"]])
    array([0, 1, 1])
    """

    _parameter_constraints: dict = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self, *, C: float = 1.0, tol: float = 1e-5, max_iter: int = 1000
    ) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> OneHotLogisticRegression:
        """Fit the biases.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Labelled pairs: user id in the first column, item id in the second.

        y : array-like of shape (n,)
            Labels of two classes; the larger one is positive.

        sample_weight : array-like of shape (n,), default=None
            Weights of the pairs, not negative.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    def _fit_codes(self, codes: np.ndarray, y: np.ndarray, weight: np.ndarray) -> None:
        C = self.C
        if (scale := float(weight.max())) > _LARGEST / len(weight):
            # The sum would be infinite. Against such weights no penalty can be felt.
            weight, C = weight / scale, min(C * scale, _NO_PENALTY)
        model = LogisticRegression(C=C, tol=self.tol, max_iter=self.max_iter)
        self.model_ = model.fit(self._one_hot(codes), y, weight)
        self.n_iter_ = int(self.model_.n_iter_[0])

    def _logit(self, codes: np.ndarray) -> np.ndarray:
        return self.model_.decision_function(self._one_hot(codes))

    def _one_hot(self, codes: np.ndarray) -> sparse.csr_array:
        """Return (n, n_users + n_items) ones; nothing in the column of code 0."""
        n_users, n_items = self._n_codes
        users, items = (
            sparse.csr_array(
                (
                    (column > 0).astype(np.float64),
                    np.maximum(column - 1, 0),
                    np.arange(len(column) + 1),
                ),
                shape=(len(column), size - 1),
            )
            for column, size in zip(codes, (n_users, n_items))
        )
        return sparse.hstack([users, items], format="csr")
