"""Tables in which no id is known because all were written in another type."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from sklearn.utils import check_random_state

from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.baselines import ItemPositiveShare, OneHotLogisticRegression
from sklearn_invlearn.fitting._id_kinds import check_id_kind
from sklearn_invlearn.ids._columns import id_column
from sklearn_invlearn.ids._encoding import IdIndex
from sklearn_invlearn.ids._kinds import kind_of

QUICK = {"backbone": "gmf", "n_factors": 2, "max_epochs": 1, "random_state": 0}


def check(known, asked):
    index = IdIndex()
    index.extend(id_column(known, name="known"))
    column = id_column(asked, name="asked")
    check_id_kind(index, column, "The ids of asked", "asked")


MOMENT = datetime(2024, 5, 17, 10, 30)
IN_UTC = MOMENT.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ([17, 5], ["17", "x"]),
        ([17, 5], [b"17"]),
        ([17, 5], ["17.0"]),
        ([17, 5], ["017"]),
        ([2**70, 5], [str(2**70)]),
        ([17.5, 5], ["17.5"]),
        (["17", "5"], [17]),
        (["17", "5"], [17.0]),
        (["17", "5"], [Decimal(17)]),
        (["17.0", "5.0"], [17, 6]),
        (["17", "5"], [b"17"]),
        ([b"17", b"5"], ["17"]),
        ([b"17", b"5"], [17]),
        (["17", "5"], [("17",)]),
        ([date(2024, 5, 17)], ["2024-05-17"]),
        (["2024-05-17"], [date(2024, 5, 17)]),
        (["2024-05-17"], np.array(["2024-05-17"], dtype="datetime64[D]")),
        ([datetime(2024, 5, 17)], [date(2024, 5, 17)]),
        ([date(2024, 5, 17)], [MOMENT]),
        ([MOMENT], [IN_UTC]),
        ([IN_UTC], [MOMENT]),
        ([MOMENT], np.array(["2024-05-17T10:30"], dtype="datetime64[ns]")),
        (np.array(["2024-05-17T10:30"], dtype="datetime64[ns]"), [MOMENT]),
        (np.array(["2024-05-17"], dtype="datetime64[D]"), [datetime(2024, 5, 17)]),
        (np.array(["2024-05-17"], dtype="datetime64[D]"), [date(2024, 5, 17)]),
        ([datetime(2024, 5, 17)], np.array(["2024-05-17"], dtype="datetime64[D]")),
        ([datetime(2024, 5, 1)], np.array(["2024-05"], dtype="datetime64[M]")),
    ],
)
def test_ids_that_are_known_in_another_type_are_refused(known, asked):
    with pytest.raises(ValueError, match=r"none of them is known.* two different ids"):
        check(known, asked)


@pytest.mark.parametrize(
    ("known", "asked", "message"),
    [
        ([17, 5], ["u17"], "are text (such as 'u17')"),
        ([17, 5], [17.5], "are numbers with a fraction (such as 17.5)"),
        (["ann"], [3], "those of fit are text (such as 'ann')"),
        ([17, 5], np.array([17], "m8[s]"), "are durations (such as"),
        (np.array([17], "m8[s]"), [17], "those of fit are durations"),
        (["ann", 1], [b"bob", ("a", 1)], "of fit are text and whole numbers"),
        ([17], [frozenset([17])], "are of type frozenset"),
    ],
)
def test_ids_of_another_kind_warn(known, asked, message):
    with pytest.warns(UserWarning, match=re.escape(message)) as log:
        check(known, asked)
    assert [warning.filename for warning in log] == [__file__]


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ([17, 5], [18, 2**70, True]),
        ([17, 5], [17.0]),
        ([17, 5], ["17", 5]),  # one is known
        ([17, 5], ["17", 6]),  # one is of a kind that is known
        ([17, "a"], ["17"]),
        ([0.5, 1.5], [3]),
        (["ann"], ["17"]),
        ([(1, 2)], [(1, 3)]),
        ([MOMENT], np.array(["2024-05-18"], dtype="datetime64[us]")),
        (np.array(["2024-05-17"], "M8[D]"), np.array(["2024-05-18"], "M8[D]")),
        (np.array(["2024-05-17"], "M8[D]"), np.array(["2024-05-17"], "M8[ns]")),
        ([17], []),
        ([], ["17"]),
    ],
)
def test_unknown_ids_of_a_known_kind_are_legal(known, asked):
    check(known, asked)  # a warning is an error


def test_a_known_id_in_a_late_row_is_found(monkeypatch):
    monkeypatch.setattr("sklearn_invlearn.fitting._id_kinds._FIRST_ROWS", 2)
    monkeypatch.setattr("sklearn_invlearn.fitting._id_kinds._BLOCK_ROWS", 3)
    asked = ["a", "b", "c", "d", "e", "f", "g", 17]
    check([17], asked)
    with pytest.warns(UserWarning, match="are text"):
        check([17], asked[:-1])


def test_what_is_known_may_change_its_kinds():
    index = IdIndex()
    for ids, kinds in (
        ([], set()),
        ([1], {"whole numbers"}),
        (["a"], {"whole numbers", "text"}),
        ([0.5], {"whole numbers", "text", "numbers with a fraction"}),
    ):
        index.extend(id_column(ids, name="ids"))
        assert index.kinds == kinds


def test_membership_is_that_of_python():
    random = check_random_state(0)
    values = [1, 1.0, 1.5, True, 2**70, -(2**63), "1", (1,), b"", None, float("inf")]
    for ids in ([1, -5], [1, 2**70], ["1", (1,)], random.randint(9, size=4).tolist()):
        index = IdIndex()
        index.extend(id_column(ids, name="ids"))
        assert [v in index for v in values] == [v in set(ids) for v in values]
    assert kind_of(np.float32(2.0)) == kind_of(Decimal(2)) == "whole numbers"


# ---- wherever ids come in ------------------------------------------------------------


@pytest.fixture(scope="module")
def est(data):
    return CrossEntropyRecommender(**QUICK).fit(data.X, data.y)


def in_text(data):
    return data.X_test.astype(str)


each_call = pytest.mark.parametrize(
    "call",
    [
        lambda est, X: est.predict_proba(X),
        lambda est, X: est.annotate(X),
        lambda est, X: est.explain(X),
        lambda est, X: est.encode(X),
        lambda est, X: est.recommend(X[:, 0]),
        lambda est, X: est.recommend(X[0, 0]),
        lambda est, X: est.recommend(3, candidates=sorted(set(X[:, 1]))),
        lambda est, X: est.recommend(3, exclude_seen=X),
        lambda est, X: est.similar_items(X[:, 1]),
        lambda est, X: est.similar_users(X[0, 0]),
        lambda est, X: est.seen_items(X[:, 0]),
        lambda est, X: est.partial_fit(X, [0, 1] * (len(X) // 2)),
        lambda est, X: est.partial_fit([[3, 4]], [1], X_unlab=X),
    ],
    ids=[
        "predict_proba",
        "annotate",
        "explain",
        "encode",
        "recommend",
        "recommend_one",
        "candidates",
        "exclude_seen",
        "similar_items",
        "similar_users",
        "seen_items",
        "partial_fit",
        "partial_fit_pool",
    ],
)


@each_call
def test_no_call_takes_them_for_unknown_ids(call, est, data):
    dual = InverseDualLossRecommender(**QUICK).fit(data.X, data.y)
    X = in_text(data)[: len(data.X_test) // 2 * 2]
    with pytest.raises(ValueError, match=r"are text .* those of fit are whole numbers"):
        call(dual, X)
    assert len(dual.user_ids_) == len(est.user_ids_)


def test_one_side_is_enough(est, data):
    users = [(str(u), i) for u, i in data.X_test.tolist()]
    items = [(u, str(i)) for u, i in data.X_test.tolist()]
    with pytest.raises(ValueError, match="The user ids of X are text"):
        est.predict(users)
    with pytest.raises(ValueError, match="The item ids of X are text"):
        est.predict(items)


def test_tables_beside_x_in_fit(data):
    text, y = in_text(data), data.y_test
    for name, given in {
        "X_unlab": {"X_unlab": (text,)},
        "X_val": {"X_val": (text,), "y_val": (y,)},
        "X_extra": {"X_extra": (text,), "y_extra": (y,)},
    }.items():
        params = {"extra_feedback": "warmup"} if name == "X_extra" else {}
        est = CrossEntropyRecommender(negatives="sampled", **params, **QUICK)
        with pytest.raises(ValueError, match=f"The user ids of {name} are text"):
            est.fit(data.X, data.y, **given)


def test_a_warm_start_with_ids_in_another_type(data):
    est = CrossEntropyRecommender(warm_start=True, **QUICK).fit(data.X, data.y)
    n_users = len(est.user_ids_)
    with pytest.raises(ValueError, match="The user ids of X are text"):
        est.fit(data.X.astype(str), data.y)
    assert len(est.user_ids_) == n_users


@pytest.mark.parametrize("baseline", [ItemPositiveShare, OneHotLogisticRegression])
def test_baselines(baseline, data):
    model = baseline().fit(data.X, data.y)
    with pytest.raises(ValueError, match="The user ids of X are text"):
        model.predict(in_text(data))


def test_colliding(data):
    inner = TruncatedLossRecommender(extra_feedback="warmup", **QUICK)
    model = CollidingRecommender(recommender=inner, n_neighbors=2)
    extra = {"X_extra": (data.X[::3],), "y_extra": (data.y[::3],)}
    model.fit(data.X, data.y, **extra)
    with pytest.raises(ValueError, match="The user ids of X are text"):
        model.predict(in_text(data))


def test_a_new_user_of_another_kind_warns_where_the_user_is(est):
    for call in (est.recommend, lambda user: est.predict([[user, 3]])):
        with pytest.warns(UserWarning, match="are text .*such as 'guest'") as log:
            call("guest")
        assert [warning.filename for warning in log] == [__file__]
    with pytest.raises(ValueError, match="nothing is known of what they are like"):
        est.similar_users("guest")
