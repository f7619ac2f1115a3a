"""Validation score over one parameter of a search ([ADT] Fig. 10 and 11)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from ._axes import COLORS, axes_for


class SensitivityDisplay:
    """Score of the best candidates at every value of one parameter.

    Figures 10 and 11 of [1]_. Where a search has tried several settings of the
    other parameters with a value, the best of them stands for it, so the curve
    says what can be reached with that value; a flat curve is a parameter
    that need not be tuned. Of a search by halving, the last iteration of every
    candidate counts, the one with the most resources.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Values of the parameter: numbers, ascending, then others by name.

    mean, std : array-like of shape (n_values,)
        Mean and standard deviation of the score over the folds.

    param : str
        Name of the parameter.

    scoring : str, default="score"
        Name of the score.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where `plot` drew.

    References
    ----------
    .. [1] Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
       arXiv:2112.01160.

    Examples
    --------
    >>> from sklearn_invlearn.inspection import SensitivityDisplay
    >>> display = SensitivityDisplay(
    ...     [0.001, 0.01], [0.61, 0.63], [0.01, 0.01], param="gamma", scoring="GAUC"
    ... )
    >>> display.plot().ax_.get_ylabel()
    'GAUC'
    """

    def __init__(
        self, values: Any, mean: Any, std: Any, *, param: str, scoring: str = "score"
    ) -> None:
        self.values = values
        self.mean = mean
        self.std = std
        self.param = param
        self.scoring = scoring

    @classmethod
    def from_search(
        cls, search: Any, param: str, *, metric: str = "score", ax: Any = None
    ) -> SensitivityDisplay:
        """Draw the results of a fitted search over one of its parameters.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or the like
            Fitted; anything with ``cv_results_``.

        param : str
            Parameter, under the name that the search uses.

        metric : str, default="score"
            Which score, if the search has several.

        ax : matplotlib axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : SensitivityDisplay

        Raises
        ------
        NotFittedError
            If the search has not been fitted.
        ValueError
            If the search has not varied `param`, or has no such metric.
        """
        results = getattr(search, "cv_results_", None)
        if results is None:
            raise NotFittedError(
                f"This {type(search).__name__} has no cv_results_; call fit first."
            )
        for key in (f"param_{param}", f"mean_test_{metric}"):
            if key not in results:
                prefix = (
                    key[: -len(param)] if key.startswith("param_") else "mean_test_"
                )
                known = [k[len(prefix) :] for k in results if k.startswith(prefix)]
                raise ValueError(
                    f"The search has no {key!r} in its cv_results_; there are {known}."
                )
        # A candidate that was not given the parameter has a masked value.
        tried = np.ma.asarray(results[f"param_{param}"])
        mean, std = results[f"mean_test_{metric}"], results[f"std_test_{metric}"]
        usable = np.flatnonzero(~np.ma.getmaskarray(tried) & np.isfinite(mean))
        if "iter" in results:  # halving tries the better ones again, with more rows
            last = {repr(params): k for k, params in enumerate(results["params"])}
            usable = np.intersect1d(usable, list(last.values()))
        if not len(usable):
            raise ValueError(
                f"No candidate with {param!r} has a finite {metric!r}: nothing is to "
                "be drawn. Likely all fits of the search have failed."
            )
        best: dict[Any, int] = {}
        for k in usable.tolist():
            key = _key(tried[k])
            if key not in best or mean[k] > mean[best[key]]:
                best[key] = k
        rows = sorted(best.values(), key=lambda k: _order(tried[k]))
        scoring = getattr(search, "scoring", None)
        name = metric if metric != "score" or scoring is None else str(scoring)
        values = [tried[k] for k in rows]
        display = cls(values, mean[rows], std[rows], param=param, scoring=name)
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> SensitivityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None for a new figure. Numbers that span more than a
            factor of 30 get a logarithmic axis.

        Returns
        -------
        display : SensitivityDisplay
            This one.
        """
        ax = axes_for(self, ax)
        numeric = all(map(_is_number, self.values))
        places = np.asarray(self.values) if numeric else np.arange(len(self.values))
        ax.errorbar(
            places, self.mean, yerr=self.std, marker="o", capsize=3, color=COLORS[0]
        )
        if not numeric:
            ax.set_xticks(places, [str(value) for value in self.values])
        elif places.min() > 0 and places.max() > 30 * places.min():
            ax.set_xscale("log")
        ax.set(xlabel=self.param, ylabel=self.scoring)
        return self


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers first; None, text, dicts and the rest after them, by name."""
    return (False, value) if _is_number(value) else (True, str(value))


def _key(value: Any) -> Any:
    """The value, or text where it cannot be a key, as with `backbone_params`."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value
