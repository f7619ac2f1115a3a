"""Complete, skipped, not clicked: three kinds of feedback, three weights (NR)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._batches import epoch_batches
from ._data import TrainingData
from ._negative_sampling import with_negatives
from ._net import PairNet
from ._pairs import Pairs


class NegativeReweightingNet(PairNet):
    """Cross entropy with a fixed share for each kind of feedback.

    The loss is λ_c·mean over complete clicks of ℓ1 + λ_s·mean over skipped ones of ℓ0
    + (1 - λ_c - λ_s)·mean over pairs without click of ℓ0 (Wen et al., RecSys 2019,
    who draw the rows of each batch in these shares).

    Parameters
    ----------
    complete_weight, skip_weight : float
        λ_c and λ_s.
    silent_clicks : {"skip", "ignore"}
        What a click is of which the extra rows say nothing.
    """

    def __init__(
        self,
        module: Any,
        *,
        complete_weight: float = 0.5,
        skip_weight: float = 0.25,
        silent_clicks: str = "skip",
        **kwargs: Any,
    ) -> None:
        self.complete_weight = complete_weight
        self.skip_weight = skip_weight
        self.silent_clicks = silent_clicks
        super().__init__(module, **kwargs)

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        assert data.unlabeled is not None
        clicks = post_click_feedback(data.labelled, data.extra, self.silent_clicks)
        clicks = in_shares(clicks, self.complete_weight, self.skip_weight)
        rest = 1.0 - self.complete_weight - self.skip_weight
        for batch in epoch_batches(clicks, self.batch_size, self.shuffler_):
            unclicked = data.unlabeled.draw(batch)
            yield self.supervised_step(sum_of_means(batch, unclicked, rest))


def post_click_feedback(
    clicks: Pairs, extra: Pairs | None, silent_clicks: str
) -> Pairs:
    """Return all rows with y = 1 for complete and y = 0 for skipped.

    Extra rows say it of themselves, and of the clicks on the same pairs, which are
    left out. Of the other clicks, y = 0 is a skip; y = 1 is one too, or left out if
    `silent_clicks` is "ignore". Where `extra` is None, y is taken at its word; where it
    is empty, as in an update, it says nothing of any click.

    Raises
    ------
    ValueError
        If no extra row is positive, or all clicks are left out.
    """
    assert clicks.y is not None
    if extra is None:
        return clicks
    assert extra.y is not None
    if len(extra) and not extra.y.any():
        raise ValueError(
            "No row counts as a complete click: X_extra has no positive rows, and "
            "clicks of which it says nothing are no positives either. Pass the pairs "
            "that satisfied with label 1 in y_extra, or in y if there is no X_extra."
        )
    silent = clicks[~clicks.among(extra)]
    assert silent.y is not None
    if silent_clicks == "ignore":
        silent = silent[silent.y == 0]
    assert silent.y is not None
    silent = replace(silent, y=torch.zeros_like(silent.y))
    if silent.weight is not None:
        extra = replace(extra, weight=torch.ones_like(extra.user, dtype=torch.float32))
    if not len(extra) + len(silent):
        raise ValueError(
            "There is nothing to learn from: fit was given X_extra, partial_fit has "
            "none, and silent_clicks='ignore' leaves out rows with label 1 of which it "
            "says nothing. Call fit with these rows, X_extra and warm_start=True."
        )
    return Pairs.joined([extra, silent])


def in_shares(clicks: Pairs, complete: float, skip: float) -> Pairs:
    """Weigh rows so that Σ weight·ℓ / n is complete·mean(y = 1) + skip·mean(y = 0).

    A kind without rows has no term.
    """
    assert clicks.y is not None
    weight = torch.ones_like(clicks.y) if clicks.weight is None else clicks.weight
    positive, negative = (weight * clicks.y).sum(), (weight * (1 - clicks.y)).sum()
    share = torch.where(
        clicks.y > 0,
        complete / positive.clamp(min=1e-30),
        skip / negative.clamp(min=1e-30),
    )
    return replace(clicks, weight=weight * share * len(clicks))


def sum_of_means(clicks: Pairs, unclicked: Pairs, share: float) -> Pairs:
    """Join both, weighed so that the mean over all is mean + `share`·mean."""
    assert clicks.weight is not None
    joint = with_negatives(clicks, unclicked)
    n_rows, n_unclicked = len(joint), max(len(unclicked), 1)
    weight = torch.cat(
        [
            clicks.weight * (n_rows / len(clicks)),
            clicks.weight.new_full((len(unclicked),), share * n_rows / n_unclicked),
        ]
    )
    return replace(joint, weight=weight)
