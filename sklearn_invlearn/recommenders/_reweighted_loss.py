"""Adaptive denoising training with the reweighted loss ([ADT] Section 3.3.2)."""

from __future__ import annotations

from numbers import Real
from typing import Any

from .._intervals import Interval
from ..losses import MeanReweightedCrossEntropy
from ..training import NegativeSamplingNet, PairNet
from ._extra_feedback import ExtraFeedbackRecommender
from ._shared_docs import with_shared_parameters


@with_shared_parameters
class ReweightedLossRecommender(ExtraFeedbackRecommender):
    r"""Give rows that are hard to fit a smaller weight: the R-CE loss.

    The cross entropy of a row counts :math:`p_y^\beta` times ([1]_ Eq. 4-6), with
    :math:`p_y` the probability that the model gives its label: :math:`p^\beta` for
    positives, :math:`(1-p)^\beta` for negatives, sampled ones among them. False
    positives, which are harder to fit in the early stage of training, are learned less.

    It acts through the dynamics of training from random weights, so the default
    backbone is "gmf" and not the one of its siblings, which comes fitted.

    Parameters
    ----------
    beta : float, default=0.2
        Exponent β, not negative. 0 is cross entropy; the paper finds .15 to .3 best.

    <sampling parameters>

    <shared parameters>

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels; the second is the positive one. 0 and 1 if `y` was all ones.

    class_count_ : ndarray of shape (2,), float64
        Labelled rows of each class, weighted with weights of mean 1.

    net_ : PairNet
        The trained skorch net; ``net_.module_`` is the torch module.

    history_ : skorch History
        One row per epoch: ``train_loss``, and ``valid_loss`` where there are
        validation rows;
        ``stage`` if there was extra feedback.

    n_iter_ : int
        Epochs that were run, in all stages.

    user_ids_, item_ids_ : ndarray
        Known ids, in order of first appearance.

    n_features_in_ : int
        Columns of `X` in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if `X` had names.

    See Also
    --------
    TruncatedLossRecommender : Leaves the hardest positives out instead.
    CrossEntropyRecommender : With ``negatives="sampled"``, the same with equal weights.

    Notes
    -----
    The weights are under stop-gradient, so the gradient is that of the generalised
    cross entropy :math:`(1 - p_y^\beta)/\beta` of [2]_. `y` may be all ones.
    `sample_weight` multiplies the weighted loss; the mean is over all rows of a batch.
    The validation loss is plain cross entropy, so it does not fall just because the
    weights do.

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160 ("[ADT]").
    .. [2] Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural
       Networks with Noisy Labels", NeurIPS 2018, arXiv:1805.07836.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_invlearn import ReweightedLossRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> clicks = data.X[data.y == 1]
    >>> est = ReweightedLossRecommender(beta=0.25, gamma=0.05, random_state=0)
    >>> est.fit(clicks, np.ones(len(clicks))).predict_proba(data.X_test)
    array([[...]])
    """

    _parameter_constraints: dict = {
        **ExtraFeedbackRecommender._parameter_constraints,
        "beta": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        beta=0.2,
        n_negatives=1,
        resample="batch",
        extra_feedback=None,
        n_extra_epochs=10,
        backbone="gmf",
        n_factors=32,
        user_bias=True,
        item_bias=True,
        backbone_params=None,
        gamma=1e-3,
        weight_decay=0.0,
        optimizer="adam",
        max_epochs=None,
        batch_size=1024,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=5,
        tol=1e-4,
        sampling="uniform",
        handle_unknown="average",
        device="auto",
        n_threads=1,
        callbacks=None,
        random_state=None,
        warm_start=False,
        verbose=0,
    ) -> None:
        self.beta = beta
        self.n_negatives = n_negatives
        self.resample = resample
        self.extra_feedback = extra_feedback
        self.n_extra_epochs = n_extra_epochs
        self.backbone = backbone
        self.n_factors = n_factors
        self.user_bias = user_bias
        self.item_bias = item_bias
        self.backbone_params = backbone_params
        self.gamma = gamma
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.sampling = sampling
        self.handle_unknown = handle_unknown
        self.device = device
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        return NegativeSamplingNet, {
            "criterion": MeanReweightedCrossEntropy,
            "criterion__beta": self.beta,
            **self._sampling(),
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # By design, hard rows count little and unlabeled pairs count as negatives.
        tags.classifier_tags.poor_score = True
        return tags
