"""Inside scikit-learn's searches and cross-validations."""

import numpy as np
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.fitting import _inputs

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "max_epochs": 5,
    "batch_size": 64,
    "random_state": 0,
}
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)
each_method = pytest.mark.parametrize(
    "method",
    [CrossEntropyRecommender, InverseDualLossRecommender, InverseGradientRecommender],
)
each_routing = pytest.mark.parametrize("routing", [False, True], ids=["off", "routed"])


@pytest.fixture
def pools(monkeypatch):
    """Lists (rows of X, rows of each table of the pool) of every fit that runs."""
    seen = []
    warn = _inputs._warn_if_cut_into_folds

    def recording(table, X, name):
        if name == "X_unlab" and table is not None:
            tables = table if isinstance(table, tuple) else (table,)
            seen.append((len(X), *(len(table) for table in tables)))
        return warn(table, X, name)

    monkeypatch.setattr(_inputs, "_warn_if_cut_into_folds", recording)
    return seen


@pytest.fixture(scope="module")
def biased():
    """Labels that user and item biases explain: log loss .68 at first, .60 fitted."""
    return make_sparse_feedback(
        n_users=60,
        n_items=40,
        n_exposures=1600,
        label_fraction=0.5,
        user_bias_scale=1.5,
        item_bias_scale=1.5,
        preference_strength=0.5,
        random_state=0,
    )


# ---- searches --------------------------------------------------------------------


@pytest.mark.parametrize(
    "est",
    [
        CrossEntropyRecommender(),
        InverseDualLossRecommender(alpha=0.01),
        InverseGradientRecommender(),
    ],
)
def test_a_grid_search_finds_the_clearly_better_gamma(est, biased):
    """One is too small to leave the start, one so large that it overshoots."""
    est = clone(est).set_params(**SIZES | {"backbone": "bias"})
    grid = {"gamma": [1e-7, 0.05, 10.0]}
    search = GridSearchCV(est, grid, cv=FOLDS, scoring="neg_log_loss")
    search.fit(biased.X, biased.y, X_unlab=(biased.X_unlab,))
    assert search.best_params_ == {"gamma": 0.05}
    small, good, large = search.cv_results_["mean_test_score"]
    assert good > small + 0.05
    assert good > large + 1.0
    assert search.score(biased.X_test, biased.y_test) > small + 0.05


def test_a_grid_search_rejects_an_alpha_that_drowns_the_labels(biased):
    est = InverseDualLossRecommender(gamma=0.05, **SIZES | {"backbone": "bias"})
    grid = {"alpha": [1e3, 0.01]}
    search = GridSearchCV(est, grid, cv=FOLDS, scoring="neg_log_loss")
    search.fit(biased.X, biased.y, X_unlab=(biased.X_unlab,))
    assert search.best_params_ == {"alpha": 0.01}
    drowned, good = search.cv_results_["mean_test_score"]
    assert good > drowned + 0.5


def test_the_inverse_gradient_passes_over_such_an_alpha_by_itself(biased):
    est = InverseGradientRecommender(gamma=0.05, **SIZES | {"backbone": "bias"})
    search = GridSearchCV(
        est, {"alpha": [0.0, 1.0, 1e3]}, cv=FOLDS, scoring=["neg_log_loss", "roc_auc"],
        refit="neg_log_loss",
    )  # fmt: skip
    search.fit(biased.X, biased.y, X_unlab=(biased.X_unlab,))
    for metric in ("neg_log_loss", "roc_auc"):
        none, some, huge = search.cv_results_[f"mean_test_{metric}"]
        assert none == huge != some
    assert search.best_params_ == {"alpha": 1.0}


def test_a_randomized_search_over_alpha_and_gamma(biased):
    space = {"alpha": loguniform(1e-2, 1e1), "gamma": loguniform(1e-7, 1e-1)}
    search = RandomizedSearchCV(
        InverseGradientRecommender(**SIZES | {"backbone": "bias"}), space, n_iter=6,
        cv=FOLDS, scoring="neg_log_loss", random_state=0,
    )  # fmt: skip
    search.fit(biased.X, biased.y, X_unlab=(biased.X_unlab,))
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) == 6
    assert set(search.best_params_) == {"alpha", "gamma"}
    gammas = search.cv_results_["param_gamma"].tolist()
    assert search.best_params_["gamma"] == max(gammas)


@each_method
def test_two_jobs_give_the_scores_of_one_bit_for_bit(method, data):
    results = []
    for n_jobs in (1, 2):
        grid = {"gamma": [0.01, 0.1], "backbone": ["gmf", "mlp"]}
        search = GridSearchCV(
            method(**SIZES), grid, cv=FOLDS, scoring="neg_log_loss", n_jobs=n_jobs
        ).fit(data.X, data.y, X_unlab=(data.X_unlab,))
        scores = [search.cv_results_[f"split{k}_test_score"] for k in range(2)]
        results.append((np.stack(scores), search.decision_function(data.X_test)))
    assert (results[0][0] == results[1][0]).all()
    assert (results[0][1] == results[1][1]).all()
    assert len(np.unique(results[0][0])) == 8


