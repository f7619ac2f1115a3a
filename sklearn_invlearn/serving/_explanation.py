"""What the user, the item and their match contribute to a logit."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..fitting._inputs import check_pairs_like_fit
from ..fitting._torch_state import torch_settings
from ..ids._encoding import UNKNOWN, PairEncoder
from ..ids._frames import beside_ids
from ..scoring._scoring import score_pairs


class ExplanationMixin:
    """Contributions to the scores of a fitted recommender."""

    if TYPE_CHECKING:
        net_: Any
        _encoder: PairEncoder
        _scorer: Any
        n_threads: int | None
        decision_function: Any

    def explain(self, X, *, return_frame=False) -> Any:
        r"""Split the logit of every pair into four contributions.

        With :math:`z(u, i)` the logit and a dot for the average user or item, which is
        what an unknown id is scored as,

        .. math::
            z(u, i) = \underbrace{z(\cdot, \cdot)}_{intercept}
            + \underbrace{z(u, \cdot) - z(\cdot, \cdot)}_{user}
            + \underbrace{z(\cdot, i) - z(\cdot, \cdot)}_{item} + interaction.

        This holds for every backbone and does not depend on how it shares a constant
        between its parameters: in a factorisation the mean of the factors acts like
        a bias, and counts as one here. For a model of biases alone the interaction
        is 0, and user and item are their biases less the mean bias.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`. An unknown user contributes 0.

        return_frame : bool, default=False
            Whether to return a frame with the ids, as `annotate` does.

        Returns
        -------
        contributions : structured ndarray of shape (n,)
            Fields ``intercept``, ``of_user``, ``of_item``, ``interaction`` (float64),
            which add up to ``logit`` up to rounding. Or a frame with these columns
            beside the ids.

        Raises
        ------
        ValueError
            As `decision_function`.
        ImportError
            If pandas is needed and not installed.

        Examples
        --------
        >>> from sklearn_invlearn import CrossEntropyRecommender
        >>> X = [["ann", "tea"], ["ann", "rum"], ["bob", "tea"], ["bob", "gin"]]
        >>> est = CrossEntropyRecommender(backbone="bias", gamma=0.1, random_state=0)
        >>> parts = est.fit(X, [1, 0, 1, 0]).explain([["ann", "tea"]])
        >>> parts.dtype.names
        ('intercept', 'of_user', 'of_item', 'interaction', 'logit')
        >>> bool(parts["of_item"][0] > 0)
        True
        """
        check_is_fitted(self, "net_")
        now = copy(self)  # another thread may update the recommender meanwhile
        logit = now.decision_function(X)
        columns = check_pairs_like_fit(now, X)[:2]
        users, items = now._encoder.users, now._encoder.items
        with torch_settings(self.n_threads):
            average, of_user = now._main_effect(users.lookup(columns[0]), 0)
            _, of_item = now._main_effect(items.lookup(columns[1]), 1)
        parts = {
            "intercept": np.full(len(logit), average),
            "of_user": of_user,
            "of_item": of_item,
            "interaction": logit - average - of_user - of_item,
            "logit": logit,
        }
        if return_frame:
            return beside_ids(X, columns, parts)
        table = np.empty(len(logit), dtype=[(name, np.float64) for name in parts])
        for name, values in parts.items():
            table[name] = values
        return table

    def _main_effect(self, codes: np.ndarray, side: int) -> tuple[float, np.ndarray]:
        """Logit of the average pair, and what `codes` (n,) of a side add to it."""
        distinct, position = np.unique(codes, return_inverse=True)
        pairs = np.full((2, len(distinct) + 1), UNKNOWN)
        pairs[side, 1:] = distinct
        logit = score_pairs(self._scorer, pairs)
        return float(logit[0]), (logit[1:] - logit[0])[position]
