"""Top-N lists against a full sort of all scores."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import expit

from sklearn_invlearn import CrossEntropyRecommender, load
from sklearn_invlearn.modules import BACKBONES
from sklearn_invlearn.scoring._sides import Side, is_product
from sklearn_invlearn.scoring._top_n import best_products

UNKNOWN = -1


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def est(request, data):
    est = CrossEntropyRecommender(
        backbone=request.param, n_factors=4, gamma=0.05, max_epochs=3, random_state=0
    )
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


@pytest.fixture(scope="module")
def gmf(data):
    est = CrossEntropyRecommender(
        backbone="gmf", n_factors=4, gamma=0.05, max_epochs=3, random_state=0
    )
    return est.fit(data.X, data.y)


def by_sorting(est, users, candidates, n_items, left_out=()):
    """Ids and logits of the best: sort the scores of all pairs, user by user."""
    lists = []
    for user in users:
        rest = [i for i in candidates if (user, i) not in left_out]
        if not rest:
            lists.append(([None] * n_items, [np.nan] * n_items))
            continue
        logit = est.decision_function([(user, i) for i in rest])
        # Two unknown items may differ in the last digit, by their place in the batch.
        order = np.argsort(-logit.round(12), kind="stable")[:n_items]
        pad = n_items - len(order)
        ids = [rest[j] for j in order] + [None] * pad
        lists.append((ids, logit[order].tolist() + [np.nan] * pad))
    return [ids for ids, _ in lists], np.array([logit for _, logit in lists])


@pytest.mark.parametrize("n_items", [1, 7, 40, 50])
def test_it_is_a_sort_of_all_scores(est, data, n_items):
    users = [*est.user_ids_.tolist(), UNKNOWN]
    items = est.item_ids_.tolist()
    labelled = set(map(tuple, data.X.tolist()))
    for exclude_seen, left_out in ((True, labelled), (False, ())):
        ids, scores = est.recommend(users, n_items, exclude_seen=exclude_seen)
        assert ids.shape == scores.shape == (len(users), n_items)
        expected, logit = by_sorting(est, users, items, n_items, left_out)
        np.testing.assert_allclose(scores, expit(logit), rtol=1e-12)
        assert ids.tolist() == expected


def test_scores_are_probabilities_of_the_pairs(est):
    users = est.user_ids_[:5]
    ids, scores = est.recommend(users, 3)
    pairs = [(u, i) for u, row in zip(users.tolist(), ids.tolist()) for i in row]
    proba = est.predict_proba(pairs)[:, 1].reshape(5, 3)
    np.testing.assert_allclose(scores, proba, rtol=1e-12)


def test_single_user_and_batch_agree(est):
    users = est.user_ids_
    ids, scores = est.recommend(users, 4)
    one_ids, one_scores = est.recommend(users[3], 4)
    assert one_ids.shape == one_scores.shape == (4,)
    assert one_ids.tolist() == ids[3].tolist()
    np.testing.assert_allclose(one_scores, scores[3], rtol=1e-12)
    # One after the other, repeated: rows come in the order that was asked for.
    again, _ = est.recommend([users[3], users[0], users[3]], 4)
    assert again.tolist() == ids[[3, 0, 3]].tolist()


def test_blocks_change_nothing(est, monkeypatch):
    users = [*est.user_ids_.tolist(), UNKNOWN, -2]
    ids, scores = est.recommend(users, 5)
    monkeypatch.setattr("sklearn_invlearn.scoring._top_n._BLOCK_CELLS", 90)
    monkeypatch.setattr("sklearn_invlearn.scoring._sides._BLOCK_ROWS", 7)
    blocked_ids, blocked_scores = est.recommend(users, 5)
    assert blocked_ids.tolist() == ids.tolist()
    np.testing.assert_allclose(blocked_scores, scores, rtol=1e-12)


def test_candidates(est, data):
    users = [*est.user_ids_[:9].tolist(), UNKNOWN]
    labelled = set(map(tuple, data.X.tolist()))
    candidates = [*est.item_ids_[::-3].tolist(), 777, 778]
    ids, scores = est.recommend(users, 6, candidates=candidates)
    expected, logit = by_sorting(est, users, candidates, 6, labelled)
    assert ids.tolist() == expected
    np.testing.assert_allclose(scores, expit(logit), rtol=1e-12)


def test_unknown_candidates_tie_and_keep_their_order(est):
    candidates = [903, 901, 902]
    ids, scores = est.recommend(est.user_ids_, 3, candidates=candidates)
    assert (ids == candidates).all()
    assert (scores == scores[:, :1]).all()


def test_cold_users_get_one_ranking(est):
    ids, scores = est.recommend([UNKNOWN, "new", ("a", 1)], 5)  # one kind is known
    assert (ids == ids[0]).all()
    assert (scores == scores[0]).all()
    alone, _ = est.recommend(UNKNOWN, 5)
    assert alone.tolist() == ids[0].tolist()


def test_a_table_of_pairs_to_leave_out(est, data):
    users = [*est.user_ids_[:9].tolist(), UNKNOWN, -2]
    best, _ = est.recommend(UNKNOWN, 2)
    shown = [*map(tuple, data.X_unlab.tolist()), *((UNKNOWN, i) for i in best.tolist())]
    left_out = {*map(tuple, data.X.tolist()), *shown}
    ids, scores = est.recommend(users, 8, exclude_seen=shown)
    expected, logit = by_sorting(est, users, est.item_ids_.tolist(), 8, left_out)
    assert ids.tolist() == expected
    np.testing.assert_allclose(scores, expit(logit), rtol=1e-12)
    # The other unknown user was not shown anything.
    assert ids[-1][:2].tolist() == best.tolist()
    new = [555, *best.tolist()]
    ids, _ = est.recommend(
        [UNKNOWN], 3, candidates=new, exclude_seen=[(UNKNOWN, 555), (3, 4)]
    )
    assert ids.tolist() == [[*best.tolist(), None]]


def test_nothing_left_is_said(gmf, data):
    user = gmf.user_ids_[0]
    (own,) = gmf.seen_items([user]).toarray()
    labelled = gmf.item_ids_[own]
    ids, scores = gmf.recommend(user, 2, candidates=labelled)
    assert ids.tolist() == [None, None]
    assert np.isnan(scores).all()
    ids, scores = gmf.recommend(user, 2, candidates=labelled, exclude_seen=False)
    assert set(ids.tolist()) <= set(labelled.tolist())
    assert ids.dtype == labelled.dtype
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("backbone", ["bias", "gmf", "mlp"])
def test_ties_go_by_the_order_of_the_items(backbone, data):
    est = CrossEntropyRecommender(backbone=backbone, max_epochs=1, random_state=0)
    est.fit(data.X, data.y)
    with torch.no_grad():  # all items alike, users not
        for table in est.net_.module_.modules():
            if isinstance(table, torch.nn.Embedding) and len(table.weight) == 41:
                table.weight[:] = table.weight[1]
    users, items = est.user_ids_, est.item_ids_
    ids, scores = est.recommend(users, 11, exclude_seen=False)
    assert (ids == items[:11]).all()
    assert (scores == scores[:, :1]).all()
    backwards = items[::-1]
    ids, _ = est.recommend(users, 11, exclude_seen=False, candidates=backwards)
    assert (ids == backwards[:11]).all()


@pytest.mark.parametrize("n_best", [1, 3, 15, 50, 200])
def test_long_rows_are_ranked_like_a_sort(n_best):
    rng = np.random.default_rng(0)
    users = Side(rng.normal(size=20), rng.normal(size=(20, 3)))
    items = Side(rng.normal(size=999), rng.normal(size=(999, 3)))
    items.bias[500:510], items.vectors[500:510] = 3.0, items.vectors[500]
    excluded = sparse.random_array((20, 999), density=0.3, rng=rng).tocsr() > 0
    position, logit = best_products(users, items, n_best, excluded)
    scores = users.bias[:, None] + items.bias + users.vectors @ items.vectors.T
    scores[:, 500:510] = scores[:, [500]]  # tied to the last bit
    scores[excluded.nonzero()] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n_best]
    assert (position == order).all()
    np.testing.assert_allclose(logit, np.take_along_axis(scores, order, 1), rtol=1e-12)


@given(
    st.integers(1, 6), st.integers(1, 9), st.integers(0, 3), st.integers(1, 12),
    st.integers(0, 10_000), st.sampled_from([1.0, 1e-9, 1e9]),
)  # fmt: skip
@settings(max_examples=60)
def test_products_are_ranked_like_a_sort(n_users, n_items, d, n_best, seed, scale):
    rng = np.random.default_rng(seed)
    # Few distinct values: many exact ties.
    users = Side(rng.integers(0, 2, n_users) / 7, rng.integers(-2, 3, (n_users, d)) / 3)
    items = Side(
        scale * rng.integers(0, 2, n_items) / 7, rng.integers(-2, 3, (n_items, d)) / 3
    )
    position, logit = best_products(users, items, n_best, None)
    for row in range(n_users):
        products = (users.vectors[row] * items.vectors).sum(axis=1)
        exact = users.bias[row] + items.bias + products
        order = np.lexsort((np.arange(n_items), -exact))[:n_best]
        n_padded = n_best - len(order)
        assert position[row].tolist() == [*order, *[-1] * n_padded]
        np.testing.assert_array_equal(logit[row][: len(order)], exact[order])
        assert np.isnan(logit[row][len(order) :]).all()


def test_sides_of_a_backbone_make_up_its_logit(est):
    module = est.net_.module_
    if not is_product(module):
        pytest.skip("the logit of this backbone is no product")
    n_users, n_items = len(est.user_ids_) + 1, len(est.item_ids_) + 1
    user = torch.arange(n_users).repeat_interleave(n_items)
    item = torch.arange(n_items).repeat(n_users)
    with torch.no_grad():
        (bias_u, u), (bias_i, i) = module.user_side(user), module.item_side(item)
        logit = bias_u + bias_i + (u * i).sum(-1)
        torch.testing.assert_close(logit, module(user, item))


def test_the_known_backbones_have_sides():
    named = {name for name, cls in BACKBONES.items() if hasattr(cls, "user_side")}
    assert named >= {"bias", "gmf", "spectral"}


class Distance(torch.nn.Module):
    """A backbone of one's own that says nothing of sides or vectors."""

    def __init__(self, n_users, n_items):
        super().__init__()
        self.user = torch.nn.Embedding(n_users, 2)
        self.item = torch.nn.Embedding(n_items, 2)

    def forward(self, user, item):
        return -(self.user(user) - self.item(item)).square().sum(-1)


