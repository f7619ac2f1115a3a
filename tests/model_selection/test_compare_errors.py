"""Comparisons that fail, in part or before they begin."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn.model_selection import (
    compare_recommenders,
)

from ._compare_cases import QUICK, Shouting, sign_grid


class Failing(Shouting):
    def fit(self, X, y, *, X_unlab=None):
        if self.sign < 0:
            raise FloatingPointError("diverged")
        return super().fit(X, y, X_unlab=X_unlab)


def seed(y, score, users):
    return score.mean()


def mean_abs_error(y, score, users):
    return np.abs(y - score).mean()


def test_a_failed_trial_is_counted_and_reported(rows):
    with pytest.warns(UserWarning, match="1 of 2 trials of 'rule' failed.*diverged"):
        found = compare_recommenders(
            {"rule": Failing()}, **rows, **sign_grid(), **QUICK
        )
    (run,) = [run for run in found.runs if run["method"] == "rule"]
    assert (run["n_failed"], run["params"]) == (1, {"sign": 1})
    with pytest.raises(FloatingPointError) as caught:
        compare_recommenders({"rule": Failing(sign=-1)}, **rows, **QUICK)
    assert "Raised by 'rule'" in caught.value.__notes__[0]


def test_nothing_to_choose_by(rows):
    def spread(y, score, users):
        return np.nan

    with pytest.raises(
        ValueError, match=r"select_by, spread, is NaN .* trial of 'rule'"
    ):
        compare_recommenders({"rule": Shouting()}, **rows, **QUICK, select_by=spread)


def test_errors_come_before_any_training(rows):
    def compare(**changes):
        methods = changes.pop("methods", {"rule": Shouting()})
        compare_recommenders(methods, **{**rows, **QUICK, **changes})

    for changes, message in (
        ({"X_test": None, "y_test": None}, "either X_test and y_test, or cv"),
        ({"cv": 3}, "either X_test and y_test, or cv"),
        ({"y_test": None}, "either X_test and y_test, or cv"),
        ({"reference": "rules"}, "'rules' is not a method"),
        ({"metrics": ["auc"]}, "metric must be one of"),
        ({"metrics": []}, "metrics is empty"),
        ({"metrics": ["mrr", "gauc", "mrr"]}, "metrics has 2 of the name 'mrr'"),
        (
            {"metrics": [lambda y, s, u: 1.0, lambda y, s, u: 2.0]},
            "2 of the name '<lambda>', .* by `def`",
        ),
        ({"metrics": [seed]}, "A metric is called 'seed'"),
        ({"select_by": "auc"}, "metric must be one of"),
        ({"param_distributions": {"rul": {}}}, r"entries for \['rul'\]"),
        ({"seeds": [0, 0]}, "different integers"),
        ({"seeds": [0.5, 1.7]}, r"different integers, .* got \[0.5, 1.7\]"),
        ({"seeds": [True]}, "different integers"),
        ({"y": np.zeros(180, int)}, "y has one class only"),
        ({"y_test": np.full(120, 2)}, "y_test has labels"),
        ({"y_test": rows["y_test"][1:]}, "120 rows, but y_test has 119 labels"),
        ({"X_test": rows["X_test"][1:]}, "119 rows, but y_test has 120 labels"),
        ({"y_test": np.ones(120, int)}, "roc_auc is undefined on the test rows"),
        (
            {"validation": 0.006, "select_by": "gauc"},
            "undefined on the validation|least",
        ),
        ({"validation": (rows["X"][:9], rows["y"][:9])}, "put the rows into X and y"),
        (
            {"validation": [[0, 1, 2], [3, 4]]},
            "positions of rows of X, but yields a li",
        ),
        ({"n_trials": 0}, "n_trials"),
        ({"X_unlab": []}, "X_unlab has no rows"),
        ({"X_unlab": (rows["X_unlab"][:0],)}, "X_unlab has no rows"),
        ({"validation": []}, "validation has no splits"),
        ({"metrics": ["roc_auc", mean_abs_error]}, "call the function 'neg_mean_abs_e"),
        ({"select_by": mean_abs_error}, "sounds like a loss, .* Return the negative"),
    ):
        with pytest.raises(ValueError, match=message):
            compare(**changes)
    with pytest.raises(TypeError, match=r"\['rule'\] must be a dict .* got \[{'sign"):
        compare(param_distributions={"rule": [{"sign": [1]}]})
    with pytest.raises(TypeError, match="no estimator, but int"):
        compare(methods={"x": 3})
    with pytest.raises(TypeError, match="'ridge' has no predict_proba"):
        compare(methods={"ridge": RidgeClassifier()})
    assert not Shouting.log


def test_logits_are_enough_for_rankings(rows):
    ridge = make_pipeline(OneHotEncoder(handle_unknown="ignore"), RidgeClassifier())
    found = compare_recommenders(
        {"ridge": ridge}, **rows, metrics=["roc_auc", "ndcg@3"], **QUICK
    )
    assert 0 < found.means["ridge", "ndcg@3"] <= 1


def test_a_bar_unless_told_otherwise(rows, capsys):
    settings = {k: v for k, v in QUICK.items() if k != "progress"}
    compare_recommenders({}, **rows, **settings)
    assert "comparison" in capsys.readouterr().err
    compare_recommenders({}, **rows, **settings, progress=False)
    assert capsys.readouterr().err == ""
