"""Batches: every row once a pass, labels stay with their pairs, sources."""

from dataclasses import replace

import pytest
import torch

from sklearn_invlearn.training import (
    EndlessBatches,
    Pairs,
    PoolSource,
    SameUserSource,
    UniformSource,
    UnobservedPairs,
    epoch_batches,
)


@pytest.fixture
def pairs():
    user = torch.arange(10)
    return Pairs(user, user + 100, (user % 2).float(), user.float() + 0.5)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_an_epoch_has_every_row_once_with_its_label_and_weight(pairs):
    batches = list(epoch_batches(pairs, 4, generator()))
    assert [len(b) for b in batches] == [4, 4, 2]
    user = torch.cat([b.user for b in batches])
    assert sorted(user.tolist()) == list(range(10))
    assert user.tolist() != list(range(10))
    for b in batches:
        assert (b.item - b.user == 100).all()
        assert torch.equal(b.y, (b.user % 2).float())
        assert torch.equal(b.weight, b.user.float() + 0.5)


def test_on_another_device_pairs_keep_all_their_columns(pairs):
    rows = torch.arange(10).flip(0)
    moved = replace(pairs, row=rows).to("cpu")
    assert torch.equal(moved.row, rows)
    assert torch.equal(moved.weight, pairs.weight)


def test_two_epochs_differ_and_two_seeds_differ(pairs):
    rng = generator()
    first = torch.cat([b.user for b in epoch_batches(pairs, 4, rng)])
    second = torch.cat([b.user for b in epoch_batches(pairs, 4, rng)])
    again = torch.cat([b.user for b in epoch_batches(pairs, 4, generator())])
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


def test_endless_batches_pass_over_all_rows_before_repeating(pairs):
    batches = EndlessBatches(pairs, 4, generator())
    assert batches.n_batches_per_pass == 3
    for _ in range(3):
        seen = torch.cat([next(batches).user for _ in range(3)])
        assert sorted(seen.tolist()) == list(range(10))


def test_pool_source_ignores_the_labelled_batch(pairs):
    source = PoolSource(pairs, 5, generator())
    seen = torch.cat([source.draw(pairs[:1]).user for _ in range(2)])
    assert sorted(seen.tolist()) == list(range(10))


def test_same_user_source_keeps_the_users():
    labelled = Pairs(torch.tensor([1, 2, 2]), torch.tensor([1, 1, 2]))
    source = SameUserSource(UnobservedPairs(labelled, 3, 5), generator())
    drawn = source.draw(labelled)
    assert drawn.user.tolist() == [1, 2, 2]


def test_same_user_source_falls_back_to_uniform_pairs():
    full_user = Pairs(torch.tensor([1, 1]), torch.tensor([1, 2]))
    source = SameUserSource(UnobservedPairs(full_user, 3, 3), generator())
    assert set(source.draw(full_user).user.tolist()) == {2}


def test_uniform_source_draws_as_many_as_the_labelled_batch():
    labelled = Pairs(torch.tensor([1, 2, 2]), torch.tensor([1, 1, 2]))
    source = UniformSource(UnobservedPairs(labelled, 5, 5), generator())
    assert len(source.draw(labelled)) == 3