def test_a_search_needs_no_pool(data):
    search = GridSearchCV(
        InverseDualLossRecommender(**SIZES), {"gamma": [0.01, 0.1]}, cv=FOLDS
    ).fit(data.X, data.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_nested_cross_validation(biased, pools):
    inner = GridSearchCV(
        InverseGradientRecommender(**SIZES | {"backbone": "bias"}),
        {"gamma": [1e-7, 0.05]}, cv=FOLDS, scoring="neg_log_loss",
    )  # fmt: skip
    # As long as the outer training folds: the inner search would cut a bare pool.
    pool = biased.X_unlab[: len(biased.X) // 2]
    result = cross_validate(
        inner, biased.X, biased.y, cv=FOLDS, scoring="roc_auc", return_estimator=True,
        params={"X_unlab": (pool,)},
    )  # fmt: skip
    assert (result["test_score"] > 0.6).all()
    assert [e.best_params_["gamma"] for e in result["estimator"]] == [0.05, 0.05]
    n = len(biased.X)
    assert pools == 2 * [*(4 * [(n // 4, n // 2)]), (n // 2, n // 2)]


# ---- the pool is never cut -------------------------------------------------------


@each_routing
@pytest.mark.parametrize("n_parts", [1, 2])
def test_a_tuple_is_never_cut_even_at_equal_lengths(routing, n_parts, data, pools):
    n = len(data.X)
    parts = tuple(data.X_unlab[: n // k] for k in range(1, n_parts + 1))
    est = InverseDualLossRecommender(**SIZES)
    expected = tuple(n // k for k in range(1, n_parts + 1))
    with sklearn.config_context(enable_metadata_routing=routing):
        params = {"X_unlab": parts}
        cross_val_score(est, data.X, data.y, cv=FOLDS, params=params)
        cross_validate(est, data.X, data.y, cv=FOLDS, params=params)
        cross_val_predict(est, data.X, data.y, cv=FOLDS, params=params)
        GridSearchCV(est, {"gamma": [0.1]}, cv=FOLDS).fit(data.X, data.y, **params)
        RandomizedSearchCV(est, {"gamma": [0.1]}, n_iter=1, cv=FOLDS).fit(
            data.X, data.y, **params
        )
    fold, whole = (n // 2, *expected), (n, *expected)
    assert pools == [fold] * 6 + [fold, fold, whole] * 2


@each_routing
def test_a_bare_pool_is_cut_at_equal_lengths_and_warns_where_it_can(
    routing, data, pools
):
    """What the documentation warns of, so that a change of scikit-learn is seen."""
    n = len(data.X)
    est = InverseDualLossRecommender(**SIZES)
    params = {"X_unlab": data.X_unlab[:n]}
    with sklearn.config_context(enable_metadata_routing=routing):  # noqa: SIM117
        with pytest.warns(UserWarning, match="already lost rows"):
            cross_val_score(est, data.X, data.y, cv=FOLDS, params=params)
    assert pools == [(n // 2, n // 2)] * 2
    with sklearn.config_context(enable_metadata_routing=routing):
        params = {"X_unlab": data.X_unlab}
        cross_val_score(est, data.X, data.y, cv=FOLDS, params=params)
    assert pools[2:] == [(n // 2, len(data.X_unlab))] * 2


@each_routing
@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_and_validation_rows_go_along(routing, wrapped, data, pools):
    """Weights are cut with X; validation rows are not."""
    seen = []

    class Recording(InverseDualLossRecommender):
        def fit(
            self, X, y, sample_weight=None, *, X_unlab=None, X_val=None, y_val=None
        ):
            seen.append((sample_weight == X[:, 0] + 100 * X[:, 1]).all())
            seen.append(len(X_val[0]) if wrapped else len(X_val))
            return super().fit(
                X, y, sample_weight, X_unlab=X_unlab, X_val=X_val, y_val=y_val
            )

    weight = (data.X[:, 0] + 100 * data.X[:, 1]).astype(float)
    X_val, y_val = data.X_test[:30], data.y_test[:30]
    params = {
        "sample_weight": weight,
        "X_unlab": (data.X_unlab,),
        "X_val": (X_val,) if wrapped else X_val,
        "y_val": (y_val,) if wrapped else y_val,
    }
    with sklearn.config_context(enable_metadata_routing=routing):
        est = Recording(**SIZES)
        if routing:
            est.set_fit_request(sample_weight=True)
            est.set_score_request(sample_weight=False)
        cross_validate(est, data.X, data.y, cv=FOLDS, params=params)
    assert seen == [True, 30] * 2
    assert pools == [(len(data.X) // 2, len(data.X_unlab))] * 2


def test_routing_asks_before_it_drops_weights(data):
    with sklearn.config_context(enable_metadata_routing=True):
        est = InverseDualLossRecommender(**SIZES)
        requests = est.get_metadata_routing().fit.requests
        assert requests["X_unlab"] is requests["X_val"] is requests["y_val"] is True
        assert requests["sample_weight"] is None
        params = {"sample_weight": np.ones(len(data.y))}
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            cross_validate(est, data.X, data.y, params=params)
