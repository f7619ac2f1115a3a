"""Colliding inference: neighbours speak for users with little extra feedback."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..fitting import _inputs
from ..fitting._torch_state import torch_threads
from ..ids._columns import id_columns
from ..modules import user_vectors
from ..scoring._neighbors import nearest_by_product, neighborhood_mean
from ..serving._annotation import AnnotationMixin
from ..serving._prediction import PredictionMixin
from ..serving._seen_items import SeenItemsMixin
from ._extra_feedback import ExtraFeedbackRecommender
from ._truncated_loss import TruncatedLossRecommender


class CollidingRecommender(
    AnnotationMixin, PredictionMixin, SeenItemsMixin, ClassifierMixin, BaseEstimator
):
    r"""Mix the scores of users with little extra feedback with those of neighbours.

    Wraps a recommender that is warmed up on extra feedback. During the training that
    follows, much implicit feedback drowns what little extra feedback a user has; but
    the user vectors as they were after warm-up still say whose tastes are alike. The
    scores of a user u whose ratio of extra to implicit feedback is small become
    ([1]_ Eq. 8)

    .. math:: \hat y'_u = \lambda \hat y_u
        + (1 - \lambda) \frac{1}{|N_u|} \sum_{j \in N_u} \hat y_j

    with :math:`N_u` the users with the largest inner products with u after warm-up, u
    excluded.

    Parameters
    ----------
    recommender : estimator, default=None
        A `TruncatedLossRecommender`, `ReweightedLossRecommender`, or
        `CrossEntropyRecommender` with sampled negatives, with
        ``extra_feedback="warmup"`` and a backbone that has vectors of users. None is
        ``TruncatedLossRecommender(extra_feedback="warmup")``. It is cloned; the fitted
        one is `recommender_`.

    n_neighbors : int, default=10
        Neighbours :math:`|N_u|`. The paper searches 1 to 100.

    mixing : float, default=0.8
        Weight λ of the user's own score, from 0 to 1; 1 changes nothing.

    max_extra_ratio : float, default=0.1
        Users are mixed if their number of positive rows in `X_extra`, divided by that
        in `X` (by 1, if there is none), is below this.

    on : {"logit", "proba"}, default="logit"
        Whether logits or probabilities are averaged. The paper says "prediction
        scores"; they rank differently, since a probability bounds what one
        neighbour can do.

    random_state : int, RandomState instance or None, default=None
        If not None, set on the recommender in place of its own.

    Attributes
    ----------
    recommender_ : estimator
        The fitted recommender.

    neighbors_ : ndarray of shape (n_users, k), int64
        Neighbours of each user as positions in `user_ids_`, nearest first; -1 in all
        of a row for users that are not mixed. k is 0 without extra feedback.

    extra_ratio_ : ndarray of shape (n_users,), float64
        Ratio of extra to implicit feedback, in the order of `user_ids_`.

    classes_ : ndarray of shape (2,)
        The two labels; the second is the positive one.

    class_count_ : ndarray of shape (2,), float64
        Labelled rows of each class, weighted with weights of mean 1.

    net_ : PairNet
        The net of the fitted recommender.

    user_ids_, item_ids_ : ndarray
        Known ids, in order of first appearance.

    n_features_in_ : int
        Columns of `X` in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if `X` had names.

    See Also
    --------
    TruncatedLossRecommender : What it wraps by default.

    Notes
    -----
    Scoring a pair of a mixed user takes as many forward passes as there are neighbours.
    Users that `fit` has not seen are scored as the recommender scores them. Finding
    the neighbours takes time of the order of mixed users times users.

    There is no `recommend`, `explain`, `partial_fit` or `save` here: those of
    `recommender_` know nothing of the mixing, and after an update of it the neighbours
    are stale, so fit anew. Pickle and joblib keep the whole.

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_invlearn import CollidingRecommender, TruncatedLossRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> clicks = data.X[data.y == 1]
    >>> inner = TruncatedLossRecommender(extra_feedback="warmup", random_state=0)
    >>> est = CollidingRecommender(recommender=inner, n_neighbors=5)
    >>> est = est.fit(
    ...     clicks,
    ...     np.ones(len(clicks)),
    ...     X_extra=(clicks[:20],),
    ...     y_extra=(np.ones(20),),
    ... )
    >>> est.predict_proba(data.X_test)
    array([[...]])
    """

    # As in BaseRecommender: routed to fit without a call of set_fit_request.
    __metadata_request__fit = dict.fromkeys(
        ("X_unlab", "X_val", "y_val", "X_extra", "y_extra"), True
    )

    _parameter_constraints: dict = {
        "recommender": [HasMethods(["fit", "decision_function"]), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "mixing": [Interval(Real, 0, 1, closed="both")],
        "max_extra_ratio": [Interval(Real, 0, None, closed="left")],
        "on": [StrOptions({"logit", "proba"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        recommender=None,
        n_neighbors=10,
        mixing=0.8,
        max_extra_ratio=0.1,
        on="logit",
        random_state=None,
    ) -> None:
        self.recommender = recommender
        self.n_neighbors = n_neighbors
        self.mixing = mixing
        self.max_extra_ratio = max_extra_ratio
        self.on = on
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_unlab=None,
        X_val=None,
        y_val=None,
        X_extra=None,
        y_extra=None,
    ) -> CollidingRecommender:
        """Fit the recommender and find the neighbours.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs with implicit feedback: user id in the first column, item id in the
            second.

        y : array-like of shape (n,)
            Labels; may be all 1 (or 1.0, or True).

        sample_weight : array-like of shape (n,), default=None
            Weights of the pairs, not negative. A weight of 0 removes the row.

        X_unlab, X_val, y_val : default=None
            As in the recommender's `fit`.

        X_extra : array-like or DataFrame of shape (n_extra, n_columns), or tuple of \
