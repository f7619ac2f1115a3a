"""Newcomers are placed by what they were shown, near those who were shown the like."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseGradientRecommender,
    load,
)
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.spectral import (
    Bilinear,
    exposure_matrix,
    fold_in,
    spectral_embeddings,
)
from sklearn_invlearn.spectral._fold_in import _features, _thinned, learn_fold_in

N_USERS, N_ITEMS = 400, 200


@pytest.fixture(scope="module")
def exposures():
    data = make_sparse_feedback(
        N_USERS, N_ITEMS, n_exposures=24_000, exposure_affinity=1.5, random_state=0
    )
    pairs = np.vstack([data.X, data.X_unlab])
    return exposure_matrix(*pairs.T, (N_USERS, N_ITEMS))


@pytest.fixture(scope="module")
def model(exposures):
    found = spectral_embeddings(exposures, np.random.default_rng(0))
    model = Bilinear(found.user, found.item, "full", 0.5)
    learn_fold_in([model], exposures, seed=0)
    return model


def with_new_rows(model, n_users, n_items):
    """The same model with rows of zeros for newcomers."""
    P, Q = (table.weight.numpy() for table in (model.P, model.Q))
    P, Q = (np.pad(t, ((0, n), (0, 0))) for t, n in ((P, n_users), (Q, n_items)))
    larger = Bilinear(P, Q, model.structure, 0.5)
    larger.fold_P, larger.fold_Q = model.fold_P, model.fold_Q
    return larger


def cosine(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_twins_of_the_known_are_placed_beside_them(model, exposures):
    larger = with_new_rows(model, N_USERS, N_ITEMS)
    user, item = exposures.nonzero()
    twins = np.stack([[user + N_USERS, item], [user, item + N_ITEMS]], axis=1)
    fold_in(larger, twins.reshape(2, -1), N_USERS, N_ITEMS)
    for table in (larger.P.weight.numpy(), larger.Q.weight.numpy()):
        known, new = np.split(table, 2)
        assert cosine(known, new).min() > 0.7
        assert np.median(cosine(known, new)) > 0.97
        nearest = np.argmin(((new[:, None] - known[None]) ** 2).sum(-1), axis=1)
        assert np.mean(nearest == np.arange(len(known))) > 0.9


def test_few_exposures_move_nobody_far_from_the_average(model, exposures):
    larger = with_new_rows(model, N_ITEMS, 0)
    one_each = np.stack([N_USERS + np.arange(N_ITEMS), np.arange(N_ITEMS)])
    fold_in(larger, one_each, N_USERS, N_ITEMS)
    known, new = np.split(larger.P.weight.numpy(), [N_USERS])
    average = known.mean(0)
    spread = np.linalg.norm(known - average, axis=1).mean()
    away = np.linalg.norm(new - average, axis=1)
    assert away.mean() < 0.7 * spread
    assert away.min() > 0.0


def test_others_stay_where_they_are(model):
    larger = with_new_rows(model, 3, 2)
    before = larger.P.weight.clone(), larger.Q.weight.clone()
    # Of the known; of two newcomers, which says nothing; of one newcomer of each side.
    pairs = [(0, 0), (5, 7), (N_USERS, N_ITEMS), (N_USERS + 2, 4), (3, N_ITEMS + 1)]
    fold_in(larger, np.array(pairs).T, N_USERS, N_ITEMS)
    for table, old, moved in (
        (larger.P.weight, before[0], N_USERS + 2),
        (larger.Q.weight, before[1], N_ITEMS + 1),
    ):
        changed = (table != old).any(dim=1).nonzero()[:, 0].tolist()
        assert changed == [moved]


def test_svdpp_has_newcomers_where_its_prior_is(model):
    P, Q = (t.weight.numpy()[:, :17] for t in (model.P, model.Q))
    svdpp = Bilinear(P, Q, "svdpp", 0.5)
    torch.nn.init.normal_(svdpp.fold_P, generator=torch.Generator().manual_seed(0))
    fold_in(svdpp, np.array([[399, 399], [1, 2]]), 399, N_ITEMS)
    assert svdpp.departure("b_u")[399].tolist() == [0.0]
    assert svdpp.departure("p")[399].tolist() == [0.0] * 16
    assert svdpp.P.weight[399].abs().min() > 0


def test_models_without_embeddings_have_nothing_to_place():
    nothing = np.zeros((3, 0), dtype=np.float32)
    biases = Bilinear(nothing, nothing, "biases", 0.5)
    learn_fold_in([biases], sparse.csr_array((3, 3)), seed=0)
    fold_in(biases, np.array([[2], [0]]), 2, 3)
    assert not any("fold" in name for name in biases.state_dict())


def test_features_are_sums_and_sizes(exposures):
    others = np.random.default_rng(0).normal(size=(N_ITEMS, 4)).astype(np.float32)
    found = _features(exposures[:20], others)
    for u in range(20):
        rows = others[exposures[[u]].indices]
        n = len(rows)
        expected = [
            *(rows.sum(0) / n**0.5), *rows.mean(0), *(rows.sum(0) / (n + 10)),
            1.0, np.log1p(n), n**-0.5,
        ]  # fmt: skip
        np.testing.assert_allclose(found[u], expected, rtol=1e-4, atol=1e-5)


def test_thinned_rows_keep_one_entry_at_least(exposures):
    thinned = _thinned(exposures, np.random.default_rng(0))
    n, kept = np.diff(exposures.indptr), np.diff(thinned.indptr)
    assert kept.min() == 1
    assert (kept <= n).all()
    assert 0.3 < np.mean(np.log(kept) / np.log(n)) < 0.7  # log-uniformly many
    assert thinned.multiply(exposures).nnz == thinned.nnz  # none that were not there
    again = _thinned(exposures, np.random.default_rng(0))
    assert (again != thinned).nnz == 0


@pytest.mark.parametrize("side", [0, 1], ids=["users", "items"])
@pytest.mark.parametrize(
    "recommender", [CrossEntropyRecommender, InverseGradientRecommender]
)
def test_exposures_alone_tell_what_newcomers_like(recommender, side, tmp_path):
    data = make_sparse_feedback(
        600, 300, n_exposures=40_000, label_fraction=0.2, exposure_affinity=1.5,
        preference_strength=2.0, random_state=0,
    )  # fmt: skip

    def is_new(X):
        return X[:, side] % 5 == 0

    old, old_pool = ~is_new(data.X), ~is_new(data.X_unlab)
    est = recommender(random_state=0)
    est.fit(data.X[old], data.y[old], X_unlab=(data.X_unlab[old_pool],))
    of_new = is_new(data.X_test)

    def auc():
        scores = est.decision_function(data.X_test[of_new])
        return roc_auc_score(data.y_test[of_new], scores)

    before = auc()
    est.save(tmp_path / "model")
    other = load(tmp_path / "model")
    for one in (est, other):  # one known pair, and what all were shown
        given = data.X[old][:1], data.y[old][:1]
        one.partial_fit(*given, X_unlab=(data.X_unlab,))
    assert auc() > before + 0.05
    np.testing.assert_array_equal(
        other.decision_function(data.X_test), est.decision_function(data.X_test)
    )
