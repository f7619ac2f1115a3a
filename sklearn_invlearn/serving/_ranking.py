"""The best items for a user, and the items most like an item."""

from __future__ import annotations

from copy import copy
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from ..fitting._id_kinds import check_id_kind, check_id_kinds
from ..fitting._inputs import check_pairs, refuse_unknown, require_names
from ..fitting._torch_state import torch_settings
from ..ids._columns import id_column, plain_id
from ..ids._encoding import IdIndex, PairEncoder, as_objects
from ..ids._frames import ID_NAMES, frame_like
from ..scoring._similarity import most_similar
from ..scoring._top_n import best_items
from ._prediction import refuses_unknown
from ._seen_items import excluded_pairs, pairs_among


class RankingMixin:
    """Top-N lists of a fitted recommender."""

    if TYPE_CHECKING:
        net_: Any
        _encoder: PairEncoder
        _scorer: Any
        _seen: sparse.csr_array
        handle_unknown: str
        n_threads: int | None

    def recommend(
        self,
        users,
        n_items=10,
        *,
        exclude_seen=True,
        candidates=None,
        return_frame=False,
    ) -> Any:
        """Return the items each user most probably labels positive.

        Exact: every candidate is scored. Blocks of users bound the memory.

        Parameters
        ----------
        users : id or array-like of shape (n_users,)
            A user or several: list, array, Series, pyarrow array. A tuple is one id.
            A user that `fit` has not seen gets the ranking of the average user.

        n_items : int, default=10
            Length of the lists.

        exclude_seen : bool or table of shape (n, n_columns), default=True
            Pairs to leave out: True those with feedback in `fit` (not the pool: shown
            is not rated), False none, a table of pairs (such as the pool, or what was
            shown since) those with feedback and its own.

        candidates : array-like of shape (n_candidates,), default=None
            Distinct items to choose from; None for all of `item_ids_`. One that
            `fit` has not seen is scored as the average item.

        return_frame : bool, default=False
            Whether to return one frame: polars for a polars Series of users, pyarrow
            for a pyarrow array, else pandas.

        Returns
        -------
        ids : ndarray of shape (n_users, n_items)
            Items, best first; equal scores in the order of `candidates`. Where a user
            has fewer than `n_items` left, the rest is None, and the dtype object.

        scores : ndarray of shape (n_users, n_items), float64
            Probability of the positive class, that of `predict_proba` up to rounding;
            NaN where `ids` is None. Lists are sorted by logit, so that scores that
            round to 1.0 are in order, too.

        Both have the shape (n_items,) for a single user. With ``return_frame=True`` a
        frame of a row per recommended item, best first and user by user: the two
        columns of ids with their names in `fit` (or "user" and "item"), ``rank`` from 1
        and ``proba``, the score; a user with fewer items left has fewer rows.

        Raises
        ------
        ValueError
            For missing ids, no or repeated candidates, ``n_items < 1``; for unknown ids
            if ``handle_unknown="error"``; for ids of another type than in `fit`; for an
            id column of `fit` with the name of a result.
        ImportError
            If a package that a frame needs is not installed.

        Examples
        --------
        >>> from sklearn_invlearn import CrossEntropyRecommender
        >>> X = [["ann", "tea"], ["ann", "rum"], ["bob", "tea"], ["bob", "gin"]]
        >>> est = CrossEntropyRecommender(backbone="bias", gamma=0.1, random_state=0)
        >>> est = est.fit(X, [1, 0, 1, 0])
        >>> ids, scores = est.recommend("new", n_items=2)
        >>> str(ids[0]), scores.shape
        ('tea', (2,))
        >>> est.recommend(["ann", "bob"], n_items=2)[0].tolist()
        [['gin', None], ['rum', None]]
        """
        check_is_fitted(self, "net_")
        now = copy(self)  # another thread may update the recommender meanwhile
        _require_count(n_items, "n_items")
        asked = users
        users, single = _as_column(asked, "users")
        check_id_kind(now._encoder.users, users, "The ids of users", "users")
        user_codes = now._encoder.users.lookup(users, name="users")
        index, items, item_codes = now._candidates(candidates)
        if refuses_unknown(self.handle_unknown):
            for name, ids, codes in (
                ("users", users, user_codes),
                ("candidates", items, item_codes),
            ):
                refuse_unknown(f"{name} has ids", ids, codes)
        excluded, shown = None, _shown_pairs(exclude_seen)
        if shown is not None:
            excluded = excluded_pairs(now._seen, user_codes, item_codes)
            if shown:
                names = getattr(self, "feature_names_in_", None)
                require_names(exclude_seen, names, "exclude_seen")
                check_id_kinds(now._encoder, shown, "exclude_seen")
                excluded = excluded + pairs_among(shown, users, index)
        with torch_settings(self.n_threads):
            best = best_items(now._scorer, user_codes, item_codes, n_items, excluded)
        position, logit = best
        if return_frame:
            row, rank = np.nonzero(position >= 0)
            ids = [users[row], items[position[row, rank]]]
            titles = getattr(now, "feature_names_in_", ID_NAMES)
            results = {"rank": rank + 1, "proba": expit(logit[row, rank])}
            return frame_like(asked, titles[:2], ids, results)
        ids, scores = _ids_at(items, position), expit(logit)
        return (ids[0], scores[0]) if single else (ids, scores)

    def similar_items(self, items, n_items=10) -> tuple[np.ndarray, np.ndarray]:
        """Return the items that the model treats most like each of `items`.

        Two items are alike if the same users score them higher than others do. Where
        the logit is a product of vectors (GMF, spectral), the similarity is the
        correlation, over all known users, of the two items' scores without biases,
        which is a cosine of item vectors scaled by the users' covariance. MLP and
        NeuMF have the plain cosine of their embeddings.

        Parameters
        ----------
        items : id or array-like of shape (n,)
            Items that `fit` has seen. A tuple is one id.

        n_items : int, default=10
            Length of the lists.

        Returns
        -------
        ids : ndarray of shape (n, n_items)
            Other items, most similar first; equal ones in the order of `item_ids_`.
            Where there are fewer, and for an item without a taste of its own (a
            vector of zeros), the rest is None, and the dtype object.

        similarity : ndarray of shape (n, n_items), float64
            From -1 to 1; NaN where `ids` is None.

        Both have the shape (n_items,) for a single item.

        Raises
        ------
        ValueError
            For unknown items, and for a backbone without vectors: "bias", or a class
            that does not provide them (see the design page).
        """
        return self._similar("item", items, n_items, "n_items")

    def similar_users(self, users, n_users=10) -> tuple[np.ndarray, np.ndarray]:
        """Return the users that the model treats most like each of `users`.

        As `similar_items`, with the sides exchanged: users are alike if they score
        the same items higher than others do.

        Parameters
        ----------
        users : id or array-like of shape (n,)
            Users that `fit` has seen. A tuple is one id.

        n_users : int, default=10
            Length of the lists.

        Returns
        -------
        ids : ndarray of shape (n, n_users)
            Other users, most similar first; None where there are no more.

        similarity : ndarray of shape (n, n_users), float64
            From -1 to 1; NaN where `ids` is None.

        Both have the shape (n_users,) for a single user.

        Raises
        ------
        ValueError
            For unknown users, and for a backbone without vectors.
        """
        return self._similar("user", users, n_users, "n_users")

    def _similar(
        self, side: str, asked: Any, n_best: int, parameter: str
    ) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "net_")
        now = copy(self)  # another thread may update the recommender meanwhile
        _require_count(n_best, parameter)
        index = now._encoder.users if side == "user" else now._encoder.items
        other = now._encoder.items if side == "user" else now._encoder.users
        column, single = _as_column(asked, f"{side}s")
        check_id_kind(index, column, f"The ids of {side}s", f"{side}s", warn=False)
        codes = index.lookup(column, name=f"{side}s")
        unknown = as_objects(column[codes == 0])
        if unknown:
            raise ValueError(
                f"{side}s has {len(unknown)} ids that fit has not seen, such as "
                f"{unknown[0]!r}: nothing is known of what they are like."
            )
        with torch_settings(self.n_threads):
            position, similarity = most_similar(
                now.net_.module_, side, codes, len(index), len(other), n_best
            )
        ids = _ids_at(index.ids, position)
        return (ids[0], similarity[0]) if single else (ids, similarity)

    def _candidates(self, candidates: Any) -> tuple[IdIndex, np.ndarray, np.ndarray]:
        """Index, ids (n,) and codes (n,) of the items to choose from."""
        known = self._encoder.items
        if candidates is None:
            return known, known.ids, np.arange(1, len(known) + 1)
        column = id_column(candidates, name="candidates")
        if not len(column):
            raise ValueError(
                "candidates is empty: there is nothing to recommend. None stands for "
                "all known items."
            )
        index = IdIndex()
        position = index.extend(column, name="candidates")
        if len(index) < len(column):
            twice = as_objects(column[np.bincount(position)[position] > 1][:1])[0]
            raise ValueError(
                f"candidates has {len(column) - len(index)} repeated ids, such as "
                f"{twice!r}. Pass each item once: list(dict.fromkeys(candidates))."
            )
        check_id_kind(known, column, "The ids of candidates", "candidates")
        return index, column, known.lookup(column, name="candidates")


