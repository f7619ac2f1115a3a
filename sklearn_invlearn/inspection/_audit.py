"""Which labels are likely to be wrong: those that other rows speak against."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, validate_params
from sklearn.utils.parallel import Parallel, delayed

from .._intervals import Interval
from ..metrics._columns import take_column
from ..metrics._inputs import BoolArray, FloatArray, IntArray
from ..model_selection import UserStratifiedKFold
from ..model_selection._fit_params import FitTables, fit_params
from ..model_selection._labels import two_classes
from ._label_audit import LabelAudit


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "cv": [Interval(Integral, 2, None, closed="left"), "cv_object"],
        "path": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def audit_labels(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = 5,
    X_unlab: Any = None,
    X_extra: Any = None,
    y_extra: Any = None,
    sample_weight: Any = None,
    path: bool = False,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> LabelAudit:
    r"""Rank labels by how strongly a model trained without them disagrees.

    Every row is scored by a clone of the estimator trained on the other folds. Rows are
    ranked by the cross entropy of their own label, :math:`-\log P(y)`. Those are
    *suspected* on which the model is at least as sure of the other label as it is on
    average of rows that carry it: confident learning [1]_, with a threshold for each
    class, so that a model that favours one class does not accuse the whole other one.

    Parameters
    ----------
    estimator : estimator
        Binary classifier with `predict_proba`. It is cloned, and need not be fitted.

    X : array-like, DataFrame or list of rows of shape (n, n_columns)
        Labelled pairs: user id in the first column, item id in the second.

    y : array-like of shape (n,)
        Labels of two classes; the larger one is positive.

    cv : int, splitter or iterable, default=5
        Folds that test every row once: a number of folds for
        :class:`~sklearn_invlearn.model_selection.UserStratifiedKFold` in random order,
        a splitter, or pairs of positions.

    X_unlab : array-like, DataFrame or tuple of them, default=None
        Exposures without feedback, shape (m, n_columns), handed to every `fit` as a
        whole.

    X_extra : array-like, DataFrame or tuple of one, default=None
        Pairs with sparse but reliable feedback, shape (n_extra, n_columns), handed to
        every `fit` as a whole, if the estimator has a use for them. A label that is
        audited should not be among them: it would vouch for itself.

    y_extra : array-like of shape (n_extra,), default=None
        Their labels.

    sample_weight : array-like of shape (n,), default=None
        Weights of the rows in training.

    path : bool, default=False
        Whether to keep the loss of every row after every epoch, from the model
        that does not train on it. For recommenders of this package that train by
        epochs.

    n_jobs : int, default=None
        Processes, one for each fold. The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds, if `cv` is a number. That of the training is the
        estimator's own.

    Returns
    -------
    LabelAudit
        ``order`` (rows, most suspicious first), ``loss``, ``margin``, ``suspected``,
        ``to_frame()`` and more.

    Raises
    ------
    ValueError
        If `cv` does not test every row once, `y` has not two classes, or `path` is
        asked of an estimator that has none.

    See Also
    --------
    precision_recall_at_k : How good a ranking is where wrong labels are known.

    Notes
    -----
    A suspicious label is either wrong or surprising, and no model can tell which of the
    two: look at the rows, do not delete them unread. Where users have few labels, most
    of what is surprising is taste.

    References
    ----------
    .. [1] C. Northcutt, L. Jiang and I. Chuang, "Confident Learning: Estimating
       Uncertainty in Dataset Labels", JAIR 70, 2021, doi:10.1613/jair.1.12125.

    Examples
    --------
    >>> from sklearn_invlearn import CrossEntropyRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> from sklearn_invlearn.inspection import audit_labels, precision_recall_at_k
    >>> data = make_sparse_feedback(
    ...     100, 50, label_fraction=0.8, n_exposures=4000, user_bias_scale=2.0,
    ...     false_positive_rate=0.1, false_negative_rate=0.1, random_state=0
    ... )
    >>> est = CrossEntropyRecommender(backbone="bias", gamma=0.02, random_state=0)
    >>> audit = audit_labels(est, data.X, data.y, random_state=0)
    >>> wrong = data.y != data.y_true
    >>> precision, recall = precision_recall_at_k(audit.order, wrong, 100)
    >>> bool(precision > 1.5 * wrong.mean())
    True
    """
    y_array, _, positive = two_classes(y)
    tables = FitTables(X_unlab, X_extra, y_extra, sample_weight)
    tables.check(y_array, {type(estimator).__name__: estimator})
    splits = _splits(X, y_array, cv, random_state)
    folds = Parallel(n_jobs=n_jobs)(
        delayed(_audit_fold)(estimator, X, y_array, positive, split, tables, path)
        for split in splits
    )
    proba = np.empty(len(y_array))
    for (_, test), (own, _) in zip(splits, folds):
        proba[test] = own
    if np.isnan(proba).any():
        raise ValueError(f"{type(estimator).__name__} predicts NaN.")
    return LabelAudit(
        users=take_column(X, 0),
        items=take_column(X, 1),
        label=y_array,
        positive=positive,
        proba=proba,
        path=_join_paths(splits, folds) if path else None,
    )


def _splits(
    X: Any, y: NDArray[Any], cv: Any, random_state: Any
) -> list[tuple[IntArray, IntArray]]:
    """Return splits that test every row once."""
    if isinstance(cv, Integral):
        cv = UserStratifiedKFold(int(cv), shuffle=True, random_state=random_state)
    pairs = cv.split(X, y) if hasattr(cv, "split") else cv
    splits = [(np.asarray(train), np.asarray(test)) for train, test in pairs]
    tested = np.concatenate([test for _, test in splits])
    if not np.array_equal(np.sort(tested), np.arange(len(y))):
        raise ValueError(
            f"cv must test every row once, but {cv} tests {len(np.unique(tested))} of "
            f"{len(y)} rows in {len(tested)} places. Use k folds."
        )
    return splits


def _audit_fold(
    estimator: Any,
    X: Any,
    y: NDArray[Any],
    positive: BoolArray,
    split: tuple[IntArray, IntArray],
    tables: FitTables,
    path: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return P(positive) of the test rows, and their loss by epoch if it is wanted."""
    train, test = split
    model = clone(estimator)
    X_test = _safe_indexing(X, test)
    recorder = None
    if path:
        from ._held_out_loss import watch

        recorder = watch(model, X_test, positive[test])
    params_of_fit = fit_params(model, tables.weights_of(train))
    model.fit(_safe_indexing(X, train), y[train], **params_of_fit)
    losses = np.empty((0, len(test))) if recorder is None else np.array(recorder.losses)
    return np.asarray(model.predict_proba(X_test), dtype=float)[:, 1], losses


def _join_paths(splits: Any, folds: Any) -> FloatArray:
    """Return the losses of all rows (n_epochs, n), NaN after the end of a fold."""
    n_epochs = max(len(losses) for _, losses in folds)
    if not n_epochs:
        raise ValueError(
            "The estimator trained for no epoch, so there is no path: backbones that "
            "come fitted, such as 'spectral', learn the labels before the first one."
        )
    n_rows = sum(len(test) for _, test in splits)
    joined = np.full((n_epochs, n_rows), np.nan)
    for (_, test), (_, losses) in zip(splits, folds):
        joined[: len(losses), test] = losses
    return joined
