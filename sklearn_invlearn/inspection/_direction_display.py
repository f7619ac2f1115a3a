"""Which way inverse gradient went at every step ([IL] Fig. 5 and 6)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from ._axes import axes_for
from ._trace_verdict import WHY_NO_STEP, TraceVerdict, after_gate, trace_verdict

_QUANTITIES = {"loss", "change"}
# Colours of Okabe and Ito; the shapes say the same once more.
_STYLES = {
    "direct": {"color": "#0072B2", "marker": "o"},
    "pass": {"color": "#767676", "marker": "s"},
    "inverse": {"color": "#D55E00", "marker": "^"},
}


class DirectionDisplay:
    """Training-test loss at every unlabeled step, marked by the direction taken.

    Figure 5 of [1]_; several of them side by side, for several α, are its Figure 6.

    Parameters
    ----------
    trace : structured ndarray of shape (n_steps,)
        ``trace_`` of a fitted :class:`~sklearn_invlearn.InverseGradientRecommender`.

    name : str, default=None
        What the trace belongs to, for the title.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where `plot` drew.

    shares_ : dict of str to float
        Share of the steps that went "direct", "pass" and "inverse"; rows of a gate
        (epoch 0) count where there is nothing else.

    verdict_ : TraceVerdict
        What the trace says about α, in words; see `trace_verdict`.

    References
    ----------
    .. [1] Lin et al., "Inverse Learning with Extremely Sparse Feedback for
       Recommendation", WSDM 2024, doi:10.1145/3616855.3635797.

    Examples
    --------
    >>> from sklearn_invlearn import InverseGradientRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> from sklearn_invlearn.inspection import DirectionDisplay
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> est = InverseGradientRecommender(backbone="gmf", alpha=1.0, random_state=0)
    >>> est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    InverseGradientRecommender(...)
    >>> DirectionDisplay.from_estimator(est).ax_.get_xlabel()
    'unlabeled step'
    """

    def __init__(self, trace: np.ndarray, *, name: str | None = None) -> None:
        self.trace = trace
        self.name = name

    @property
    def verdict_(self) -> TraceVerdict:
        return trace_verdict(self.trace)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        quantity: str = "loss",
        name: str | None = None,
        ax: Any = None,
    ) -> DirectionDisplay:
        """Draw the trace of a fitted estimator.

        Parameters
        ----------
        estimator : InverseGradientRecommender
            Fitted.

        quantity : {"loss", "change"}, default="loss"
            See `plot`.

        name : str, default=None
            Title; None for the step sizes α and γ.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : DirectionDisplay
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "trace_"):
            raise TypeError(
                f"{type(estimator).__name__} has no trace_; only "
                "InverseGradientRecommender chooses a direction."
            )
        if name is None and not estimator.n_iter_:
            name = "Gate: a step is a fold of held-out labels"
        elif name is None:
            name = (
                rf"$\alpha$ = {estimator.net_.alpha:g}, $\gamma$ = {estimator.gamma:g}"
            )
        return cls(estimator.trace_, name=name).plot(quantity=quantity, ax=ax)

    @validate_params(
        {"quantity": [StrOptions(_QUANTITIES)]}, prefer_skip_nested_validation=True
    )
    def plot(self, *, quantity: str = "loss", ax: Any = None) -> DirectionDisplay:
        """Draw.

        Parameters
        ----------
        quantity : {"loss", "change"}, default="loss"
            "loss": the training-test loss after the choice. "change": what a direct
            step would have changed of it; its sign decides between direct and
            inverse.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : DirectionDisplay
            This one.

        Raises
        ------
        ValueError
            If the trace has no step.
        """
        if not len(self.trace):
            raise ValueError(
                f"The trace is empty: no unlabeled step was taken. {WHY_NO_STEP}"
            )
        ax = axes_for(self, ax)
        step = np.arange(1, len(self.trace) + 1)
        height = self._height(quantity)
        shares = self.shares_
        for direction, style in _STYLES.items():
            taken = self.trace["direction"] == direction
            label = f"{direction} ({shares[direction]:.0%})"
            ax.scatter(
                step[taken], height[taken], s=14, linewidths=0, alpha=0.8,
                label=label, **style,
            )  # fmt: skip
        if quantity == "change":
            ax.axhline(0, color="black", linewidth=0.8)
            ax.set_ylabel("change of the loss by a direct step")
        else:
            ax.set_ylabel("training-test loss")
        ax.set(xlabel="unlabeled step", title=self.name or "")
        ax.legend(title="direction", fontsize="small")
        return self

    @property
    def shares_(self) -> dict[str, float]:
        steps = after_gate(self.trace)
        steps = steps if len(steps) else self.trace
        direction = steps["direction"]
        return {name: float(np.mean(direction == name)) for name in _STYLES}

    def _height(self, quantity: str) -> np.ndarray:
        if quantity == "change":
            return self.trace["loss_direct"] - self.trace["loss_pass"]
        losses = [self.trace[f"loss_{name}"] for name in _STYLES]
        taken = [self.trace["direction"] == name for name in _STYLES]
        return np.select(taken, losses, default=np.nan)
