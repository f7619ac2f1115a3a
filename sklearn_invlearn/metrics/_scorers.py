"""Scorers for model selection which read the user column of X.

A metric per user needs the users, which the scorers of scikit-learn cannot pass
without metadata routing. These read them from X, so that every search and
cross-validation works as usual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._columns import take_column
from ._gauc import gauc_score
from ._mrr import mrr_score
from ._ndcg import ndcg_score
from ._recall import recall_score
from ._response import get_scores, is_positive


class _UserScorer:
    """Callable made by `make_user_scorer`; a class, so that it can be pickled."""

    def __init__(
        self,
        score_func: Callable[..., float],
        response_method: str | tuple[str, ...],
        user_column: int | str,
        kwargs: dict[str, Any],
    ) -> None:
        self._score_func = score_func
        self._response_method = response_method
        self._user_column = user_column
        self._kwargs = kwargs

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Score a fitted binary classifier on X (n, >= 1) and y (n,)."""
        positive = is_positive(estimator, y)
        users = take_column(X, self._user_column)
        scores = get_scores(estimator, X, self._response_method)
        return self._score_func(positive.astype(int), scores, users, **self._kwargs)

    def __repr__(self) -> str:
        name = getattr(self._score_func, "__name__", repr(self._score_func))
        options = [f"{key}={value!r}" for key, value in self._kwargs.items()]
        if self._response_method != _DEFAULT_METHODS:
            options.insert(0, f"response_method={self._response_method!r}")
        if self._user_column != 0:
            options.insert(0, f"user_column={self._user_column!r}")
        return f"make_user_scorer({', '.join([name, *options])})"


_DEFAULT_METHODS = ("decision_function", "predict_proba")


def make_user_scorer(
    score_func: Callable[..., float],
    *,
    response_method: str | tuple[str, ...] = ("decision_function", "predict_proba"),
    user_column: int | str = 0,
    **kwargs: Any,
) -> Callable[[Any, Any, Any], float]:
    """Make a scorer from a metric per user.

    The scorer can be the `scoring` of `GridSearchCV`, `cross_validate` and their
    like, alone or in a dict with others, with metadata routing or without.

    Parameters
    ----------
    score_func : callable
        ``score_func(y_true, y_score, users, **kwargs) -> float``, the larger the
        better. `y_true` is 1 for ``estimator.classes_[1]`` and 0 for the other class.
    response_method : str or tuple of str, \
            default=("decision_function", "predict_proba")
        Method of the estimator which gives the scores; of several the first it has. Of
        `predict_proba` column 1 is used.
    user_column : int or str, default=0
        Position of the users in X, or the name of the column if X is a DataFrame. X
        may be an array, a list of rows, or a DataFrame of pandas or polars. The
        column is taken alone: other columns do not change the type of the ids.
    **kwargs : dict
        Further arguments of `score_func`.

    Returns
    -------
    callable
        ``scorer(estimator, X, y) -> float``, which can be pickled. It raises a
        ValueError if the estimator has not two classes, if y holds another label, if X
        has no such column, or where `score_func` does; and a TypeError if the
        estimator has no such method.

    Raises
    ------
    TypeError
        If `score_func` is not callable.

    See Also
    --------
    make_full_ranking_scorer : Ranks all items, not only the labelled ones.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from sklearn_invlearn.metrics import make_user_scorer, ndcg_score
    >>> X = np.array([[user, item] for user in range(20) for item in range(10)])
    >>> y = (X.sum(axis=1) % 10 < 3).astype(int)
    >>> model = make_pipeline(
    ...     OneHotEncoder(handle_unknown="ignore"), LogisticRegression()
    ... )
    >>> scorer = make_user_scorer(ndcg_score, k=3)
    >>> scorer
    make_user_scorer(ndcg_score, k=3)
    >>> cross_val_score(model, X, y, scoring=scorer, cv=4).shape
    (4,)
    """
    if not callable(score_func):
        raise TypeError(
            f"score_func must be a function (y_true, y_score, users) -> float, got "
            f"{score_func!r}. For names of scikit-learn's scorers use `scoring`."
        )
    return _UserScorer(score_func, response_method, user_column, kwargs)


gauc_scorer = make_user_scorer(gauc_score)
weighted_gauc_scorer = make_user_scorer(gauc_score, average="weighted")
mrr_scorer = make_user_scorer(mrr_score)
ndcg_scorer = make_user_scorer(ndcg_score, k=10)
recall_scorer = make_user_scorer(recall_score, k=10)
