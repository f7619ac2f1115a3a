"""Go on training a fitted recommender: with new rows, or from its weights."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import _fit_context

from ..fitting._build import (
    backbone_class,
    comes_fitted,
    module_settings,
    observed_positives,
)
from ..fitting._inputs import FitInputs
from ..fitting._rollback import set_at_once
from ..fitting._torch_state import (
    one_fit_at_a_time,
    resolve_device,
    torch_seed,
    torch_settings,
)
from ..fitting._training_data import EncodedPairs, encode, unlabeled_source
from ..ids._encoding import PairEncoder
from ..modules import (
    Part,
    Sides,
    fill_unknown_rows,
    grow,
    table_sides,
)
from ..serving._seen_items import incidence
from ..training import (
    EndlessBatches,
    PairNet,
    Pairs,
    TrainingData,
)
from ._held_out import kept_rows, pairs_from, with_weights
from ._touched_rows import codes_read, train_part, train_whole
from ._update_inputs import (
    check_update_inputs,
    refuse_one_class,
    two_classes,
    weight_unit,
)

_SEEDS = ("weights", "shuffle", "held_out", "unlabeled")


class UpdatingMixin:
    """``partial_fit``, and what ``fit`` needs for ``warm_start=True``."""

    _expected_classes: np.ndarray | None = None  # of a first call

    if TYPE_CHECKING:
        net_: Any
        classes_: np.ndarray
        class_count_: np.ndarray
        n_iter_: int
        backbone: str | type
        batch_size: int
        callbacks: list | None
        max_epochs: int | None
        device: Any
        n_threads: int | None
        sampling: str
        validation_fraction: float
        _encoder: PairEncoder
        _held_out: dict[str, np.ndarray] | None
        _seen: sparse.csr_array
        _streamed: bool
        _weight_unit: float
        _update_seed: int
        _n_updates: int
        _blank_module: Any
        _callbacks: Any
        _make_net: Any
        _net: Any
        _validate_params: Any
        fit: Any

        @property
        def _draws_unlabeled(self) -> bool: ...

        @property
        def _holds_out(self) -> bool: ...

        @property
        def _n_negatives(self) -> int: ...

    @_fit_context(prefer_skip_nested_validation=True)
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
    ):
        """Learn from new labelled pairs; new users and items get rows.

        After `fit`, the procedure goes on for `n_epochs` over the new rows, from
        the present weights and with the optimiser's memory. Predictions of a pair
        change only if its user or its item occurs in `X` or `X_unlab` (or is unknown):
        all other rows of the tables, and what all pairs share (intercept, layers), stay
        as they were, bit for bit. A call that fails or is interrupted changes nothing.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            New labelled pairs, with the columns of `fit`.

        y : array-like of shape (n,)
            Their labels; after the first call one class is enough.

        sample_weight : array-like of shape (n,), default=None
            Weights, on the scale of those of `fit` (or of the first call); None is
            the mean of those, above zero.

        classes : array-like of shape (2,), default=None
            The two labels. With them, the first call may have rows of one class
            alone, unless the procedure holds rows out or the backbone comes fitted
            ("spectral"); without, it needs rows of both.

        X_unlab : array-like or DataFrame of shape (m, n_columns), or tuple of them, \
