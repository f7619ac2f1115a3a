"""What `fit` refuses, and what it warns about."""

import warnings

import numpy as np
import pytest

from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    TruncatedLossRecommender,
)

QUICK = {"backbone": "gmf", "n_factors": 2, "max_epochs": 2, "random_state": 0}


def dual(**params):
    return InverseDualLossRecommender(**QUICK, **params)


def named(X, columns=("user", "item")):
    return pytest.importorskip("pandas").DataFrame(X, columns=list(columns))


def changed(y, value, dtype=float):
    y = np.array(y, dtype=dtype)
    y[3] = value
    return y


# ---- labels and weights --------------------------------------------------------


@pytest.mark.parametrize(
    ("make_y", "message"),
    [
        (lambda y: changed(y, np.nan), "Input y contains NaN: 1 of .* in X_unlab"),
        (lambda y: changed(y, np.inf), "Input y contains infinity"),
        (
            lambda y: changed(y, None, object),
            "type of y is unknown|y contains NaN|unknown",
        ),
        (lambda y: changed(y, 2), r"Only binary.* multiclass.*rating >= 4\)`\.$"),
        (lambda y: changed(y, -1), "Only binary.* multiclass.* -1 .* in X_unlab"),
        (lambda y: changed(y, 0.5), "Unknown label type: continuous.*rating >= 4"),
        (lambda y: np.ones(len(y)), r"needs labelled pairs of two classes.*\[1\.0\]"),
        (lambda y: np.column_stack([y, y]), "y should be a 1d array"),
        (lambda y: y[:-1], "inconsistent numbers of samples"),
        (lambda y: None, "requires y to be passed"),
    ],
    ids=[
        "nan",
        "inf",
        "none",
        "three-classes",
        "minus-one",
        "continuous",
        "one-class",
        "2d",
        "short",
        "absent",
    ],
)
def test_bad_labels(make_y, message, data):
    with pytest.raises(ValueError, match=message):
        dual().fit(data.X, make_y(data.y))


@pytest.mark.parametrize(
    ("make_weight", "message"),
    [
        (lambda y: np.zeros(len(y)), "weight.* zero|non-zero"),
        (lambda y: changed(np.ones(len(y)), -1), "Negative values in data passed"),
        (lambda y: changed(np.ones(len(y)), np.nan), "contains NaN"),
        (lambda y: np.ones(len(y) - 1), "sample_weight"),
        (lambda y: y, r"above zero\) has only one class: \[1\]"),
    ],
    ids=["zero", "negative", "nan", "short", "one-class"],
)
def test_bad_weights(make_weight, message, data):
    with pytest.raises(ValueError, match=message):
        dual().fit(data.X, data.y, sample_weight=make_weight(data.y))


def test_an_empty_table(data):
    with pytest.raises(ValueError, match=r"0 sample\(s\).*X is empty"):
        dual().fit(np.empty((0, 2)), np.empty(0, dtype=int))
    with pytest.raises(ValueError, match=r"1 feature\(s\).*user id in its first"):
        dual().fit(data.X[:, :1], data.y)


# ---- the pool ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ((), "X_unlab is an empty tuple"),
        (np.empty((0, 2)), "X_unlab is empty"),
        ((np.empty((0, 2)),), "X_unlab is empty"),
        (np.arange(5), "Expected 2D array, got 1D array instead for X_unlab"),
        (((1, 2), (3, 4)), r"tuple of rows, such as \(1, 2\).*Pass a list of rows"),
        ((["a", "b"], ["c", "d"]), "X_unlab is a tuple of rows"),
        ([np.ones((5, 2))], r"list of tables.*Pass a tuple, X_unlab=\(pool,\)"),
        (np.ones((5, 1)), r"1 feature\(s\).*X_unlab needs the user id"),
        (([(0, None)],), "Input X_unlab contains NaN"),
    ],
    ids=[
        "empty-tuple",
        "empty",
        "empty-in-tuple",
        "1d",
        "tuple-of-rows",
        "tuple-of-lists",
        "list-of-tables",
        "one-column",
        "missing",
    ],
)
def test_bad_pools(pool, message, data):
    with pytest.raises(ValueError, match=message):
        dual().fit(data.X, data.y, X_unlab=pool)


def test_unhashable_ids_in_the_pool(data):
    with pytest.raises(TypeError, match="id in X_unlab is not hashable"):
        dual().fit(data.X, data.y, X_unlab=([([1], 2)],))


