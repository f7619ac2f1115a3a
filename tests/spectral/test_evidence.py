"""The operator J, conjugate gradients and degrees of freedom, against dense algebra."""

import numpy as np
import pytest
import torch

from sklearn_invlearn.spectral import STRUCTURES, Bilinear, update_precisions
from sklearn_invlearn.spectral._bilinear import PRECISIONS, TERMS, expanded, rescale
from sklearn_invlearn.spectral._evidence import Design, conjugate_gradients
from sklearn_invlearn.spectral._logits import logits_of, terms_of

N_USERS, N_ITEMS, R, N = 6, 5, 3, 40


@pytest.fixture(params=STRUCTURES)
def problem(request):
    rng = np.random.default_rng(0)
    P = rng.normal(size=(N_USERS, R)).astype(np.float32)
    Q = rng.normal(size=(N_ITEMS, R)).astype(np.float32)
    torch.manual_seed(0)
    model = Bilinear(P, Q, request.param, base_rate=0.3)
    with torch.no_grad():
        for name in model.blocks:
            model.block(name).normal_()
    return model, rng.integers(N_USERS, size=N), rng.integers(N_ITEMS, size=N)


def by_hand(model, u, i):
    z = model.mu + model.b_u.weight[u, 0] + model.b_i.weight[i, 0]
    if "a" in model.blocks:
        P, Q = model.P.weight[u], model.Q.weight[i]
        z = z + model.a[0] @ P + model.c[0] @ Q + P @ torch.diag(model.g[0]) @ Q
        if "W" in model.blocks:
            z = z + P @ model.W @ Q + model.e.weight[u] @ Q + model.d.weight[i] @ P
    if "p" in model.blocks:
        z = z + model.p.weight[u] @ model.q.weight[i]
    return z


def test_forward_is_the_formula(problem):
    model, user, item = problem
    logit = model(torch.from_numpy(user), torch.from_numpy(item))
    expected = torch.stack([by_hand(model, u, i) for u, i in zip(user, item)])
    torch.testing.assert_close(logit, expected)


def test_terms_add_up_and_are_rescaled_one_by_one(problem):
    model, user, item = problem
    terms = terms_of(model, user, item)
    logit = model(torch.from_numpy(user), torch.from_numpy(item)).detach().numpy()
    np.testing.assert_allclose(terms.sum(axis=1), logit, atol=1e-5, rtol=1e-5)
    found = logits_of(model, user, item)
    np.testing.assert_allclose(found, logit, atol=1e-5, rtol=1e-5)
    precisions = dict.fromkeys(model.blocks, 2.0)
    factors = 0.25 * (1 + np.arange(terms.shape[1]))
    changed = rescale(model, precisions, factors)
    rescaled = terms_of(model, user, item)
    np.testing.assert_allclose(rescaled, terms * factors, atol=1e-5, rtol=1e-5)
    alone = ("b_u", "b_i", "a", "c", "g", "e", "d")
    of_block = dict(zip((name for name in alone if name in model.blocks), factors))
    for name in of_block:
        assert changed[name] == pytest.approx(2.0 / of_block[name])
    assert changed.get("p", 2.0) == changed.get("q", 2.0) == 2.0
    assert set(precisions.values()) == {2.0}
    assert sum(TERMS, ()) == ("mu", *PRECISIONS)


def dense_jacobian(model, user, item, names):
    """J as a matrix (N, n_parameters), by autograd, one pair at a time."""
    blocks = [model.block(name) for name in names]
    rows = []
    for u, i in zip(user, item):
        z = model(torch.tensor([u]), torch.tensor([i])).sum()
        gradients = torch.autograd.grad(z, blocks)
        rows.append(torch.cat([g.flatten() for g in gradients]))
    return torch.stack(rows).numpy()


def flat(v, names):
    return np.concatenate([v[name].ravel() for name in names])


