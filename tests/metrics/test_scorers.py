import pickle
from copy import deepcopy

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn.metrics import (
    gauc_score,
    gauc_scorer,
    make_user_scorer,
    mrr_score,
    mrr_scorer,
    ndcg_score,
    ndcg_scorer,
    recall_score,
    recall_scorer,
    weighted_gauc_scorer,
)

READY = {
    "gauc": (gauc_scorer, gauc_score, {}),
    "weighted_gauc": (weighted_gauc_scorer, gauc_score, {"average": "weighted"}),
    "mrr": (mrr_scorer, mrr_score, {}),
    "ndcg": (ndcg_scorer, ndcg_score, {"k": 10}),
    "recall": (recall_scorer, recall_score, {"k": 10}),
}
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
GRID = {"logisticregression__C": [0.01, 1.0]}


def make_model(head=None):
    return make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), head or LogisticRegression()
    )


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 15, 600), rng.integers(0, 20, 600)])
    y = (rng.random(600) < 0.2 + 0.6 * (X[:, 1] % 2)).astype(int)
    return X, y


@pytest.fixture(params=[False, True], ids=["unrouted", "routed"])
def routing(request):
    with config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.mark.parametrize("name", READY)
def test_ready_scorers_are_their_metrics(name, data):
    X, y = data
    scorer, score_func, kwargs = READY[name]
    model = make_model().fit(X, y)
    expected = score_func(y, model.decision_function(X), X[:, 0], **kwargs)
    assert scorer(model, X, y) == expected
    assert type(scorer(model, X, y)) is float


def test_predict_proba_if_there_is_no_decision_function(data):
    X, y = data
    model = make_model(BernoulliNB()).fit(X, y)
    expected = gauc_score(y, model.predict_proba(X)[:, 1], X[:, 0])
    assert gauc_scorer(model, X, y) == expected


def test_any_two_labels(data):
    X, y = data
    expected = gauc_scorer(make_model().fit(X, y), X, y)
    for labels in (np.array([-1, 1]), np.array(["no", "yes"])):
        assert gauc_scorer(make_model().fit(X, labels[y]), X, labels[y]) == expected


def test_containers_of_X(data):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y = data
    expected = gauc_scorer(make_model().fit(X, y), X, y)
    frame = pd.DataFrame(X, columns=["user", "item"])
    polars_frame = pl.DataFrame(X, schema=["user", "item"])
    for other in (X.astype(object), X.tolist(), frame, polars_frame):
        model = make_model().fit(other, y)
        assert gauc_scorer(model, other, y) == expected
    by_name = make_user_scorer(gauc_score, user_column="user")
    swapped = frame[["item", "user"]]
    assert by_name(make_model().fit(swapped, y), swapped, y) == pytest.approx(expected)


def test_large_ids_stay_apart_beside_a_float_column():
    pd = pytest.importorskip("pandas")

    class Fitted:
        classes_ = np.array([0, 1])

        def decision_function(self, X):
            return X["hour"].to_numpy()

    users = np.array([2**53, 2**53, 2**53 + 1, 2**53 + 1])
    X = pd.DataFrame({"user": users, "hour": [2.0, 1.0, 1.5, 0.5]})
    y = np.array([1, 0, 1, 0])
    # As one user the pairs (1.5, 1) against (1.0, 0) and so on would be compared too.
    assert gauc_scorer(Fitted(), X, y) == 1.0


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validation(data, routing, n_jobs):
    X, y = data
    values = cross_val_score(
        make_model(), X, y, scoring=gauc_scorer, cv=FOLDS, n_jobs=n_jobs
    )
    expected = [
        gauc_score(
            y[test],
            make_model().fit(X[train], y[train]).decision_function(X[test]),
            X[test, 0],
        )
        for train, test in FOLDS.split(X, y)
    ]
    np.testing.assert_array_equal(values, expected)


def test_many_metrics_beside_names(data, routing):
    X, y = data
    scoring = {name: scorer for name, (scorer, _, _) in READY.items()}
    scoring["auc"] = "roc_auc"
    result = cross_validate(make_model(), X, y, scoring=scoring, cv=FOLDS, n_jobs=2)
    for name in scoring:
        assert np.isfinite(result[f"test_{name}"]).all()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_searches(data, routing, n_jobs):
    X, y = data
    arguments = {"cv": FOLDS, "n_jobs": n_jobs}
    grid = GridSearchCV(make_model(), GRID, scoring=ndcg_scorer, **arguments).fit(X, y)
    assert grid.score(X, y) == ndcg_scorer(grid.best_estimator_, X, y)
    search = RandomizedSearchCV(
        make_model(),
        GRID,
        n_iter=2,
        scoring={"gauc": gauc_scorer, "mrr": mrr_scorer},
        refit="mrr",
        **arguments,
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_gauc"]).all()
    assert search.score(X, y) == mrr_scorer(search, X, y)
    clone(search).fit(X, y)


def test_routing_of_sample_weight_to_fit(data):
    X, y = data
    weights = np.random.default_rng(1).random(len(y))
    with config_context(enable_metadata_routing=True):
        head = LogisticRegression().set_fit_request(sample_weight=True)
        values = cross_val_score(
            make_model(head),
            X,
            y,
            scoring=gauc_scorer,
            params={"sample_weight": weights},
            cv=FOLDS,
        )
    assert np.isfinite(values).all()


@pytest.mark.parametrize("copy", [deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
@pytest.mark.parametrize("name", READY)
def test_copies_and_pickles(name, copy, data):
    X, y = data
    scorer = READY[name][0]
    model = make_model().fit(X, y)
    assert copy(scorer)(model, X, y) == scorer(model, X, y)
    assert repr(copy(scorer)) == repr(scorer)


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (gauc_scorer, "make_user_scorer(gauc_score)"),
        (weighted_gauc_scorer, "make_user_scorer(gauc_score, average='weighted')"),
        (
            make_user_scorer(ndcg_score, user_column="u", response_method="predict"),
            "make_user_scorer(ndcg_score, user_column='u', response_method='predict')",
        ),
    ],
)
def test_repr(scorer, expected):
    assert repr(scorer) == expected


def test_own_function_gets_binary_labels(data):
    X, y = data
    labels = np.array(["no", "yes"])[y]
    scorer = make_user_scorer(lambda y, s, users: roc_auc_score(y, s))
    model = make_model().fit(X, labels)
    assert scorer(model, X, labels) == roc_auc_score(y, model.decision_function(X))


def test_undefined_reaches_the_metric(data):
    X, y = data
    model = make_model().fit(X, y)
    positives = X[y == 1], y[y == 1]
    with pytest.raises(ValueError, match="no user has both"):
        gauc_scorer(model, *positives)
    lenient = make_user_scorer(gauc_score, undefined=np.nan)
    assert np.isnan(lenient(model, *positives))


def test_not_a_function_raises():
    with pytest.raises(TypeError, match="score_func must be a function"):
        make_user_scorer("gauc")