def test_a_pool_with_swapped_columns(data):
    X, swapped = named(data.X), named(data.X_unlab[:, ::-1], ("item", "user"))
    message = r"X_unlab are \['item', 'user'\], those of X are \['user', 'item'\]"
    for pool in (swapped, (swapped,), (named(data.X_unlab), swapped)):
        with pytest.raises(ValueError, match=message):
            dual().fit(X, data.y, X_unlab=pool)
    dual().fit(X, data.y, X_unlab=(named(data.X_unlab),))
    dual().fit(X, data.y, X_unlab=(data.X_unlab,))


def test_validation_rows_with_swapped_columns(data):
    swapped = named(data.X_test[:, ::-1], ("item", "user"))
    with pytest.raises(ValueError, match="first two columns of X_val"):
        dual().fit(named(data.X), data.y, X_val=swapped, y_val=data.y_test)


@pytest.mark.parametrize(
    "make_pool",
    [
        lambda pool: pool + 1000,
        lambda pool: [(f"u{u}", i) for u, i in pool.tolist()],
        lambda pool: [(u, f"i{i}") for u, i in pool.tolist()],
    ],
    ids=["other integers", "users", "items"],
)
def test_a_pool_of_unknown_ids_warns(make_pool, data):
    with pytest.warns(UserWarning, match=r"Only 0\.0% of the .* ids of X_unlab") as log:
        dual().fit(data.X, data.y, X_unlab=(make_pool(data.X_unlab),))
    # The warning names the line of the caller, not one of the package.
    assert {warning.filename for warning in log} == {__file__}


def test_an_encoded_table_with_a_raw_pool_warns(data):
    from sklearn.preprocessing import OrdinalEncoder

    raw = data.X + 10_000
    encoded = OrdinalEncoder().fit_transform(raw)
    with pytest.warns(UserWarning, match=r"Pipeline that encodes X but not X_unlab"):
        dual().fit(encoded, data.y, X_unlab=(data.X_unlab + 10_000,))


@pytest.mark.parametrize("make_id", [int, str], ids=["numbers", "text"])
def test_a_few_labels_of_a_large_log_do_not_warn(make_id):
    users = np.arange(4000) % 1000
    pool = [[make_id(u), make_id(i % 700)] for i, u in enumerate(users.tolist())]
    few = pool[3::400]
    dual().fit(few, [0, 1] * 5, X_unlab=(pool,))  # a warning is an error


@pytest.mark.parametrize("first", [0, 1])
def test_few_encoded_labels_with_a_large_raw_pool_warn(first):
    users = np.arange(4000) % 1000
    pool = np.column_stack([users + first, np.arange(4000) % 700 + first])
    encoded = np.column_stack([np.arange(10), np.arange(10)]) + first
    with pytest.warns(UserWarning, match=r"% of the .* ids of X_unlab are known"):
        dual().fit(encoded, [0, 1] * 5, X_unlab=(pool,))


def test_a_bare_pool_as_long_as_the_table_warns(data):
    pool = data.X_unlab[: len(data.X)]
    with pytest.warns(UserWarning, match=r"X_unlab has as many rows as X") as log:
        bare = dual().fit(data.X, data.y, X_unlab=pool)
    assert [warning.filename for warning in log] == [__file__]
    wrapped = dual().fit(data.X, data.y, X_unlab=(pool,))  # a warning is an error
    longer = dual().fit(data.X, data.y, X_unlab=data.X_unlab)
    scores = [est.decision_function(data.X_test) for est in (bare, wrapped, longer)]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


def test_a_pool_in_parts_is_the_whole_pool(data):
    pool = data.X_unlab
    whole = dual().fit(data.X, data.y, X_unlab=(pool,))
    parts = dual().fit(data.X, data.y, X_unlab=(pool[:100], named(pool[100:])))
    same = whole.decision_function(pool) == parts.decision_function(pool)
    assert same.all()


# ---- validation rows -----------------------------------------------------------


def test_validation_rows_come_with_labels_and_labels_with_rows(data):
    with pytest.raises(ValueError, match="X_val was passed without y_val"):
        dual().fit(data.X, data.y, X_val=data.X_test)
    with pytest.raises(ValueError, match="y_val was passed without X_val"):
        dual().fit(data.X, data.y, y_val=data.y_test)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        dual().fit(data.X, data.y, X_val=data.X_test, y_val=data.y_test[:-1])


