"""The gradient of models with free factors, written out, against autograd."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from sklearn_invlearn.spectral import penalty
from sklearn_invlearn.spectral._bilinear import PRECISIONS, Bilinear
from sklearn_invlearn.spectral._gradient import FlatBlocks
from sklearn_invlearn.spectral._labels import Labels
from sklearn_invlearn.spectral._training import fit_bilinear

N_USERS, N_ITEMS = 7, 5


def model_of(rank, structure="full", seed=0):
    rng = np.random.default_rng(seed)
    P, Q = (rng.normal(size=(n, rank)).astype(np.float32) for n in (N_USERS, N_ITEMS))
    torch.manual_seed(seed)
    return Bilinear(P, Q, structure, 0.3)


def labels_of(n, *, users=N_USERS, offset=False):
    """Rows with weights; among so few pairs, many are there more than once."""
    rng = np.random.default_rng(1)
    return Labels(
        rng.integers(0, users, n),
        rng.integers(0, N_ITEMS, n),
        rng.integers(0, 2, n).astype(float),
        rng.uniform(0.5, 1.5, n),
        rng.normal(size=n) if offset else None,
    )


def loss_of(model, rows):
    z = model(torch.from_numpy(rows.user), torch.from_numpy(rows.item))
    if rows.offset is not None:
        z = z + torch.from_numpy(rows.offset)
    y, weight = (torch.from_numpy(x).float() for x in (rows.y, rows.weight))
    return binary_cross_entropy_with_logits(z, y, weight)


@pytest.mark.parametrize("users", [N_USERS, 3], ids=["all users", "three of them"])
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("structure", ["factors", "full"])
def test_gradient_is_that_of_autograd(structure, offset, users):
    model, rows = model_of(4, structure), labels_of(60, users=users, offset=offset)
    for name in model.blocks:
        torch.nn.init.normal_(model.block(name))
    loss_of(model, rows).backward()
    expected = {name: model.block(name).grad for name in ("mu", *model.blocks)}
    flat = FlatBlocks(model)
    flat.gradient.fill_(2.0)
    flat.add_loss_gradient(rows)
    for name, slope in expected.items():
        got = torch.from_numpy(flat.slopes[name]) - 2.0
        torch.testing.assert_close(got, slope, atol=2e-6, rtol=1e-4)


def test_what_moves_the_vector_moves_the_model():
    model = model_of(4)
    before = {name: model.block(name).clone() for name in ("mu", *model.blocks)}
    flat = FlatBlocks(model)
    for name, block in before.items():
        torch.testing.assert_close(model.block(name), block)
    flat.vector += 1.0
    for name, block in before.items():
        torch.testing.assert_close(model.block(name), block + 1.0)
        np.testing.assert_array_equal(flat.values[name], model.block(name).detach())


def test_training_takes_the_steps_of_adam_on_the_penalised_loss(monkeypatch):
    """As a literal loop with autograd takes them, all rows in one batch."""
    monkeypatch.setattr(
        "sklearn_invlearn.spectral._training.start_factors", lambda *args: 0.0
    )
    rows, n_steps = labels_of(50), 40
    fast, literal = model_of(4), model_of(4)
    fit_bilinear(fast, rows, dict(PRECISIONS), n_steps=n_steps, seed=0)
    optimizer = torch.optim.Adam(
        [p for p in literal.parameters() if p.requires_grad], betas=(0.9, 0.99)
    )
    for step in range(n_steps):
        fall = 0.5 * (1 + math.cos(math.pi * step / n_steps))
        optimizer.param_groups[0]["lr"] = 0.03 * min(1, (step + 1) / 30) * fall
        optimizer.zero_grad()
        loss = loss_of(literal, rows) + penalty(literal, PRECISIONS) / len(rows)
        loss.backward()
        optimizer.step()
    for name in ("mu", *fast.blocks):
        torch.testing.assert_close(
            fast.block(name), literal.block(name), atol=1e-4, rtol=1e-3
        )
