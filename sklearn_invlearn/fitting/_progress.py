"""What a running fit shows: a progress bar, and scikit-learn's callbacks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from skorch.callbacks import Callback
from tqdm.auto import tqdm

from ..training import TrainingData
from ._torch_state import random_numbers_kept

try:  # scikit-learn 1.9 and later; experimental there
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # pragma: no cover

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in for releases of scikit-learn without callbacks."""

    def with_callbacks(method):  # type: ignore[no-redef]
        """Return `method` in a wrapper: warnings count frames up to the caller."""

        @wraps(method)
        def as_deep(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        return as_deep


__all__ = [
    "CallbackSupportMixin",
    "EpochBar",
    "SklearnCallbacks",
    "block_bar",
    "stage_bar",
    "with_callbacks",
]


def _bar(total: int, **what: Any) -> tqdm:
    """Return a bar on standard error; none without that, or with nothing to count."""
    return tqdm(total=total, disable=sys.stderr is None or not total, **what)


class EpochBar(Callback):
    """A bar over the epochs with the newest losses beside it."""

    def __init__(self, description: str) -> None:
        self.description = description

    def __getstate__(self) -> dict[str, Any]:
        # A terminal cannot be pickled, and a callback may pickle the estimator.
        return {k: v for k, v in vars(self).items() if k != "bar_"}

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.bar_ = _bar(total=net.max_epochs, desc=self.description, unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        shown = ("train_loss", "valid_loss", "n_direct", "n_inverse", "n_pass")
        self.bar_.set_postfix({k: row[k] for k in shown if k in row})
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()
        del self.bar_


@contextmanager
def stage_bar(backbone: Any, verbose: bool) -> Iterator[dict[str, Any]]:
    """Give ``fitted`` of a backbone, if it names its ``stages``, a bar to report to."""
    if not verbose or not hasattr(backbone, "stages"):
        yield {}
        return
    with _bar(total=len(backbone.stages), desc=backbone.__name__, unit="stage") as bar:

        def report(stage: str) -> None:
            bar.n = backbone.stages.index(stage)
            bar.set_postfix_str(stage)

        yield {"report": report}
        bar.n = bar.total
        bar.set_postfix_str("")


def block_bar(starts: range, n_rows: int, verbose: bool) -> Iterable[int]:
    """Iterate over the starts of blocks of pairs; with a bar, if there are several."""
    if not verbose or len(starts) < 2:
        return starts
    return _with_rows(starts, n_rows)


def _with_rows(starts: range, n_rows: int) -> Iterator[int]:
    with _bar(total=n_rows, desc="scoring", unit="pair", unit_scale=True) as bar:
        for start in starts:
            yield start
            bar.update(min(starts.step, n_rows - start))


class SklearnCallbacks(Callback):
    """Pass the epochs of a net on to the callbacks set on its estimator.

    They score the model as it would predict if training ended now, and change nothing.

    Parameters
    ----------
    estimator : BaseRecommender
        Has been given callbacks by ``set_callbacks``, or by a search around it.
    data : dict
        ``X``, ``y`` and ``metadata``, handed to the callbacks.
    fitted_attributes : callable
        Returns what an estimator needs to predict at this moment.
    """

    def __init__(self, estimator: Any, data: Any, fitted_attributes: Any) -> None:
        self.estimator = estimator
        self.data = data
        self.fitted_attributes = fitted_attributes

    def on_train_begin(self, net: Any, X: TrainingData, **kwargs: Any) -> None:
        self.as_predicting_ = X.as_predicting
        self.fit_ = self.estimator._init_callback_context(max_subtasks=net.max_epochs)
        self.fit_.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.epoch_ = self.fit_.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self._end(self.epoch_, net):
            raise KeyboardInterrupt  # how a skorch callback stops the training

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self._end(self.fit_, net)
        # A net is pickled with its callbacks, but it is not to carry the training data.
        self.estimator = self.data = self.fitted_attributes = None
        for name in ("fit_", "epoch_", "as_predicting_"):
            self.__dict__.pop(name, None)

    def _end(self, context: Any, net: Any) -> bool:
        module, training = net.module_, net.module_.training
        device = torch.device(net.device)
        with random_numbers_kept(device), self.as_predicting_(module.eval()):
            stop = context.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=self.fitted_attributes,
                **self.data,
            )
        module.train(training)
        return stop
