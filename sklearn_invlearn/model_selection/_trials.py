"""One contender on one split with one seed: search, refit, score the test rows."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from ._bootstrap import check_proba
from ._contenders import candidates, with_seed
from ._fit_params import FitTables, fit_params
from ._resampled_metrics import Floats, IntArray, Metric


@dataclass(frozen=True)
class Fold:
    """Training and test rows of one split; the test labels stay outside."""

    X: Any
    y: NDArray[Any]
    X_test: Any
    rows: IntArray  # positions of the training rows among the labelled ones


@dataclass(frozen=True)
class Task:
    """What one run needs; ``inner`` are positions of training and validation rows."""

    method: str
    split: int
    seed: int
    estimator: Any
    distributions: dict[str, Any]
    n_trials: int
    fold: Fold
    tables: FitTables
    users: IntArray
    inner: list[tuple[IntArray, IntArray]]
    select_by: Metric
    needs_proba: bool


def run(task: Task) -> dict[str, Any]:
    """Search on the inner splits, refit on all labelled rows, score the test rows."""
    start = time.perf_counter()
    estimator = with_seed(task.estimator, task.seed)
    settings = candidates(task.distributions, task.n_trials, task.seed)
    values, errors = [], []
    for params in settings:
        try:
            values.append(_validate(estimator, params, task))
        except Exception as error:
            error.add_note(
                f"Raised by {task.method!r} with {params or 'no parameters'}."
            )
            values.append(np.nan)
            errors.append(error)
    if len(errors) == len(settings):
        raise errors[-1]
    if np.isnan(values).all():
        raise ValueError(
            f"select_by, {task.select_by.name}, is NaN on the validation rows in every "
            f"trial of {task.method!r}: there is nothing to choose by. Take another "
            "metric, or more validation rows."
        )
    if errors:
        warnings.warn(
            f"{len(errors)} of {len(settings)} trials of {task.method!r} failed and "
            f"were not considered; the last: {type(errors[-1]).__name__}: {errors[-1]}",
            UserWarning,
            stacklevel=2,
        )
    sign = 1 if task.select_by.greater_is_better else -1
    best = int(np.nanargmax(sign * np.array(values)))
    refit_start = time.perf_counter()
    model = with_seed(estimator, task.seed).set_params(**settings[best])
    model.fit(task.fold.X, task.fold.y, **fit_params(model, task.tables))
    refit_seconds = time.perf_counter() - refit_start
    return {
        "method": task.method,
        "split": task.split,
        "seed": task.seed,
        "params": {name: plain(value) for name, value in settings[best].items()},
        "validation": values[best],
        "n_trials": len(settings),
        "n_failed": len(errors),
        "refit_seconds": refit_seconds,
        "seconds": time.perf_counter() - start,
        "score": scores_of(model, task.fold.X_test, task.needs_proba).tolist(),
    }


def _validate(estimator: Any, params: dict[str, Any], task: Task) -> float:
    """Return the mean over the inner splits of the metric to select by."""
    values = []
    for train, valid in task.inner:
        model = with_seed(estimator, task.seed).set_params(**params)
        X, y = task.fold.X, task.fold.y
        params_of_fit = fit_params(model, task.tables.weights_of(train))
        model.fit(_safe_indexing(X, train), y[train], **params_of_fit)
        score = scores_of(model, _safe_indexing(X, valid), task.select_by.needs_proba)
        if task.select_by.needs_proba:
            check_proba(score, "predict_proba", task.select_by)
        positive = y[valid] == model.classes_[1]
        values.append(task.select_by.value(positive, score, task.users[valid]))
    return float(np.mean(values))


def scores_of(model: Any, X: Any, needs_proba: bool) -> Floats:
    """Return P(positive) of the rows, or logits of a model without probabilities."""
    if hasattr(model, "predict_proba"):
        score = np.asarray(model.predict_proba(X), dtype=np.float64)[:, 1]
    elif needs_proba:
        raise TypeError(
            f"{type(model).__name__} has no predict_proba, which the metrics log_loss "
            "and brier need. Calibrate it, or leave these metrics out."
        )
    else:
        score = np.asarray(model.decision_function(X), dtype=np.float64)
    if np.isnan(score).any():
        raise ValueError(f"{type(model).__name__} predicts NaN.")
    return score


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers and text as they are, others by repr."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (bool, int, float, str)) else repr(value)
