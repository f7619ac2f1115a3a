"""Inverse Dual Loss ([IL] Section 3.1)."""

from __future__ import annotations

from numbers import Real
from typing import Any

from .._intervals import Interval
from ..fitting._build import comes_fitted
from ..fitting._student import GateMixin
from ..training import InverseDualLossNet, PairNet
from ._base import BaseRecommender
from ._shared_docs import with_shared_parameters


@with_shared_parameters
class InverseDualLossRecommender(GateMixin, BaseRecommender):
    r"""Learn from unlabeled pairs by the labels the model gives them.

    Minimises the sum of the cross entropy of labelled pairs and the inverse dual
    loss of unlabeled ones ([1]_, Eq. 2 and 4),

    .. math::

        L = \frac{1}{|D^l|} \sum_{D^l} \ell(z, y)
            + \frac{\alpha}{\gamma} \frac{1}{|D^u|} \sum_{D^u}
              \left( w_1 \ell_1(z) + w_0 \ell_0(z) \right),
        \qquad w_1 = \frac{\ell_0^2}{\ell_0^2 + \ell_1^2}, \quad w_0 = 1 - w_1,

    where z is the logit of a pair, :math:`\ell_1 = -\log \sigma(z)` and
    :math:`\ell_0 = -\log(1 - \sigma(z))`; the weights are constants for the
    gradient. A label that the model finds hard to believe (large loss) gets little
    weight. Since :math:`\partial / \partial z = \sigma(z) - w_1`, this is
    self-training on soft, sharpened labels: it confirms what the model believes,
    right or wrong. :class:`InverseGradientRecommender` adds a check.

    Parameters
    ----------
    alpha : float, default=None
        Learning rate α on unlabeled pairs: their loss has the weight α/γ. None is
        `gamma`, the plain sum of the paper; for a backbone that comes fitted
        ("spectral"), None and ``max_epochs=None`` leave it to held-out labels whether
        to learn from `X_unlab` at all, see Notes.

    prior_alignment : bool, default=False
        Whether w1 is scaled so that its mean over a batch is the share of positives
        among the labels: an extension, see
        :func:`~sklearn_invlearn.losses.align_to_prior`. Without it the annotations
        drift to the more frequent label.

    <shared parameters>

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels; the second is the positive one.

    class_count_ : ndarray of shape (2,), float64
        Labelled rows of each class, weighted with weights of mean 1.

    net_ : PairNet
        The trained skorch net; ``net_.module_`` is the torch module.

    gate_ : structured ndarray of shape (n_folds_tried,)
        Whether held-out labels wanted the pool, see Notes: ``fold``, their
        ``loss_direct`` (with the student), ``loss_pass`` (without), ``loss_inverse``
        (against it), and the student's ``weight``, 0 if there is none. Empty where
        nothing was asked.

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
    InverseGradientRecommender : Goes along or against the same gradient, whichever
        held-out labels prefer.

    Notes
    -----
    A backbone that comes fitted has learned from the labels what its regularisation
    lets it, and self-training from there costs accuracy where labels are clean. So by
    default the pool goes to a *student*: a second model on the same embeddings with
    a strong prior, that minimises :math:`L` with annotations aligned to the prior. The
    logit of a pair becomes :math:`a + b\,z + c\,z_{student}`, with a, b and
    :math:`c \ge 0` from the labels that the fit has held out (three folds; one, a
    fifth of the labels, from 50,000; a tenth from 200,000), an extension that follows
    Wolpert's "Stacked generalization" (1992). If c is 0 on the first fold, or lowers
    the loss of all of them together by less than 0.2, as usual with clean labels, the
    model stays exactly as it was fitted. With many wrong labels the student can help a
    lot. There is no student without `X_unlab`, or with fewer than 1,000 labels or 20 of
    one class.

    References
    ----------
    .. [1] Lin et al., "Inverse Learning with Extremely Sparse Feedback for
       Recommendation", WSDM 2024, doi:10.1145/3616855.3635797.

    Examples
    --------
    >>> from sklearn_invlearn import InverseDualLossRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = InverseDualLossRecommender(gamma=0.05, alpha=0.005, random_state=0)
    >>> est.fit(data.X, data.y, X_unlab=(data.X_unlab,)).annotate(data.X_unlab).shape
    (...,)
    """

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "prior_alignment": ["boolean"],
    }

    def __init__(
        self,
        *,
        alpha=None,
        prior_alignment=False,
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
        self.alpha = alpha
        self.prior_alignment = prior_alignment
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
    def _asks_held_out_labels(self) -> bool:
        by_default = self.alpha is None and self.max_epochs is None
        return by_default and comes_fitted(self.backbone)

    def _n_epochs(self) -> int:
        decide = self._asks_held_out_labels and not self._goes_on
        return 0 if decide else super()._n_epochs()

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        if self._asks_held_out_labels:
            # They decide about the pool in a fit that starts anew. One that goes on,
            # and an update, learn new labels all the same.
            return PairNet, {}
        alpha = float(self.gamma if self.alpha is None else self.alpha)
        params = {"alpha": alpha, "prior_alignment": self.prior_alignment}
        return InverseDualLossNet, params
