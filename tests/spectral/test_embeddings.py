"""Embeddings of exposures: factorisation, noise level, rows without exposures."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from sklearn_invlearn.spectral import exposure_matrix, spectral_embeddings
from sklearn_invlearn.spectral._als import (
    _BLOCK_ENTRIES,
    _rows_of_similar_length,
    implicit_als,
)
from sklearn_invlearn.spectral._embeddings import embeddings_for, without
from sklearn_invlearn.spectral._other_exposures import other_exposures
from sklearn_invlearn.spectral._svd import truncated_svd

N_USERS, N_ITEMS = 120, 80


def blocks(rng, n_pairs=4000, mixing=0.1):
    """Two groups of users, each mostly shown one of two groups of items."""
    user = rng.integers(1, N_USERS, n_pairs)
    item = rng.integers(1, N_ITEMS // 2, n_pairs) * 2
    stray = rng.random(n_pairs) < mixing
    item = item + ((user % 2) ^ stray)
    return user, np.minimum(item, N_ITEMS - 1)


@pytest.fixture
def exposures():
    user, item = blocks(np.random.default_rng(0))
    return exposure_matrix(user, item, (N_USERS, N_ITEMS))


def test_exposure_matrix_counts_a_pair_once():
    matrix = exposure_matrix(np.array([1, 1, 2]), np.array([3, 3, 0]), (4, 5))
    assert matrix.toarray().sum() == 2
    assert matrix[1, 3] == 1


def test_als_half_step_solves_the_weighted_normal_equations():
    rng = np.random.default_rng(0)
    dense = (rng.random((7, 5)) < 0.4).astype(np.float32)
    matrix = sparse.csr_array(dense)
    user, item = implicit_als(matrix, 2, rng, confidence=3.0, ridge=0.5)
    # The last half step solved for the items, given the users.
    for i in range(5):
        c = np.diag(1 + 3.0 * dense[:, i])
        normal = user.T @ c @ user + 0.5 * np.eye(2)
        expected = np.linalg.solve(normal, user.T @ c @ dense[:, i])
        np.testing.assert_allclose(item[i], expected, rtol=1e-4, atol=1e-5)


def test_groups_are_told_apart(exposures):
    embeddings = spectral_embeddings(exposures, np.random.default_rng(0))
    users = embeddings.user[1:]
    group = np.arange(1, N_USERS) % 2
    centre = [users[group == g].mean(axis=0) for g in (0, 1)]
    nearer = ((users - centre[0]) ** 2).sum(1) > ((users - centre[1]) ** 2).sum(1)
    assert (nearer == group).mean() > 0.95


def test_random_exposures_leave_little_but_structure_leaves_more(exposures):
    rng = np.random.default_rng(1)
    pairs = exposures.tocoo()
    user, item = pairs.coords
    shuffled = exposure_matrix(user, rng.permutation(item), exposures.shape)
    random = spectral_embeddings(shuffled, np.random.default_rng(2)).user
    n_other = 16 + 3  # factors and degree columns, at most
    assert random.shape[1] - n_other < 10  # of 79 directions
    leading = spectral_embeddings(exposures, np.random.default_rng(2)).raw_user[1:, 1]
    parity = np.arange(1, N_USERS) % 2
    assert abs(np.corrcoef(leading, parity)[0, 1]) > 0.9


def test_scale_and_determinism(exposures):
    first, second = (
        spectral_embeddings(exposures, np.random.default_rng(3)) for _ in range(2)
    )
    for name in ("user", "item", "raw_user", "raw_item"):
        table = getattr(first, name)
        assert table.dtype == np.float32
        assert np.isfinite(table).all()
        assert np.array_equal(table, getattr(second, name))


@pytest.mark.parametrize("shape", [(2, 2), (2, 9), (9, 2)])
def test_a_single_user_or_item_is_no_error(shape):
    matrix = exposure_matrix(np.array([1]), np.array([1]), shape)
    embeddings = spectral_embeddings(matrix, np.random.default_rng(0))
    assert embeddings.user.shape[0] == shape[0]
    assert embeddings.raw_item.shape == (shape[1], 0)
    assert np.isfinite(embeddings.user).all()


def test_labelled_pairs_can_be_left_out(exposures):
    labelled = exposure_matrix(np.array([1, 2]), np.array([3, 4]), exposures.shape)
    both = exposures.maximum(labelled)
    rest = without(both, labelled)
    assert rest.nnz == both.nnz - 2
    assert rest[1, 3] == rest[2, 4] == 0
    assert ((rest + labelled) != both).nnz == 0


def test_newcomers_are_a_mean_in_one_view_and_zero_in_the_other():
    user, item = blocks(np.random.default_rng(0))
    keep = (user != 7) & (item != 9)
    matrix = exposure_matrix(user[keep], item[keep], (N_USERS, N_ITEMS))
    embeddings = spectral_embeddings(matrix, np.random.default_rng(0))
    known = np.delete(np.arange(1, N_USERS), 7 - 1)
    for row in (0, 7):
        newcomer = embeddings.user[row]
        weight = np.asarray(matrix.sum(axis=1)).ravel()[known] ** -0.5
        expected = np.average(embeddings.user[known], axis=0, weights=weight)
        np.testing.assert_allclose(newcomer, expected, rtol=1e-4, atol=1e-5)
        assert not embeddings.raw_user[row].any()
    np.testing.assert_array_equal(embeddings.item[0], embeddings.item[9])


@pytest.mark.parametrize("longest", [1, 150, 1500, 30_000])
def test_als_takes_as_many_rows_at_once_as_a_block_holds(longest):
    rng = np.random.default_rng(0)
    lengths = np.append(rng.integers(0, 100, 3000), longest)
    starts = np.append(0, lengths.cumsum())
    columns = rng.integers(0, 40_000, starts[-1])
    shape = (len(lengths), 40_000)
    matrix = sparse.csr_array((np.ones(len(columns)), columns, starts), shape=shape)
    blocks = list(_rows_of_similar_length(matrix))
    rows = np.concatenate([rows for rows, _ in blocks])
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(lengths)))
    for rows, entries in blocks:
        assert entries.size <= _BLOCK_ENTRIES or len(rows) == 1
        for row, found in zip(rows, entries):
            expected = columns[starts[row] : starts[row + 1]]
            np.testing.assert_array_equal(found[: len(expected)], expected)
            assert (found[len(expected) :] == -1).all()
    # Of any two in turn the first could not have taken the next row, too.
    for (rows, _), (_, following) in pairwise(blocks):
        shortest = max((following[0] >= 0).sum(), 1)
        assert (len(rows) + 1) * shortest > _BLOCK_ENTRIES


def test_als_treats_users_of_the_same_single_item_as_one():
    rng = np.random.default_rng(5)
    few = rng.random((30, 6)) < 0.4
    single = np.eye(6)[rng.integers(0, 6, 50)] > 0
    matrix = np.vstack([few, single])[rng.permutation(80)].astype(np.float32)
    user, item = implicit_als(
        sparse.csr_array(matrix), 2, np.random.default_rng(1), n_sweeps=3
    )
    expected = np.random.default_rng(1).normal(scale=0.1, size=(6, 2))

    def solved(rows, other):
        """Literal: one user (or item) after the other."""
        return np.array(
            [
                np.linalg.solve(
                    other.T @ np.diag(1 + 10.0 * row) @ other + 10.0 * np.eye(2),
                    other.T @ (11.0 * row),
                )
                for row in rows
            ]
        )

    for _ in range(3):
        users = solved(matrix, expected)
        expected = solved(matrix.T, users)
    np.testing.assert_allclose(user, users, atol=1e-4)
    np.testing.assert_allclose(item, expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (15, 15)])
def test_truncated_svd_is_the_svd(shape):
    dense = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    matrix = sparse.csr_array(dense)
    left, scale, right = truncated_svd(matrix, 3, np.random.default_rng(1))
    u, s, vt = np.linalg.svd(dense)
    np.testing.assert_allclose(scale, s[:3], rtol=1e-2)
    everything = truncated_svd(matrix, 100, np.random.default_rng(1))
    k = min(shape) - 1
    best = (u[:, :k] * s[:k]) @ vt[:k]
    np.testing.assert_allclose(
        (everything[0] * everything[1]) @ everything[2].T, best, atol=1e-3
    )
    np.testing.assert_allclose(left.T @ left, np.eye(3), atol=1e-4)
    np.testing.assert_allclose(right.T @ right, np.eye(3), atol=1e-4)


def test_truncated_svd_leaves_out_what_is_not_there():
    dense = np.outer(np.arange(1, 9), np.ones(5)).astype(np.float32)
    left, scale, right = truncated_svd(
        sparse.csr_array(dense), 4, np.random.default_rng(0)
    )
    assert (left[:, 1:] == 0).all()
    assert (right[:, 1:] == 0).all()
    np.testing.assert_allclose((left * scale) @ right.T, dense, rtol=1e-4)


def test_other_exposures_leave_out_the_labelled_pair_itself():
    exposed = exposure_matrix(
        np.array([1, 1, 1, 2, 3, 3]), np.array([1, 2, 3, 1, 2, 3]), (5, 4)
    )
    labelled = exposure_matrix(np.array([1, 1, 2]), np.array([1, 2, 1]), (5, 4))
    of_labelled, of_new = other_exposures(exposed, labelled)
    none, few = of_new.user[:, 0], of_new.user[:, 1]
    assert none.tolist() == [1, 0, 0, 0, 1]  # exposures: 0, 3, 1, 2, 0
    assert few.tolist() == [0, 0, 1, 1, 0]
    assert of_labelled.user[:, 0].tolist() == [1, 0, 1, 0, 1]  # others: 0, 2, 0, 2, 0
    assert of_labelled.user[:, 1].tolist() == [0, 1, 0, 1, 0]
    # Exposures of items: 0, 2, 2, 2; the first two of them have a label.
    assert of_new.item[:, 4].tolist() == [0, 1, 1, 1]
    np.testing.assert_array_equal(of_labelled.item[3], of_new.item[3])
    assert (of_labelled.item[1] != of_new.item[1]).any()
    # A product of the two sides has none of the columns.
    assert not (of_new.user @ of_new.item.T).any()
    counts = np.log1p([3, 1, 2])
    expected = 0.2 * (np.log1p(3) - counts.mean()) / (counts.std() + 1e-6)
    assert of_new.user[1, 2] == pytest.approx(expected, rel=1e-5)


def test_labelled_pairs_see_one_exposure_less_where_many_are_newcomers():
    rng = np.random.default_rng(0)
    user = np.concatenate([np.arange(50), rng.integers(50, 90, 400)])
    item = rng.integers(0, 30, len(user))
    exposed = exposure_matrix(user, item, (90, 30))
    labelled = exposure_matrix(user[:80], item[:80], (90, 30))
    found = embeddings_for(exposed, labelled, np.random.default_rng(0))
    assert found.labelled_user.shape == found.user.shape
    assert (found.labelled_user[:50] != found.user[:50]).any(axis=1).all()
    np.testing.assert_array_equal(found.labelled_user[:, :-6], found.user[:, :-6])
    few = exposure_matrix(user[60:80], item[60:80], (90, 30))
    found = embeddings_for(exposed, few, np.random.default_rng(0))
    assert found.labelled_user is found.user
