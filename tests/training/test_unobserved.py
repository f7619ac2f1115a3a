"""The sampler of unobserved pairs, against the list of all of them."""

from itertools import product
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_invlearn.training import Pairs, UnobservedPairs, _sorted_search
from sklearn_invlearn.training._sorted_search import count_up_to


def pairs_of(observed):
    user, item = np.array(sorted(observed), dtype=np.int64).reshape(-1, 2).T
    return Pairs(torch.tensor(user), torch.tensor(item))


def all_unobserved(observed, n_users, n_items):
    return sorted(set(product(range(1, n_users), range(1, n_items))) - set(observed))


@st.composite
def tables(draw):
    n_users, n_items = draw(st.integers(2, 7)), draw(st.integers(2, 7))
    cells = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1))
    return draw(st.sets(cells)), n_users, n_items


@given(table=tables())
@settings(deadline=None)
def test_ranks_enumerate_the_unobserved_pairs_in_order(table):
    observed, n_users, n_items = table
    expected = all_unobserved(observed, n_users, n_items)
    sampler = UnobservedPairs(pairs_of(observed), n_users, n_items)
    assert len(sampler) == len(expected)
    pairs = sampler._pair_of_rank(torch.arange(len(expected)))
    assert list(zip(pairs.user.tolist(), pairs.item.tolist())) == expected


@given(table=tables(), seed=st.integers(0, 2**31))
@settings(deadline=None)
def test_draws_are_unobserved_pairs_of_known_ids(table, seed):
    observed, n_users, n_items = table
    expected = set(all_unobserved(observed, n_users, n_items))
    sampler = UnobservedPairs(pairs_of(observed), n_users, n_items)
    generator = torch.Generator().manual_seed(seed)
    drawn = sampler.draw(50, generator)
    assert len(drawn) == (50 if expected else 0)
    assert set(zip(drawn.user.tolist(), drawn.item.tolist())) <= expected

    users = torch.arange(n_users).repeat(5)
    drawn = sampler.draw_for_users(users, generator)
    assert set(zip(drawn.user.tolist(), drawn.item.tolist())) <= expected
    assert len(drawn) == (len(users) if expected else 0)
    can_draw = {user for user, _ in expected}
    for wanted, user in zip(users.tolist(), drawn.user.tolist()):
        assert user == wanted or wanted not in can_draw


def test_draws_are_uniform():
    observed = {(1, 1), (1, 2), (2, 3), (3, 1), (3, 3)}
    sampler = UnobservedPairs(pairs_of(observed), 4, 4)  # 9 - 5 = 4 pairs are left
    generator = torch.Generator().manual_seed(0)
    drawn = sampler.draw(40_000, generator)
    _, counts = np.unique(
        np.stack([drawn.user, drawn.item]), axis=1, return_counts=True
    )
    assert counts == pytest.approx([10_000] * 4, rel=0.05)

    drawn = sampler.draw_for_users(torch.full((30_000,), 2), generator)
    items, counts = np.unique(drawn.item, return_counts=True)
    assert items.tolist() == [1, 2]
    assert counts == pytest.approx([15_000] * 2, rel=0.05)


def test_large_tables_do_not_overflow():
    n = 2_000_000  # 4e12 pairs, far beyond 2**31
    observed = Pairs(torch.tensor([1, n - 1]), torch.tensor([1, n - 1]))
    sampler = UnobservedPairs(observed, n, n)
    assert len(sampler) == (n - 1) ** 2 - 2
    last = sampler._pair_of_rank(torch.tensor([0, len(sampler) - 1]))
    assert last.user.tolist() == [1, n - 1]
    assert last.item.tolist() == [2, n - 2]


columns = st.lists(st.integers(0, 60) | st.integers(0, 2**62), min_size=1)


@given(column=columns, wanted=columns, at_a_time=st.integers(1, 9))
def test_searches_in_rough_order_find_what_each_would_find(column, wanted, at_a_time):
    column, wanted = torch.tensor(sorted(column)), torch.tensor(wanted + column[:3])
    expected = [sum(value <= w for value in column.tolist()) for w in wanted.tolist()]
    assert count_up_to(column, wanted).tolist() == expected
    with (
        mock.patch.object(_sorted_search, "_MANY", 1),
        mock.patch.object(_sorted_search, "_AT_A_TIME", at_a_time),
    ):
        assert count_up_to(column, wanted).tolist() == expected


def test_large_draws_are_those_of_small_ones(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    user, item = (torch.randint(1, 500, (80_000,), generator=generator) for _ in "ui")
    sampler = UnobservedPairs(Pairs(user, item), 500, 500)
    monkeypatch.setattr(_sorted_search, "_MANY", 1)
    large = sampler.draw(70_000, torch.Generator().manual_seed(1))
    monkeypatch.setattr(_sorted_search, "_MANY", 10**9)
    small = sampler.draw(70_000, torch.Generator().manual_seed(1))
    assert torch.equal(large.user, small.user)
    assert torch.equal(large.item, small.item)
    observed, drawn = (set((p.user * 500 + p.item).tolist()) for p in (
        Pairs(user, item), large))  # fmt: skip
    assert not observed & drawn
