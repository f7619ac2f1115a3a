"""Free factors: where they start, and how strong a prior held-out labels want."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sklearn_invlearn.spectral import Bilinear, Labels, fit_spectral
from sklearn_invlearn.spectral import _factors as factors_module
from sklearn_invlearn.spectral._bilinear import PRECISIONS
from sklearn_invlearn.spectral._factors import precision_of_factors
from sklearn_invlearn.spectral._residual_factors import start_factors
from sklearn_invlearn.spectral._training import fit_bilinear

N_USERS, N_ITEMS, RANK = 120, 90, 3
USUAL = PRECISIONS["p"]


def truth(strength, seed=0):
    """Logits (N_USERS, N_ITEMS) of which only labels tell."""
    rng = np.random.default_rng(seed)
    p, q = (rng.normal(size=(n, RANK)) for n in (N_USERS, N_ITEMS))
    return strength * p @ q.T


def labels_of(z, share=0.7, seed=1):
    """Random pairs with labels, and those without as another such table."""
    rng = np.random.default_rng(seed)
    y = (rng.random(z.shape) < expit(z)).astype(float)
    chosen = rng.random(z.shape) < share
    tables = []
    for where in (chosen, ~chosen):
        user, item = np.nonzero(where)
        n = len(user)
        tables.append(Labels(user, item, y[where], np.ones(n)))
    return tables


def factors_alone(seed=0):
    torch.manual_seed(seed)
    P, Q = (np.zeros((n, 0), dtype=np.float32) for n in (N_USERS, N_ITEMS))
    return Bilinear(P, Q, "factors", base_rate=0.5)


def logits(model, rows):
    with torch.no_grad():
        return model(torch.from_numpy(rows.user), torch.from_numpy(rows.item)).numpy()


def gradient_along(model, rows, k):
    """Slope of the penalised loss in the size a of column k, where λ is 0."""
    size = torch.ones((), requires_grad=True)
    p, q = (model.block(name)[:, k] for name in "pq")
    user, item = torch.from_numpy(rows.user), torch.from_numpy(rows.item)
    z = size * p.detach()[user] * q.detach()[item]
    y = torch.from_numpy(rows.y).float()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="sum")
    return [float(g.detach()) for g in _two_derivatives(loss, size)]


def _two_derivatives(loss, at):
    (first,) = torch.autograd.grad(loss, at, create_graph=True)
    (second,) = torch.autograd.grad(first, at)
    return first, second


def test_factors_start_with_a_newton_step_along_the_singular_vectors():
    known, _ = labels_of(truth(1.0))
    model = factors_alone()
    model.block("p").data.zero_()
    start_factors(model, known, 0.0, np.random.default_rng(0))
    p, q = (model.block(name).detach().numpy() for name in "pq")
    n = int((np.abs(p).sum(axis=0) > 0).sum())
    assert RANK <= n < p.shape[1]
    R = np.zeros((N_USERS, N_ITEMS))
    R[known.user, known.item] = known.y - 0.5
    left, s, right = np.linalg.svd(R)
    where = np.zeros_like(R)
    where[known.user, known.item] = 0.25
    for k in range(RANK):
        u, v = left[:, k], right[k]
        curvature = (where * np.outer(u, v) ** 2).sum()
        expected = s[k] / curvature * np.outer(u, v)
        np.testing.assert_allclose(np.outer(p[:, k], q[:, k]), expected, atol=0.05)
        slope, bend = gradient_along(model, known, k)
        assert slope - bend < 0 < bend  # downhill from zero


@pytest.mark.parametrize("precision", [2.0, 1e6])
def test_the_prior_shortens_the_step_but_leaves_one(precision):
    known, _ = labels_of(truth(1.0))
    free, bound = factors_alone(), factors_alone()
    start_factors(free, known, 0.0, np.random.default_rng(0))
    start_factors(bound, known, precision, np.random.default_rng(0))
    norms = [float(m.block("p").detach().norm()) for m in (bound, free)]
    assert 0 < norms[0] < norms[1]


def test_a_prior_stronger_than_the_structure_gives_way():
    known, _ = labels_of(truth(1.0), share=0.3)
    rng = np.random.default_rng(0)
    drawn = np.zeros((N_USERS, N_ITEMS))
    drawn[known.user, known.item] = rng.choice([-0.5, 0.5], len(known))
    noise = np.linalg.norm(drawn, 2)
    kept = start_factors(factors_alone(), known, 0.1, np.random.default_rng(0))
    assert kept == 0.1
    lowered = start_factors(factors_alone(), known, USUAL, np.random.default_rng(0))
    assert lowered == pytest.approx(0.6 * noise, rel=0.1)
    model = factors_alone()
    learned = fit_bilinear(model, known, None, n_steps=20, seed=0)
    assert learned["p"] == learned["q"] == pytest.approx(lowered, rel=0.1)
    given = fit_bilinear(factors_alone(), known, None, factors=6.0, n_steps=20, seed=0)
    assert given["p"] == 6.0


def test_residuals_without_structure_leave_the_factors_where_they_are():
    known, _ = labels_of(np.zeros((N_USERS, N_ITEMS)))
    model = factors_alone()
    before = model.block("p").detach().clone()
    precision = start_factors(model, known, USUAL, np.random.default_rng(0))
    assert precision == USUAL
    moved = (model.block("p") != before).any(dim=0).sum()
    assert moved <= 1  # the largest of two draws of the same noise


def test_an_offset_is_part_of_the_logit():
    z = truth(1.5)
    known, rest = labels_of(z)
    explained = replace(known, offset=z[known.user, known.item])
    sizes = []
    for rows in (known, explained):
        model = factors_alone()
        precisions = dict.fromkeys(model.blocks, USUAL)
        fit_bilinear(model, rows, precisions, n_steps=150, seed=0)
        sizes.append(logits(model, rest).std())
    assert sizes[1] < 0.5 * sizes[0]
    half = explained[np.arange(0, len(known), 2)]
    np.testing.assert_array_equal(half.offset, explained.offset[::2])


@pytest.mark.parametrize(("strength", "weaker"), [(1.0, True), (0.0, False)])
def test_structure_in_the_labels_wants_a_weaker_prior(strength, weaker):
    known, held_out = labels_of(truth(strength))
    model = factors_alone()
    learned = dict.fromkeys(model.blocks, USUAL)
    fit_bilinear(model, known, learned, n_steps=150, seed=0)
    found = precision_of_factors(model, learned, known, held_out, seed=0)
    assert (found < USUAL) == weaker


def test_few_labels_a_user_are_not_asked(monkeypatch):
    known, held_out = labels_of(truth(1.0), share=0.1)
    monkeypatch.setattr(factors_module, "fit_bilinear", None)
    model = factors_alone()
    learned = dict.fromkeys(model.blocks, USUAL)
    assert precision_of_factors(model, learned, known, held_out, seed=0) == USUAL


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({}, 1.0),
        ({0.75: 0.99}, 0.75),
        ({0.55: 0.99}, 0.55),  # past a plateau
        ({0.75: 1.01, 0.55: 0.99}, 1.0),
        ({0.75: 0.999}, 1.0),  # a gain too small to be one
        ({0.75: 0.99, 0.55: 0.98, 0.4: 0.979}, 0.55),
        ({1.35: 0.9, 1.85: 0.8, 2.5: 0.7}, 2.5),
    ],
)
def test_the_search_goes_on_while_it_pays(losses, expected):
    asked = []

    def loss(precision):
        asked.append(precision)
        return losses.get(precision / 8, 1.0)

    assert factors_module._while_it_pays(loss, 8.0) == expected * 8
    assert len(asked) == len(set(asked))


def test_structure_that_exposures_do_not_show_is_found():
    z = truth(1.0)
    known, rest = labels_of(z)
    exposed = np.stack(np.nonzero(np.ones(z.shape)))
    torch.manual_seed(0)
    fit = fit_spectral(known, exposed, z.shape, seed=0)
    scores = fit.intercept + sum(
        w * logits(m, rest) for w, m in zip(fit.weights, fit.models)
    )
    best = roc_auc_score(rest.y, z[rest.user, rest.item])
    assert best - 0.1 < roc_auc_score(rest.y, scores) < best
    assert fit.precisions[-1]["p"] < USUAL
