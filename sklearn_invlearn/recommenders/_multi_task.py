"""Neural multi-task recommendation (NMTR): clicks and extra feedback."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import StrOptions
from torch import nn

from .._intervals import Interval
from ..fitting._build import comes_fitted
from ..fitting._training_data import EncodedPairs
from ..modules import BACKBONES, Cascade
from ..training import MultiTaskNet, PairNet
from ._base import BaseRecommender
from ._shared_docs import with_shared_parameters


@with_shared_parameters
class MultiTaskRecommender(BaseRecommender):
    r"""Learn clicks and reliable extra feedback together, in a cascade (NMTR).

    The labelled pairs `X` are the first behaviour: clicks, or whatever implicit
    feedback there is plenty of. `X_extra` in `fit` is the second, sparse and reliable:
    completed, liked, bought. Both share the embedding tables of the backbone, and the
    second builds on the first ([1]_; a baseline of Table 4 of [2]_):

    .. math::
        z_1 = f_1(u, i), \qquad z_2 = z_1 + f_2(u, i).

    The loss is the cross entropy of both, each with sampled negatives,

    .. math::
        (1 - \lambda) \sum_{X \cup X^-} \ell(z_1, y)
        + \lambda \sum_{X_{extra} \cup X_{extra}^-} \ell(z_2, y_{extra}),

    and what is predicted is the second behaviour, from :math:`z_2`.

    Parameters
    ----------
    extra_weight : float, default=0.5
        The λ of the extra feedback, between 0 and 1. Both sums are over rows, so where
        extra feedback is sparse, large values let it count.

    n_negatives : int, default=1
        Unlabeled pairs for each row of either kind, taken for negatives. They come
        from `X_unlab`, else from pairs without any feedback.

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
    NegativeReweightingRecommender : Clicks without satisfaction are negatives.
    CrossEntropyRecommender : One behaviour alone.

    Notes
    -----
    `backbone` is "gmf", or any other one that starts from random weights. All its
    embedding tables are shared but those of biases; layers, biases and intercept are
    each behaviour's own. Those of :math:`f_2` start as a copy of those of :math:`f_1`,
    biases and intercept from zero. [1]_ has any number of behaviours, here there are
    two. That :math:`z_1` enters as a logit, not as a probability, and that clicks
    without extra feedback are no negatives of the second behaviour, is our reading.

    Without `X_extra` (there is a warning) `X` stands for both behaviours. So do the
    rows that `partial_fit` is given: hand it reliable feedback, and no bare clicks.

    "auto" early stopping is on only with `X_val`, the labels of which should be those
    of the second behaviour. With True and no `X_val` the rows set aside are clicks.

    References
    ----------
    .. [1] Gao et al., "Learning to Recommend with Multiple Cascading Behaviors", IEEE
       TKDE 2019, doi:10.1109/TKDE.2019.2958808.
    .. [2] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> from sklearn_invlearn import MultiTaskRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> clicks, seen = data.X_unlab, [1] * len(data.X_unlab)
    >>> est = MultiTaskRecommender(gamma=0.05, max_epochs=5, random_state=0)
    >>> est.fit(clicks, seen, X_extra=(data.X,), y_extra=(data.y,))
    MultiTaskRecommender(gamma=0.05, max_epochs=5, random_state=0)
    >>> est.predict_proba(data.X_test)
    array([[...]])
    """

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "backbone": [
            StrOptions({name for name in BACKBONES if not comes_fitted(name)}),
            type,
        ],
        "extra_weight": [Interval(Real, 0, 1, closed="both")],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        extra_weight=0.5,
        n_negatives=1,
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
        self.extra_weight = extra_weight
        self.n_negatives = n_negatives
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
        return self.n_negatives

    @property
    def _extra_feedback(self) -> str:
        return "the second behaviour"

    def _stops_early(self, pairs: EncodedPairs) -> bool:
        if self.early_stopping == "auto":  # clicks are no judges of satisfaction
            return pairs.valid is not None
        return bool(self.early_stopping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # by its sampled negatives
        return tags

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        return MultiTaskNet, {
            "extra_weight": self.extra_weight,
            "n_negatives": self.n_negatives,
        }

    def _assemble(self, module: nn.Module) -> nn.Module:
        if comes_fitted(self.backbone):
            raise ValueError(
                f"{type(module).__name__} comes fitted to the labels of X, and has no "
                "shared tables for a second behaviour. Use backbone='gmf', or a class "
                "without a method `fitted`."
            )
        return Cascade(module)

    def _backbone_of(self, module: nn.Module) -> nn.Module:
        return module.first if isinstance(module, Cascade) else module
