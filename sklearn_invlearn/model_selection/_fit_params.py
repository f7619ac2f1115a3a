"""What `fit` is handed beside rows and labels: pool, extra feedback, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import _num_samples, has_fit_parameter

from ..metrics._inputs import as_column


@dataclass(frozen=True)
class FitTables:
    """Tables for the methods that take them, and weights (n,) of the labelled rows."""

    X_unlab: Any = None
    X_extra: Any = None
    y_extra: Any = None
    sample_weight: Any = None

    def check(self, y: Any, estimators: dict[str, Any]) -> None:
        """Raise for what would not reach a method: `estimators` by name."""
        if (self.X_extra is None) != (self.y_extra is None):
            raise ValueError("Pass X_extra and y_extra together, or neither.")
        for name, tables in (("X_unlab", self.X_unlab), ("X_extra", self.X_extra)):
            if any(not _num_samples(table) for table in in_tuple(tables) or ()):
                raise ValueError(f"{name} has no rows. Pass None to leave it out.")
        takers = [e for e in estimators.values() if _takes(e, "X_extra")]
        if self.X_extra is not None and not takers:
            raise ValueError(
                f"None of {list(estimators)} has X_extra in its fit: leave it out, or "
                "take a method for extra feedback, such as MultiTaskRecommender."
            )
        if self.sample_weight is None:
            return
        check_consistent_length(as_column(self.sample_weight, "sample_weight"), y)
        others = [n for n, e in estimators.items() if not _takes(e, "sample_weight")]
        if others:
            raise ValueError(
                f"{others} have no sample_weight in their fit, and would be trained on "
                "other terms than the rest. Leave these methods or the weights out."
            )

    def weights_of(self, rows: Any) -> FitTables:
        """Return the same with the weights of the labelled rows at these positions."""
        if self.sample_weight is None:
            return self
        weight = _safe_indexing(as_column(self.sample_weight, "sample_weight"), rows)
        return FitTables(self.X_unlab, self.X_extra, self.y_extra, weight)


def fit_params(estimator: Any, tables: FitTables) -> dict[str, Any]:
    """Return the fit parameters that hand `estimator` those tables that it takes."""
    given = {
        "X_unlab": in_tuple(tables.X_unlab),
        "X_extra": in_tuple(tables.X_extra),
        "y_extra": in_tuple(tables.y_extra),
        "sample_weight": tables.sample_weight,
    }
    found = {}
    for name, value in given.items():
        taker, prefix = _taker(estimator, name)
        unused = name.endswith("_extra") and not _uses_extra(taker)
        if value is not None and taker is not None and not unused:
            found[f"{prefix}{name}"] = value
    return found


def in_tuple(table: Any) -> Any:
    """Return a table in a tuple, which no tool cuts into folds; None stays None."""
    return table if table is None or isinstance(table, tuple) else (table,)


def _taker(estimator: Any, name: str) -> tuple[Any, str]:
    """Return what takes a fit parameter inside `estimator`, and its prefix; or None."""
    prefix = ""
    while not has_fit_parameter(estimator, name):
        if isinstance(estimator, Pipeline):
            step, estimator = estimator.steps[-1]
            prefix += f"{step}__"
        elif hasattr(estimator, "estimator"):  # searches and calibration pass it on
            estimator = estimator.estimator
        else:
            return None, ""
    return estimator, "" if get_config()["enable_metadata_routing"] else prefix


def _takes(estimator: Any, name: str) -> bool:
    return _taker(estimator, name)[0] is not None


def _uses_extra(estimator: Any) -> bool:
    """Whether a recommender has a use for extra feedback, with its parameters."""
    return getattr(estimator, "_extra_feedback", "whatever it does") is not None
