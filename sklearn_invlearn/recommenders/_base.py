"""What all recommenders do in `fit`: check, encode, train a net."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._intervals import Interval
from ..files._files import SaveMixin
from ..files._onnx_export import OnnxMixin
from ..files._pickling import PicklingMixin
from ..fitting import _inputs
from ..fitting._build import comes_fitted
from ..fitting._progress import (
    CallbackSupportMixin,
    with_callbacks,
)
from ..fitting._rollback import unchanged_if_it_fails
from ..fitting._torch_state import resolve_device, torch_seed, torch_settings
from ..fitting._training_data import SAMPLING, EncodedPairs, encode, training_data
from ..ids._encoding import PairEncoder
from ..modules import BACKBONES, fill_unknown_rows, unknown_rows_filled
from ..serving._annotation import AnnotationMixin
from ..serving._explanation import ExplanationMixin
from ..serving._prediction import PredictionMixin
from ..serving._ranking import RankingMixin
from ..serving._seen_items import SeenItemsMixin, incidence
from ..training import PairNet, TrainingData
from ..updating._update_inputs import require_same_classes
from ..updating._updating import UpdatingMixin
from ._nets import OPTIMIZERS, NetMixin

_ENOUGH_TO_HOLD_OUT = 10_000  # as in scikit-learn's histogram gradient boosting
_SEEDS = (
    "weights",
    "shuffle",
    "validation",
    "held_out",
    "unlabeled",
    "extra_shuffle",
    "extra_unlabeled",
    "updates",
)


class BaseRecommender(
    CallbackSupportMixin,
    NetMixin,
    AnnotationMixin,
    ExplanationMixin,
    RankingMixin,
    PredictionMixin,
    SeenItemsMixin,
    SaveMixin,
    UpdatingMixin,
    PicklingMixin,
    OnnxMixin,
    ClassifierMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base of all recommenders; a sibling adds its parameters and its net."""

    # scikit-learn reads this name, mangled: fit takes part in metadata routing
    # without a call of set_fit_request.
    __metadata_request__fit = dict.fromkeys(
        ("X_unlab", "X_val", "y_val", "X_extra", "y_extra"), True
    )

    __metadata_request__partial_fit = {"X_unlab": True}

    _parameter_constraints: dict = {
        "backbone": [StrOptions(set(BACKBONES)), type],
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "user_bias": ["boolean"],
        "item_bias": ["boolean"],
        "backbone_params": [dict, None],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "sampling": [StrOptions(set(SAMPLING))],
        "handle_unknown": [StrOptions({"average", "error"})],
        "device": [str, torch.device],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    # ---- what a sibling says about its procedure -------------------------------

    @abstractmethod
    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        """Return the class of the net and its parameters beyond the shared ones."""

    @property
    def _draws_unlabeled(self) -> bool:
        """Whether the procedure uses unlabeled pairs."""
        return True

    @property
    def _holds_out(self) -> bool:
        """Whether it needs labelled rows apart from those of its supervised steps."""
        return False

    @property
    def _n_negatives(self) -> int:
        """Unlabeled batches taken for negatives beside each labelled one."""
        return 0

    @property
    def _extra_feedback(self) -> str | None:
        """What `X_extra` is for, in a word; None if the procedure has no use for it."""
        return getattr(self, "extra_feedback", None)

    @property
    def _goes_on(self) -> bool:
        """Whether `fit` would start from the present weights."""
        return self.warm_start and hasattr(self, "net_")

    # ---- fit ---------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
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
    ) -> BaseRecommender:
        """Fit on labelled pairs and, where the method uses them, unlabeled ones.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Labelled pairs: user id in the first column, item id in the second. Ids
            are anything hashable. Further columns are not used (with a warning).

        y : array-like of shape (n,)
            Labels of two classes; the larger one is positive. Where negatives are
            sampled, observed positives alone are enough: all 1 (or 1.0, or True).

        sample_weight : array-like of shape (n,), default=None
            Weights of the labelled pairs, not negative. A weight of 0 removes the
            row.

        X_unlab : array-like or DataFrame of shape (m, n_columns), or tuple of them, \
default=None
            Exposures without feedback. None stands for pairs of known users and
            items that are not in `X`, sampled while training. Where a method takes
            them for negatives, those with feedback all the same are left out. Inside
            cross-validation pass a tuple, ``X_unlab=(pool,)``: a bare pool that is
            as long as `X` is cut into folds by every tool of scikit-learn.

        X_val : array-like or DataFrame of shape (n_val, n_columns), default=None
            Pairs whose loss is recorded after every epoch and stops the training
            (see `early_stopping`). A tuple of one table is never cut into folds.

        y_val : array-like of shape (n_val,), default=None
            Their labels; in a tuple too, if `X_val` is in one.

        X_extra : array-like or DataFrame of shape (n_extra, n_columns), or tuple of \
one, default=None
            Pairs with sparse but reliable feedback, for procedures that have a use
            for it (see `extra_feedback`). A tuple of one table is never cut into folds.

        y_extra : array-like of shape (n_extra,), default=None
            Their labels, of the classes of `y`; may be all positive.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            For missing ids, one class, more than two classes, an empty pool, a
            pool whose columns are in another order, or too few rows to split.
        TypeError
            For ids that are not hashable, sparse tables and lazy frames.
        FloatingPointError
            If the training loss or a weight is no longer finite.

        Notes
        -----
        Arguments that are refused leave a fitted estimator as it was; a training that
        fails leaves one that is not fitted (or, with ``warm_start=True``, as it was);
        a Ctrl-C while training one that predicts with the weights so far.
        """
        before, seeds = self._continued_state(), self._drawn_seeds()
        device = resolve_device(self.device)
        with torch_settings(self.n_threads), torch_seed(seeds["weights"], device):
            with unchanged_if_it_fails(self):
                _inputs.check_use_of_extra(self, X_extra)
                inputs = _inputs.check_fit_inputs(
                    self,
                    X,
                    y,
                    sample_weight,
                    *(X_unlab, X_val, y_val, X_extra, y_extra),
                    positives_suffice=self._n_negatives > 0,
                    goes_on=before is not None,
                )
                if before is not None:
                    require_same_classes(self, inputs.classes)
                encoder = PairEncoder() if before is None else self._encoder.copy()
                use_pool = self._draws_unlabeled or comes_fitted(self.backbone)
                pairs = encode(inputs, encoder, device, use_pool=use_pool)
                if before is not None:
                    pairs = replace(pairs, earlier=self._earlier_pairs(device))
                stops_early = self._stops_early(pairs)
                data = training_data(
                    pairs,
                    encoder,
                    draws_unlabeled=self._draws_unlabeled,
                    holds_out=self._holds_out,
                    stops_early=stops_early,
                    as_negatives=self._n_negatives > 0,
                    fraction=float(self.validation_fraction),
                    sampling=self.sampling,
                    batch_size=int(self.batch_size),
                    seeds=seeds,
                )
                shown = {"X": X, "y": y, "metadata": _metadata(sample_weight)}
                callbacks = self._callbacks(stops_early, shown, self._stage(pairs))
                if before is None:
                    module = self._new_module(encoder, pairs, data, seeds["weights"])
                else:
                    module = self._grown_module(encoder, pairs, data)
            try:
                if before is None:  # a fit that fails leaves no model behind
                    self.__dict__.pop("net_", None)
                self.classes_, self.class_count_ = inputs.classes, pairs.class_count
                self._encoder, self._seen = encoder, incidence(pairs.observed, encoder)
                self._remember_for_updates(data, seeds["updates"], sample_weight)
                self._run(module, pairs, data, seeds, callbacks)
            except BaseException as error:
                old = before or {}
                untrained = vars(self).get("net_") is old.get("net_")
                if untrained or isinstance(error, Exception):
                    self.__dict__.pop("net_", None)
                    self.__dict__.update(old)
                raise  # after a Ctrl-C the weights so far stay
        return self

    def _drawn_seeds(self) -> dict[str, int]:
        random = check_random_state(self.random_state)
        return dict(zip(_SEEDS, random.randint(2**31 - 1, size=len(_SEEDS)).tolist()))

    def _run(
        self,
        module: nn.Module,
        pairs: EncodedPairs,
        data: TrainingData,
        seeds: dict[str, int],
        callbacks: list,
    ) -> None:
        """Train `module` by the procedure; one with several stages overrides this."""
        device = pairs.labelled.user.device
        net = self._make_net(module, device, seeds["shuffle"], callbacks)
        self._resume(net)
        self._train(net, data)

    def _stops_early(self, pairs: EncodedPairs) -> bool:
        if self.early_stopping == "auto":
            enough = len(pairs.labelled) >= _ENOUGH_TO_HOLD_OUT and pairs.rarer >= 20
            from_scratch = not comes_fitted(self.backbone)
            return pairs.valid is not None or (enough and from_scratch)
        return bool(self.early_stopping)

    def _stage(self, pairs: EncodedPairs) -> str | None:
        """Name of the (main) stage of this fit in the history, if there are several."""
        staged = self._goes_on and any("stage" in row for row in self.net_.history)
        return "main" if staged else None

    def _continued_state(self) -> dict[str, Any] | None:
        """What a fit that goes on from the present weights must not lose; or None."""
        return dict(vars(self)) if self._goes_on else None

    def _train(self, net: PairNet, data: TrainingData) -> None:
        """Train; after a Ctrl-C the estimator predicts with the weights so far."""
        if not net.initialized_:
            net.initialize()
        self.net_ = net
        n_users, n_items = self._encoder.n_users, self._encoder.n_items
        fills = not comes_fitted(self.backbone)  # those know what a newcomer is
        if fills:
            filled = partial(unknown_rows_filled, n_users=n_users, n_items=n_items)
            data = replace(data, as_predicting=filled)
        try:
            net.partial_fit(data)
        finally:
            self.n_iter_ = len(net.history)
            if fills:
                fill_unknown_rows(net.module_, n_users, n_items)

    def _fitted_attributes(self) -> dict[str, Any]:
        names = ["net_", "classes_", "class_count_", "n_features_in_"]
        names += ["_encoder", "_seen"]
        if hasattr(self, "feature_names_in_"):
            names.append("feature_names_in_")
        return {name: getattr(self, name) for name in names}

    # ---- what a fitted recommender knows -----------------------------------------

    @property
    def history_(self):
        """History of the net: a row per epoch; see :class:`skorch.history.History`."""
        check_is_fitted(self, "net_")
        return self.net_.history

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.classifier_tags.multi_class = False
        # A model that learns its regularisation does not memorise ids that occur
        # once, which is what scikit-learn's check of the training score asks for.
        tags.classifier_tags.poor_score = comes_fitted(self.backbone)
        return tags


def _metadata(sample_weight: Any) -> dict[str, Any]:
    return {} if sample_weight is None else {"sample_weight": sample_weight}
