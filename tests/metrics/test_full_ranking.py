from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix, csr_array

from sklearn_invlearn.metrics import (
    full_ranking_ndcg_score,
    full_ranking_recall_score,
)

from ._cases import expectation
from .test_ndcg import ndcg_at

FUNCTIONS = {"recall": full_ranking_recall_score, "ndcg": full_ranking_ndcg_score}
each_function = pytest.mark.parametrize("score", FUNCTIONS.values(), ids=FUNCTIONS)


def value_at(name, k):
    if name == "recall":
        return lambda labels: sum(labels[:k]) / sum(labels)
    return ndcg_at(k)


def score_by_hand(name, relevant, y_score, seen, k):
    """Rank the unseen items of each user in all orders of ties, literally."""
    values = []
    for user in range(len(y_score)):
        unseen = [item for item in range(y_score.shape[1]) if not seen[user, item]]
        labels = [int(relevant[user, item]) for item in unseen]
        if any(labels):
            scores = [y_score[user, item] for item in unseen]
            values.append(expectation(labels, scores, value_at(name, k)))
    return np.mean(values)


@st.composite
def matrices(draw):
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    relevant, seen = rng.random((2, *shape)) < draw(st.sampled_from([0.2, 0.6]))
    relevant[0, 0], seen[0, 0] = True, False
    scores = [-np.inf, -1.0, 0.0, 1.0, np.inf]
    return relevant, rng.choice(scores, size=shape), seen


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=60)
@given(matrices(), st.sampled_from([1, 2, 3, 20]))
def test_same_as_all_orders(name, case, k):
    relevant, y_score, seen = case
    value = FUNCTIONS[name](relevant, y_score, seen=seen, k=k)
    assert value == pytest.approx(score_by_hand(name, relevant, y_score, seen, k))


@each_function
def test_sparse_and_dense_agree(score):
    rng = np.random.default_rng(0)
    relevant, seen = rng.random((2, 30, 50)) < 0.1
    y_score = rng.integers(0, 9, (30, 50))
    expected = score(relevant, y_score, seen=seen, k=5)
    assert score(csr_array(relevant), y_score, seen=csr_array(seen), k=5) == expected
    coo = coo_matrix(relevant.astype(float))
    assert score(coo, y_score.astype("f4"), seen=seen.astype(int), k=5) == expected
    assert score(relevant.tolist(), y_score.tolist(), seen=seen, k=5) == expected


@each_function
def test_order_of_users_and_items_does_not_matter(score):
    rng = np.random.default_rng(1)
    relevant, seen = rng.random((2, 20, 30)) < 0.2
    y_score = rng.integers(0, 5, (20, 30))
    expected = score(relevant, y_score, seen=seen, k=4)
    users, items = rng.permutation(20), rng.permutation(30)
    index = np.ix_(users, items)
    assert score(relevant[index], y_score[index], seen=seen[index], k=4) == expected


@each_function
def test_strictly_monotone_transform_does_not_matter(score):
    rng = np.random.default_rng(2)
    relevant = rng.random((20, 30)) < 0.2
    y_score = rng.integers(-5, 5, (20, 30))
    assert score(relevant, np.exp(y_score), k=4) == score(relevant, y_score, k=4)


def test_recall_by_hand():
    # The first item is seen, so the ranking is 1, 2, 3; items 1 and 3 are relevant.
    relevant = np.array([[True, True, False, True]])
    seen = np.array([[True, False, False, False]])
    y_score = np.array([[9, 3, 2, 1]])
    for k, expected in [(1, 1 / 2), (2, 1 / 2), (3, 1), (20, 1)]:
        assert full_ranking_recall_score(relevant, y_score, seen=seen, k=k) == expected


def test_recall_divides_by_all_relevant_items():
    relevant = np.ones((1, 40), dtype=bool)
    value = full_ranking_recall_score(relevant, np.arange(40)[np.newaxis], k=10)
    assert value == pytest.approx(10 / 40)


def test_ndcg_by_hand():
    relevant = np.array([[True, False, False, True]])
    y_score = np.array([[4, 3, 2, 1]])
    ideal = 1 + 1 / log2(3)
    value = full_ranking_ndcg_score(relevant, y_score, k=4)
    assert value == pytest.approx((1 + 1 / log2(5)) / ideal)
    # The ideal list of one place holds one relevant item.
    assert full_ranking_ndcg_score(relevant, y_score, k=1) == 1


@each_function
def test_users_without_relevant_unseen_items_are_left_out(score):
    relevant = np.array([[True, False], [True, False], [False, False]])
    seen = np.array([[False, False], [True, False], [False, False]])
    y_score = np.array([[2, 1], [1, 2], [1, 2]])
    assert score(relevant, y_score, seen=seen, k=1) == 1


@each_function
def test_undefined(score):
    relevant, y_score = np.zeros((2, 3), bool), np.ones((2, 3))
    with pytest.raises(ValueError, match="no user has a relevant item"):
        score(relevant, y_score)
    with pytest.raises(ValueError, match="no user has a relevant item"):
        score(~relevant, y_score, seen=~relevant)
    assert np.isnan(score(relevant, y_score, undefined=np.nan))
    assert score(np.zeros((0, 3)), np.zeros((0, 3)), undefined=0) == 0


@each_function
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"relevant": np.ones((2, 2))}, "relevant must have the shape of y_score"),
        ({"seen": csr_array((3, 2))}, "seen must have the shape of y_score"),
        ({"relevant": np.full((2, 3), 4)}, "may hold ratings"),
        ({"y_score": np.full((2, 3), np.nan)}, "NaN"),
        ({"y_score": np.ones(3)}, "must have the shape"),
        ({"k": 0}, "'k' parameter"),
        ({"undefined": "zero"}, "'undefined' parameter"),
    ],
)
def test_wrong_arguments_raise(score, arguments, message):
    valid = {"relevant": np.ones((2, 3)), "y_score": np.ones((2, 3))}
    with pytest.raises(ValueError, match=message):
        score(**(valid | arguments))


@each_function
def test_arguments_are_not_changed(score):
    arrays = np.eye(3, dtype=bool), np.arange(9.0).reshape(3, 3), np.zeros((3, 3))
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    score(arrays[0], arrays[1], seen=arrays[2], k=1)
    for array, copy in zip(arrays, copies):
        np.testing.assert_array_equal(array, copy)


@each_function
def test_masked_entries_are_refused(score):
    full = [[1, 0], [0, 1]]
    hidden = np.ma.array(full, mask=[[1, 0], [0, 0]])
    for arguments, name in (
        ((hidden, full, None), "relevant"),
        ((full, hidden, None), "y_score"),
        ((full, full, hidden), "seen"),
    ):
        relevant, y_score, seen = arguments
        with pytest.raises(ValueError, match=f"{name} has masked entries"):
            score(relevant, y_score, seen=seen)