def _require_count(n: Any, name: str) -> None:
    if isinstance(n, (bool, np.bool_)):  # of type int, Python says
        raise TypeError(f"{name} must be a number of ids, not {n}.")
    check_scalar(n, name, Integral, min_val=1)


def _shown_pairs(exclude_seen: Any) -> list[np.ndarray] | None:
    """Columns of a table of pairs; [] for True or no rows, None for False."""
    if isinstance(exclude_seen, (bool, np.bool_)):
        return [] if exclude_seen else None
    if sparse.issparse(exclude_seen):
        return check_pairs(exclude_seen, name="exclude_seen")  # says what to pass
    if not hasattr(exclude_seen, "__len__") or isinstance(exclude_seen, str):
        raise TypeError(
            f"exclude_seen={exclude_seen!r} is neither True nor False nor a table of "
            "pairs."
        )
    if not len(exclude_seen):
        return []
    return check_pairs(exclude_seen, name="exclude_seen")


def _as_column(ids: Any, name: str) -> tuple[np.ndarray, bool]:
    """Return a column of ids, and whether `ids` was one id instead of several."""
    ids = plain_id(ids)
    one = isinstance(ids, (str, bytes, tuple, frozenset))
    if one or not (hasattr(ids, "__iter__") or hasattr(ids, "columns")):
        return id_column([ids], name=name), True
    return id_column(ids, name=name), False


def _ids_at(ids: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Take ids by position; None where that is -1."""
    if (position >= 0).all():
        return ids[position]
    padded = np.empty(len(ids) + 1, dtype=object)
    padded[:-1] = ids.tolist() if ids.dtype.kind not in "mM" else list(ids)
    return padded[position]
