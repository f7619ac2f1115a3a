"""Similar items and users against the definition, pair by pair."""

import numpy as np
import pytest
import torch

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.scoring import _similarity


@pytest.fixture(scope="module", params=["gmf", "mlp", "neumf", "spectral"])
def est(request, data):
    est = CrossEntropyRecommender(
        backbone=request.param, n_factors=4, gamma=0.05, max_epochs=5, random_state=0
    )
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


def scores_without_biases(est):
    """Interactions (n_users, n_items) of a logit that is a product."""
    module = est.net_.module_.double()
    users = torch.arange(1, len(est.user_ids_) + 1)
    items = torch.arange(1, len(est.item_ids_) + 1)
    with torch.no_grad():
        return (module.user_side(users)[1] @ module.item_side(items)[1].T).numpy()


def embeddings(est, side):
    module, ids = est.net_.module_, getattr(est, f"{side}_ids_")
    tables = [getattr(module.tower, f"{side}_factors")]
    if hasattr(module, f"{side}_factors"):
        tables.insert(0, getattr(module, f"{side}_factors"))
    rows = [table.weight.detach().numpy()[1:] for table in tables]
    assert len(rows[0]) == len(ids)
    return np.hstack(rows).astype(float)


def similarities(est, side):
    if hasattr(est.net_.module_, "user_side"):
        scores = scores_without_biases(est)
        return np.corrcoef(scores if side == "user" else scores.T)
    rows = embeddings(est, side)
    length = np.linalg.norm(rows, axis=1)
    return rows @ rows.T / np.outer(length, length)


@pytest.mark.parametrize("side", ["user", "item"])
def test_most_similar_are_those_of_the_full_matrix(est, side):
    ids = getattr(est, f"{side}_ids_")
    similar = getattr(est, f"similar_{side}s")
    got, values = similar(ids, 6)
    matrix = similarities(est, side)
    np.fill_diagonal(matrix, -np.inf)
    order = np.argsort(-matrix, axis=1)[:, :6]
    expected = np.take_along_axis(matrix, order, axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
    distinct = np.abs(np.diff(expected, axis=1)).min(axis=1) > 1e-5
    assert distinct.sum() > 10
    assert (got[distinct] == ids[order[distinct]]).all()


def test_how_a_factor_is_shared_between_the_sides_does_not_matter(data):
    est = CrossEntropyRecommender(backbone="gmf", n_factors=4, random_state=0)
    est.fit(data.X, data.y)
    ids, values = est.similar_items(est.item_ids_, 5)
    with torch.no_grad():
        est.net_.module_.item_factors.weight[:, 1] *= 64
        est.net_.module_.user_factors.weight[:, 1] /= 64
    same_ids, same = est.similar_items(est.item_ids_, 5)
    np.testing.assert_allclose(same, values, rtol=1e-9)
    assert (same_ids == ids).all()


def test_single_item_and_fewer_than_asked_for(est):
    item = est.item_ids_[3]
    n_items = len(est.item_ids_)
    ids, values = est.similar_items(item, n_items + 2)
    assert ids.shape == values.shape == (n_items + 2,)
    assert ids[-3:].tolist() == [None] * 3
    assert np.isnan(values[-3:]).all()
    assert set(ids[:-3].tolist()) == set(est.item_ids_.tolist()) - {item}
    assert (np.diff(values[:-3]) <= 0).all()
    assert np.abs(values[:-3]).max() <= 1


def test_blocks_change_nothing_and_bound_the_memory(est, monkeypatch):
    ids, values = est.similar_users(est.user_ids_, 4)
    n_users, sizes, plain = len(est.user_ids_), [], _similarity.best_products

    def best_products(users, everyone, *args):
        sizes.append(len(users.bias) * len(everyone.bias))
        return plain(users, everyone, *args)

    monkeypatch.setattr(_similarity, "best_products", best_products)
    monkeypatch.setattr(_similarity, "_BLOCK_CELLS", 7 * n_users + 1)
    blocked, same = est.similar_users(est.user_ids_, 4)
    assert max(sizes) == 7 * n_users
    assert (blocked == ids).all()
    np.testing.assert_allclose(same, values, rtol=1e-12)


def test_an_item_without_direction_is_like_nothing(data):
    est = CrossEntropyRecommender(backbone="gmf", n_factors=4, random_state=0)
    est.fit(data.X, data.y)
    with torch.no_grad():
        est.net_.module_.item_factors.weight[5] = 0.0
    items = est.item_ids_
    ids, values = est.similar_items(items[[4, 5]], len(items))
    assert set(ids[0]) == {None}
    assert np.isnan(values[0]).all()
    assert items[4] not in ids[1]
    assert (ids[1] == None).sum() == 2  # noqa: E711


def test_unknown_items_and_backbones_without_vectors(data):
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(data.X, data.y)
    with pytest.raises(ValueError, match=r"items has 1 ids .* such as -5: nothing"):
        est.similar_items([est.item_ids_[0], -5])
    with pytest.raises(ValueError, match="BiasOnly has no vectors of users"):
        est.similar_users(est.user_ids_[0])