def test_a_backbone_of_ones_own(data):
    est = CrossEntropyRecommender(backbone=Distance, random_state=0, max_epochs=1)
    est.fit(data.X, data.y)
    users, items = est.user_ids_.tolist(), est.item_ids_.tolist()
    ids, _ = est.recommend(users, 3, exclude_seen=False)
    assert ids.tolist() == by_sorting(est, users, items, 3)[0]
    with pytest.raises(ValueError, match="Distance has no vectors of items"):
        est.similar_items(items[0])


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, float])
def test_numbers_come_out_as_they_came_in(dtype, data):
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1)
    est.fit(data.X.astype(dtype), data.y)
    ids, _ = est.recommend(est.user_ids_[:2], 3)
    assert est.user_ids_.dtype == est.item_ids_.dtype == ids.dtype == dtype
    candidates = est.item_ids_[:5].astype(np.int16)
    ids, _ = est.recommend(
        est.user_ids_[:2], 3, candidates=candidates, exclude_seen=False
    )
    assert ids.dtype == np.int16


def test_dtypes_survive_files_and_pickles(data, tmp_path):
    est = CrossEntropyRecommender(backbone="gmf", max_epochs=1)
    est.fit(data.X.astype(np.int32), data.y)
    est.save(tmp_path / "model")
    ids, scores = est.recommend(est.user_ids_, 4)
    for same in (load(tmp_path / "model"), pickle.loads(pickle.dumps(est))):
        same_ids, same_scores = same.recommend(est.user_ids_, 4)
        assert same_ids.dtype == ids.dtype == np.int32
        assert (same_ids == ids).all()
        assert (same_scores == scores).all()
        assert same.class_count_.tolist() == est.class_count_.tolist()


