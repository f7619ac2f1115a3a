"""The skorch net that all procedures share."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy, deepcopy
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    GradientNormClipping,
    LRScheduler,
)
from skorch.history import History
from torch import Tensor
from torch.autograd.graph import increment_version

from ..losses import MeanCrossEntropy, cross_entropy
from ._batches import epoch_batches
from ._data import TrainingData
from ._optimizer_state import optimizer_state, set_optimizer_state
from ._pairs import Pairs
from ._row_gradients import use_row_gradients
from ._stopping import is_request_to_stop

_EVALUATION_ROWS = 65_536
_BATCH_EVENTS = ("on_batch_begin", "on_grad_computed", "on_batch_end")


class PairNet(NeuralNet):
    """A skorch net trained on :class:`TrainingData`, by cross entropy alone.

    What it changes of skorch: data are tensors on the device and batches are
    slices of them; losses are read from the device once per epoch; a Ctrl-C is
    not swallowed; training that has diverged raises. A procedure overrides
    :meth:`training_steps` and nothing else.

    Parameters
    ----------
    module : nn.Module class or instance
        A backbone.
    criterion : nn.Module class, default=MeanCrossEntropy
        ``criterion(logit, y, weight) -> scalar``.
    seed : int, default=0
        Seed of the order of the labelled rows.
    **kwargs
        Any parameter of :class:`skorch.NeuralNet`.
    """

    # What a net has counted, and goes on counting after it was saved or updated.
    counts: tuple[str, ...] = ("n_labelled_",)

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = MeanCrossEntropy,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.seed = seed
        super().__init__(module, criterion=criterion, **kwargs)

    @property
    def _default_callbacks(self) -> list:
        return []  # skorch's own read every batch loss back from the device

    # ---- what a procedure overrides -------------------------------------------

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        """Run one epoch, yielding the loss () of each supervised step."""
        for batch in self.labelled_batches(data):
            yield self.supervised_step(batch)

    # ---- what procedures are made of ------------------------------------------

    def labelled_batches(self, data: TrainingData) -> Iterator[Pairs]:
        """Every labelled row once, shuffled."""
        return epoch_batches(data.labelled, self.batch_size, self.shuffler_)

    def supervised_step(self, batch: Pairs) -> Tensor:
        """Take one step on the criterion: θ ← θ - γ∘∇L(batch); return L ()."""
        return self.descend(batch, self.batch_loss(batch))

    def batch_loss(self, batch: Pairs) -> Tensor:
        """Criterion of a labelled batch, differentiable, shape ()."""
        logit = self.module_(batch.user, batch.item)
        return self.penalised(self.criterion_(logit, batch.y, batch.weight))

    def penalised(self, loss: Tensor) -> Tensor:
        """Add the prior of the backbone, if it has one, to a supervised loss ()."""
        if hasattr(self.module_, "penalty"):
            loss = loss + self.module_.penalty() / self.n_labelled_
        return loss

    def descend(self, batch: Pairs, loss: Tensor, **shown: Any) -> Tensor:
        """Take one optimiser step on `loss` and tell the callbacks, `shown` too."""
        told = {"batch": batch, "training": True}
        if "on_batch_begin" in self.heard_:
            self.notify("on_batch_begin", **told)
        for parameter in self.parameters_of_optimizer():
            parameter.grad = None  # zero_grad of torch takes ten times as long
        loss.backward()
        if "on_grad_computed" in self.heard_:
            named_parameters = list(self.module_.named_parameters())
            self.notify("on_grad_computed", named_parameters=named_parameters, **told)
        self.optimizer_.step()
        loss = loss.detach()
        if "on_batch_end" in self.heard_:
            self.notify("on_batch_end", loss=loss, **told, **shown)
        return loss

    def parameters_of_optimizer(self) -> list[Tensor]:
        """θ, in half the time that the module takes to list it; frozen ones too."""
        return [p for group in self.optimizer_.param_groups for p in group["params"]]

    def on_batch_begin(self, net: Any, **kwargs: Any) -> None:
        """Keep the history free of a row per batch; skorch would add one."""

    # ---- skorch's frame ---------------------------------------------------------

    def initialize_module(self) -> PairNet:
        super().initialize_module()
        self.module = type(self.module_)  # an instance would be pickled twice
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> PairNet:
        name = getattr(self.optimizer, "__name__", self.optimizer)
        try:
            super().initialize_optimizer(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"The optimizer {name} cannot be built: {error}. It is called with all "
                "parameters of the module, lr=gamma and weight_decay."
            ) from error
        if not isinstance(self.optimizer_, torch.optim.Optimizer):
            raise TypeError(
                f"optimizer={name} is no torch.optim.Optimizer. Pass such a class, or "
                "one of the names."
            )
        by_row = getattr(self.optimizer_, "takes_row_gradients", False)
        use_row_gradients(self.module_, by_row)
        self._refuse_to_clip_rows()
        return self

    def _refuse_to_clip_rows(self) -> None:
        clips = any(isinstance(c, GradientNormClipping) for _, c in self.callbacks_)
        if clips and any(getattr(m, "sparse", False) for m in self.module_.modules()):
            raise TypeError(
                "callbacks has GradientNormClipping, and torch does not clip gradients "
                "that are kept by row. Take optimizer='dense_adam', or one of torch."
            )

    def initialize_callbacks(self) -> PairNet:
        super().initialize_callbacks()
        # Telling nobody of a batch would cost as much as a tenth of its step.
        self.heard_ = {
            event
            for event in _BATCH_EVENTS
            if getattr(type(self), event) is not getattr(PairNet, event)
            or any(
                getattr(type(callback), event, None) is not getattr(Callback, event)
                for _, callback in self.callbacks_
            )
        }
        return self

    def initialize(self) -> PairNet:
        super().initialize()
        self.shuffler_ = torch.Generator(self.device).manual_seed(self.seed)
        for name in self.counts:
            setattr(self, name, 0)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Without the optimiser's memory, which is twice the size of the weights."""
        if not hasattr(self, "optimizer_"):
            return super().__getstate__()
        # A twin without it: others may train or pickle this net at the same time.
        twin: Any = type(self).__new__(type(self))
        twin.__dict__ |= vars(self) | {"optimizer_": copy(self.optimizer_)}
        twin.optimizer_.state = defaultdict(dict)
        # A generator itself could not be read where its device is not, and readers
        # other than pickle know arrays, but no tensors.
        shuffled = self.shuffler_.get_state().numpy()
        return super(PairNet, twin).__getstate__() | {"shuffler_": shuffled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore; on the CPU, with another order of rows, if CUDA is not there."""
        device, shuffled = state["device"], state.get("shuffler_")
        super().__setstate__(state)
        if shuffled is not None:
            self.shuffler_ = torch.Generator(self.device).manual_seed(self.seed)
            if self.device == device:
                self.shuffler_.set_state(torch.tensor(shuffled, device="cpu"))

    def __deepcopy__(self, memo: dict[int, Any]) -> PairNet:
        """A deep copy, unlike a pickle, goes on exactly like the original."""
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        other.__setstate__(deepcopy(self.__getstate__(), memo))
        if hasattr(self, "optimizer_"):
            set_optimizer_state(other, optimizer_state(self))
        return other

    def resume(self, other: PairNet) -> PairNet:
        """Initialise; go on with the history, the counts and the memory of `other`.

        The module may have more rows than that of `other`.
        """
        self.initialize()
        self.history_ = History(other.history)
        for name in self.counts:
            setattr(self, name, getattr(other, name, 0))
        if type(self.optimizer_) is type(other.optimizer_):
            set_optimizer_state(self, optimizer_state(other))
        return self

    def partial_fit(self, X: TrainingData, y: None = None, **_: Any) -> PairNet:
        """Train for `max_epochs` epochs; initialise first if that is still due."""
        if not self.initialized_:
            self.initialize()
        self.n_labelled_ = X.n_earlier + len(X.all_labelled)
        self.begin_training(X=X, y=y)
        try:
            self.fit_loop(X)
        finally:  # after an interrupt too: early stopping restores the best weights
            self.end_training(X=X, y=y)
            self.module_.eval()
        # A loss is that of the weights before its step, so none speaks of the last one.
        if not is_finite(self.module_):
            raise self._diverged(
                "the last steps have led to weights that are not finite"
            )
        return self

    def begin_training(self, **data: Any) -> None:
        """Notify all of ``on_train_begin``; schedules of the learning rate start anew.

        skorch's go on at the last epoch of the history, though the optimiser is a new
        one, which has taken no step.
        """
        self.on_train_begin(self, **data)
        for _, callback in self.callbacks_:
            if not isinstance(callback, LRScheduler):
                callback.on_train_begin(self, **data)
                continue
            history, self.history_ = self.history_, History()
            try:
                callback.on_train_begin(self, **data)
            finally:
                self.history_ = history

    def end_training(self, **data: Any) -> None:
        """Notify all of ``on_train_end``; schedules let go of the optimiser.

        They are parameters of an estimator, and would take its weights and memory into
        pickles and clones.
        """
        self.on_train_end(self, **data)
        for _, callback in self.callbacks_:
            # Early stopping of skorch asks for the last epoch, and there may be none.
            if len(self.history) or not isinstance(callback, EarlyStopping):
                callback.on_train_end(self, **data)
            if isinstance(callback, LRScheduler):
                vars(callback).pop("lr_scheduler_", None)

    def fit_loop(
        self,
        X: TrainingData,
        y: None = None,
        epochs: int | None = None,
        **fit_params: Any,
    ) -> PairNet:
        """Run the epochs; unlike skorch's, it lets an interrupt through."""
        for _ in range(self.max_epochs if epochs is None else epochs):
            datasets = {"dataset_train": X.labelled, "dataset_valid": X.valid}
            self.notify("on_epoch_begin", **datasets)
            self.train_epoch(X)
            if X.valid is not None:
                with X.as_predicting(self.module_):
                    valid_loss = self.evaluate(X.valid)
                self.history.record("valid_loss", valid_loss)
            if self.epoch_ends_training(**datasets):
                break
        return self

    def epoch_ends_training(self, **datasets: Any) -> bool:
        """Notify all of ``on_epoch_end``; return whether one asks for a stop.

        skorch's callbacks do so by a KeyboardInterrupt. Those after it in the list
        (a user's own after early stopping) are told of the last epoch all the same. A
        Ctrl-C that arrives here propagates, as everywhere.
        """
        self.on_epoch_end(self, **datasets)
        stop = False
        for _, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **datasets)
            except KeyboardInterrupt as interrupt:
                if not is_request_to_stop(interrupt):
                    raise
                stop = True
        return stop

    def train_epoch(self, data: TrainingData) -> None:
        """Run :meth:`training_steps` and record the mean of its losses."""
        self.module_.train()
        try:
            train_loss = mean_of(self.training_steps(data))
        except RuntimeError as error:
            if "without overflow" not in str(error):
                raise
            raise self._diverged("a step size is beyond single precision") from error
        finally:  # steps of fused optimisers go past torch's count of changes
            increment_version(list(self.module_.parameters()))
        self.history.record("train_loss", train_loss)
        if not math.isfinite(train_loss):
            raise self._diverged(
                f"the mean training loss of epoch {len(self.history)} is {train_loss}"
            )

    def _diverged(self, what: str) -> FloatingPointError:
        return FloatingPointError(
            f"Training diverged: {what}. The usual cause is a learning rate that is "
            f"too large (gamma={self.lr:g}); try a tenth of it, and of alpha, where "
            "there is one, and look at the sample weights for very large values."
        )

    def evaluate(self, pairs: Pairs) -> float:
        """Mean unweighted cross entropy of `pairs`, in evaluation mode."""
        return float(self.losses(pairs).double().sum()) / len(pairs)

    @torch.no_grad()
    def losses(self, pairs: Pairs) -> Tensor:
        """Unweighted cross entropy of every pair (n,), in evaluation mode."""
        self.module_.eval()
        losses = []
        for start in range(0, len(pairs), _EVALUATION_ROWS):
            block = pairs[start : start + _EVALUATION_ROWS]
            assert block.y is not None
            losses.append(cross_entropy(self.module_(block.user, block.item), block.y))
        return torch.cat(losses)


def mean_of(losses: Iterable[Tensor]) -> float:
    """Mean of scalar tensors, read from the device once."""
    return float(torch.stack(list(losses)).mean())


def is_finite(module: torch.nn.Module) -> bool:
    """Whether all trained parameters are finite, read from the device once."""
    trained = [p.detach() for p in module.parameters() if p.requires_grad and p.numel()]
    # Bounds, which are NaN if a number is, need no memory of the size of a table.
    finite = [bound.isfinite() for p in trained for bound in p.aminmax()]
    return not finite or bool(torch.stack(finite).all())