def test_bare_validation_rows_as_long_as_the_table_warn(data):
    rows, labels = data.X_test[: len(data.X)], data.y_test[: len(data.X)]
    with pytest.warns(UserWarning, match=r"X_val has as many rows as X") as log:
        dual().fit(data.X, data.y, X_val=rows, y_val=labels)
    assert [warning.filename for warning in log] == [__file__]
    dual().fit(data.X, data.y, X_val=(rows,), y_val=(labels,))


def test_validation_labels_that_y_does_not_have(data):
    with pytest.raises(ValueError, match=r"y_val has the labels \[3\].*\[0, 1\]"):
        dual().fit(
            data.X, data.y, X_val=data.X_test, y_val=changed(data.y_test, 3, int)
        )


# ---- columns and rows ------------------------------------------------------------


def test_further_columns_warn_and_change_nothing(data):
    wide = np.column_stack([data.X, np.arange(len(data.X)), data.y])
    wide_test = np.column_stack([data.X_test, data.y_test, data.y_test])
    with pytest.warns(UserWarning, match="X has 4 columns; the first") as log:
        est = dual().fit(wide, data.y, X_unlab=(data.X_unlab,))
    assert [warning.filename for warning in log] == [__file__]
    assert est.n_features_in_ == 4
    narrow = dual().fit(data.X, data.y, X_unlab=(data.X_unlab,))
    same = est.decision_function(wide_test) == narrow.decision_function(data.X_test)
    assert same.all()
    with pytest.raises(ValueError, match=r"X has 2 features, but .* expecting 4"):
        est.predict(data.X_test)


def test_further_columns_may_have_missing_values(data):
    pd = pytest.importorskip("pandas")
    names = ["user", "item"]

    def wide(X):
        seconds = np.where(np.arange(len(X)) % 3 == 0, np.nan, 1.6e18)
        return pd.DataFrame(X, columns=names).assign(seconds=seconds, when=pd.NaT)

    with pytest.warns(UserWarning, match="the first, 'user', is read as .*'item',"):
        est = dual().fit(wide(data.X), data.y, X_unlab=(wide(data.X_unlab),))
    narrow = dual().fit(named(data.X), data.y, X_unlab=(named(data.X_unlab),))
    X_test = named(data.X_test)
    same = est.predict_proba(wide(data.X_test)) == narrow.predict_proba(X_test)
    assert same.all()
    users, seen = data.X[:3, 0], data.X_test
    items = est.recommend(users, 2, exclude_seen=wide(seen))[0]
    assert (items == narrow.recommend(users, 2, exclude_seen=named(seen))[0]).all()


def test_a_fully_observed_table_warns():
    X = [(user, item) for user in range(6) for item in range(4)]
    y = [(user + item) % 2 for user, item in X]
    sampled = CrossEntropyRecommender(negatives="sampled", **QUICK)
    for est in (dual(), dual(sampling="same_user"), sampled):
        with pytest.warns(UserWarning, match="no unobserved pair to sample") as log:
            est.fit(X, y)
        assert [warning.filename for warning in log] == [__file__]
        assert np.isfinite(est.decision_function(X)).all()
    CrossEntropyRecommender(**QUICK).fit(X, y)  # draws none, so does not warn


def test_too_few_rows_of_a_class_to_hold_out(data):
    gradient = InverseGradientRecommender(**QUICK)
    one_positive = changed(np.zeros(len(data.y)), 1, int)
    message = r"Inverse gradient takes 32 of 320 .*\[319, 1\] rows; each needs two"
    with pytest.raises(ValueError, match=message):
        gradient.fit(data.X, one_positive)
    stopping = CrossEntropyRecommender(early_stopping=True, **QUICK)
    with pytest.raises(ValueError, match="Early stopping takes 2 of 3 labelled rows"):
        stopping.fit(data.X[:3], [0, 1, 1])
    dual().fit(data.X, one_positive)


def test_two_rows_of_each_class_are_enough_to_hold_out():
    X, y = [(1, 1), (1, 2), (2, 1), (2, 3)], [0, 1, 0, 1]
    est = InverseGradientRecommender(**QUICK).fit(X, y)
    assert np.isfinite(est.decision_function(X)).all()


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_warnings_name_the_line_of_the_caller(method, wrapped, data):
    """However many estimators and calls are in between."""
    inner = TruncatedLossRecommender(max_epochs=1, extra_feedback="warmup")
    est = CollidingRecommender(recommender=inner) if wrapped else inner
    wide = np.column_stack([data.X, data.X])
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        getattr(est, method)(wide, data.y)
    for word in ("no extra feedback", "has 4 columns"):
        assert [w.filename for w in log if word in str(w.message)] == [__file__]
