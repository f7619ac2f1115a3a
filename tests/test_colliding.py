"""Colliding inference ([ADT] Eq. 8)."""

import pickle

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseGradientRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.metrics import make_full_ranking_scorer
from sklearn_invlearn.scoring._neighbors import nearest_by_product

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "gamma": 0.05,
    "max_epochs": 3,
    "extra_feedback": "warmup",
    "random_state": 0,
}
BACKBONES_WITH_VECTORS = ["gmf", "mlp", "neumf", "cdae"]


@pytest.fixture(scope="module")
def implicit(data):
    return data.X[data.y == 1]


@pytest.fixture(scope="module")
def extra(implicit):
    """Of users with an even id, half of the clicks are known to be true."""
    X = implicit[implicit[:, 0] % 2 == 0][::2]
    return {"X_extra": (X,), "y_extra": (np.ones(len(X)),)}


def fit(implicit, extra, inner=None, **params):
    inner = TruncatedLossRecommender(**SIZES) if inner is None else inner
    est = CollidingRecommender(recommender=inner, **params)
    return est.fit(implicit, np.ones(len(implicit)), **extra)


# ---- neighbours by hand -------------------------------------------------------------


def test_neighbors_by_hand():
    vectors = np.array([[1.0, 0.0], [0.5, 2.0], [2.0, 0.1], [0.0, -1.0], [2.0, 0.1]])
    nearest = nearest_by_product(vectors, np.array([0, 1, 3]), 2)
    # Products with row 0: ·, .5, 2, 0, 2; with row 1: .5, ·, 1.2, -2, 1.2; with row 3:
    # 0, -2, -.1, ·, -.1. Of ties the earlier row.
    assert nearest.tolist() == [[2, 4], [2, 4], [0, 2]]
    assert nearest_by_product(vectors, np.array([3]), 4).tolist() == [[0, 2, 4, 1]]


def test_neighbors_in_blocks_are_the_same(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    rows = np.arange(50)
    whole = nearest_by_product(vectors, rows, 7)
    product = vectors @ vectors.T
    np.fill_diagonal(product, -np.inf)
    assert (whole == np.argsort(-product, axis=1)[:, :7]).all()
    monkeypatch.setattr("sklearn_invlearn.scoring._neighbors._BLOCK_CELLS", 150)
    assert (nearest_by_product(vectors, rows, 7) == whole).all()


def test_ratio_and_neighbors_of_a_fit(implicit, extra):
    est = fit(implicit, extra, n_neighbors=3, max_extra_ratio=0.3)
    vectors = est.recommender_.warm_user_vectors_.astype(float)
    users = est.user_ids_.tolist()
    for position, user in enumerate(users):
        n_implicit = (implicit[:, 0] == user).sum()
        n_extra = (extra["X_extra"][0][:, 0] == user).sum()
        assert est.extra_ratio_[position] == n_extra / n_implicit
        if n_extra / n_implicit >= 0.3:
            assert est.neighbors_[position].tolist() == [-1, -1, -1]
            continue
        product = vectors @ vectors[position]
        product[position] = -np.inf
        expected = np.argsort(-product)[:3]
        assert est.neighbors_[position].tolist() == expected.tolist()
    mixed = est.neighbors_[:, 0] >= 0
    assert 0 < mixed.sum() < len(users)


def test_only_positive_rows_of_positive_weight_count(data):
    weight = np.arange(len(data.y)) % 2
    X_extra, y_extra = data.X[::3], data.y[::3]
    est = CollidingRecommender(recommender=TruncatedLossRecommender(**SIZES))
    est.fit(data.X, data.y, weight, X_extra=X_extra, y_extra=y_extra)
    for position, user in enumerate(est.user_ids_.tolist()):
        rows = (data.X[:, 0] == user) & (data.y == 1) & (weight > 0)
        n_extra = ((X_extra[:, 0] == user) & (y_extra == 1)).sum()
        assert est.extra_ratio_[position] == n_extra / max(rows.sum(), 1)


# ---- Eq. 8 --------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["logit", "proba"])
@pytest.mark.parametrize("backbone", BACKBONES_WITH_VECTORS)
def test_scores_are_those_of_eq_8(on, backbone, data, implicit, extra):
    inner = ReweightedLossRecommender(**SIZES | {"backbone": backbone})
    est = fit(
        implicit, extra, inner, on=on, n_neighbors=4, mixing=0.7, max_extra_ratio=0.3
    )
    users, X = est.user_ids_.tolist(), data.X_test[:60]
    to, back = (expit, logit) if on == "proba" else (np.asarray, np.asarray)
    own = est.recommender_.decision_function(X)
    expected = []
    for z, (user, item) in zip(own, X):
        neighbors = est.neighbors_[users.index(user)] if user in users else [-1]
        if neighbors[0] < 0:
            expected.append(z)
            continue
        pairs = [(users[j], item) for j in neighbors]
        others = to(est.recommender_.decision_function(pairs))
        expected.append(back(0.7 * to(z) + 0.3 * others.mean()))
    scores = est.decision_function(X)
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)
    mixed = scores != own
    assert mixed.any()
    assert not mixed.all()
    proba = est.predict_proba(X)
    np.testing.assert_allclose(proba[:, 1], expit(expected), rtol=1e-9)
    assert (est.predict(X) == (scores > 0)).all()