def test_design_is_the_jacobian(problem):
    model, user, item = problem
    rng = np.random.default_rng(1)
    design = Design(model, user, item)
    J = dense_jacobian(model, user, item, design.names)
    v = {
        name: rng.normal(size=model.block(name).shape).astype(np.float32)
        for name in design.names
    }
    r = rng.normal(size=N).astype(np.float32)
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(design.times(v), J @ flat(v, design.names), **close)
    transposed = flat(design.transposed_times(r), design.names)
    np.testing.assert_allclose(transposed, J.T @ r, **close)
    squared = flat(design.squared_times(r**2), design.names)
    np.testing.assert_allclose(squared, (J**2 * r[:, None] ** 2).sum(0), **close)


def test_conjugate_gradients_solve_and_the_probe_estimates_the_trace(problem):
    model, user, item = problem
    rng = np.random.default_rng(2)
    design = Design(model, user, item)
    J = dense_jacobian(model, user, item, design.names)
    w = rng.uniform(0.05, 0.25, N).astype(np.float32)
    precisions = {name: 0.5 + k for k, name in enumerate(design.names)}
    sizes = {name: model.block(name).numel() for name in design.names}
    diagonal = np.concatenate([np.full(sizes[k], precisions[k]) for k in design.names])
    information = J.T @ (w[:, None] * J)
    H = information + np.diag(diagonal)
    exact = np.diag(np.linalg.solve(H, information))
    estimate = np.zeros_like(exact)
    n_probes = 400
    for _ in range(n_probes):
        sign = rng.choice(np.array([-1, 1], dtype=np.float32), N)
        r = design.transposed_times(np.sqrt(w) * sign)
        v = conjugate_gradients(design, w, precisions, r, n_steps=60, tolerance=1e-12)
        solved = flat(v, design.names)
        np.testing.assert_allclose(
            H @ solved, flat(r, design.names), rtol=1e-2, atol=1e-3
        )
        estimate += solved * flat(r, design.names) / n_probes
    start = 0
    for name in design.names:
        block = slice(start, start + sizes[name])
        assert estimate[block].sum() == pytest.approx(exact[block].sum(), abs=0.25)
        start += sizes[name]


def test_precisions_rise_where_there_is_nothing_and_fall_where_there_is():
    """A user bias that labels support gets a smaller precision than one at zero."""
    rng = np.random.default_rng(3)
    user, item = rng.integers(1, 40, 4000), rng.integers(1, 30, 4000)
    empty = np.zeros((40, 0), dtype=np.float32)
    model = Bilinear(empty, np.zeros((30, 0), np.float32), "biases", base_rate=0.5)
    with torch.no_grad():
        model.b_u.weight.normal_(std=1.5)
        model.b_i.weight.normal_(std=0.01)
    precisions = {"b_u": 3.0, "b_i": 3.0}
    for _ in range(5):
        update_precisions(model, user, item, np.ones(4000), precisions, rng)
    assert precisions["b_u"] < 1.0
    assert precisions["b_i"] > 10.0
    assert set(PRECISIONS) == set(STRUCTURES["full"])


def test_expanded_keeps_scores_and_leaves_the_rest_to_the_embeddings(problem):
    part, user, item = problem
    rng = np.random.default_rng(4)
    users, items = np.array([1, 3, 4, 6, 8, 9]), np.array([2, 3, 5, 7, 11])
    P = rng.normal(size=(12, R)).astype(np.float32)
    Q = rng.normal(size=(13, R)).astype(np.float32)
    if "a" in part.blocks:
        P[users], Q[items] = part.P.weight.numpy(), part.Q.weight.numpy()
    whole = expanded(part, P, Q, users, items)
    before = part(torch.from_numpy(user), torch.from_numpy(item))
    after = whole(torch.from_numpy(users[user]), torch.from_numpy(items[item]))
    torch.testing.assert_close(before, after)
    assert not whole.b_u.weight[0].any()
    assert not whole.b_i.weight[0].any()
