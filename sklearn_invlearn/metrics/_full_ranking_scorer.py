"""A scorer which ranks all items an estimator knows, in blocks of users."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._columns import cross_product, number_of_columns, take_column
from ._full_ranking import (
    METRICS,
    NO_RELEVANT_ITEM,
    check_matrices,
    full_ranking_values,
)
from ._grouped import mean_over_users
from ._id_types import refuse_other_types
from ._inputs import FloatArray, IntArray, as_objects, factorise
from ._response import get_scores, is_positive

_PROTOCOL = ("item_ids_", "seen_items", "decision_function")


class _FullRankingScorer:
    """Callable made by `make_full_ranking_scorer`; a class, so it can be pickled."""

    def __init__(
        self, metric: str, k: int, block_size: int, undefined: float | str
    ) -> None:
        self._metric = metric
        self._k = k
        self._block_size = block_size
        self._undefined = undefined

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Score a fitted recommender on X (n, 2) and y (n,)."""
        recommender = _unwrap(estimator)
        check_consistent_length(X, y)
        positive = is_positive(recommender, y)
        values: list[FloatArray] = [np.empty(0)]
        if positive.any():
            n_columns = number_of_columns(X)
            if n_columns != 2:
                raise ValueError(
                    "A full ranking needs X with the two columns user and item, but X "
                    f"has {n_columns}: unlabeled candidates have no values for the "
                    "others. Drop them, or use ndcg_scorer or recall_scorer."
                )
            users, items = take_column(X, 0)[positive], take_column(X, 1)[positive]
            values.extend(self._values_by_block(recommender, users, items))
        return mean_over_users(
            np.concatenate(values), self._undefined, reason=NO_RELEVANT_ITEM
        )

    def _values_by_block(
        self, recommender: Any, users: NDArray[Any], items: NDArray[Any]
    ) -> Iterator[FloatArray]:
        """Yield the values of `block_size` users at a time; bounds the memory."""
        item_ids = np.asarray(recommender.item_ids_)
        user_ids, relevant, n_unknown = _relevant_pairs(users, items, item_ids)
        for start in range(0, len(user_ids), self._block_size):
            block = slice(start, start + self._block_size)
            scores = _score_all_items(recommender, user_ids[block], item_ids)
            seen = recommender.seen_items(user_ids[block])
            checked = check_matrices(relevant[block], scores, seen)
            yield full_ranking_values(
                self._metric, *checked, self._k, n_unrankable=n_unknown[block]
            )

    def __repr__(self) -> str:
        options = f"{self._metric!r}, k={self._k}, block_size={self._block_size}"
        if self._undefined != "raise":
            options += f", undefined={self._undefined!r}"
        return f"make_full_ranking_scorer({options})"


