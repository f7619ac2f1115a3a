"""What a comparison trains: estimators with seeds, and something to tune."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler

from ..baselines import ItemPositiveShare, OneHotLogisticRegression

SHARE = "item positive share"
BIASES = "biases only"
ONE_HOT = "one-hot logistic regression"
BASELINES = (SHARE, BIASES, ONE_HOT)


def baselines(n_labelled: int) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return the trivial baselines, each with what a search may try."""
    from ..recommenders._cross_entropy import CrossEntropyRecommender

    biases = CrossEntropyRecommender(
        backbone="bias", max_epochs=30, batch_size=min(512, max(32, n_labelled // 40))
    )
    return {
        SHARE: (ItemPositiveShare(), {"prior_strength": loguniform(1, 100)}),
        BIASES: (
            biases,
            # A weight decay of 1 / (C n) is the penalty of a regression with that C.
            {
                "gamma": loguniform(2e-3, 5e-2),
                "weight_decay": loguniform(0.1 / n_labelled, 10 / n_labelled),
            },
        ),
        ONE_HOT: (OneHotLogisticRegression(), {"C": loguniform(0.03, 10)}),
    }


def candidates(distributions: Any, n_trials: int, seed: int) -> list[dict[str, Any]]:
    """Return `n_trials` settings, or all of a grid that has fewer."""
    if not distributions:
        return [{}]
    kinds = (list, tuple, np.ndarray)
    if all(isinstance(values, kinds) for values in distributions.values()):
        lists = {name: list(values) for name, values in distributions.items()}
        n_trials = min(n_trials, len(ParameterGrid(lists)))
        return list(ParameterSampler(lists, n_trials, random_state=seed))
    return list(ParameterSampler(distributions, n_trials, random_state=seed))


def with_seed(estimator: Any, seed: int) -> Any:
    """Return a clone in which every random_state is `seed`."""
    estimator = clone(estimator)
    names = [
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    ]
    return estimator.set_params(**dict.fromkeys(names, seed))
