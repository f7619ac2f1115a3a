"""Colliding inference: neighbours speak for users with little extra feedback."""

from __future__ import annotations

import warnings
from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions

from .._intervals import Interval, plain_number
from ..files._onnx_export import OnnxMixin
from ..files._pickling import PicklingMixin
from ..files._wrapper_files import WrapperSaveMixin
from ..fitting import _inputs
from ..fitting._id_kinds import frames_to_the_caller
from ..fitting._rollback import set_at_once
from ..fitting._torch_state import one_fit_at_a_time
from ..modules import colliding
from ..serving._annotation import AnnotationMixin
from ..serving._explanation import ExplanationMixin
from ..serving._prediction import PredictionMixin
from ..serving._ranking import RankingMixin
from ..serving._seen_items import SeenItemsMixin
from ._delegation import DelegationMixin
from ._extra_feedback import ExtraFeedbackRecommender
from ._neighborhoods import (
    extra_ratio,
    positives_per_user,
    require_user_vectors,
    tensor_beside,
    with_neighbors,
)
from ._truncated_loss import TruncatedLossRecommender


class CollidingRecommender(
    DelegationMixin,
    AnnotationMixin,
    ExplanationMixin,
    RankingMixin,
    PredictionMixin,
    SeenItemsMixin,
    WrapperSaveMixin,
    PicklingMixin,
    OnnxMixin,
    ClassifierMixin,
    BaseEstimator,
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

    history_ : skorch History
        Its history, a row per epoch.

    n_iter_ : int
        Its epochs.

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

    Predictions, `annotate`, `recommend`, `explain` and `export_onnx` are of mixed
    scores; those of `recommender_` know nothing of the mixing. `similar_items` and
    `similar_users` are those of the recommender. An interrupted `fit` is kept if the
    warm-up was over; one that fails changes nothing.

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
    __metadata_request__partial_fit = {"X_unlab": True}
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
        recommender = self._unfitted_recommender(X_extra is not None)
        try:
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
        except KeyboardInterrupt:
            if hasattr(recommender, "warm_user_vectors_"):
                self._take(recommender, X, y, sample_weight, X_extra, y_extra)
            raise
        return self._take(recommender, X, y, sample_weight, X_extra, y_extra)

    def _take(
        self, recommender: Any, X: Any, y: Any, weight: Any, X_extra: Any, y_extra: Any
    ) -> CollidingRecommender:
        """Find the neighbours of a recommender that is fitted to these tables."""
        counts = np.zeros((2, recommender._encoder.n_users - 1), dtype=np.int64)
        counts[0] = positives_per_user(recommender, X, y, weight)
        if X_extra is not None:
            extra, labels = _inputs.unwrap(X_extra), _inputs.unwrap(y_extra)
            counts[1] = positives_per_user(recommender, extra, labels, None)
        n_users = counts.shape[1]
        k = min(int(self.n_neighbors), n_users - 1) if X_extra is not None else 0
        if X_extra is not None and k < self.n_neighbors:
            warnings.warn(
                f"n_neighbors={self.n_neighbors}, but a user has only {k} others to be "
                "a neighbour of: all of them are taken.",
                UserWarning,
                stacklevel=frames_to_the_caller(),
            )
        return self._keep(recommender, counts, np.full((n_users, k), -1))

    def _keep(self, recommender: Any, counts: np.ndarray, neighbors: np.ndarray) -> Any:
        """Set all that is fitted at once."""
        share = self.max_extra_ratio
        fitted = {
            "recommender_": recommender,
            "neighbors_": with_neighbors(recommender, counts, neighbors, share),
            "extra_ratio_": extra_ratio(counts),
            "_positives": counts,
        }
        return set_at_once(self, fitted)

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        classes=None,
        X_unlab=None,
        n_epochs=1,
        update_shared="auto",
    ) -> CollidingRecommender:
        """Update the recommender, and who is mixed.

        The vectors after warm-up stay, and with them the neighbours of everybody who
        is mixed. The ratios of extra to implicit feedback count the new rows, so that
        further users may be mixed. Scores of a mixed user change with those of the
        neighbours. A newcomer has no vector of the warm-up: he is
        neither mixed nor anybody's neighbour until the next `fit`. Without a `fit`
        before there was no warm-up, and nobody is mixed (with a warning).

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            New pairs with implicit feedback, with the columns of `fit`.

        y : array-like of shape (n,)
            Their labels; one class is enough.

        sample_weight : array-like of shape (n,), default=None
            Weights, on the scale of those of `fit`.

        classes, X_unlab, n_epochs, update_shared
            As in the recommender's `partial_fit`.

        Returns
        -------
        self : object
            The updated estimator.

        Raises
        ------
        ValueError
            Wherever the recommender's `partial_fit` raises one.
        """
        with one_fit_at_a_time():
            recommender = self._unfitted_recommender(False)
            if fitted := hasattr(self, "net_"):  # of a copy: the old one stays whole
                params = recommender.get_params(deep=False)
                recommender = copy(self.recommender_).set_params(**params)
            recommender.partial_fit(
                X,
                y,
                sample_weight,
                classes=classes,
                X_unlab=X_unlab,
                n_epochs=n_epochs,
                update_shared=update_shared,
            )
            if not fitted:
                return self._take(recommender, X, y, sample_weight, None, None)
            n_new = recommender._encoder.n_users - 1 - self._positives.shape[1]
            counts = np.pad(self._positives, ((0, 0), (0, n_new)))
            counts[0] += positives_per_user(recommender, X, y, sample_weight)
            neighbors = np.pad(
                self.neighbors_, ((0, n_new), (0, 0)), constant_values=-1
            )
            return self._keep(recommender, counts, neighbors)

    def _unfitted_recommender(self, warmed_up: bool) -> Any:
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
        if warmed_up:
            require_user_vectors(recommender)
        return recommender

    @property
    def _scorer(self) -> Any:
        module = self.net_.module_
        neighbors = tensor_beside(module, self.neighbors_)
        return colliding(module, neighbors, plain_number(self.mixing), self.on)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.recommender or TruncatedLossRecommender())
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        return tags