def test_strings_and_other_ids_come_out_as_they_came_in(data):
    names = [(f"u{u}", f"i{i}") for u, i in data.X.tolist()]
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(names, data.y)
    ids, _ = est.recommend("u1", 3)
    assert ids.dtype.kind == "U"
    assert set(ids.tolist()) <= {i for _, i in names}
    tuples = [(("u", u), ("i", i)) for u, i in data.X.tolist()]
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(tuples, data.y)
    ids, _ = est.recommend(("u", 1), 3)
    assert ids.shape == (3,)
    assert all(isinstance(i, tuple) for i in ids)
    ids, _ = est.recommend([("u", 1), ("u", 2)], 50)
    assert ids.shape == (2, 50)
    assert {type(i) for i in ids.ravel()} == {tuple, type(None)}


def test_users_and_candidates_of_every_library(gmf):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    users, items = gmf.user_ids_[:6].tolist(), gmf.item_ids_[:9].tolist()
    expected, expected_scores = gmf.recommend(users, 3, candidates=items)
    kinds = [
        np.array, pandas.Series, pandas.Index, polars.Series, pyarrow.array,
        lambda ids: pyarrow.chunked_array([ids[:2], ids[2:]]),
        lambda ids: pandas.Series(ids, index=ids[::-1], dtype="Int64"),
        lambda ids: np.array(ids, dtype=object),
    ]  # fmt: skip
    for make in kinds:
        ids, scores = gmf.recommend(make(users), 3, candidates=make(items))
        assert ids.tolist() == expected.tolist(), make
        assert (scores == expected_scores).all()
        seen = gmf.seen_items(make(users))
        assert (seen != gmf.seen_items(users)).nnz == 0
    alone, _ = gmf.recommend(users[0], 3)
    scalars = np.array, torch.tensor, pyarrow.scalar
    for one in (np.int8(users[0]), *(f(users[0]) for f in scalars)):
        assert gmf.recommend(one, 3)[0].tolist() == alone.tolist()
    moment = np.datetime64("2024-01-01", "ns")
    dated = CrossEntropyRecommender(backbone="bias", max_epochs=1)
    dated.fit([[moment, 1], [moment, 2]], [0, 1])
    assert dated.recommend(np.array(moment), 2)[0].tolist() == [None, None]
    nothing_new = [
        [], np.empty((0, 2)), pandas.DataFrame(), polars.DataFrame(), np.True_,
        pyarrow.table({"user": [], "item": []}),
    ]  # fmt: skip
    for table in nothing_new:
        same, _ = gmf.recommend(users[0], 3, exclude_seen=table)
        assert same.tolist() == alone.tolist()
    with pytest.raises(ValueError, match="contains NaN: 1 missing"):
        gmf.recommend(polars.Series([1, None]))
    with pytest.raises(ValueError, match="users is a table"):
        gmf.recommend(pandas.DataFrame({"user": users}))
    with pytest.raises(ValueError, match="users is a table"):
        gmf.recommend(pyarrow.table({"user": users}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": [[1, 2]]}, "must be one-dimensional|not hashable"),
        ({"users": np.array([[1, 2]])}, "must be one-dimensional"),
        ({"users": None}, "None is not an id"),
        ({"users": [1, None]}, "None is not an id"),
        ({"users": [1.0, np.nan]}, "users contains NaN"),
        ({"users": 1, "n_items": 0}, "n_items == 0, must be >= 1"),
        ({"users": 1, "candidates": []}, "candidates is empty"),
        ({"users": 1, "candidates": [3, 4, 3.0]}, "1 repeated ids, such as"),
        ({"users": 1, "candidates": [None]}, "None is not an id"),
        ({"users": 1, "exclude_seen": [3]}, "Expected 2D array"),
        ({"users": 1, "exclude_seen": None}, "neither True nor False"),
        ({"users": 1, "exclude_seen": "all"}, "neither True nor False"),
        ({"users": {1, 2}}, "users is a set"),
        ({"users": 1, "candidates": {1: 2}}, "candidates is a dict"),
        ({"users": 1, "candidates": "tea"}, r"a single id.*pass \['tea'\]"),
        ({"users": 1, "candidates": 3}, r"a single id.*pass \[3\]"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message, gmf):
    with pytest.raises((ValueError, TypeError), match=message):
        gmf.recommend(**arguments)


def test_one_user_is_no_list_of_her_letters(gmf):
    with pytest.raises(TypeError, match=r"users='u1' is a single id.*\['u1'\]"):
        gmf.seen_items("u1")


def test_no_users_no_lists(gmf):
    ids, scores = gmf.recommend([], 3)
    assert ids.shape == scores.shape == (0, 3)


def test_unknown_ids_can_be_refused(data):
    est = CrossEntropyRecommender(backbone="gmf", handle_unknown="error", max_epochs=1)
    est.fit(data.X, data.y)
    with pytest.raises(ValueError, match="users has ids that fit has not seen"):
        est.recommend([data.X[0, 0], UNKNOWN])
    with pytest.raises(ValueError, match="candidates has ids that fit has not seen"):
        est.recommend(data.X[0, 0], candidates=[data.X[0, 1], 777])
    assert est.recommend(data.X[0, 0], 3)[0].shape == (3,)


def test_scores_that_are_not_finite_are_refused(data):
    est = CrossEntropyRecommender(backbone="gmf", max_epochs=1).fit(data.X, data.y)
    with torch.no_grad():
        est.net_.module_.item_factors.weight[3] = torch.nan
    with pytest.raises(FloatingPointError, match="1 of 40 scores are NaN or infinite"):
        est.recommend(1)


def test_not_fitted():
    from sklearn.exceptions import NotFittedError

    for call in ("recommend", "similar_items", "similar_users"):
        with pytest.raises(NotFittedError):
            getattr(CrossEntropyRecommender(), call)([1])
