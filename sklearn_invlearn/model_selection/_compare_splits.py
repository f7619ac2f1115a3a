"""Splits of a comparison: test rows outside, validation rows inside."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from ..metrics._columns import take_column
from ..metrics._inputs import as_column, check_labels, factorise
from ._judge import TestRows
from ._resampled_metrics import IntArray, Metric
from ._splitter import first_seen_codes
from ._trials import Fold
from ._user_stratified import UserStratifiedKFold


def outer_splits(
    X: Any,
    y: NDArray[Any],
    classes: list[Any],
    X_test: Any,
    y_test: Any,
    cv: Any,
    user_column: int | str,
    metrics: list[Metric],
) -> tuple[list[Fold], list[TestRows]]:
    """Return training rows and test rows of every split."""
    if (cv is None) == (X_test is None) or (X_test is None) != (y_test is None):
        raise ValueError("Pass either X_test and y_test, or cv.")
    parts: list[tuple[Any, NDArray[Any], Any, NDArray[Any], Any]] = []
    trained = [np.arange(len(y))]
    if cv is None:
        y_test = as_column(y_test, "y_test")
        if len(y_test) != _num_samples(X_test):
            raise ValueError(
                f"X_test has {_num_samples(X_test)} rows, but y_test has {len(y_test)} "
                "labels."
            )
        if not set(y_test.tolist()) <= set(classes):
            raise ValueError(f"y_test has labels beside those of y, {classes}.")
        parts = [(X, y, X_test, y_test, None)]
    else:
        if isinstance(cv, Integral):
            cv = UserStratifiedKFold(
                int(cv), shuffle=True, random_state=0, user_column=user_column
            )
        splits: Any = list(cv.split(X, y) if hasattr(cv, "split") else cv)
        trained = [np.asarray(a) for a, _ in splits]
        parts = [
            (_safe_indexing(X, a), y[a], _safe_indexing(X, b), y[b], np.asarray(b))
            for a, b in splits
        ]
    ids = [take_column(part[2], user_column).tolist() for part in parts]
    everyone = np.fromiter((user for part in ids for user in part), dtype=object)
    codes = first_seen_codes(everyone, "The users of the test rows")
    bounds = np.cumsum([0, *map(len, ids)])
    folds, tests = [], []
    for k, (X_a, y_a, X_b, y_b, rows) in enumerate(parts):
        test = TestRows(y_b == classes[1], codes[bounds[k] : bounds[k + 1]], rows)
        for metric in metrics:
            _require_defined(metric, test.positive, test.users, f"the test rows ({k})")
        folds.append(Fold(X_a, y_a, X_b, trained[k]))
        tests.append(test)
    return folds, tests


def _require_defined(
    metric: Metric, positive: Any, users: IntArray, where: str
) -> None:
    """Raise if a ranking has nothing to rank, which no score would change."""
    if len(positive) and not metric.ranks:
        return
    flat = np.full(len(positive), 0.5)
    try:
        value = metric.value(positive, flat, factorise(users, "users")[0])
    except ValueError:
        value = np.nan
    if np.isnan(value):
        raise ValueError(
            f"{metric.name} is undefined on {where}: they have one class only, or no "
            "user has both. Use more rows there, or another metric."
        )


def inner_splits(
    fold: Fold, users: IntArray, validation: Any, seed: int, selector: Metric
) -> list[tuple[IntArray, IntArray]]:
    if isinstance(validation, Integral):
        validation = UserStratifiedKFold(
            int(validation), shuffle=True, random_state=seed
        )
        splits = list(validation.split(np.column_stack([users, users]), fold.y))
    elif isinstance(validation, Real):
        share = StratifiedShuffleSplit(1, test_size=validation, random_state=seed)
        splits = list(share.split(fold.y, fold.y.astype(str)))
    else:
        splits = list(
            validation.split(fold.X, fold.y)
            if hasattr(validation, "split")
            else validation
        )
        _require_positions(splits)
    if not splits:
        raise ValueError("validation has no splits: no setting can be chosen.")
    for _, valid in splits:
        positive = check_labels(fold.y)[valid]
        _require_defined(selector, positive, users[valid], "the validation rows")
    return splits


def _require_positions(splits: list[Any]) -> None:
    """Raise if `validation` yields no pairs of row positions."""
    for split in splits:
        if not hasattr(split, "__len__") or len(split) != 2:
            raise ValueError(
                "validation must be a share, a number of folds, a splitter, or a list "
                "of (training, validation) positions of rows of X, but yields a "
                f"{type(split).__name__} that is no such pair. Likely it is a table of "
                "validation rows with its labels: put the rows into X and y, and pass "
                "validation=[(training_positions, validation_positions)]."
            )
