from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_invlearn.metrics import _pieces
from sklearn_invlearn.metrics._gauc import user_aucs
from sklearn_invlearn.metrics._grouped import (
    mean_over_users,
    tie_blocks,
    values_of_mixed_users,
)

from ._cases import labelled_pairs, random_pairs


def as_rows(blocks):
    """Return the set of (user, above, size, hits)."""
    users = blocks.per_block(blocks.user)
    return set(
        zip(*(a.tolist() for a in (users, blocks.above, blocks.size, blocks.hits)))
    )


def blocks_by_hand(positive, score, codes):
    """Count above, size and hits of every distinct (user, score), literally."""
    rows = set()
    for user, value in set(zip(codes, score)):
        own = [(s, p) for s, p, c in zip(score, positive, codes) if c == user]
        above = sum(s > value for s, _ in own)
        tied = [p for s, p in own if s == value]
        rows.add((user, above, len(tied), sum(tied)))
    return rows


def test_hand_value():
    positive = np.array([True, False, True, False, True])
    score = np.array([3.0, 1.0, 1.0, 2.0, 2.0])
    codes = np.array([0, 0, 0, 1, 1])
    blocks = tie_blocks(positive, score, codes)
    assert as_rows(blocks) == {(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 2, 1)}
    assert dict(zip(blocks.user, blocks.n_pairs)) == {0: 3, 1: 2}
    assert dict(zip(blocks.user, blocks.n_positive)) == {0: 2, 1: 1}


@given(labelled_pairs())
def test_same_as_counting(pairs):
    y_true, y_score, users = pairs
    codes = [["ann", "bob", 7, "eve"].index(user) for user in users]
    blocks = tie_blocks(np.array(y_true, bool), np.array(y_score), np.array(codes))
    assert as_rows(blocks) == blocks_by_hand(y_true, y_score, codes)


def test_codes_beyond_sixteen_bits():
    y_true, y_score, _ = random_pairs(60, n_users=1, n_scores=3)
    codes = np.array([0, 1, 2**16, 2**16 + 1, 2**17, 2**18 + 1])
    codes = np.random.default_rng(1).choice(codes, 60)
    blocks = tie_blocks(y_true.astype(bool), y_score, codes)
    assert as_rows(blocks) == blocks_by_hand(
        *map(np.ndarray.tolist, (y_true, y_score, codes))
    )
    assert (np.diff(blocks.user) > 0).all()


@pytest.mark.parametrize("n_users", [1, 40, 3000])
@pytest.mark.parametrize("pairs_of_a_piece", [1, 2, 7, 100, 8192])
def test_pieces_make_no_difference(monkeypatch, n_users, pairs_of_a_piece):
    """Users with more pairs than a piece, users without any, and ends that meet."""
    monkeypatch.setattr(_pieces, "_PAIRS", pairs_of_a_piece)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, n_users, 500) ** 2 // max(n_users - 1, 1)
    positive, score = rng.random(500) < 0.3, rng.integers(0, 4, 500)
    blocks = tie_blocks(positive, score, codes)
    assert as_rows(blocks) == blocks_by_hand(
        *map(np.ndarray.tolist, (positive, score, codes))
    )
    assert blocks.user.tolist() == sorted(set(codes.tolist()))
    assert (np.diff(blocks.first) > 0).all()


@pytest.mark.parametrize("n_users", [65_536, 70_000])
def test_pieces_of_many_users_with_a_pair_each(monkeypatch, n_users):
    monkeypatch.setattr(_pieces, "_PAIRS", 65_536)
    codes = np.random.default_rng(0).permutation(n_users)
    blocks = tie_blocks(codes % 3 == 0, codes / 7, codes)
    assert blocks.user.tolist() == list(range(n_users))
    assert (blocks.hits == (np.arange(n_users) % 3 == 0)).all()
    assert (blocks.size == 1).all()


@pytest.mark.parametrize(
    "score",
    [
        np.array([-128, 127, 0], dtype=np.int8),
        np.array([0, 2**64 - 1, 1], dtype=np.uint64),
        np.array([False, True, False]),
        np.array([-np.inf, np.inf, 0.0]),
        np.array([2**53, 2**53 + 2, 2**53 + 1]),
    ],
    ids=lambda score: str(score.dtype),
)
def test_order_of_extreme_scores(score):
    blocks = tie_blocks(np.array([False, True, False]), score, np.zeros(3, int))
    assert blocks.hits[0] == 1
    assert blocks.size[0] == 1


def test_minus_zero_ties_with_zero():
    blocks = tie_blocks(
        np.array([True, False]), np.array([0.0, -0.0]), np.zeros(2, int)
    )
    assert as_rows(blocks) == {(0, 0, 2, 1)}


def test_no_pairs():
    empty = np.empty(0, dtype=np.int64)
    blocks = tie_blocks(empty.astype(bool), empty.astype(float), empty)
    assert len(blocks.size) == len(blocks.first) == len(blocks.n_pairs) == 0
    assert len(blocks.expected_gain(lambda rank: rank)) == 0


def test_only_users_with_both_classes():
    labels, scores, users = [1, 0, 1, 1, 0], [1, 2, 3, 4, 5], list("aabbc")
    n_pairs, n_positive, hits = values_of_mixed_users(
        labels,
        scores,
        users,
        None,
        lambda blocks: blocks.n_pairs,
        lambda blocks: blocks.n_positive,
        lambda blocks: blocks.hits[blocks.first],
    )
    assert (n_pairs.tolist(), n_positive.tolist(), hits.tolist()) == ([2], [1], [0])


@given(labelled_pairs(), st.integers(1, 9))
def test_values_of_mixed_users_in_pieces(pairs, pairs_of_a_piece):
    """The same values in the same order, however many pairs a piece has."""
    values = [user_aucs, lambda blocks: blocks.n_pairs]
    at_once = values_of_mixed_users(*pairs, None, *values)
    with mock.patch.object(_pieces, "_PAIRS", pairs_of_a_piece):
        in_pieces = values_of_mixed_users(*pairs, None, *values)
    assert [a.tolist() for a in at_once] == [a.tolist() for a in in_pieces]
    classes = {u: {y for y, v in zip(pairs[0], pairs[2]) if v == u} for u in pairs[2]}
    mixed = [u for u, found in classes.items() if len(found) == 2]
    assert sorted(at_once[1]) == sorted(pairs[2].count(u) for u in mixed)


def test_expected_gain_by_hand():
    # Ranks: 1 hit; 2-3 tied with one hit; the gain of rank r is r.
    blocks = tie_blocks(
        np.array([True, True, False]), np.array([2, 1, 1]), np.zeros(3, int)
    )
    gain = blocks.expected_gain(lambda rank: rank * (rank + 1) / 2)
    assert gain.tolist() == [1 + (2 + 3) / 2]


def test_mean_over_users():
    values = np.array([0.0, 1.0])
    assert mean_over_users(values, "raise") == 0.5
    assert mean_over_users(values, "raise", weights=np.array([1, 3])) == 0.75
    assert mean_over_users(values[:0], -1) == -1.0
    assert np.isnan(mean_over_users(values[:0], np.nan))
    with pytest.raises(ValueError, match="no user has both a positive and a negative"):
        mean_over_users(values[:0], "raise")
