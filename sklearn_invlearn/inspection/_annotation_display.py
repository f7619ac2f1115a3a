"""Weights that the dual loss gives the unlabeled pairs ([IL] Fig. 3 and 4)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from sklearn.utils import check_array

from ._axes import COLORS, axes_for, require_names


class AnnotationDisplay:
    """Distribution of the weight w1 over the pool, at one or several moments.

    Figures 3 and 4 of [1]_: a model without an opinion has all its weight near ½;
    one that has made up its mind has two peaks, at 0 and at 1. The weight of the
    negative label is w0 = 1 - w1, the mirror image.

    Parameters
    ----------
    weights : mapping of str to ndarray of shape (n,)
        For each moment, w1 of every pair, between 0 and 1; see ``annotate``.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where `plot` drew.

    References
    ----------
    .. [1] Lin et al., "Inverse Learning with Extremely Sparse Feedback for
       Recommendation", WSDM 2024, doi:10.1145/3616855.3635797.

    Examples
    --------
    >>> from sklearn_invlearn import InverseDualLossRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> from sklearn_invlearn.inspection import AnnotationDisplay
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> weights = {}
    >>> for n in (1, 30):
    ...     est = InverseDualLossRecommender(
    ...         backbone="gmf", max_epochs=n, gamma=0.01, random_state=0
    ...     ).fit(data.X, data.y, X_unlab=(data.X_unlab,))
    ...     weights[f"after epoch {n}"] = est.annotate(data.X_unlab)
    >>> AnnotationDisplay(weights).plot().ax_.get_ylabel()
    'share of the pairs'
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, name: str | None = None, ax: Any = None
    ) -> AnnotationDisplay:
        """Draw the weights that a fitted estimator gives the pairs `X` now.

        Parameters
        ----------
        estimator : recommender
            Fitted.

        X : array-like or DataFrame of shape (n, n_columns)
            Pairs; usually the pool.

        name : str, default=None
            Name of the curve; None for the class of the estimator.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : AnnotationDisplay
        """
        name = type(estimator).__name__ if name is None else name
        return cls({name: estimator.annotate(X)}).plot(ax=ax)

    def plot(self, *, n_bins: int = 40, ax: Any = None) -> AnnotationDisplay:
        """Draw.

        Parameters
        ----------
        n_bins : int, default=40
            Bins between 0 and 1.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : AnnotationDisplay
            This one.

        Raises
        ------
        TypeError
            If `weights` is no mapping.
        ValueError
            If it is empty, or a weight is not between 0 and 1.
        """
        require_names(self.weights, "weights")
        checked = {name: _check_weights(w1, name) for name, w1 in self.weights.items()}
        ax = axes_for(self, ax)
        edges = np.linspace(0, 1, n_bins + 1)
        for color, (name, w1) in zip(cycle(COLORS), checked.items(), strict=False):
            share = np.histogram(w1, edges)[0] / len(w1)
            ax.stairs(share, edges, color=color, linewidth=1.5)
            ax.stairs(share, edges, color=color, fill=True, alpha=0.2, label=name)
        ax.set(
            xlabel="w1, weight of the positive label (w0 = 1 - w1)",
            ylabel="share of the pairs",
            xlim=(0, 1),
        )
        ax.legend()
        return self


def _check_weights(w1: Any, name: str) -> np.ndarray:
    w1 = check_array(w1, ensure_2d=False, dtype=np.float64, input_name=name)
    if w1.ndim != 1 or w1.min() < 0 or w1.max() > 1:
        raise ValueError(
            f"The weights {name!r} must be one number between 0 and 1 a pair, got "
            f"shape {w1.shape} and values from {w1.min():g} to {w1.max():g}. Pass "
            "what annotate returns, not logits."
        )
    return w1
