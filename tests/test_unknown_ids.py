"""Ids that come at prediction for the first time."""

import numpy as np
import pytest

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.modules import BACKBONES

BIAS = {"backbone": "bias", "gamma": 0.1, "max_epochs": 10, "random_state": 0}
UNKNOWN = -1


@pytest.fixture(scope="module")
def bias_model(data):
    return CrossEntropyRecommender(**BIAS).fit(data.X, data.y)


def biases_of(est):
    """Intercept, user biases and item biases of the known ids, as float64."""
    biases = est.net_.module_.biases
    user, item = (
        table.weight.detach().double().numpy()[1:, 0]
        for table in (biases.user, biases.item)
    )
    return biases.intercept.item(), user, item


def test_known_pairs_are_the_sum_of_their_biases(bias_model, data):
    intercept, user, item = biases_of(bias_model)
    known_users = bias_model.user_ids_.tolist()
    known_items = bias_model.item_ids_.tolist()
    expected = [
        intercept + user[known_users.index(u)] + item[known_items.index(i)]
        for u, i in data.X.tolist()
    ]
    np.testing.assert_allclose(bias_model.decision_function(data.X), expected)


def test_an_unknown_user_is_the_mean_user(bias_model):
    intercept, user, item = biases_of(bias_model)
    pairs = [(UNKNOWN, i) for i in bias_model.item_ids_.tolist()]
    expected = intercept + user.mean() + item
    np.testing.assert_allclose(
        bias_model.decision_function(pairs), expected, rtol=1e-6, atol=1e-7
    )
    assert np.ptp(expected) > 0.1


def test_an_unknown_item_is_the_mean_item(bias_model):
    intercept, user, item = biases_of(bias_model)
    pairs = [(u, UNKNOWN) for u in bias_model.user_ids_.tolist()]
    expected = intercept + user + item.mean()
    np.testing.assert_allclose(
        bias_model.decision_function(pairs), expected, rtol=1e-6, atol=1e-7
    )
    assert np.ptp(expected) > 0.1


def test_both_unknown_is_the_mean_pair_whatever_the_ids(bias_model):
    intercept, user, item = biases_of(bias_model)
    pairs = [(UNKNOWN, UNKNOWN), ("ann", ("a", 1)), (2**70, 0.5), (b"", frozenset())]
    expected = intercept + user.mean() + item.mean()
    np.testing.assert_allclose(
        bias_model.decision_function(pairs), np.full(4, expected), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(
    "method",
    [CrossEntropyRecommender, InverseDualLossRecommender, InverseGradientRecommender],
)
def test_unknown_ids_leave_other_scores_alone(method, backbone, data):
    est = method(backbone=backbone, n_factors=4, max_epochs=3, random_state=0)
    est.fit(data.X, data.y)
    alone = est.decision_function(data.X[:50])
    mixed = np.concatenate([data.X[:50], [[UNKNOWN, 0], [0, UNKNOWN], [-7, -8]]])
    scores = est.decision_function(mixed)
    np.testing.assert_allclose(scores[:50], alone, rtol=1e-12)
    assert np.isfinite(scores).all()
    assert (est.decision_function(data.X[:50]) == alone).all()
    n_known = len(est.user_ids_)
    assert UNKNOWN not in est.user_ids_.tolist()
    assert n_known == len(set(data.X[:, 0].tolist()))


def test_an_unknown_user_ranks_the_items_by_their_mean_score(data):
    """In GMF the mean user's score is the mean of the users' scores."""
    est = CrossEntropyRecommender(
        backbone="gmf", n_factors=4, gamma=0.1, max_epochs=20, random_state=0
    )
    est.fit(data.X, data.y)
    items = est.item_ids_
    grid = [(u, i) for u in est.user_ids_.tolist() for i in items.tolist()]
    mean = est.decision_function(grid).reshape(-1, len(items)).mean(axis=0)
    unknown = est.decision_function([(UNKNOWN, i) for i in items.tolist()])
    np.testing.assert_allclose(unknown, mean, rtol=1e-5, atol=1e-6)
    assert np.ptp(unknown) > 0.1


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((UNKNOWN, 0), "2 rows with a user id that fit has not seen, such as -1"),
        ((0, UNKNOWN), "2 rows with a item id that fit has not seen, such as -1"),
        ((UNKNOWN, UNKNOWN), "2 rows with a user id"),
        (("0", 0), "2 rows with a user id that fit has not seen, such as '0'"),
    ],
)
def test_error_policy(pair, message, data):
    est = CrossEntropyRecommender(handle_unknown="error", **BIAS).fit(data.X, data.y)
    known = tuple(data.X[0].tolist())
    user, item = pair
    pair = (known[0] if user == 0 else user, known[1] if item == 0 else item)
    for predict in (est.decision_function, est.predict_proba, est.predict):
        with pytest.raises(ValueError, match=message):
            predict([known, pair, pair])
    lenient = CrossEntropyRecommender(**BIAS).fit(data.X, data.y)
    same = est.decision_function(data.X) == lenient.decision_function(data.X)
    assert same.all()


def test_the_error_shows_a_time_and_not_its_nanoseconds(data):
    times = data.X.astype("datetime64[D]").astype("datetime64[ns]")
    est = CrossEntropyRecommender(handle_unknown="error", **BIAS).fit(times, data.y)
    times[0, 0] = np.datetime64(UNKNOWN, "D")
    with pytest.raises(ValueError, match=r"such as np.datetime64\('1969-12-31T"):
        est.predict(times[:1])


def test_ids_of_the_pool_are_known_after_fit(data):
    kept = data.X[:, 0] != data.X[0, 0]
    pool = data.X_unlab
    assert data.X[0, 0] in pool[:, 0]
    est = InverseDualLossRecommender(
        backbone="gmf", handle_unknown="error", max_epochs=2
    )
    est.fit(data.X[kept], data.y[kept], X_unlab=(pool,))
    assert set(est.user_ids_) == set(data.X[kept, 0]) | set(pool[:, 0])
    assert np.isfinite(est.decision_function(pool)).all()
    plain = CrossEntropyRecommender(
        backbone="gmf", handle_unknown="error", max_epochs=2
    )
    plain.fit(data.X[kept], data.y[kept], X_unlab=(pool,))
    with pytest.raises(ValueError, match="rows with a user id that fit has not seen"):
        plain.decision_function(data.X[:1])


def test_an_unknown_user_has_seen_nothing(bias_model, data):
    users = [UNKNOWN, *dict.fromkeys(data.X[:, 0].tolist())]
    seen = bias_model.seen_items(users)
    assert seen.shape == (len(users), len(bias_model.item_ids_))
    assert seen[[0]].nnz == 0
    rows, columns = seen.nonzero()
    pairs = {(users[r], int(bias_model.item_ids_[c])) for r, c in zip(rows, columns)}
    assert pairs == set(map(tuple, data.X.tolist()))
    assert bias_model.seen_items([]).shape == (0, len(bias_model.item_ids_))


def test_a_user_may_be_unknown_in_every_row(data):
    est = CrossEntropyRecommender(**BIAS).fit(data.X, data.y)
    scores = est.decision_function([(-1 - n, -1) for n in range(5)])
    assert len(set(scores.tolist())) == 1
