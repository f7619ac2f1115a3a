"""A method whose rule is known, and rows that the rule explains."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_invlearn.model_selection._contenders import BASELINES

BASELINE_NAMES = list(BASELINES)
QUICK = {"n_trials": 2, "seeds": [0], "n_boot": 40, "progress": False}


class Shouting(ClassifierMixin, BaseEstimator):
    """Scores by a known rule, and notes the rows of every fit and prediction."""

    log: list = []

    def __init__(self, *, sign=1, random_state=None):
        self.sign = sign
        self.random_state = random_state

    def fit(self, X, y, *, X_unlab=None):
        self.classes_ = np.unique(y)
        n_pool = None if X_unlab is None else tuple(map(len, X_unlab))
        rows = {tuple(row) for row in np.asarray(X).tolist()}
        self.log.append(("fit", self.sign, self.random_state, rows, n_pool))
        return self

    def predict_proba(self, X):
        X = np.asarray(X)
        self.log.append(("predict", self.sign, {tuple(r) for r in X.tolist()}))
        proba = 0.5 + self.sign * 0.4 * np.sin(X[:, 0] * 7 + X[:, 1] * 3)
        return np.column_stack([1 - proba, proba])


def rows_of(data):
    """Return labels that the rule of Shouting explains, of a few users and items."""
    rng = np.random.default_rng(0)
    pairs = np.array([(u, i) for u in range(20) for i in range(15)])
    proba = Shouting().fit(pairs, [0] * len(pairs)).predict_proba(pairs)[:, 1]
    y = (rng.random(300) < proba).astype(int)
    order = rng.permutation(300)
    Shouting.log.clear()
    train, test = order[:180], order[180:]
    return {
        "X": pairs[train],
        "y": y[train],
        "X_test": pairs[test],
        "y_test": y[test],
        "X_unlab": np.column_stack([rng.integers(0, 20, 70), rng.integers(0, 15, 70)]),
    }


def sign_grid():
    return {"param_distributions": {"rule": {"sign": [-1, 1]}}}
