"""The exact fit of the convex structures, against scikit-learn and a dense gradient."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn.spectral import Bilinear, Labels, fit_spectral
from sklearn_invlearn.spectral._convex import fit_convex
from sklearn_invlearn.spectral._training import penalty

N_USERS, N_ITEMS, R, N = 20, 15, 3, 600


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    user, item = rng.integers(N_USERS, size=N), rng.integers(N_ITEMS, size=N)
    logit = rng.normal(size=N_USERS)[user] + rng.normal(size=N_ITEMS)[item]
    y = (rng.random(N) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    return Labels(user, item, y, np.ones(N, dtype=np.float32))


def embeddings(rng):
    shapes = (N_USERS, R), (N_ITEMS, R)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("strength", [0.3, 1.0, 10.0])
def test_biases_are_ridge_logistic_regression_on_one_hot_columns(labels, strength):
    P, Q = embeddings(np.random.default_rng(1))
    model = Bilinear(P, Q, "biases", labels.base_rate)
    fit_convex(model, labels, {"b_u": strength, "b_i": strength})
    one_hot = OneHotEncoder().fit_transform(np.column_stack([labels.user, labels.item]))
    half_rows = sparse.csr_array((2, one_hot.shape[1]))  # only the intercept sees them
    reference = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=5000)
    reference.fit(
        sparse.vstack([one_hot, half_rows]),
        np.r_[labels.y, 0, 1],
        sample_weight=np.r_[labels.weight, 0.5, 0.5],
    )
    with torch.no_grad():
        ours = model(torch.from_numpy(labels.user), torch.from_numpy(labels.item))
    np.testing.assert_allclose(
        ours.numpy(), reference.decision_function(one_hot), atol=5e-3
    )


def test_linear_structure_is_at_a_stationary_point(labels):
    P, Q = embeddings(np.random.default_rng(2))
    model = Bilinear(P, Q, "linear", labels.base_rate)
    precisions = {"b_u": 1.0, "b_i": 2.0, "a": 0.5, "c": 3.0, "g": 0.1}

    def loss():
        z = model(torch.from_numpy(labels.user), torch.from_numpy(labels.item))
        y = torch.from_numpy(labels.y)
        ce = torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="sum")
        return ce + penalty(model, precisions)

    blocks = [model.mu, *(model.block(name) for name in precisions)]
    before = [g.abs().max() for g in torch.autograd.grad(loss(), blocks)]
    fit_convex(model, labels, precisions)
    after = [g.abs().max() for g in torch.autograd.grad(loss(), blocks)]
    assert max(after) < 0.02 * max(before)


def test_weights_are_repetitions(labels):
    P, Q = embeddings(np.random.default_rng(3))
    repeat = np.random.default_rng(4).integers(0, 3, N)
    rows = np.repeat(np.arange(N), repeat)
    scores = []
    for given in (
        Labels(labels.user, labels.item, labels.y, repeat.astype(np.float32)),
        labels[rows],
    ):
        model = Bilinear(P, Q, "linear", labels.base_rate)
        fit_convex(model, given, dict.fromkeys(("b_u", "b_i", "a", "c", "g"), 1.0))
        with torch.no_grad():
            user, item = torch.from_numpy(labels.user), torch.from_numpy(labels.item)
            scores.append(model(user, item).numpy())
    np.testing.assert_allclose(*scores, atol=1e-2)


def test_tiny_data_is_fitted_exactly_and_not_by_chance(labels):
    """Without p and q, torch's global seed has no say."""
    exposed = np.stack([labels.user, labels.item])
    logit = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        fit = fit_spectral(labels, exposed, (N_USERS, N_ITEMS), seed=0)
        assert all("p" not in model.blocks for model in fit.models)
        user, item = torch.from_numpy(labels.user), torch.from_numpy(labels.item)
        with torch.no_grad():
            logit.append(
                sum(w * m(user, item) for w, m in zip(fit.weights, fit.models))
            )
    torch.testing.assert_close(*logit, rtol=0, atol=0)
