"""Splitters for tables of pairs."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn.model_selection import (
    ColdItemKFold,
    ColdUserKFold,
    ExpandingWindowSplit,
    LeaveLastN,
    TimeCutSplit,
    UserStratifiedKFold,
)

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.integers(0, 12, 200), RNG.integers(0, 30, 200)])
Y = RNG.integers(0, 2, 200)
TIME = RNG.integers(0, 50, 200)
K_FOLDS = [UserStratifiedKFold, ColdUserKFold, ColdItemKFold]
ALL = [
    UserStratifiedKFold(3),
    UserStratifiedKFold(3, shuffle=True, random_state=1),
    LeaveLastN(2),
    LeaveLastN(1, time=TIME, min_train=3),
    TimeCutSplit(time=TIME),
    TimeCutSplit(time=TIME, cut=40),
    ExpandingWindowSplit(4, time=TIME),
    ColdUserKFold(3),
    ColdItemKFold(4, shuffle=True, random_state=0),
]
each_splitter = pytest.mark.parametrize("splitter", ALL, ids=repr)
each_k_fold = pytest.mark.parametrize("k_fold", K_FOLDS)
tables = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=6, max_size=60
)


def rows_of(splitter, table=X, y=Y):
    return [(list(a), list(b)) for a, b in splitter.split(table, y)]


def as_strings(table):
    return np.array([[f"u{user}", f"i{item}"] for user, item in table])


# ---- the interface that all share ------------------------------------------------


@each_splitter
def test_sides_are_apart_and_the_number_of_splits_is_announced(splitter):
    splits = rows_of(splitter)
    assert len(splits) == splitter.get_n_splits(X, Y) == splitter.get_n_splits()
    for train, test in splits:
        assert train
        assert test
        assert not set(train) & set(test)
        assert train == sorted(train)
        assert test == sorted(test)


@each_splitter
def test_the_kind_of_the_table_does_not_matter(splitter):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    expected = rows_of(splitter)
    names = ["user", "item"]
    frame = pd.DataFrame(X, columns=names)
    for table in (X.tolist(), frame, pl.DataFrame(X, names), pa.table(frame)):
        assert rows_of(splitter, table) == expected
    assert rows_of(splitter, X, Y.tolist()) == expected
    assert rows_of(splitter, X, np.array(["no", "yes"])[Y]) == expected


@each_splitter
def test_two_calls_agree_and_leave_the_global_state(splitter):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert rows_of(splitter) == rows_of(splitter)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@each_splitter
def test_works_as_cv_of_a_search(splitter):
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    grid = {"logisticregression__C": [0.1, 1.0]}
    search = GridSearchCV(model, grid, cv=splitter).fit(as_strings(X), Y)
    assert search.n_splits_ == splitter.get_n_splits()
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@each_splitter
def test_groups_are_refused_politely_and_lengths_are_checked(splitter):
    with pytest.warns(UserWarning, match="does not use groups"):
        next(splitter.split(X, Y, groups=X[:, 0]))
    with pytest.raises(ValueError, match="200 rows, but y has 199"):
        next(splitter.split(X, Y[:-1]))
    with pytest.raises(ValueError, match="X is empty"):
        next(splitter.split(X[:0], Y[:0]))


def test_reprs():
    assert repr(ColdUserKFold(3)) == (
        "ColdUserKFold(n_splits=3, random_state=None, shuffle=False, user_column=0)"
    )
    assert "n=2" in repr(LeaveLastN(2))


@each_k_fold
def test_parameters_are_checked(k_fold):
    for n_splits in (1, 0, 2.5, "3"):
        with pytest.raises(ValueError, match="n_splits must be an integer of 2"):
            k_fold(n_splits)
    with pytest.raises(ValueError, match="no effect without shuffle=True"):
        k_fold(random_state=0)
    with pytest.raises(TypeError, match="shuffle must be"):
        k_fold(shuffle="yes")


@each_k_fold
def test_shuffling_depends_on_the_seed_alone(k_fold):
    def folds(seed):
        return rows_of(k_fold(3, shuffle=True, random_state=seed))

    assert folds(0) == folds(0)
    assert folds(0) != folds(1)
    assert folds(0) != rows_of(k_fold(3))


@each_k_fold
def test_every_row_is_tested_once(k_fold):
    for folds in (k_fold(4), k_fold(4, shuffle=True, random_state=3)):
        splits = rows_of(folds)
        assert sorted(row for _, test in splits for row in test) == list(range(200))
        assert all(len(train) + len(test) == 200 for train, test in splits)


@each_k_fold
def test_missing_ids_and_columns(k_fold):
    column = 1 if k_fold is ColdItemKFold else 0
    table = X.astype(object)
    table[5, column] = None
    with pytest.raises(ValueError, match="missing ids"):
        next(k_fold(2).split(table, Y))
    name = "item_column" if column else "user_column"
    with pytest.raises(ValueError, match="does not exist"):
        next(k_fold(2, **{name: 7}).split(X, Y))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_labels(missing):
    y = [missing, *Y[1:].tolist()]
    for labels in (y, np.array(y, float), np.array(y, object)):
        with pytest.raises(ValueError, match=r"y has missing labels .* X_unlab"):
            next(UserStratifiedKFold(2).split(X, labels))


def test_ids_are_never_converted_with_another_column():
    pd = pytest.importorskip("pandas")
    users = [2**53, 2**53 + 1] * 4
    frame = pd.DataFrame({"user": users, "item": np.arange(8) + 0.5})
    for train, test in ColdUserKFold(2).split(frame):
        assert {users[row] for row in train}.isdisjoint(users[row] for row in test)


# ---- stratified by user and label ------------------------------------------------


@given(tables, st.integers(2, 5), st.booleans())
def test_users_classes_and_folds_are_even(rows, n_splits, shuffle):
    table = [(user, 0) for user, _ in rows]
    y = [label for _, label in rows]
    folds = UserStratifiedKFold(
        n_splits, shuffle=shuffle, random_state=0 if shuffle else None
    )
    tests = [test.tolist() for _, test in folds.split(table, y)]
    for counted in (lambda row: rows[row], lambda row: y[row], lambda row: "all"):
        counts = [Counter(counted(row) for row in test) for test in tests]
        for key in {counted(row) for row in range(len(rows))}:
            per_fold = [count[key] for count in counts]
            assert max(per_fold) - min(per_fold) <= 1


def test_positives_and_negatives_of_a_user_do_not_go_together():
    """One of each per user: with a shared order all would be in the same fold."""
    table = [[user, item] for user in range(100) for item in (0, 1)]
    y = [0, 1] * 100
    folds = UserStratifiedKFold(5, shuffle=True, random_state=0)
    together = [
        np.mean(np.bincount(test // 2, minlength=100)[test // 2] == 2)
        for _, test in folds.split(table, y)
    ]
    assert 0.05 < np.mean(together) < 0.4


def test_stratification_needs_labels_and_enough_rows():
    with pytest.raises(ValueError, match="y is None"):
        next(UserStratifiedKFold().split(X))
    with pytest.raises(ValueError, match="4 rows cannot be dealt"):
        next(UserStratifiedKFold(5).split(X[:4], Y[:4]))


# ---- leave the last out ----------------------------------------------------------


@given(tables, st.integers(1, 3), st.integers(0, 2))
def test_leave_last_is_what_a_loop_says(rows, n, min_train):
    table = [(user, 0) for user, _ in rows]
    times = [time for _, time in rows]
    expected = []
    for user in {user for user, _ in rows}:
        own = [row for row in range(len(rows)) if rows[row][0] == user]
        own.sort(key=lambda row: times[row])  # stable: ties keep their order
        if len(own) >= n + min_train:
            expected += own[-n:]
    splitter = LeaveLastN(n, time=times, min_train=min_train)
    if not expected or len(expected) == len(rows):
        with pytest.raises(ValueError, match=r"nothing to test|left for training"):
            next(splitter.split(table))
    else:
        ((train, test),) = splitter.split(table)
        assert test.tolist() == sorted(expected)
        assert sorted([*train, *test]) == list(range(len(rows)))


def test_users_with_few_rows_stay_in_training():
    table = [["ann", 1], ["bob", 1], ["ann", 2], ["bob", 2], ["bob", 3]]
    assert rows_of(LeaveLastN(2), table, [0, 1, 0, 1, 1]) == [([0, 1, 2], [3, 4])]
    with pytest.raises(ValueError, match="most active has 3"):
        next(LeaveLastN(3).split(table))
    for wrong in ({"n": 0}, {"n": 1.5}, {"min_train": -1}):
        with pytest.raises(ValueError, match="must be an integer"):
            LeaveLastN(**wrong)


# ---- cold ------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("k_fold", "column"), [(ColdUserKFold, 0), (ColdItemKFold, 1)])
def test_ids_of_the_test_fold_are_new(k_fold, column, shuffle):
    folds = k_fold(4, shuffle=shuffle, random_state=5 if shuffle else None)
    for train, test in folds.split(as_strings(X)):
        assert not set(X[train, column]) & set(X[test, column])
        assert 20 <= len(test) <= 80


def test_more_folds_than_ids():
    with pytest.raises(ValueError, match=r"folds of whole users .* has 12"):
        next(ColdUserKFold(13).split(X))


def test_with_a_recommender_on_strings(data):
    from sklearn_invlearn import CrossEntropyRecommender

    est = CrossEntropyRecommender(backbone="bias", max_epochs=2, random_state=0)
    for cv in (UserStratifiedKFold(2), ColdItemKFold(2), LeaveLastN()):
        scores = cross_val_score(est, as_strings(data.X), data.y, cv=cv)
        assert np.isfinite(scores).all()