one, default=None
            Pairs with sparse but reliable feedback. Without, the recommender warns,
            and nobody is mixed.

        y_extra : array-like of shape (n_extra,), default=None
            Their labels, of the classes of `y`; may be all positive.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the recommender is none that is warmed up, or its backbone has no
            vectors of users; and all that its own `fit` raises.
        """
        for name in ("net_", "recommender_", "feature_names_in_"):
            self.__dict__.pop(name, None)  # a fit that fails leaves no old model behind
        recommender = self._unfitted_recommender()
        recommender.fit(
            X,
            y,
            sample_weight,
            X_unlab=X_unlab,
            X_val=X_val,
            y_val=y_val,
            X_extra=X_extra,
            y_extra=y_extra,
        )
        encoder, positive = recommender._encoder, recommender.classes_[1]
        rated = np.asarray(y).ravel() == positive
        if sample_weight is not None:
            rated = rated & (np.asarray(sample_weight) > 0)
        n_implicit = _rows_per_user(X, rated, encoder)
        n_extra = np.zeros_like(n_implicit)
        if X_extra is not None:
            rated = np.asarray(_inputs.unwrap(y_extra)).ravel() == positive
            n_extra = _rows_per_user(_inputs.unwrap(X_extra), rated, encoder)
        self.extra_ratio_ = n_extra / np.maximum(n_implicit, 1)
        self.neighbors_ = self._find_neighbors(recommender, X_extra is not None)
        self.recommender_ = recommender
        for name, value in recommender._fitted_attributes().items():
            setattr(self, name, value)
        return self

    def _unfitted_recommender(self) -> Any:
        if self.recommender is None:
            recommender = TruncatedLossRecommender(extra_feedback="warmup")
        else:
            recommender = clone(self.recommender)
        warms_up = getattr(recommender, "extra_feedback", None) == "warmup"
        if not isinstance(recommender, ExtraFeedbackRecommender) or not warms_up:
            raise ValueError(
                "CollidingRecommender takes its neighbours from the user vectors after "
                "warm-up, so it needs a recommender with extra_feedback='warmup', such "
                "as TruncatedLossRecommender(extra_feedback='warmup'); got "
                f"{recommender!r}."
            )
        if self.random_state is not None:
            recommender.set_params(random_state=self.random_state)
        return recommender

    def _find_neighbors(self, recommender: Any, warmed_up: bool) -> np.ndarray:
        n_users = len(self.extra_ratio_)
        k = min(self.n_neighbors, n_users - 1) if warmed_up else 0
        neighbors = np.full((n_users, k), -1)
        if not warmed_up:
            return neighbors
        if k < self.n_neighbors:
            warnings.warn(
                f"n_neighbors={self.n_neighbors}, but a user has only {k} others to be "
                "a neighbour of: all of them are taken.",
                UserWarning,
                stacklevel=4,
            )
        if not hasattr(recommender, "warm_user_vectors_"):
            code = torch.ones(1, dtype=torch.int64, device=recommender.net_.device)
            user_vectors(recommender.net_.module_, code)  # says what is missing
        mixed = np.flatnonzero(self.extra_ratio_ < self.max_extra_ratio)
        with torch_threads(recommender.n_threads):
            vectors = recommender.warm_user_vectors_
            neighbors[mixed] = nearest_by_product(vectors, mixed, k)
        return neighbors

    def decision_function(self, X) -> np.ndarray:
        """Return the logit of every pair, mixed where the user is.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`.

        Returns
        -------
        logit : ndarray of shape (n,), float64
            Above 0 for the positive class ``classes_[1]``. With ``on="proba"`` the
            logit of the mixed probability.

        Raises
        ------
        ValueError
            For missing ids; for unknown ids if the recommender has
            ``handle_unknown="error"``.
        """
        check_is_fitted(self, "net_")
        own = self.recommender_.decision_function(X)
        user, item = self._encoder.lookup(id_columns(X)[:2])
        if self.mixing == 1 or not self.neighbors_.shape[1]:
            return own
        mixed = np.flatnonzero((user > 0) & (self.neighbors_[user - 1, 0] >= 0))
        if not len(mixed):
            return own
        score, back = _SCALES[self.on]
        with torch_threads(self.recommender_.n_threads):
            others = neighborhood_mean(
                self.net_.module_,
                self.neighbors_ + 1,
                user[mixed] - 1,
                item[mixed],
                score,
            )
        own[mixed] = back(self.mixing * score(own[mixed]) + (1 - self.mixing) * others)
        return own

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.recommender or TruncatedLossRecommender())
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        return tags


def _rows_per_user(X: Any, counted: np.ndarray, encoder: Any) -> np.ndarray:
    """Count rows of each known user, shape (n_users,), among those of a mask (n,)."""
    code = encoder.users.lookup(id_columns(X)[0])[counted]
    return np.bincount(code, minlength=encoder.n_users)[1:]


def _both_probabilities(z: np.ndarray) -> np.ndarray:
    """P(positive) and P(negative), (n, 2): neither is rounded to 1 minus the other."""
    return np.column_stack([expit(z), expit(-z)])


def _logit_of_both(proba: np.ndarray) -> np.ndarray:
    return np.log(proba[:, 0]) - np.log(proba[:, 1])


# What is averaged, and the way back to a logit.
_SCALES: dict[str, Any] = {
    "logit": (np.asarray, np.asarray),
    "proba": (_both_probabilities, _logit_of_both),
}
