"""Properties all four metrics of labelled pairs share."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_invlearn.metrics import gauc_score, mrr_score, ndcg_score, recall_score

from ._cases import labelled_pairs, random_pairs

METRICS = {
    "gauc": gauc_score,
    "weighted gauc": partial(gauc_score, average="weighted"),
    "mrr": mrr_score,
    "ndcg": partial(ndcg_score, k=3),
    "ndcg of all": partial(ndcg_score, k=None),
    "recall": partial(recall_score, k=2),
}
each_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@each_metric
@given(labelled_pairs(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(metric, pairs, random):
    rows = list(zip(*pairs))
    random.shuffle(rows)
    assert metric(*zip(*rows)) == metric(*pairs)


@each_metric
@pytest.mark.parametrize(
    "transform",
    [np.exp, np.arctan, lambda score: 3 * score**3 - 1],
    ids=["exp", "arctan", "cubic"],
)
@given(pairs=labelled_pairs())
def test_strictly_monotone_transform_does_not_matter(metric, transform, pairs):
    y_true, y_score, users = pairs
    transformed = transform(np.array(y_score, dtype=float))
    assert metric(y_true, transformed, users) == metric(y_true, y_score, users)


@each_metric
@given(pairs=labelled_pairs())
def test_names_of_users_do_not_matter(metric, pairs):
    y_true, y_score, users = pairs
    renamed = {"ann": 2**53 + 1, "bob": 2**53, 7: -1, "eve": 2**62}
    value = metric(y_true, y_score, np.array([renamed[user] for user in users]))
    assert value == metric(y_true, y_score, users)


@each_metric
@given(pairs=labelled_pairs())
def test_between_zero_and_one_and_best_at_the_labels(metric, pairs):
    y_true, _, users = pairs
    assert 0 <= metric(*pairs) <= metric(y_true, y_true, users) + 1e-12
    assert metric(y_true, y_true, users) <= 1


@each_metric
def test_users_with_one_class_are_left_out(metric):
    y_true, y_score, users = [1, 0, 1], [1, 2, 3], ["a", "a", "a"]
    longer = metric([*y_true, 1, 1, 0], [*y_score, 9, 8, 7], [*users, "b", "b", "c"])
    assert longer == metric(y_true, y_score, users)


@each_metric
def test_label_names(metric):
    y_true, y_score, users = random_pairs(200, n_users=9, n_scores=5)
    expected = metric(y_true, y_score, users)
    assert metric(y_true * 2 - 1, y_score, users) == expected
    assert metric(np.array(["no", "yes"])[y_true], y_score, users) == expected
    assert metric(1 - y_true, y_score, users, pos_label=0) == expected
    swapped = np.array(["yes", "no"])[y_true]
    assert metric(swapped, y_score, users, pos_label="no") == expected


@each_metric
def test_undefined(metric):
    arguments = [1, 1, 0], [1, 2, 3], ["a", "a", "b"]
    with pytest.raises(ValueError, match="no user has both a positive and a negative"):
        metric(*arguments)
    assert np.isnan(metric(*arguments, undefined=np.nan))
    assert metric(*arguments, undefined=0) == 0.0
    assert np.isnan(metric([1, 1], [1, 2], ["a", "a"], undefined=np.nan))
    with pytest.raises(ValueError, match="'undefined' parameter"):
        metric(*arguments, undefined="warn")


@each_metric
def test_neighbouring_large_ids_stay_apart(metric):
    y_true, y_score = [1, 0, 1, 0], [2, 1, 1, 2]
    users = np.array([2**53, 2**53, 2**53 + 1, 2**53 + 1])
    expected = metric(y_true, y_score, ["a", "a", "b", "b"])
    assert metric(y_true, y_score, users) == expected
    assert metric(y_true, y_score, users.tolist()) == expected


@each_metric
def test_frames_and_read_only_input(metric):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    arrays = random_pairs(100, n_users=5, n_scores=9)
    expected = metric(*arrays)
    for array in arrays:
        array.flags.writeable = False
    assert metric(*arrays) == expected
    assert metric(*map(pd.Series, arrays)) == expected
    assert metric(*map(pl.Series, arrays)) == expected
    assert metric(*map(list, arrays)) == expected


@each_metric
def test_returns_a_python_float(metric):
    assert type(metric([1, 0], [1, 0], [0, 0])) is float