@pytest.mark.parametrize("on", ["logit", "proba"])
def test_a_mixing_of_one_changes_nothing(on, data, implicit, extra):
    est = fit(implicit, extra, mixing=1.0, on=on, max_extra_ratio=9.0)
    own = est.recommender_.decision_function(data.X_test)
    assert (est.decision_function(data.X_test) == own).all()


def test_parameters_set_after_the_fit_are_checked(data, implicit, extra):
    est = fit(implicit, extra)
    users = data.X[:2, 0]
    for wrong in ({"mixing": 5.0}, {"mixing": np.nan}, {"on": "score"}):
        before = est.get_params()
        est.set_params(**wrong)
        for call in (lambda: est.predict(data.X), lambda: est.recommend(users)):
            with pytest.raises(ValueError, match=r"mixing=.* must be from 0 to 1"):
                call()
        est.set_params(**{name: before[name] for name in wrong})
    est.recommender_.set_params(handle_unknown="raise")
    for call in (lambda: est.predict(data.X), lambda: est.recommend(users)):
        with pytest.raises(ValueError, match="'raise' is neither 'average' nor"):
            call()


def test_a_mixing_of_zero_is_the_neighbour(data, implicit, extra):
    est = fit(implicit, extra, mixing=0.0, n_neighbors=1, max_extra_ratio=9.0)
    neighbor = est.user_ids_[est.neighbors_[:, 0]]
    items = est.item_ids_[:5]
    pairs = [(u, i) for u in est.user_ids_ for i in items]
    theirs = [(v, i) for v in neighbor for i in items]
    np.testing.assert_array_equal(
        est.decision_function(pairs), est.recommender_.decision_function(theirs)
    )


def test_nobody_is_mixed_below_a_ratio_of_zero(data, implicit, extra):
    est = fit(implicit, extra, max_extra_ratio=0.0, mixing=0.0)
    own = est.recommender_.decision_function(data.X_test)
    assert (est.decision_function(data.X_test) == own).all()
    assert (est.neighbors_ == -1).all()


def test_scores_do_not_depend_on_blocks(data, implicit, extra, monkeypatch):
    est = fit(implicit, extra, mixing=0.3)
    whole = est.decision_function(data.X_test)
    monkeypatch.setattr("sklearn_invlearn.scoring._scoring._BLOCK_ROWS", 7)
    np.testing.assert_array_equal(est.decision_function(data.X_test), whole)


def test_extreme_logits_stay_finite(data, implicit, extra):
    est = fit(implicit, extra, on="proba", mixing=0.5, max_extra_ratio=9.0)
    est.net_.module_.biases.intercept.data.fill_(80.0)
    assert np.isfinite(est.decision_function(data.X_test)).all()


