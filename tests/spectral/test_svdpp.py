"""SVD++ in both directions: its sums, its prior, and what it finds."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import CrossEntropyRecommender, load
from sklearn_invlearn.spectral import (
    Bilinear,
    Labels,
    exposure_matrix,
    fit_spectral,
    penalty,
)
from sklearn_invlearn.spectral import _embeddings as embeddings_module
from sklearn_invlearn.spectral import _svdpp as svdpp
from sklearn_invlearn.spectral import _worth_trying as trying

PRECISIONS = {"b_u": 2.0, "b_i": 6.0, "p": 8.0, "q": 8.0}
EXPOSED = np.array([[1, 1, 1, 2, 2, 4], [1, 2, 3, 1, 3, 2]])
SHAPE = (5, 5)  # user 3 and item 4 were never exposed, nor was anybody's code 0


def small_tables(seed=0):
    exposures = exposure_matrix(*EXPOSED, SHAPE)
    tables = svdpp._Tables(exposures, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    for table in tables.parameters:
        table.normal_(generator=generator)
    return tables, exposures


def literal_row(own, summands, partners, without=None):
    """Departure + Σ summands / √(number of partners), a pair of them left out."""
    total = own.clone()
    for partner in partners:
        if partner != without:
            total = total + summands[partner] / len(partners) ** 0.5
    return total


def literal_logit(parameters, u, i, exposed):
    mu, own_u, own_i, x, y = parameters
    shown, seen_by = EXPOSED[1][EXPOSED[0] == u], EXPOSED[0][EXPOSED[1] == i]
    of_user = literal_row(own_u[u], x, shown, i if exposed else None)
    of_item = literal_row(own_i[i], y, seen_by, u if exposed else None)
    return mu[0] + of_user[0] + of_item[0] + of_user[1:] @ of_item[1:]


def literal_gradient(parameters, batch, is_exposed):
    parameters = [p.clone().requires_grad_() for p in parameters]
    pairs = zip(batch.user, batch.item, is_exposed)
    z = torch.stack([literal_logit(parameters, *pair) for pair in pairs])
    y, weight = torch.from_numpy(batch.y), torch.from_numpy(batch.weight)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y, weight)
    return torch.autograd.grad(loss, parameters, materialize_grads=True)


def test_a_pair_is_no_part_of_its_own_sums():
    """Gradients are those of a logit in which each exposed pair is left out."""
    tables, _ = small_tables()
    # A pair twice, pairs that are exposed and others, newcomers.
    pairs = [(1, 2, 1), (2, 1, 1), (1, 2, 1), (4, 2, 1), (1, 4, 0), (3, 3, 0)]
    user, item, is_exposed = (np.array(column) for column in zip(*pairs))
    is_exposed = is_exposed.astype(np.float32)
    y, weight = np.random.default_rng(0).random((2, len(user))).astype(np.float32)
    batch = Labels(user, item, y.round(), weight)
    expected = literal_gradient(tables.parameters, batch, is_exposed)
    for found, literal in zip(tables.loss_gradient(batch, is_exposed), expected):
        np.testing.assert_allclose(found, literal, atol=1e-5, rtol=1e-4)


def test_the_prior_is_that_of_departures_and_of_summands():
    tables, _ = small_tables()
    parameters = [p.clone().requires_grad_() for p in tables.parameters]
    _, own_u, own_i, x, y = parameters
    squares = [
        2.0 * own_u[:, 0].square().sum() + 8.0 * own_u[:, 1:].square().sum(),
        6.0 * own_i[:, 0].square().sum() + 8.0 * own_i[:, 1:].square().sum(),
        2.5 * 8.0 * (x.square().sum() + y.square().sum()),
    ]
    prior = 0.5 * torch.stack(squares).sum() / 10
    expected = torch.autograd.grad(prior, parameters, materialize_grads=True)
    for found, literal in zip(tables.prior_gradient(PRECISIONS, 10), expected):
        np.testing.assert_allclose(found, literal, atol=1e-6, rtol=1e-5)


def test_the_model_has_the_sums_in_its_tables_and_its_prior():
    tables, _ = small_tables()
    model = tables.model()
    assert model.structure == "svdpp"
    with torch.no_grad():
        of_user, of_item = map(torch.from_numpy, tables.rows())
        user, item = torch.tensor([1, 2, 4]), torch.tensor([1, 3, 3])
        rows, other = of_user[user], of_item[item]
        z = tables.mu + rows[:, 0] + other[:, 0] + (rows[:, 1:] * other[:, 1:]).sum(1)
        torch.testing.assert_close(model(user, item), z)
        for u, i, logit in zip(user.tolist(), item.tolist(), z):
            expected = literal_logit(tables.parameters, u, i, exposed=False)
            torch.testing.assert_close(logit, expected)
        # Departures of those who are known, as before the sums were added.
        for name, own in (("p", tables.departures[0]), ("q", tables.departures[1])):
            known = [1, 2] if name == "p" else [1, 2, 3]
            torch.testing.assert_close(
                model.departure(name)[known], own[known, 1:], atol=1e-6, rtol=1e-5
            )
        expected = 0.5 * sum(
            PRECISIONS[k] * float(model.departure(k).square().sum())
            for k in model.blocks
        )
    assert float(penalty(model, PRECISIONS).detach()) == pytest.approx(expected)


def test_other_structures_have_priors_at_zero():
    P, Q = np.zeros((4, 2), np.float32), np.zeros((3, 2), np.float32)
    model = Bilinear(P, Q, "factors", base_rate=0.5)
    assert model.departure("p") is model.block("p")
    assert model.rank == 0


def test_newcomers_are_like_those_with_few_exposures():
    tables, _ = small_tables()
    model = tables.model()
    with torch.no_grad():
        rows = torch.from_numpy(tables.rows()[0])
        weights = torch.tensor([3.0, 2.0, 1.0]) ** -0.5  # of users 1, 2 and 4
        expected = (weights @ rows[[1, 2, 4]]) / weights.sum()
        for newcomer in (0, 3):
            torch.testing.assert_close(model.block("p")[newcomer], expected[1:])
            torch.testing.assert_close(model.block("b_u")[newcomer], expected[:1])
            assert not model.departure("p")[newcomer].any()


def shown_tastes(n_users=1200, n_items=60, seed=0):
    """Random exposures, half with labels; what a user was shown decides on tastes.

    No direction of the exposures stands out, so embeddings keep none of it.
    """
    rng = np.random.default_rng(seed)
    exposed = rng.random((n_users, n_items)) < 0.3
    x, q = rng.normal(size=(2, n_items, 2))
    tastes = exposed @ x / np.sqrt(exposed.sum(axis=1, keepdims=True))
    user, item = np.nonzero(exposed)
    own = x[item] / np.sqrt(exposed.sum(axis=1))[user, None]
    z = 1.5 * ((tastes[user] - own) * q[item]).sum(axis=1)
    y = (rng.random(len(z)) < expit(z)).astype(float)
    order = rng.permutation(len(y))
    cut = len(order) // 2
    rows = [Labels(user[r], item[r], y[r], np.ones(len(r))) for r in
            (order[:cut], order[cut:])]  # fmt: skip
    return *rows, np.stack([user, item]), exposed.shape


def test_what_was_shown_with_an_item_is_learned():
    known, rest, exposed, shape = shown_tastes()
    auc = []
    for seen in (exposed, np.stack([known.user, known.item])):
        model = svdpp.fit_svdpp(known, exposure_matrix(*seen, shape), PRECISIONS, 0)
        with torch.no_grad():
            z = model(torch.from_numpy(rest.user), torch.from_numpy(rest.item))
        auc.append(roc_auc_score(rest.y, z))
    assert auc[0] > 0.72
    assert auc[1] < auc[0] - 0.03


def test_it_joins_where_embeddings_leave_out_what_counts(monkeypatch):
    known, rest, exposed, shape = shown_tastes()
    auc = []
    for there in (True, False):
        fit = fit_spectral(known, exposed, shape, seed=0)
        assert ("svdpp" in {model.structure for model in fit.models}) == there
        pairs = torch.from_numpy(rest.user), torch.from_numpy(rest.item)
        with torch.no_grad():
            z = sum(w * m(*pairs) for w, m in zip(fit.weights, fit.models))
        auc.append(roc_auc_score(rest.y, z))
        monkeypatch.delitem(trying.STRENGTHS, "svdpp", raising=False)
    assert auc[0] > auc[1] + 0.02


def test_seeds_fix_the_fit():
    known, _, exposed, shape = shown_tastes(n_users=60)
    exposures = exposure_matrix(*exposed, shape)
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(0)
        found.append(svdpp.fit_svdpp(known, exposures, PRECISIONS, seed))
    first, again, other = (model.block("p") for model in found)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def test_it_is_saved_and_updated(tmp_path):
    known, rest, _, _ = shown_tastes()
    X, pool = (np.column_stack([rows.user, rows.item]) for rows in (known, rest))
    est = CrossEntropyRecommender(random_state=0, device="cpu")
    est.fit(X, known.y, X_unlab=(pool,))
    assert "svdpp" in est.net_.module_.settings()["structures"]
    proba = est.predict_proba(pool)
    est.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(pool), proba)
    new = np.array([[5000, 0], [5000, 1], [5001, 2]])
    again.partial_fit(new, [1, 1, 0])
    untouched = ~np.isin(pool[:, 1], new[:, 1])
    kept = again.predict_proba(pool)
    np.testing.assert_array_equal(kept[untouched], proba[untouched])
    assert np.isfinite(again.predict_proba(new)).all()


def test_held_out_pairs_are_no_exposures_of_their_fold(monkeypatch):
    known, _, exposed, shape = shown_tastes()
    seen = []
    fit = svdpp.fit_svdpp

    def watched(labels, exposures, precisions, seed):
        seen.append((len(labels), exposures))
        return fit(labels, exposures, precisions, seed)

    monkeypatch.setattr("sklearn_invlearn.spectral._candidates.fit_svdpp", watched)
    fit_spectral(known, exposed, shape, seed=0)
    *folds, (n_all, of_all) = seen
    assert n_all == len(known)
    assert of_all.nnz == exposed.shape[1]
    assert len(folds) == 3
    for n_known, exposures in folds:
        assert exposures.nnz == exposed.shape[1] - (len(known) - n_known)


def test_too_many_exposures_are_not_passed_over(monkeypatch):
    known, _, exposed, shape = shown_tastes()
    labelled = exposure_matrix(known.user, known.item, shape)
    exposures = exposure_matrix(*exposed, shape)
    rng = np.random.default_rng(0)
    assert (
        embeddings_module.embeddings_for(exposures, labelled, rng).exposures
        is exposures
    )
    monkeypatch.setattr(embeddings_module, "_EXPOSURES_PER_LABEL", 1.9)
    assert (
        embeddings_module.embeddings_for(exposures, labelled, rng).exposures is labelled
    )
