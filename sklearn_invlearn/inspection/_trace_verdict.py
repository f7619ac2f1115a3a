"""The trace of inverse gradient in words: is α too large, too small, or neither?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

WHY_NO_STEP = (
    "Either there are no unlabeled pairs, or the backbone comes fitted and nothing was "
    "asked about them: there is no X_unlab, or there are too few labels. Give alpha "
    "for steps."
)
_DIRECTIONS = ("direct", "pass", "inverse")
# Losses are float32: below this, relative to the loss, a difference is rounding.
_ROUNDING = 8 * float(np.finfo(np.float32).eps)
_NO_EFFECT = 0.01  # what all steps together might change of the loss
_DOMINATES = 0.5
_FEW_DIRECT = 0.2
_FEW_PASSES = 0.2  # with more, the second-order term is felt: a larger α overshoots
_NOT_FINITE = 0.01
_ENOUGH_STEPS = 20


@dataclass(frozen=True)
class TraceVerdict:
    """What a trace says about α; made by `trace_verdict`.

    Attributes
    ----------
    verdict : str
        "too small", "too large", "disagreement", "balanced" or "no steps".

    text : str
        The same in words, with the figures, and what to do; also what `print` shows.

    shares : dict of str to float
        Share of the steps that went "direct", "pass" and "inverse".

    change : float
        Median over the steps of the larger change of the training-test loss by a
        probe step, as a fraction of the loss; NaN without finite losses.
    """

    verdict: str
    text: str
    shares: dict[str, float]
    change: float

    def __str__(self) -> str:
        return self.text


def trace_verdict(trace: np.ndarray) -> TraceVerdict:
    r"""Say in plain words what the trace of inverse gradient shows.

    To second order a step of size α changes the training-test loss by
    :math:`\mp \alpha s + \alpha^2 c`. Where α is too large, the second term decides:
    both ways are worse than staying, and *pass* is chosen. Where it is too small,
    the three losses differ by rounding, and the choice between them means nothing.

    Parameters
    ----------
    trace : structured ndarray of shape (n_steps,)
        ``trace_`` of a fitted `InverseGradientRecommender`. Rows of epoch 0, the gate
        of a backbone that comes fitted, are left out: they have no α.

    Returns
    -------
    verdict : TraceVerdict
        - "too large": at least half of the steps are passes; or four in five are
          passes or inverse, with a fifth of passes; or losses are not finite.
        - "too small": the typical difference of the losses is rounding (or none),
          or all steps together cannot change the loss by 1 % though few are passes.
        - "disagreement": most steps are inverse. Held-out labels contradict the
          model's own annotations.
        - "balanced": none of these.
        - "no steps": the trace is empty, or has no step after the gate.

    Raises
    ------
    TypeError
        If `trace` is something else, such as the estimator or its `history_`.

    See Also
    --------
    DirectionDisplay : The trace as a picture.

    Examples
    --------
    >>> from sklearn_invlearn import InverseGradientRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> from sklearn_invlearn.inspection import trace_verdict
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = InverseGradientRecommender(backbone="gmf", alpha=1e4, random_state=0)
    >>> est = est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    >>> trace_verdict(est.trace_).verdict
    'too large'
    """
    if "direction" not in _names(trace):
        raise TypeError(
            f"trace is a {type(trace).__name__}, not the trace of inverse gradient: "
            "pass est.trace_ of a fitted InverseGradientRecommender."
        )
    n_rows = len(trace)
    trace = after_gate(trace)
    if not len(trace):
        text = (
            "No unlabeled step was taken: by default held-out labels decide about the "
            "pool of a backbone that comes fitted, see gate_. Give alpha for steps."
            if n_rows
            else f"No unlabeled step was taken. {WHY_NO_STEP}"
        )
        return TraceVerdict("no steps", text, dict.fromkeys(_DIRECTIONS, 0.0), np.nan)
    shares = {name: float(np.mean(trace["direction"] == name)) for name in _DIRECTIONS}
    losses = np.stack([trace[f"loss_{name}"] for name in _DIRECTIONS])
    finite = np.isfinite(losses).all(axis=0)
    change = _typical_change(losses[:, finite])
    verdict, advice = _judge(shares, change, len(trace), float(finite.mean()))
    if len(trace) < _ENOUGH_STEPS:
        advice += " That is little to go by: with more steps it may look different."
    text = (
        f"Unlabeled steps: {len(trace)}, {shares['direct']:.0%} direct, "
        f"{shares['pass']:.0%} pass, {shares['inverse']:.0%} inverse; a step changes "
        f"the training-test loss by {change:.1g} of it. {advice}"
    )
    return TraceVerdict(verdict, text, shares, change)


def after_gate(trace: Any) -> Any:
    """Return the steps that have an α: epoch 0 is a gate, which has none."""
    return trace[trace["epoch"] > 0] if "epoch" in _names(trace) else trace


def _names(trace: Any) -> Any:
    names = getattr(getattr(trace, "dtype", None), "names", None)
    return names or getattr(trace, "columns", ())


def _typical_change(losses: np.ndarray) -> float:
    """Median of the larger relative change, of losses (3, n): direct, pass, inverse."""
    if not losses.shape[1]:
        return np.nan
    direct, stay, inverse = losses
    largest = np.maximum(np.abs(direct - stay), np.abs(inverse - stay))
    smallest = np.finfo(np.float64).tiny
    return float(np.median(largest / np.maximum(np.abs(stay), smallest)))


def _judge(
    shares: dict[str, float], change: float, n_steps: int, finite: float
) -> tuple[str, str]:
    if 1 - finite > _NOT_FINITE:
        return "too large", (
            f"α is far too large: in {1 - finite:.0%} of the steps a loss is not "
            "finite. Try a hundredth of it."
        )
    if change <= _ROUNDING:
        return "too small", (
            "α is too small: the three losses are equal but for rounding, so the "
            "directions mean nothing and unlabeled pairs have no effect. Try α a "
            "hundred to ten thousand times as large, or probe='sign'."
        )
    no_effect = change * n_steps < _NO_EFFECT
    if no_effect and shares["pass"] < _FEW_PASSES:
        return "too small", (
            "α is too small: the directions are real, but all steps together cannot "
            "change the loss by 1 %, so unlabeled pairs have next to no effect. Try "
            "ten or a hundred times as large an α."
        )
    not_direct = shares["pass"] + shares["inverse"]
    crowded = not_direct >= 1 - _FEW_DIRECT and shares["pass"] >= _FEW_PASSES
    if crowded and shares["pass"] < _DOMINATES:
        return "too large", (
            "α is too large: many steps overshoot in either direction and are not "
            "taken, and most of the others are inverse. Try a tenth of it."
        )
    if shares["pass"] >= _DOMINATES:
        return "too large", (
            "α is too large: a step in either direction overshoots, and most are not "
            "taken or undone. Try a tenth of it."
        )
    if shares["inverse"] > _DOMINATES:
        return "disagreement", (
            "Held-out labels contradict the model's own annotations most of the time. "
            "Try a smaller α first, then fewer epochs or more regularisation; if it "
            "stays so, unlabeled pairs mislead here: compare with "
            "CrossEntropyRecommender."
        )
    if no_effect:
        return "balanced", (
            "α is as large as the passes allow, yet all steps together cannot change "
            "the loss by 1 %. For more effect take more steps: a smaller batch_size, "
            "larger max_epochs or n_unlabeled_steps."
        )
    return "balanced", (
        "α is in a useful range. Whether unlabeled pairs help is for a validation "
        "score to say: compare with CrossEntropyRecommender."
    )
