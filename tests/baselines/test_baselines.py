"""The models that everything else has to beat."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_invlearn import baselines
from sklearn_invlearn.baselines import ItemPositiveShare, OneHotLogisticRegression

MODELS = [getattr(baselines, name) for name in baselines.__all__]
each_model = pytest.mark.parametrize("model", MODELS)


@parametrize_with_checks([model() for model in MODELS])
def test_scikit_learn_check(estimator, check):
    check(estimator)


def strings(X):
    return np.array([[f"u{user}", f"i{item}"] for user, item in X])


def test_the_share_is_what_the_formula_says(data):
    model = ItemPositiveShare(prior_strength=3.0).fit(data.X, data.y)
    proba = model.predict_proba(data.X_test)[:, 1]
    for row, (_, item) in enumerate(data.X_test[:50]):
        own = data.y[data.X[:, 1] == item]
        expected = (own.sum() + 3 * data.y.mean()) / (len(own) + 3)
        assert proba[row] == pytest.approx(expected)


def test_the_regression_is_that_of_a_pipeline(data):
    pipeline = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegression(C=0.3, tol=1e-8, max_iter=1000),
    ).fit(data.X, data.y)
    model = OneHotLogisticRegression(C=0.3, tol=1e-8).fit(data.X, data.y)
    X = np.vstack([data.X_test, [[999, 3], [4, 999], [999, 999]]])
    expected = pipeline.decision_function(X)
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-4)


@each_model
def test_strings_frames_and_integers_agree(model, data):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    expected = model().fit(data.X, data.y).predict_proba(data.X_test)
    y = np.array(["bad", "good"])[data.y]
    for table in (
        strings,
        lambda X: strings(X).tolist(),
        lambda X: pd.DataFrame(strings(X), columns=["user", "item"]),
        lambda X: pl.DataFrame(X, ["user", "item"]),
    ):
        est = model().fit(table(data.X), y)
        proba = est.predict_proba(table(data.X_test))
        np.testing.assert_allclose(proba, expected, rtol=1e-6)
        assert est.classes_.tolist() == ["bad", "good"]
        best = est.classes_[proba.argmax(axis=1)]
        assert (est.predict(table(data.X_test)) == best).all()


@each_model
def test_unknown_ids_get_the_average(model, data):
    est = model().fit(strings(data.X), data.y)
    proba = est.predict_proba([["nobody", "nothing"], ["nobody", "i3"]])[:, 1]
    assert 0.2 < proba[0] < 0.9
    assert proba[0] != proba[1]


@each_model
def test_weights_and_one_class(model, data):
    doubled = model().fit(np.vstack([data.X, data.X]), np.r_[data.y, data.y])
    weighted = model().fit(data.X, data.y, np.full(len(data.y), 2.0))
    np.testing.assert_allclose(
        weighted.decision_function(data.X_test),
        doubled.decision_function(data.X_test),
        atol=1e-3,
    )
    with pytest.raises(
        ValueError, match=r"two classes, but y .* only one class: \[1\]"
    ):
        model().fit(data.X, data.y, sample_weight=data.y)
    est = model().fit(data.X, data.y)
    with pytest.raises(ValueError, match="two classes"):
        est.fit(data.X, np.ones(len(data.X)))
    assert est.__sklearn_is_fitted__()  # with what it had


@each_model
def test_weights_may_have_an_infinite_sum(model, data):
    weight = np.random.default_rng(0).uniform(1, 2, len(data.y))
    large, huge = (
        model().fit(data.X, data.y, factor * weight) for factor in (1e40, 5e307)
    )
    proba = huge.predict_proba(data.X_test)
    np.testing.assert_allclose(proba, large.predict_proba(data.X_test), atol=1e-6)
    assert 0.2 < huge.predict_proba([[-1, -1]])[0, 1] < 0.99


@each_model
def test_missing_ids_raise(model, data):
    X = strings(data.X).astype(object)
    X[3, 1] = None
    with pytest.raises(ValueError, match="not an id"):
        model().fit(X, data.y)


def test_inside_a_search(data):
    grid = {"C": [0.01, 1.0]}
    search = GridSearchCV(OneHotLogisticRegression(), grid, scoring="roc_auc")
    search.fit(strings(data.X), data.y)
    assert search.score(strings(data.X_test), data.y_test) > 0.55
