"""A factorisation by variational Bayes: its updates, what it finds and leaves out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import CrossEntropyRecommender, load
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.spectral import Bilinear, Labels
from sklearn_invlearn.spectral import _posterior_factors as module
from sklearn_invlearn.spectral._convex import fit_biases
from sklearn_invlearn.spectral._gradient import FlatBlocks
from sklearn_invlearn.spectral._posterior_factors import fit_posterior_factors
from sklearn_invlearn.spectral._training import fit_bilinear


def random_labels(n=60, n_users=7, n_items=5, seed=0):
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, n_users, n), rng.integers(0, n_items, n)
    user[:n_users], item[:n_items] = np.arange(n_users), np.arange(n_items)
    weight = rng.uniform(0.5, 1.5, n)
    return Labels(user, item, (rng.random(n) < 0.6).astype(float), weight)


def unfitted(labels, structure="relevance"):
    tables = (np.zeros((n, 0), dtype=np.float32) for n in labels.n_ids)
    return Bilinear(*tables, structure, labels.base_rate)


def posterior_of(labels, n_sweeps=2):
    """After some sweeps, so that all moments are at work."""
    biases = fit_biases(labels, labels.n_ids, {"b_u": 2.0, "b_i": 2.0})
    posterior = module._Posterior(labels, biases, n_factors=5, precision=1.0, seed=0)
    for _ in range(n_sweeps):
        for side in posterior.sides:
            posterior.update(side)
            side.learn_precision()
        posterior.tighten()
    return posterior


def literal_moments(posterior, labels, row):
    """Mean and covariance of one user, label by label."""
    of_user, of_item = posterior.sides
    d = of_user.mean.shape[1]
    inverse, right = np.diag(of_user.precision), np.zeros(d)
    for t in np.flatnonzero(labels.user == row):
        i, w = labels.item[t], labels.weight[t]
        m, C = of_item.mean[i].astype(float), of_item.covariance[i].astype(float)
        b, q = m[0], m[1:]
        f = np.r_[1.0, q]
        second = np.outer(f, f)
        second[1:, 1:] += C[1:, 1:]
        f_b = np.r_[b, q * b + C[0, 1:]]
        c = posterior.curvature[t]
        inverse = inverse + w * c * second
        right = right + w * (f * (labels.y[t] - 0.5 - c * posterior.mu) - c * f_b)
    covariance = np.linalg.inv(inverse)
    return covariance @ right, covariance


def test_an_update_is_that_of_the_formulas():
    labels = random_labels()
    posterior = posterior_of(labels)
    expected = [literal_moments(posterior, labels, row) for row in range(7)]
    of_user = posterior.sides[0]
    posterior.update(of_user)
    for row, (mean, covariance) in enumerate(expected):
        np.testing.assert_allclose(of_user.mean[row], mean, rtol=2e-4, atol=2e-5)
        found = of_user.covariance[row]
        np.testing.assert_allclose(found, covariance, rtol=2e-4, atol=2e-5)


def test_curvatures_are_those_of_the_second_moments():
    labels = random_labels()
    posterior = posterior_of(labels)
    c = posterior.curvature.copy()
    posterior.tighten()
    (m, V), (n, W) = (
        (side.mean.astype(float), side.variance.astype(float))
        for side in posterior.sides
    )
    slope = curved = 0.0
    moments = []
    for t, (u, i, w) in enumerate(zip(labels.user, labels.item, labels.weight)):
        z = m[u, 0] + n[i, 0] + m[u, 1:] @ n[i, 1:]
        variance = V[u, 0] + W[i, 0]
        for k in range(1, m.shape[1]):
            second = (m[u, k] ** 2 + V[u, k]) * (n[i, k] ** 2 + W[i, k])
            variance += second - (m[u, k] * n[i, k]) ** 2
        moments.append((z, variance))
        slope += w * (labels.y[t] - 0.5 - c[t] * z)
        curved += w * c[t]
    assert posterior.mu == pytest.approx(slope / curved, rel=1e-4)
    z, variance = np.array(moments).T
    xi = np.sqrt((z + posterior.mu) ** 2 + variance)
    np.testing.assert_allclose(
        posterior.curvature, np.tanh(xi / 2) / (2 * xi), rtol=1e-4
    )


@pytest.mark.parametrize("xi", [1e-3, 0.7, 3.0, 12.0])
def test_the_parabola_is_below_and_touches(xi):
    z = np.linspace(-20, 20, 401)
    c = np.tanh(xi / 2) / (2 * xi)
    z = np.r_[z, xi, -xi]
    bound = -np.logaddexp(0, -xi) + (z - xi) / 2 - c * (z**2 - xi**2) / 2
    gap = -np.logaddexp(0, -z) - bound
    assert (gap > -1e-12).all()
    np.testing.assert_allclose(gap[-2:], 0, atol=1e-12)


@pytest.mark.parametrize("structure", ["relevance", "posterior"])
def test_a_weight_is_a_repetition(structure):
    labels = random_labels(n=200)
    twice = np.r_[np.arange(200), np.arange(50)]
    repeated = Labels(*(a[twice] for a in (labels.user, labels.item, labels.y)),
                      np.ones(250))  # fmt: skip
    weighted = Labels(labels.user, labels.item, labels.y, 1.0 + (np.arange(200) < 50))
    models = []
    for rows in (repeated, weighted):
        models.append(unfitted(rows, structure))
        fit_posterior_factors(models[-1], rows, 0.5, seed=0)
    for name in ("mu", "b_u", "b_i", "p", "q"):
        found = [model.block(name).detach().numpy() for model in models]
        np.testing.assert_allclose(*found, rtol=1e-2, atol=1e-3)


def one_taste(n_users=400, n_items=80, density=0.15, strength=3.0, seed=0):
    """Half of the pairs to learn from, the others to judge by, of the same ids."""
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < density)
    order = rng.permutation(len(user))
    user, item = user[order], item[order]
    taste, kind = rng.normal(size=n_users), rng.normal(size=n_items)
    z = strength * taste[user] * kind[item]
    y = (rng.random(len(z)) < expit(z)).astype(float)
    rows = Labels(user, item, y, np.ones(len(y)))
    known, rest = rows[: len(y) // 2], rows[len(y) // 2 :]
    users, code = np.unique(known.user, return_inverse=True)
    rest = rest[np.isin(rest.user, users)]
    assert known.n_ids[1] == n_items
    return replace(known, user=code), replace(
        rest, user=np.searchsorted(users, rest.user)
    )


@torch.no_grad()
def auc(model, rows):
    pairs = torch.from_numpy(rows.user), torch.from_numpy(rows.item)
    return roc_auc_score(rows.y, model(*pairs).numpy())


def test_it_finds_one_taste_where_a_mode_learns_noise():
    known, rest = one_taste()
    posterior, modes = unfitted(known), []
    fit_posterior_factors(posterior, known, 1.0, seed=0)
    for precision in (2.0, 4.0, 8.0, 16.0):
        modes.append(unfitted(known, "factors"))
        prior = dict.fromkeys(modes[-1].blocks, precision)
        fit_bilinear(modes[-1], known, prior, n_steps=300, seed=0)
    assert (posterior.block("p").abs().amax(0) > 0).sum() <= 2
    assert auc(posterior, rest) > max(auc(mode, rest) for mode in modes) + 0.02


def test_where_there_is_no_taste_no_factor_is_left():
    known, _ = one_taste(strength=0.0)
    model = unfitted(known)
    fit_posterior_factors(model, known, 1.0, seed=0)
    assert not model.block("p").any()
    assert not model.block("q").any()


def random_exposures(**parameters):
    """A log of 300 users whose sharp tastes their exposures do not show."""
    return make_sparse_feedback(
        n_users=300, exposure_affinity=0.0, preference_strength=3.0, **parameters
    )


def rows_of(X, y):
    user, item = X.T.astype(np.int64)
    return Labels(user.copy(), item.copy(), y.astype(float), np.ones(len(y)))


def test_many_tastes_want_a_given_precision():
    data = random_exposures(
        n_items=200, n_exposures=40_000, label_fraction=1.0, n_factors=20,
        test_fraction=0.3, random_state=702,
    )  # fmt: skip
    known, rest = rows_of(data.X, data.y), rows_of(data.X_test, data.y_test)
    found = {}
    for structure in ("posterior", "relevance", "factors"):
        found[structure] = model = unfitted(known, structure)
        if structure == "factors":
            prior = dict.fromkeys(model.blocks, 4.0)
            fit_bilinear(model, known, prior, n_steps=500, seed=0)
        else:
            fit_posterior_factors(model, known, 2.0, seed=0)
    aucs = {name: auc(model, rest) for name, model in found.items()}
    assert aucs["posterior"] > max(aucs["relevance"], aucs["factors"]) + 0.005


@pytest.mark.parametrize("structure", ["relevance", "posterior"])
@pytest.mark.parametrize("n", [1, 3, 40])
def test_few_labels_and_one_class(n, structure):
    labels = Labels(np.arange(n), np.zeros(n, dtype=np.int64), np.ones(n), np.ones(n))
    model = unfitted(labels, structure)
    precisions = fit_posterior_factors(model, labels, 0.25, seed=0)
    for name in ("mu", *model.blocks):
        assert torch.isfinite(model.block(name)).all()
    assert all(0 < value < np.inf for value in precisions.values())


def test_precisions_hold_every_block_at_its_size():
    known, _ = one_taste()
    model = unfitted(known)
    precisions = fit_posterior_factors(model, known, 1.0, seed=0)
    flat = FlatBlocks(model)
    flat.add_loss_gradient(known)
    for name in model.blocks:
        slope = len(known) * flat.slopes[name] + precisions[name] * flat.values[name]
        along = (slope * flat.values[name]).sum()
        assert abs(along) < 1e-3 * precisions[name] * (flat.values[name] ** 2).sum()


def test_the_seed_fixes_it():
    known, rest = one_taste()
    aucs = []
    for seed in (0, 0, 1):
        model = unfitted(known)
        fit_posterior_factors(model, known, 1.0, seed=seed)
        aucs.append(auc(model, rest))
    assert aucs[0] == aucs[1]
    assert aucs[2] == pytest.approx(aucs[0], abs=0.01)


def test_sharp_labels_bring_it_in(tmp_path):
    sharp = random_exposures(
        n_items=300, n_exposures=20_000, label_fraction=0.6, n_factors=1,
        random_state=7,
    )  # fmt: skip
    est = CrossEntropyRecommender(random_state=0, device="cpu")
    est.fit(sharp.X, sharp.y, X_unlab=(sharp.X_unlab,))
    assert "relevance" in est.net_.module_.settings()["structures"]
    proba = est.predict_proba(sharp.X_test)
    est.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(sharp.X_test), proba)
    new = np.array([[1000, 0], [1000, 1], [1001, 2]])
    est.partial_fit(new, [1, 1, 0])
    untouched = ~np.isin(sharp.X_test[:, 1], new[:, 1])
    after = est.predict_proba(sharp.X_test)
    np.testing.assert_array_equal(after[untouched], proba[untouched])
