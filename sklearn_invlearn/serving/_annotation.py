"""What the model would label unlabeled pairs: weights, confidence, abstentions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import expit

from ..fitting._inputs import check_band
from ..ids._columns import id_columns
from ..ids._frames import beside_ids
from ..losses import annotation_proba

_BLOCK_ROWS = 1_048_576


class AnnotationMixin:
    """Annotation of pairs without feedback."""

    if TYPE_CHECKING:
        classes_: np.ndarray
        decision_function: Any

    def annotate(self, X, *, return_frame=False, abstain=None) -> Any:
        """Annotate pairs: what the model would label them.

        The weight w1 of the positive label in the dual loss is the label the
        model would teach itself: its own probability, sharpened ([IL] Eq. 4).

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`; usually the pool.

        return_frame : bool, default=False
            Whether to return a frame with ids, probabilities and labels: polars for
            a polars `X`, pyarrow for a pyarrow `X`, else pandas.

        abstain : (low, high), default=None
            Pairs with ``low < proba < high`` get no label. None labels all.
            Needs ``return_frame=True``.

        Returns
        -------
        w1 : ndarray of shape (n,), float64
            Weight of the positive label, between 0 and 1. With
            ``return_frame=True`` a frame of n rows:

            - the first two columns of `X` as they came ("user" and "item" if they
              have no names; the index of a pandas frame is kept);
            - ``proba``, the model's probability of the positive class;
            - ``w1``, the weight above;
            - ``confidence``, the probability of the more probable class, from 0.5;
            - ``label``, that class, missing where the model abstains.

        Raises
        ------
        ValueError
            For a band that is not ``0 <= low <= high <= 1``, or `abstain` without
            a frame; for an id column with the name of a result; and as
            `decision_function`.
        ImportError
            If pandas is needed and not installed.

        Examples
        --------
        >>> from sklearn_invlearn import CrossEntropyRecommender
        >>> X = [["ann", "tea"], ["ann", "rum"], ["bob", "tea"], ["bob", "gin"]]
        >>> est = CrossEntropyRecommender(backbone="bias", gamma=0.1, random_state=0)
        >>> est = est.fit(X, [1, 0, 1, 0])
        >>> pool = [["bob", "rum"], ["eve", "tea"]]
        >>> est.annotate(pool).round(1)
        array([0., 1.])
        >>> frame = est.annotate(pool, return_frame=True, abstain=(0.3, 0.7))
        >>> frame[["user", "item", "label"]].values.tolist()
        [['bob', 'rum', 0], ['eve', 'tea', 1]]
        """
        low, high = check_band(abstain)
        if abstain is not None and not return_frame:
            raise ValueError(
                "abstain needs return_frame=True: the array that annotate returns "
                "otherwise has weights alone, and no labels."
            )
        logit = self.decision_function(X)
        if not return_frame:
            return _weight(logit)
        proba = expit(logit)
        results = {
            "proba": proba,
            "w1": _weight(logit),
            "confidence": np.maximum(proba, expit(-logit)),
            "label": self.classes_[(logit > 0).astype(np.int8)],
        }
        missing = {}
        if abstain is not None:
            missing["label"] = (low < proba) & (proba < high)
        return beside_ids(X, id_columns(X)[:2], results, missing)


def _weight(logit: np.ndarray) -> np.ndarray:
    """The weight w1 (n,), block by block: it takes several arrays to compute."""
    w1 = np.empty_like(logit)
    for start in range(0, len(logit), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        w1[block] = annotation_proba(torch.from_numpy(logit[block])).numpy()
    return w1
