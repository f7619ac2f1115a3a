"""Behind an encoder, and inside a calibrator."""

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "max_epochs": 5,
    "batch_size": 64,
    "random_state": 0,
}
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)
each_routing = pytest.mark.parametrize("routing", [False, True], ids=["off", "routed"])


class IdEncoder(OrdinalEncoder):
    """Encodes ids as their position from 10,000; ids it does not know as -1."""

    def __init__(self):
        super().__init__(handle_unknown="use_encoded_value", unknown_value=-1)

    def transform(self, X):
        codes = super().transform(X)
        return np.where(codes < 0, -1, codes + 10_000)


@pytest.fixture
def raw(data):
    """The data with strings for ids."""
    names = ("X", "X_unlab", "X_test")
    return [np.char.add("id ", data[name].astype(str)) for name in names]


def pipeline(est, **params):
    return Pipeline([("encode", IdEncoder()), ("model", est)], **params)


@each_routing
def test_a_pipeline_without_a_pool(routing, data, raw):
    """Encoding does not change what is learned: ids are numbered as they come."""
    X, _, X_test = raw
    est = InverseDualLossRecommender(**SIZES)
    with sklearn.config_context(enable_metadata_routing=routing):
        encoded = pipeline(est).fit(X, data.y)
        plain = InverseDualLossRecommender(**SIZES).fit(X, data.y)
        same = encoded.decision_function(X) == plain.decision_function(X)
        assert same.all()
        assert encoded.classes_.tolist() == [0, 1]
        assert encoded.predict_proba(X_test).shape == (len(X_test), 2)
        assert sorted(est.user_ids_)[0] == 10_000


def test_a_pipeline_that_encodes_only_the_table_warns(data, raw):
    X, pool, _ = raw
    est = pipeline(InverseDualLossRecommender(**SIZES))
    with pytest.warns(UserWarning, match="encodes X but not X_unlab"):
        est.fit(X, data.y, model__X_unlab=(pool,))
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.warns(UserWarning, match="encodes X but not X_unlab"),
    ):
        est.fit(X, data.y, X_unlab=(pool,))


@pytest.mark.parametrize("name", ["val", "extra"])
def test_it_warns_of_labelled_tables_too(name, data, raw):
    """Early stopping would judge constants, and extra feedback be of nobody."""
    X, _, X_test = raw
    params = {"negatives": "sampled", "extra_feedback": "warmup"}
    est = pipeline(
        CrossEntropyRecommender(**SIZES, **(params if name == "extra" else {}))
    )
    tables = {f"model__X_{name}": (X_test,), f"model__y_{name}": (data.y_test,)}
    with pytest.warns(UserWarning, match=f"encodes X but not X_{name}") as log:
        est.fit(X, data.y, **tables)
    said = [str(warning.message)[:40] for warning in log]
    assert [text.split()[4] for text in said] == ["user", "item"]


def test_a_pipeline_transforms_the_pool_on_request(data, raw):
    X, pool, X_test = raw
    with sklearn.config_context(enable_metadata_routing=True):
        est = pipeline(InverseDualLossRecommender(**SIZES), transform_input=["X_unlab"])
        est.fit(X, data.y, X_unlab=(pool,))
    by_hand = InverseDualLossRecommender(**SIZES)
    encoder = IdEncoder().fit(X)
    by_hand.fit(encoder.transform(X), data.y, X_unlab=(encoder.transform(pool),))
    expected = by_hand.decision_function(encoder.transform(X_test))
    assert (est.decision_function(X_test) == expected).all()
    users = est[-1].user_ids_
    assert set(users[users >= 0]) == {10_000 + n for n in range(len(set(X[:, 0])))}
    without = pipeline(InverseDualLossRecommender(**SIZES)).fit(X, data.y)
    assert (without.decision_function(X_test) != expected).any()


def test_a_pipeline_transforms_validation_rows_on_request(data, raw):
    X, pool, X_test = raw
    with sklearn.config_context(enable_metadata_routing=True):
        est = pipeline(
            InverseGradientRecommender(**SIZES), transform_input=["X_unlab", "X_val"]
        )
        params = {"X_unlab": (pool,), "X_val": (X_test,), "y_val": data.y_test}
        est.fit(X, data.y, **params)
    raw_ids = InverseGradientRecommender(**SIZES).fit(
        X, data.y, X_val=(X,), y_val=data.y
    )
    assert "valid_loss" in est[-1].history_[-1]
    # Rows of unknown ids alone would all have one score, and so this loss.
    logit = raw_ids.decision_function([("new", "new")])
    constant = np.logaddexp(0, np.where(data.y_test == 1, -logit, logit)).mean()
    assert est[-1].history_[-1, "valid_loss"] != pytest.approx(constant, rel=1e-3)


def test_a_search_over_a_pipeline_never_cuts_the_pool(data, raw, monkeypatch):
    X, pool, _ = raw
    pool = pool[: len(X)]
    lengths = []
    transform = IdEncoder.transform

    def recording(self, X):
        lengths.append(len(X))
        return transform(self, X)

    monkeypatch.setattr(IdEncoder, "transform", recording)
    with sklearn.config_context(enable_metadata_routing=True):
        est = pipeline(
            InverseDualLossRecommender(**SIZES | {"backbone": "bias"}),
            transform_input=["X_unlab"],
        )
        search = GridSearchCV(
            est, {"model__gamma": [10.0, 0.01]}, cv=FOLDS, scoring="neg_log_loss"
        ).fit(X, data.y, X_unlab=(pool,))
        scores = cross_val_score(
            est, X, data.y, cv=FOLDS, params={"X_unlab": (pool,)}, scoring="roc_auc"
        )
    assert search.best_params_ == {"model__gamma": 0.01}
    assert np.isfinite(scores).all()
    # Seven fits (four folds of the search, its refit, two folds) of a whole pool each.
    n_pools = lengths.count(len(X)) - 1  # the table of the refit is as long
    assert n_pools == 7


@each_routing
@pytest.mark.parametrize(
    "method",
    [CrossEntropyRecommender, InverseDualLossRecommender, InverseGradientRecommender],
)
@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration_improves_an_overconfident_model(routing, method, ensemble, data):
    est = method(**SIZES | {"max_epochs": 30, "gamma": 0.1})
    pool = data.X_unlab[: len(data.X)]
    with sklearn.config_context(enable_metadata_routing=routing):
        calibrated = CalibratedClassifierCV(est, cv=FOLDS, ensemble=ensemble)
        calibrated.fit(data.X, data.y, X_unlab=(pool,))
    est.fit(data.X, data.y, X_unlab=(pool,))

    def log_loss(model):
        return sklearn.metrics.log_loss(data.y_test, model.predict_proba(data.X_test))

    assert log_loss(calibrated) < log_loss(est)
    assert calibrated.predict_proba(data.X_test).sum(axis=1) == pytest.approx(1.0)
