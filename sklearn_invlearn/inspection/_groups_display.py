"""A metric for groups of users with little and much feedback ([ADT] Fig. 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length

from ..metrics import activity_groups, score_by_group
from ..metrics._inputs import as_column, as_objects
from ._axes import COLORS, axes_for, require_names


class GroupsDisplay:
    """A metric by group of users, over the sizes of the groups.

    Figure 7 of [1]_: bars are the number of users in each group, lines the metric of
    each model.

    Parameters
    ----------
    scores : mapping of str to array-like of shape (n_groups,)
        Metric of each model in each group.

    n_users : array-like of shape (n_groups,)
        Users in each group.

    groups : sequence of str of length n_groups
        What to write below each group.

    metric_name : str, default="GAUC"
        Label of the axis.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where `plot` drew the metric.

    bars_ax_ : matplotlib axes
        Where it drew the number of users.

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> from sklearn_invlearn.inspection import GroupsDisplay
    >>> display = GroupsDisplay.from_predictions(
    ...     y_true=[1, 0, 1, 0, 0, 1],
    ...     y_scores={"model": [0.9, 0.1, 0.2, 0.8, 0.3, 0.4]},
    ...     users=["ann", "ann", "bob", "bob", "cid", "cid"],
    ...     history=["ann"] * 3 + ["bob"] * 3 + ["cid"] * 50,
    ...     n_groups=2,
    ... )
    >>> display.groups
    ['3', '50']
    >>> display.scores["model"].tolist()
    [0.5, 1.0]
    """

    def __init__(
        self,
        scores: Mapping[str, Any],
        n_users: Any,
        groups: Any,
        *,
        metric_name: str = "GAUC",
    ) -> None:
        self.scores = scores
        self.n_users = n_users
        self.groups = groups
        self.metric_name = metric_name

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_scores: Mapping[str, Any],
        users: Any,
        *,
        history: Any,
        n_groups: int = 4,
        metric: Callable[..., float] | None = None,
        metric_name: str = "GAUC",
        ax: Any = None,
    ) -> GroupsDisplay:
        """Group the users by activity, score each group, and draw.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels.

        y_scores : mapping of str to array-like of shape (n,)
            Scores of each model.

        users : array-like of shape (n,)
            User of each row.

        history : array-like of shape (m,)
            User column of the training rows, in which activity is counted.

        n_groups : int, default=4
            Groups with about as many training rows each; see
            :func:`~sklearn_invlearn.metrics.activity_groups`.

        metric : callable, default=None
            ``metric(y_true, y_score, users) -> float``; None is
            :func:`~sklearn_invlearn.metrics.gauc_score`.

        metric_name : str, default="GAUC"
            Label of the axis.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : GroupsDisplay

        Raises
        ------
        TypeError
            If `y_scores` is no mapping.
        ValueError
            If there is no model, or for what the metrics raise one.
        """
        require_names(y_scores, "y_scores")
        group = activity_groups(users, history=history, n_groups=n_groups)
        tables = {
            name: score_by_group(y_true, score, users, group, metric=metric)
            for name, score in y_scores.items()
        }
        count_of = Counter(as_objects(as_column(history, "history")))
        ids = as_objects(as_column(users, "users"))
        count = np.array([count_of[user] for user in ids])
        display = cls(
            {name: table["score"] for name, table in tables.items()},
            next(iter(tables.values()))["n_users"],
            [_range(count[group == g]) for g in range(group.max() + 1)],
            metric_name=metric_name,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> GroupsDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : GroupsDisplay
            This one.

        Raises
        ------
        TypeError
            If `scores` is no mapping.
        ValueError
            If there is no model, or the lengths differ.
        """
        require_names(self.scores, "scores")
        check_consistent_length(self.n_users, self.groups, *self.scores.values())
        ax = axes_for(self, ax)
        place = np.arange(len(self.groups))
        self.bars_ax_ = ax.twinx()
        self.bars_ax_.bar(place, self.n_users, width=0.5, color="#dddddd")
        self.bars_ax_.set_ylabel("users")
        for color, (name, score) in zip(
            cycle(COLORS), self.scores.items(), strict=False
        ):
            ax.plot(place, score, marker="o", color=color, label=name)
        ax.set_zorder(self.bars_ax_.get_zorder() + 1)  # lines above bars
        ax.patch.set_visible(False)
        ax.set_xticks(place, self.groups)
        ax.set(xlabel="feedback of a user in training", ylabel=self.metric_name)
        ax.legend()
        return self


def _range(counts: np.ndarray) -> str:
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"