@validate_params(
    {
        "metric": [StrOptions(set(METRICS))],
        "k": [Interval(Integral, 1, None, closed="left")],
        "block_size": [Interval(Integral, 1, None, closed="left")],
        "undefined": [StrOptions({"raise"}), Real],
    },
    prefer_skip_nested_validation=True,
)
def make_full_ranking_scorer(
    metric: str = "recall",
    *,
    k: int = 20,
    block_size: int = 256,
    undefined: float | str = "raise",
) -> Callable[[Any, Any, Any], float]:
    """Make a scorer which ranks all items for the users of the test set.

    The positive rows of (X, y) are the relevant pairs, each distinct pair once.
    Every item the estimator knows is a candidate, except those the user has in the
    estimator's training pairs: they are masked, and do not count as relevant either.
    A relevant item the estimator does not know cannot be ranked: it counts as a
    relevant item which is never found.

    Parameters
    ----------
    metric : {"recall", "ndcg"}, default="recall"
        As in `full_ranking_recall_score` and `full_ranking_ndcg_score`.
    k : int, default=20
        Length of the list.
    block_size : int, default=256
        Number of users scored at once, against all items. Smaller needs less memory.
    undefined : "raise" or float, default="raise"
        What to do if no user has a relevant unseen item: raise an error, or return
        this number.

    Returns
    -------
    callable
        ``scorer(estimator, X, y) -> float``, which can be pickled. X has the two
        columns user and item. The estimator is a fitted recommender of this package,
        a search whose best estimator is one, or a `Pipeline` whose other steps are
        "passthrough". The scorer raises a TypeError for any other, and a ValueError
        for further columns, labels the estimator does not know, items of another type
        than in its `fit` and NaN scores.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    make_user_scorer : Ranks the labelled pairs only.

    Notes
    -----
    An estimator of your own works too. It needs ``classes_``; ``item_ids_``, a 1-D
    array of the known items; ``decision_function(X)``; and ``seen_items(users)``, which
    returns a boolean CSR matrix of shape (len(users), len(item_ids_)) with the pairs
    of the training set and empty rows for unknown users. `X` is an integer array if
    the ids of users and of items are both signed or both unsigned integers, otherwise
    an array of objects.

    Examples
    --------
    >>> from sklearn_invlearn.metrics import make_full_ranking_scorer
    >>> make_full_ranking_scorer("ndcg", k=5)
    make_full_ranking_scorer('ndcg', k=5, block_size=256)
    """
    return _FullRankingScorer(metric, k, block_size, undefined)


def _unwrap(estimator: Any) -> Any:
    """Return the recommender inside searches and pipelines."""
    if hasattr(estimator, "best_estimator_"):
        return _unwrap(estimator.best_estimator_)
    if isinstance(estimator, Pipeline):
        for name, step in estimator.steps[:-1]:
            if step is not None and step != "passthrough":
                raise TypeError(
                    f"The pipeline transforms X in the step {name!r}, so the ids the "
                    "recommender knows are not those of X. Drop that step: the "
                    "recommenders of this package take raw ids."
                )
        return _unwrap(estimator.steps[-1][1])
    missing = [name for name in _PROTOCOL if not hasattr(estimator, name)]
    if missing:
        raise TypeError(
            f"{type(estimator).__name__} lacks {', '.join(missing)}, which a full "
            "ranking needs. Fit a recommender of this package, or use a scorer for "
            "labelled pairs such as ndcg_scorer."
        )
    return estimator


def _relevant_pairs(
    users: NDArray[Any], items: NDArray[Any], item_ids: NDArray[Any]
) -> tuple[NDArray[Any], csr_array, IntArray]:
    """Return distinct users (U,), their known items (U, n_items), unknown ones (U,)."""
    user_codes, user_ids = factorise(users, "The user column of X")
    item_codes, items = factorise(items, "The item column of X")
    # One code per pair, to count pairs which occur twice once.
    pairs = np.unique(user_codes * len(items) + item_codes)
    rows, item_codes = np.divmod(pairs, len(items))

    known_items = as_objects(item_ids)
    index_of = {item: index for index, item in enumerate(known_items)}
    positions = [index_of.get(item, -1) for item in items.tolist()]
    if max(positions) < 0:
        refuse_other_types(items.tolist(), known_items, "the items of X", "fit")
    columns = np.array(positions, dtype=np.int64)[item_codes]
    known = columns >= 0
    n_unknown = np.bincount(rows[~known], minlength=len(user_ids))
    relevant = csr_array(
        (np.ones(known.sum(), dtype=bool), (rows[known], columns[known])),
        shape=(len(user_ids), len(item_ids)),
    )
    return user_ids, relevant, n_unknown


def _score_all_items(
    recommender: Any, users: NDArray[Any], item_ids: NDArray[Any]
) -> NDArray[Any]:
    """Return the scores of all pairs, shape (n_users, n_items)."""
    with warnings.catch_warnings():
        # The candidates are an array even if the estimator was fitted with a frame:
        # the columns are user and item by definition, names add nothing.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        pairs = cross_product(users, item_ids)
        scores = get_scores(recommender, pairs, "decision_function")
    return scores.reshape(len(users), len(item_ids))
