"""Adaptive denoising training with the truncated loss ([ADT] Section 3.3.1)."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import StrOptions

from .._intervals import Interval
from ..training import PairNet, TruncatedLossNet
from ._extra_feedback import ExtraFeedbackRecommender
from ._shared_docs import with_shared_parameters


@with_shared_parameters
class TruncatedLossRecommender(ExtraFeedbackRecommender):
    r"""Leave the positives with the largest losses out: the T-CE loss.

    Implicit feedback (clicks, views) holds false positives, which are harder to fit
    than true ones in the early stage of training. Algorithm 1 of [1]_ samples
    negatives beside each batch of observed positives, leaves out the
    :math:`\lfloor \epsilon(T) n \rfloor` of its positives with the largest cross
    entropy, and takes a step on the mean over the rest. The drop rate

    .. math:: \epsilon(T) = \min(T \epsilon_{max} / \epsilon_N, \epsilon_{max})

    grows from zero over the first :math:`\epsilon_N` steps.

    It acts through the dynamics of training from random weights, so the default
    backbone is "gmf" and not the one of its siblings, which comes fitted.

    Parameters
    ----------
    max_drop_rate : float, default=0.1
        Largest drop rate :math:`\epsilon_{max}`, from 0 to 1. The paper searches .05,
        .1 and .2.

    n_drop_steps : int, default=1000
        Steps :math:`\epsilon_N` after which the drop rate has reached its largest
        value. The paper searches 1,000 to 30,000; a pass over n rows takes
        ``n / batch_size`` steps (twice as many with ``resample="epoch"`` and one
        negative for each row).

    drop_reference : {"batch", "positives"}, default="batch"
        What the drop rate is a share of: all n rows of a batch, sampled negatives
        included, as in the paper, or its positive rows.

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
        ``drop_rate`` at the last step and ``n_dropped`` in the epoch; ``stage`` if
        there was extra feedback.

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
    ReweightedLossRecommender : Gives them smaller weights instead.
    CrossEntropyRecommender : With ``negatives="sampled"``, the same without dropping.

    Notes
    -----
    `y` may be all ones. If it has labelled negatives too, they are kept like sampled
    ones: only positive rows are ever dropped. The largest losses are chosen without
    `sample_weight`; the loss of a kept row is multiplied by its weight, and the sum
    divided by the number of kept rows. Of equal losses the earlier row of the batch is
    dropped; a batch with fewer positives than are to be dropped loses all of them.
    T counts the steps already taken, so the first batch is complete. The validation
    loss is plain cross entropy and comparable over time. Which rows are dropped:
    :class:`sklearn_invlearn.training.RecordRows`.

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160 ("[ADT]").

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_invlearn import TruncatedLossRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> clicks = data.X[data.y == 1]
    >>> est = TruncatedLossRecommender(gamma=0.05, n_drop_steps=20, random_state=0)
    >>> est.fit(clicks, np.ones(len(clicks))).predict_proba(data.X_test)
    array([[...]])
    >>> round(est.history_[-1]["drop_rate"], 6)
    0.1
    """

    _parameter_constraints: dict = {
        **ExtraFeedbackRecommender._parameter_constraints,
        "max_drop_rate": [Interval(Real, 0, 1, closed="both")],
        "n_drop_steps": [Interval(Integral, 1, None, closed="left")],
        "drop_reference": [StrOptions({"batch", "positives"})],
    }

    def __init__(
        self,
        *,
        max_drop_rate=0.1,
        n_drop_steps=1000,
        drop_reference="batch",
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
        self.max_drop_rate = max_drop_rate
        self.n_drop_steps = n_drop_steps
        self.drop_reference = drop_reference
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
        return TruncatedLossNet, {
            "max_drop_rate": self.max_drop_rate,
            "n_drop_steps": self.n_drop_steps,
            "drop_reference": self.drop_reference,
            **self._sampling(),
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # By design, positives are left out and unlabeled pairs count as negatives.
        tags.classifier_tags.poor_score = True
        return tags