def test_unknown_users_are_left_to_the_recommender(implicit, extra):
    est = fit(implicit, extra, max_extra_ratio=9.0, mixing=0.0)
    pair = [[10**6, implicit[0, 1]]]
    own = est.recommender_.decision_function(pair)
    assert (est.decision_function(pair) == own).all()
    strict = TruncatedLossRecommender(**SIZES, handle_unknown="error")
    with pytest.raises(ValueError, match="fit has not seen"):
        fit(implicit, extra, strict).predict(pair)


# ---- the border ---------------------------------------------------------------------


def test_more_neighbors_than_users_are_all_of_them(implicit, extra):
    with pytest.warns(UserWarning, match="only 5. others") as caught:
        est = fit(implicit, extra, n_neighbors=500, max_extra_ratio=9.0)
    assert caught[0].filename == __file__
    n = len(est.user_ids_)
    assert est.neighbors_.shape == (n, n - 1)
    assert all(len(set(row) | {k}) == n for k, row in enumerate(est.neighbors_))


@pytest.mark.filterwarnings("ignore:.*no extra feedback:UserWarning")
def test_without_extra_feedback_it_is_the_recommender(data, implicit):
    est = fit(implicit, {}, mixing=0.0)
    own = est.recommender_.decision_function(data.X_test)
    assert (est.decision_function(data.X_test) == own).all()
    assert est.neighbors_.shape == (len(est.user_ids_), 0)


@pytest.mark.parametrize(
    "inner",
    [
        TruncatedLossRecommender(),
        TruncatedLossRecommender(extra_feedback="finetune"),
        CrossEntropyRecommender(negatives="sampled"),
        InverseGradientRecommender(),
    ],
)
def test_a_recommender_that_is_not_warmed_up_is_refused(inner, implicit, extra):
    with pytest.raises(ValueError, match="needs a recommender with extra_feedback"):
        fit(implicit, extra, inner)


def test_a_backbone_without_vectors_of_users_is_refused(implicit, extra):
    inner = TruncatedLossRecommender(**SIZES | {"backbone": "bias"})
    est = CollidingRecommender(recommender=inner)
    with pytest.raises(ValueError, match="BiasOnly has no vectors of users"):
        est.fit(implicit, np.ones(len(implicit)), **extra)
    with pytest.raises(NotFittedError):
        est.predict(implicit)


def test_parameters_are_nested_and_the_recommender_is_cloned(implicit, extra):
    inner = TruncatedLossRecommender(**SIZES)
    est = CollidingRecommender(recommender=inner, n_neighbors=3)
    assert est.get_params()["recommender__gamma"] == 0.05
    est.set_params(recommender__max_drop_rate=0.2)
    fitted = clone(est).fit(implicit, np.ones(len(implicit)), **extra)
    assert fitted.recommender_.max_drop_rate == 0.2
    assert not hasattr(inner, "net_")
    copied = pickle.loads(pickle.dumps(fitted))
    same = copied.predict_proba(implicit) == fitted.predict_proba(implicit)
    assert same.all()


def test_random_state_goes_to_the_recommender(data, implicit, extra):
    inner = TruncatedLossRecommender(**SIZES | {"random_state": None})
    scores = [
        fit(implicit, extra, inner, random_state=seed).decision_function(data.X_test)
        for seed in (0, 0, 1)
    ]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


@pytest.mark.parametrize("routing", [False, True])
def test_in_a_search_with_a_full_ranking(routing, data, extra):
    est = CollidingRecommender(recommender=TruncatedLossRecommender(**SIZES))
    with config_context(enable_metadata_routing=routing):
        scorer = make_full_ranking_scorer("recall", k=5)
        search = GridSearchCV(est, {"mixing": [0.5, 1.0]}, cv=2, scoring=scorer)
        search.fit(data.X, data.y, **extra)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_metadata_are_routed_as_for_the_recommender_inside():
    inside, around = CrossEntropyRecommender(), CollidingRecommender()
    for method in ("fit", "partial_fit"):
        requests = [
            getattr(est.get_metadata_routing(), method).requests
            for est in (inside, around)
        ]
        assert requests[0] == requests[1]
