"""The share of positive labels of an item."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.special import logit
from sklearn.base import _fit_context

from .._intervals import Interval
from ._pair_classifier import PairClassifier


class ItemPositiveShare(PairClassifier):
    r"""Score a pair by how well its item is liked, the same for all users.

    With :math:`P_i` positive among the :math:`n_i` labelled pairs of item i, and the
    share :math:`\bar y` of positives among all pairs,

    .. math::
        p_i = \frac{P_i + m \bar y}{n_i + m}.

    Parameters
    ----------
    prior_strength : float, default=10.0
        The m of the formula: how many pairs of average liking every item is given
        beforehand. Items with few labels stay near the average, those without any
        have it.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels; the second is the positive one.

    n_features_in_ : int
        Columns of `X` in `fit`; those beyond the first two are not used.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if `X` had names.

    See Also
    --------
    OneHotLogisticRegression : Users and items together.

    Examples
    --------
    >>> from sklearn_invlearn.baselines import ItemPositiveShare
    >>> X = [["ann", "film"], ["bob", "film"], ["ann", "book"], ["bob", "book"]]
    >>> model = ItemPositiveShare(prior_strength=2.0).fit(X, [1, 1, 0, 1])
    >>> model.predict_proba([["ann", "film"], ["eve", "song"]])[:, 1]
    array([0.875, 0.75 ])
    """

    _parameter_constraints: dict = {
        "prior_strength": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, *, prior_strength: float = 10.0) -> None:
        self.prior_strength = prior_strength

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ItemPositiveShare:
        """Count the labels of every item.

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
        n_items = self._n_codes[1]
        scale = max(1.0, float(weight.max()))  # sums of large weights are infinite
        weight = weight / scale
        positive = np.bincount(codes[1], weight * y, minlength=n_items)
        total = np.bincount(codes[1], weight, minlength=n_items)
        average = positive.sum() / total.sum()
        prior = self.prior_strength / scale
        # Row 0, of unknown items, has no labels and so gets the average.
        self._item_logit = logit((positive + prior * average) / (total + prior))

    def _logit(self, codes: np.ndarray) -> np.ndarray:
        return self._item_logit[codes[1]]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # it does not look at the user
        return tags
