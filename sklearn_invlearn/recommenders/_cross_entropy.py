"""Cross entropy on labelled pairs, with or without sampled negatives."""

from __future__ import annotations

from typing import Any

from sklearn.utils._param_validation import StrOptions

from ..training import NegativeSamplingNet, PairNet
from ._extra_feedback import ExtraFeedbackRecommender
from ._shared_docs import with_shared_parameters


@with_shared_parameters
class CrossEntropyRecommender(ExtraFeedbackRecommender):
    """Train on cross entropy: the rows "None" and "NS" of the papers' tables.

    With ``negatives=None`` only the labelled pairs count, and `X_unlab` is accepted
    but not used (unless the backbone does, as "spectral"), so that the method can take
    the place of its siblings in a comparison. With ``negatives="sampled"`` every
    labelled batch is joined by unlabeled pairs (from `X_unlab`, else unobserved ones)
    that are taken for negatives ([1]_, Section 4.1.2). Positives shown but not marked
    as such are then learned as negatives, which is what the inverse methods are there
    to avoid.

    Parameters
    ----------
    negatives : {"sampled"} or None, default=None
        Whether to add sampled negatives.

    <sampling parameters>

    <shared parameters>

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels; the second is the positive one.

    class_count_ : ndarray of shape (2,), float64
        Labelled rows of each class, weighted with weights of mean 1.

    net_ : PairNet
        The trained skorch net; ``net_.module_`` is the torch module.

    history_ : skorch History
        One row per epoch: ``train_loss``, and ``valid_loss`` where there are
        validation rows; ``stage`` if there was extra feedback.

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
    InverseDualLossRecommender : Learns the labels of unlabeled pairs instead.
    InverseGradientRecommender : The same, checked on held-out labels.

    References
    ----------
    .. [1] Lin et al., "Inverse Learning with Extremely Sparse Feedback for
       Recommendation", WSDM 2024, doi:10.1145/3616855.3635797.

    Examples
    --------
    >>> from sklearn_invlearn import CrossEntropyRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = CrossEntropyRecommender(gamma=0.05, random_state=0)
    >>> est.fit(data.X, data.y).predict_proba(data.X_test)
    array([[...]])
    """

    _parameter_constraints: dict = {
        **ExtraFeedbackRecommender._parameter_constraints,
        "negatives": [StrOptions({"sampled"}), None],
    }

    def __init__(
        self,
        *,
        negatives=None,
        n_negatives=1,
        resample="batch",
        extra_feedback=None,
        n_extra_epochs=10,
        backbone="spectral",
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
        self.negatives = negatives
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

    @property
    def _draws_unlabeled(self) -> bool:
        return self.negatives == "sampled"

    @property
    def _n_negatives(self) -> int:
        return self.n_negatives if self.negatives == "sampled" else 0

    @property
    def _extra_feedback(self) -> str | None:
        if self.extra_feedback is not None and self.negatives is None:
            raise ValueError(
                f"extra_feedback={self.extra_feedback!r} needs negatives='sampled': "
                "the extra pairs are trained on beside sampled negatives."
            )
        return self.extra_feedback

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Unlabeled pairs count as negatives: by design the scores of labelled
        # pairs are too low.
        tags.classifier_tags.poor_score |= self.negatives == "sampled"
        return tags

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        if self.negatives is None:
            return PairNet, {}
        return NegativeSamplingNet, self._sampling()
