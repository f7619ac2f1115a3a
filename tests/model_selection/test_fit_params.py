"""Pool, extra feedback and weights reach the methods that take them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    MultiTaskRecommender,
)
from sklearn_invlearn.inspection import audit_labels
from sklearn_invlearn.model_selection import (
    compare_recommenders,
)
from sklearn_invlearn.model_selection._fit_params import FitTables, fit_params

from ._compare_cases import QUICK, Shouting


def test_the_pool_reaches_what_takes_one(rows):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV

    pool = rows["X_unlab"]
    dual = InverseDualLossRecommender(backbone="bias", max_epochs=2)
    assert fit_params(LogisticRegression(), FitTables(pool)) == {}
    assert fit_params(dual, FitTables()) == {}
    for est in (dual, GridSearchCV(dual, {}), CalibratedClassifierCV(dual)):
        (given,) = fit_params(est, FitTables(pool)).values()
        assert given[0] is pool
        assert fit_params(est, FitTables((pool, pool))) == {"X_unlab": (pool, pool)}
    pipeline = make_pipeline("passthrough", dual)
    assert list(fit_params(pipeline, FitTables(pool))) == [
        "inverseduallossrecommender__X_unlab"
    ]
    one_hot = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), LogisticRegression()
    )
    found = compare_recommenders(
        {"pipeline": pipeline, "one hot": one_hot}, **rows, **QUICK
    )
    assert {"pipeline", "one hot"} < set(found.methods)


# ---- extra feedback and weights ------------------------------------------------------


class Noting(Shouting):
    """Notes extra feedback and weights, too."""

    def fit(self, X, y, sample_weight=None, *, X_extra=None, y_extra=None):
        super().fit(X, y)
        self.log.append(("beside", len(y), sample_weight, X_extra, y_extra))
        return self


class WithoutWeights(Noting):
    """A recommender that has no use for extra feedback unless it is told."""

    def __init__(self, *, sign=1, random_state=None, use=None):
        super().__init__(sign=sign, random_state=random_state)
        self.use = use

    @property
    def _extra_feedback(self):
        return self.use


def beside():
    return [entry[1:] for entry in Shouting.log if entry[0] == "beside"]


def test_extra_feedback_and_weights_reach_every_fit(rows):
    extra, labels = rows["X"][:7], rows["y"][:7]
    weight = np.arange(1.0, 181)
    settings = {"X_extra": extra, "y_extra": labels, "sample_weight": weight}
    compare_recommenders({"rule": Noting()}, **rows, **settings, **QUICK)
    (validated, refit) = beside()
    for n, given, X_extra, y_extra in (validated, refit):
        assert X_extra[0] is extra
        assert y_extra[0] is labels
        assert len(given) == n
    assert refit[0] == 180
    assert (refit[1] == weight).all()
    assert validated[0] == 144
    by_row = dict(zip(map(tuple, rows["X"].tolist()), weight))
    fits = [entry for entry in Shouting.log if entry[0] == "fit"]
    assert set(validated[1]) == {by_row[row] for row in fits[0][3]}


def test_weights_follow_the_rows_of_a_split(rows):
    weight = np.arange(1.0, 181)
    given = {"X": rows["X"], "y": rows["y"], "sample_weight": weight.tolist()}
    compare_recommenders({"rule": Noting()}, **given, cv=3, **QUICK)
    by_row = dict(zip(map(tuple, rows["X"].tolist()), weight))
    fits = [entry for entry in Shouting.log if entry[0] == "fit"]
    assert len(fits) == 6
    for fit, (_, weights, *_) in zip(fits, beside()):
        assert set(weights) == {by_row[row] for row in fit[3]}


def test_extra_feedback_goes_to_those_who_use_it(rows):
    extra = FitTables(None, (rows["X"],), (rows["y"],))
    assert not fit_params(WithoutWeights(), extra)
    assert set(fit_params(WithoutWeights(use="warmup"), extra)) == {
        "X_extra",
        "y_extra",
    }
    gmf = CrossEntropyRecommender(backbone="gmf", n_factors=2, max_epochs=1)
    warm = clone(gmf).set_params(negatives="sampled", extra_feedback="warmup")
    warm.set_params(n_extra_epochs=1)
    assert not fit_params(make_pipeline("passthrough", gmf), extra)
    assert set(fit_params(make_pipeline("passthrough", warm), extra)) == {
        "crossentropyrecommender__X_extra",
        "crossentropyrecommender__y_extra",
    }
    inner = clone(warm).set_params(negatives="sampled")
    found = compare_recommenders(
        {
            "gmf": gmf,
            "warm": make_pipeline("passthrough", warm),
            "colliding": CollidingRecommender(recommender=inner, n_neighbors=2),
            "several": MultiTaskRecommender(backbone="gmf", max_epochs=1),
        },
        **rows,
        X_extra=rows["X"][:20],
        y_extra=rows["y"][:20],
        sample_weight=np.ones(180),
        **QUICK,
    )
    assert len(found.methods) == 7


def test_what_would_not_reach_a_method_is_refused(rows):
    one_hot = make_pipeline(OneHotEncoder(handle_unknown="ignore"), RidgeClassifier())
    for methods, changes, message in (
        ({"r": Shouting()}, {"X_extra": rows["X"]}, "X_extra and y_extra together"),
        ({"r": Shouting()}, {"y_extra": rows["y"]}, "X_extra and y_extra together"),
        ({"r": Noting()}, {"sample_weight": [1.0]}, "inconsistent"),
        (
            {"r": Shouting()},
            {"sample_weight": np.ones(180)},
            r"\['r'\] have no sample_w",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            compare_recommenders(methods, **rows, **changes, **QUICK)
    assert not Shouting.log
    with pytest.raises(ValueError, match=r"None of \['x'\] has X_extra"):
        FitTables(None, rows["X"], rows["y"]).check(rows["y"], {"x": one_hot})
    FitTables(sample_weight=rows["y"]).check(rows["y"], {"x": one_hot})
    assert list(fit_params(one_hot, FitTables(sample_weight=rows["y"]))) == [
        "ridgeclassifier__sample_weight"
    ]


def test_a_run_is_repeated_if_they_change(rows, tmp_path):
    settings = {**QUICK, "cache": tmp_path / "runs.jsonl"}
    extra = {"X_extra": rows["X"][:7], "y_extra": rows["y"][:7]}
    n_fits = []
    for changes in (
        {},
        {},
        extra,
        extra,
        extra | {"y_extra": 1 - rows["y"][:7]},
        {"sample_weight": np.ones(180)},
        {"sample_weight": np.full(180, 2.0)},
    ):
        Shouting.log.clear()
        compare_recommenders({"rule": Noting()}, **rows, **changes, **settings)
        n_fits.append(len(beside()))
    assert n_fits == [2, 0, 2, 0, 2, 2, 2]


def test_an_audit_hands_them_on(data):
    weight = np.where(data.y == 1, 2.0, 1.0)
    extra = {"X_extra": data.X[:9], "y_extra": data.y[:9]}
    Shouting.log.clear()
    audit_labels(
        Noting(), data.X, data.y, cv=2, random_state=0, sample_weight=weight, **extra
    )
    for n, given, X_extra, y_extra in beside():
        assert X_extra[0] is extra["X_extra"]
        assert y_extra[0] is extra["y_extra"]
        assert len(given) == n < len(data.y)
        assert set(given) == {1.0, 2.0}
    with pytest.raises(ValueError, match="X_extra and y_extra together"):
        audit_labels(Noting(), data.X, data.y, X_extra=data.X)
    bias = CrossEntropyRecommender(backbone="bias", max_epochs=20, gamma=0.05)
    bias.set_params(random_state=0)
    plain = audit_labels(bias, data.X, data.y, random_state=0)
    halves = audit_labels(
        bias, data.X, data.y, random_state=0, sample_weight=np.full(len(data.y), 0.5)
    )
    weighted = audit_labels(bias, data.X, data.y, random_state=0, sample_weight=weight)
    np.testing.assert_allclose(halves.proba, plain.proba, rtol=1e-5)
    assert weighted.proba.mean() > plain.proba.mean() + 0.05