default=None
            New exposures without feedback. None, where the method needs some, stands
            for pairs of known users and items that were labelled in no call.

        n_epochs : int, default=1
            Passes over `X`. A newcomer with a handful of labels needs some ten. In a
            first call, a backbone that comes fitted ("spectral") has learned `X`
            already: there it replaces `max_epochs`, and counts only if that is set.

        update_shared : bool or "auto", default="auto"
            Whether intercept, layers and other parameters that are no row of a table
            are trained, too, which changes all predictions a little. "auto" is False
            if there has been a `fit`, and True for a model that has seen nothing but
            `partial_fit`.

        Returns
        -------
        self : object
            The updated estimator.

        Raises
        ------
        ValueError
            For labels or columns that are not those of `fit`, and wherever `fit`
            raises one.

        Notes
        -----
        The first call, if there was no `fit`, is a `fit` with ``max_epochs=n_epochs``
        and without early stopping. Later ones never stop early; `n_iter_`,
        `history_` and `trace_` go on, with ``stage`` in every row of the history:
        "update" for those of later calls, "main" for those of a `fit` without stages.
        A newcomer starts as the average of the known,
        plus what `fit` would have drawn. For inverse gradient a share
        `validation_fraction` of the new rows, drawn at random, joins the held-out rows
        of earlier calls, which the estimator keeps. With "spectral" a newcomer has the
        place that `fit` gives to users and items that were shown the like, as far as
        the call which names it first says what that is; labels are weighed against all
        earlier ones, so that ten passes at ``gamma=0.01`` do no harm; embeddings of the
        known stay: call `fit` with everything now and then. With "cdae" a pair also
        changes if its user's history has an item of `X` or `X_unlab`.

        Examples
        --------
        >>> from sklearn_invlearn import CrossEntropyRecommender
        >>> est = CrossEntropyRecommender(backbone="gmf", random_state=0)
        >>> est = est.fit([[1, "a"], [1, "b"], [2, "a"], [2, "b"]], [0, 1, 1, 0])
        >>> before = est.predict_proba([[1, "a"]])
        >>> est = est.partial_fit([[3, "c"]], [1], n_epochs=5)
        >>> est.user_ids_, est.item_ids_
        (array([1, 2, 3]), array(['a', 'b', 'c'], dtype='<U1'))
        >>> bool((est.predict_proba([[1, "a"]]) == before).all())
        True
        """
        self._validate_params()
        _check_options(n_epochs, update_shared)
        with one_fit_at_a_time():  # an update starts where the one before has ended
            given = X, y, sample_weight, classes, X_unlab
            if not hasattr(self, "net_"):
                return self._first_call(*given, n_epochs)
            inputs = check_update_inputs(self, *given)
            return self._update(inputs, n_epochs, update_shared)

    def _update(
        self, inputs: FitInputs, n_epochs: int, update_shared: bool | str
    ) -> UpdatingMixin:
        encoder = self._encoder.copy()
        device = resolve_device(self.device)
        use_pool = self._draws_unlabeled or comes_fitted(self.backbone)
        seeds = _seeds(self._update_seed, self._n_updates)
        keep_shared = not (self._streamed if update_shared == "auto" else update_shared)
        with torch_settings(self.n_threads), torch_seed(seeds["weights"], device):
            pairs = encode(inputs, encoder, device, use_pool=use_pool)
            pairs = replace(pairs, earlier=self._earlier_pairs(device))
            data, held_out = self._update_data(pairs, encoder, seeds)
            callbacks = self._callbacks(False, None, "update")
            module = self._grown_module(encoder, pairs, data)
            net = self._make_net(module, device, seeds["shuffle"], callbacks)
            net.resume(self.net_).max_epochs = int(n_epochs)
            self._train_touched(net, data, pairs, encoder, keep_shared)
            if not comes_fitted(self.backbone):
                fill_unknown_rows(net.module_, encoder.n_users, encoder.n_items)
        updated = {
            "net_": net,
            "_encoder": encoder,
            "_seen": incidence(pairs.observed, encoder),
            "_held_out": held_out,
            "_n_updates": self._n_updates + 1,
            "class_count_": self.class_count_ + pairs.class_count,
            "n_iter_": len(net.history),
        }
        return set_at_once(self, updated)

    def _first_call(
        self, X: Any, y: Any, sample_weight: Any, classes: Any, pool: Any, n_epochs: int
    ) -> UpdatingMixin:
        first: Any = copy(self)
        first.early_stopping = False
        if self.max_epochs is not None or not comes_fitted(self.backbone):
            first.max_epochs = n_epochs
        if classes is not None:
            first._expected_classes = two_classes(classes)
            refuse_one_class(self, y, sample_weight, first._expected_classes)
        first.fit(X, y, sample_weight, X_unlab=pool)
        left_out = {*first.get_params(deep=False), "_expected_classes"}
        fitted = {k: v for k, v in vars(first).items() if k not in left_out}
        return set_at_once(self, fitted | {"_streamed": True})

    def _remember_for_updates(
        self, data: TrainingData, seed: int, sample_weight: Any
    ) -> None:
        """Note, in `fit`, what later calls of `partial_fit` need to know."""
        held_out = None if data.held_out is None else data.held_out.pairs
        self._held_out = kept_rows(held_out)
        self._weight_unit = weight_unit(sample_weight)
        self._update_seed = seed
        self._n_updates = 0
        self._streamed = False

    # ---- data of an update -------------------------------------------------------

    def _earlier_pairs(self, device: torch.device) -> Pairs:
        """Pairs with feedback so far."""
        user, item = self._seen.nonzero()
        return Pairs.from_codes(np.stack([user, item + 1]), device=device)

    def _update_data(
        self, pairs: EncodedPairs, encoder: PairEncoder, seeds: dict[str, int]
    ) -> tuple[TrainingData, dict[str, np.ndarray] | None]:
        """Return what to train on, and the held-out rows to keep for later calls."""
        device = pairs.labelled.user.device

        def generator(purpose: str) -> torch.Generator:
            return torch.Generator(device).manual_seed(seeds[purpose])

        train, held_out, source = pairs.labelled, None, None
        n_earlier = self.net_.n_labelled_
        if self._holds_out:
            random = np.random.default_rng(seeds["held_out"])
            out = random.random(len(train)) < self.validation_fraction
            out[0] &= not out.all()  # a row to train on there must be
            mask = torch.tensor(out, device=device)
            kept = pairs_from(self._held_out, device)
            n_earlier -= len(kept)
            held_out = with_weights([kept, train[mask]])
            train = train[~mask]
        if self._draws_unlabeled:
            source = unlabeled_source(
                pairs.observed,
                pairs.pool,
                encoder,
                as_negatives=self._n_negatives > 0,
                sampling=self.sampling,
                batch_size=int(self.batch_size),
                generator=generator("unlabeled"),
            )
        batches = None
        if held_out is not None:
            size = int(self.batch_size)
            batches = EndlessBatches(held_out, size, generator("held_out"))
            train = with_weights([train])  # as both kinds are joined at times
        data = TrainingData(
            train,
            unlabeled=source,
            held_out=batches,
            n_rows=pairs.n_rows,
            n_earlier=n_earlier,
        )
        return data, kept_rows(held_out)

    # ---- the net that goes on ------------------------------------------------------

    def _train_touched(
        self,
        net: PairNet,
        data: TrainingData,
        pairs: EncodedPairs,
        encoder: PairEncoder,
        keep_shared: bool,
    ) -> None:
        """Train rows of the given pairs, as a module of their own where one can."""
        pools = [] if pairs.pool is None else [pairs.pool]
        given = Pairs.joined([pairs.labelled, *pools])
        sides = self._table_sides()
        n_known = self._encoder.n_users, self._encoder.n_items
        draws_any = data.unlabeled is not None and pairs.pool is None
        stands_alone = getattr(net.module_, "rows_stand_alone", False)
        # Callbacks may ask the module for other ids.
        if draws_any or not stands_alone or self.callbacks:
            n_rows = encoder.n_users, encoder.n_items
            train_whole(net, data, given, n_rows, n_known, sides, keep_shared)
            return
        users, items = codes_read(data, given)
        settings = module_settings(net.module_)
        blank = self._blank_module(len(users), len(items), settings)
        part = Part(blank, net.module_, sides, users, items)
        device, seed = torch.device(net.device), net.seed
        part_net = self._make_net(part, device, seed, net.callbacks)
        part_net.max_epochs = net.max_epochs
        train_part(net, part_net, data, given, n_known, keep_shared)

    def _table_sides(self) -> Sides:
        settings = module_settings(self.net_.module_)
        return table_sides(lambda n_u, n_i: self._blank_module(n_u, n_i, settings))

    def _assemble(self, module: Any) -> Any:
        """Return the module that is trained, made of a backbone (or itself)."""
        return module

    def _backbone_of(self, module: Any) -> Any:
        """Return the backbone that `_assemble` has made `module` of."""
        return module

    def _grown_module(
        self, encoder: PairEncoder, pairs: EncodedPairs, data: TrainingData
    ) -> Any:
        """Return a module with the weights of the present one, and new rows."""
        old = self.net_
        backbone = self._backbone_of(old.module_)
        if type(backbone) is not backbone_class(self.backbone):
            raise ValueError(
                f"backbone={self.backbone!r} is not what was fitted, a "
                f"{type(backbone).__name__}. Undo that, or fit anew."
            )
        module = self._blank_module(
            encoder.n_users, encoder.n_items, module_settings(old.module_)
        )
        sizes = self._encoder.n_users, self._encoder.n_items
        sides = self._table_sides()
        grow(module, old.module_, sides, sizes, drawn=not comes_fitted(self.backbone))
        if hasattr(module, "embed_newcomers"):
            module.embed_newcomers(pairs.exposures.codes, *sizes)
        if hasattr(module, "history"):
            both = [module.history, observed_positives(data)]
            module.set_history(torch.cat(both, dim=1))
        return module

    def _resume(self, net: PairNet) -> None:
        """Let `net` go on where a present one has stopped, if there is one."""
        if hasattr(self, "net_"):
            net.resume(self.net_)


def _check_options(n_epochs: Any, update_shared: Any) -> None:
    is_number = isinstance(n_epochs, (int, np.integer)) and n_epochs is not True
    if not is_number or n_epochs < 1:
        raise ValueError(f"n_epochs is {n_epochs!r}; a whole number from 1 is needed.")
    if not (update_shared == "auto" or isinstance(update_shared, (bool, np.bool_))):
        raise ValueError(
            f"update_shared is {update_shared!r}; it can be True, False or 'auto'."
        )


def _seeds(seed: int, n_updates: int) -> dict[str, int]:
    """Seeds of one call; the same for the same number of calls after the same fit."""
    drawn = np.random.SeedSequence([seed, n_updates]).generate_state(len(_SEEDS))
    return dict(zip(_SEEDS, drawn.tolist()))
