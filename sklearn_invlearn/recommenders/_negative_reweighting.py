"""Negative feedback reweighting (NR): complete, skipped, not clicked."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

from sklearn.utils._param_validation import StrOptions

from .._intervals import Interval
from ..fitting._training_data import EncodedPairs
from ..ids._encoding import PairEncoder
from ..training import NegativeReweightingNet, PairNet, TrainingData
from ._base import BaseRecommender
from ._shared_docs import with_shared_parameters


@with_shared_parameters
class NegativeReweightingRecommender(BaseRecommender):
    r"""Tell clicks that were completed from skipped ones, and weigh both (NR).

    Post-click feedback makes three kinds of pairs: *complete* (clicked, and content
    with it), *skipped* (clicked, and not), and pairs without a click. The first are
    positives, the others negatives, each kind with a fixed share of the loss ([1]_; a
    baseline of Table 4 of [2]_):

    .. math::
        \lambda_c \, \overline{\ell_1}(complete)
        + \lambda_s \, \overline{\ell_0}(skipped)
        + (1 - \lambda_c - \lambda_s) \, \overline{\ell_0}(no\ click),

    where a bar is the (weighted) mean over the pairs of a kind.

    Complete are the rows of `X_extra` with label 1. Skipped are those with label 0,
    the rows of `X` with label 0, and the clicks (rows of `X` with label 1) of which
    `X_extra` says nothing, unless they are ignored. Without `X_extra` the labels
    of `X` say it: 1 is complete, 0 skipped. Pairs without a click are those of
    `X_unlab`, or sampled ones.

    Parameters
    ----------
    complete_weight : float, default=0.5
        The share λ_c of complete clicks, above 0.

    skip_weight : float, default=0.25
        The share λ_s of skipped clicks. What is left of 1 is the share of pairs
        without a click.

    silent_clicks : {"skip", "ignore"}, default="skip"
        What to do with rows of `X` that have label 1 and are not in `X_extra`.
        "skip", as in [2]_, is right where feedback is complete: who liked an item said
        so. Where feedback is sparse, many such clicks are true positives; "ignore"
        leaves them out.

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
        validation rows.

    n_iter_ : int
        Epochs that were run.

    user_ids_, item_ids_ : ndarray
        Known ids, in order of first appearance.

    n_features_in_ : int
        Columns of `X` in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if `X` had names.

    See Also
    --------
    MultiTaskRecommender : Clicks stay positives, of another behaviour.
    CrossEntropyRecommender : With ``negatives="sampled"``, two kinds of pairs.

    Notes
    -----
    The public code of [1]_ draws the rows of a batch in these shares; here rows are
    weighed, which has the same expectation and meets every click once an epoch. That
    code has squared loss, or BPR with pairs in the like shares; [2]_ trains its
    backbones on cross entropy, as is done here. That [2]_ takes silent clicks for
    skipped ones is our reading of its remark that NR loses many positive interactions.
    A kind without pairs has no term. A backbone that comes fitted ("spectral") is
    fitted to the labels of `X` first.

    `partial_fit` has no `X_extra`, and its rows mean what they meant in the last `fit`:
    if that was given extra feedback, rows with label 1 are clicks of which there is
    none, skipped or ignored as `silent_clicks` says; if not, they are complete. New
    extra feedback is learned by `fit` with ``warm_start=True``.

    "auto" early stopping is on only with `X_val`, the labels of which should mark
    complete pairs. With True and no `X_val` the rows set aside are clicks.

    References
    ----------
    .. [1] Wen et al., "Leveraging Post-click Feedback for Content Recommendations",
       RecSys 2019, doi:10.1145/3298689.3347037.
    .. [2] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> from sklearn_invlearn import NegativeReweightingRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = NegativeReweightingRecommender(gamma=0.05, max_epochs=5, random_state=0)
    >>> est.fit(data.X, data.y, X_unlab=(data.X_unlab,)).predict_proba(data.X_test)
    array([[...]])
    """

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "complete_weight": [Interval(Real, 0, 1, closed="right")],
        "skip_weight": [Interval(Real, 0, 1, closed="left")],
        "silent_clicks": [StrOptions({"skip", "ignore"})],
    }

    def __init__(
        self,
        *,
        complete_weight=0.5,
        skip_weight=0.25,
        silent_clicks="skip",
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
        self.complete_weight = complete_weight
        self.skip_weight = skip_weight
        self.silent_clicks = silent_clicks
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
    def _n_negatives(self) -> int:
        return 1

    @property
    def _extra_feedback(self) -> str:
        return "post-click feedback"

    @property
    def _extra_is_optional(self) -> bool:
        return True

    def _stops_early(self, pairs: EncodedPairs) -> bool:
        if self.early_stopping == "auto":  # clicks are no judges of satisfaction
            return pairs.valid is not None
        return bool(self.early_stopping)

    def _remember_for_updates(
        self, data: TrainingData, seed: int, sample_weight: Any
    ) -> None:
        super()._remember_for_updates(data, seed, sample_weight)
        self._had_extra = data.extra is not None

    def _update_data(
        self, pairs: EncodedPairs, encoder: PairEncoder, seeds: dict[str, int]
    ) -> tuple[TrainingData, Any]:
        data, held_out = super()._update_data(pairs, encoder, seeds)
        if self._had_extra:  # there is none of the new rows, which is not the same
            data = replace(data, extra=data.labelled[:0])
        return data, held_out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # by its sampled negatives
        return tags

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        if self.complete_weight + self.skip_weight > 1:
            raise ValueError(
                f"complete_weight={self.complete_weight} and skip_weight="
                f"{self.skip_weight} are shares of the loss and make more than 1."
            )
        return NegativeReweightingNet, {
            "complete_weight": self.complete_weight,
            "skip_weight": self.skip_weight,
            "silent_clicks": self.silent_clicks,
        }
