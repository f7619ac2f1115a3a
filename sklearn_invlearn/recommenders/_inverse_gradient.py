"""Inverse Gradient ([IL] Section 3.2)."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from .._intervals import Interval
from ..fitting._build import comes_fitted
from ..fitting._student import GateMixin
from ..training import DIRECTIONS, InverseGradientNet, PairNet
from ._base import BaseRecommender
from ._shared_docs import with_shared_parameters

_LOSSES = tuple(f"loss_{direction}" for direction in DIRECTIONS)
_TRACE_DTYPE = np.dtype(
    [("epoch", np.int64)]
    + [(name, np.float64) for name in _LOSSES]
    + [("direction", "U7")]
)


@with_shared_parameters
class InverseGradientRecommender(GateMixin, BaseRecommender):
    r"""Learn from unlabeled pairs, in the direction that held-out labels approve.

    Algorithm 1 of [1]_. The labelled pairs are split into *training-train* and
    *training-test* rows. Until `max_epochs` passes over the former are done, repeat

    1. T supervised steps of size γ on training-train batches;
    2. T times: take the gradient g of the inverse dual loss (see
       :class:`InverseDualLossRecommender`) of an unlabeled batch; evaluate the loss
       of a training-test batch at :math:`\theta - \alpha g` (*direct*),
       :math:`\theta + \alpha g` (*inverse*) and :math:`\theta` (*pass*); move to the
       best of the three, and take a supervised step of size γ on that batch there.

    The dual loss teaches the model its own opinion. Where held-out labels say that
    this opinion is wrong, the step goes the other way; where both ways are worse
    than none, it is not taken. `trace_` shows what happened.

    Parameters
    ----------
    alpha : float, default=None
        Size α of the probe step on unlabeled pairs. None is ``0.1 * gamma``, as in
        the paper, whose convergence analysis asks for α < γ; for a backbone that comes
        fitted ("spectral"), None puts a gate before that, and with ``max_epochs=None``
        in its place, see Notes.

    probe : {"sgd", "sign"}, default="sgd"
        Probe step :math:`\alpha g`, as the paper has it, or :math:`\alpha \,
        \mathrm{sign}(g)`, which is what the public code's optimiser amounts to. With
        "sgd" an α that does something is much larger than with "sign": a batch of B
        pairs leaves a gradient of order 1/B in a row of an embedding.

    n_supervised_steps : int, default=None
        The T of the first loop. None for as many as make a pass over the
        training-train rows and one over the training-test rows end together: about
        nine times `n_unlabeled_steps` with the default shares. Algorithm 1 as printed
        has the same number for both loops.

    n_unlabeled_steps : int, default=1
        The T of the second loop. Long blocks of steps on the few training-test
        rows, as in the papers' public code, make a deep backbone overfit them.

    <shared parameters>

    Attributes
    ----------
    trace_ : structured ndarray of shape (n_steps,)
        One row per unlabeled step: ``epoch``, ``loss_direct``, ``loss_pass``,
        ``loss_inverse`` (of the training-test batch) and the ``direction`` taken.
        Epoch 0 is the gate of a backbone that comes fitted, a row for each fold.

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
        validation rows; counts ``n_direct``, ``n_inverse`` and ``n_pass``; the steps
        of `trace_` as its batches. Where the gate has stood in for all epochs, one row,
        of epoch 0, with its counts and steps.

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
    InverseDualLossRecommender : The same unlabeled loss, always followed.
    CrossEntropyRecommender : Labelled pairs only.

    Notes
    -----
    To second order the held-out loss at :math:`\theta \mp \alpha g` is
    :math:`L \mp \alpha \langle \nabla L, g \rangle + \frac{\alpha^2}{2} g^T H g`. So
    *direct* wins if the two gradients agree by more than
    :math:`\frac{\alpha}{2} g^T H g`, *inverse* if they disagree by more, and *pass*
    wins in between; the paper's Theorem 1 is the first-order statement. Many
    passes mean that α is too large. Ties go to *direct*, then *pass*; a candidate
    whose loss is not finite is never chosen. Where early stopping sets rows aside by
    itself (see `early_stopping`), these are a further share of `validation_fraction`
    of the labelled rows: the training-test rows are trained on, and no judge.

    A backbone that comes fitted has seen the training-test rows, which then approve of
    anything. By default a gate on rows that it has not seen comes first: a student of
    the pool joins the fitted model, in the direction and with the step size that lower
    the held-out loss most, or does not (*pass*). With ``max_epochs=None`` that is all:
    no epoch follows, and without a pool, or with too few labels to ask, the model is
    that of :class:`CrossEntropyRecommender`. It is an extension, the same as in
    :class:`InverseDualLossRecommender`, whose Notes describe it.

    References
    ----------
    .. [1] Lin et al., "Inverse Learning with Extremely Sparse Feedback for
       Recommendation", WSDM 2024, doi:10.1145/3616855.3635797.

    Examples
    --------
    >>> from sklearn_invlearn import InverseGradientRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = InverseGradientRecommender(gamma=0.05, alpha=1.0, random_state=0)
    >>> est.fit(data.X, data.y, X_unlab=(data.X_unlab,)).predict_proba(data.X_test)
    array([[...]])
    >>> set(est.trace_["direction"]) <= {"direct", "inverse", "pass"}
    True
    """

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "probe": [StrOptions({"sgd", "sign"})],
        "n_supervised_steps": [Interval(Integral, 1, None, closed="left"), None],
        "n_unlabeled_steps": [Interval(Integral, 1, None, closed="left")],
    }

    @property
    def _holds_out(self) -> bool:
        return True

    def __init__(
        self,
        *,
        alpha=None,
        probe="sgd",
        n_supervised_steps=None,
        n_unlabeled_steps=1,
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
        self.probe = probe
        self.n_supervised_steps = n_supervised_steps
        self.n_unlabeled_steps = n_unlabeled_steps
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
        return self.alpha is None and comes_fitted(self.backbone)

    def _n_epochs(self) -> int:
        # Adam's first steps are of size γ however small the gradient: an epoch from a
        # fitted model undoes some of what its regularisation has achieved.
        by_default = self._asks_held_out_labels and self.max_epochs is None
        return 0 if by_default and not self._goes_on else super()._n_epochs()

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        gamma = float(self.gamma)
        alpha = 0.1 * gamma if self.alpha is None else float(self.alpha)
        return InverseGradientNet, {
            "alpha": alpha,
            "probe": self.probe,
            "n_supervised_steps": self.n_supervised_steps,
            "n_unlabeled_steps": self.n_unlabeled_steps,
        }

    @property
    def history_(self) -> History:
        """A row per epoch; where there was none, that of the gate, which is epoch 0."""
        check_is_fitted(self, "net_")
        if len(self.net_.history) or not len(self.gate_):
            return self.net_.history
        history = History()
        history.new_epoch()
        history.record("epoch", 0)
        for step in self.trace_:
            history.new_batch()
            for name in (*_LOSSES, "direction"):
                history.record_batch(name, step[name].item())
        for direction in DIRECTIONS:
            n_taken = int((self.trace_["direction"] == direction).sum())
            history.record(f"n_{direction}", n_taken)
        return history

    @property
    def trace_(self) -> np.ndarray:
        """Losses and direction of every unlabeled step; epoch 0 is the gate."""
        check_is_fitted(self, "net_")
        steps = [
            (
                0,
                *(fold[name] for name in _LOSSES),
                "direct" if fold["weight"] else "pass",
            )
            for fold in self.gate_
        ] + [
            (row["epoch"], *(step[name] for name in _LOSSES), step["direction"])
            for row in self.net_.history
            for step in row["batches"]
        ]
        return np.array(steps, dtype=_TRACE_DTYPE)
