"""Groups by activity, and a metric for each."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from sklearn_invlearn.metrics import activity_groups, gauc_score, score_by_group


def rows(*counts):
    """`counts[u]` rows of user u."""
    return np.repeat(np.arange(len(counts)), counts)


def groups_of(*counts, **options):
    """Group of each user."""
    return activity_groups(
        np.arange(len(counts)), history=rows(*counts), **options
    ).tolist()


def test_groups_have_the_same_number_of_interactions():
    # Fig. 7 of the paper: few active users, many inactive ones.
    assert groups_of(12, 6, 6, 3, 3, 3, 3, n_groups=3) == [2, 1, 1, 0, 0, 0, 0]


def test_or_the_same_number_of_users():
    assert groups_of(90, 5, 4, 3, 2, 1, n_groups=3, equal="ids") == [2, 2, 1, 1, 0, 0]


def test_equal_counts_stay_together():
    assert groups_of(2, 2, 2, 2, n_groups=4) == [0, 0, 0, 0]
    assert groups_of(1, 1, 1, 1, 9, n_groups=4) == [0, 0, 0, 0, 1]


def test_unknown_in_history_counts_as_nothing():
    groups = activity_groups(["new", "a", "b"], history=["a", "b", "b"], n_groups=2)
    assert groups.tolist() == [0, 0, 1]
    assert activity_groups([1, "1"], history=["1"] * 3, n_groups=2).tolist() == [0, 1]
    assert activity_groups([7, 8], history=[1], n_groups=2).tolist() == [0, 0]


DAYS = np.array(["2024-05-17", "2024-05-18", "2024-05-18"], "M8[D]")


@pytest.mark.parametrize(
    ("ids", "history", "message"),
    [
        ([1, 2], ["1", "2"], r"are numbers \(such as 1\), those of history str"),
        (["1", "2"], np.array([1, 2]), r"such as '1'\), those of history numbers"),
        ([1.5], ["1", ("a", 1)], "history str, tuple"),
        (DAYS.astype("M8[ns]"), DAYS.astype(str), r"they are datetime64\[ns\]"),
        (DAYS.astype("M8[ns]"), DAYS.astype("i8"), "history numbers"),
        pytest.param(
            (DAYS - DAYS[0]).astype("m8[s]"),
            [0, 86400],
            r"they are timedelta64\[s\]",
            marks=pytest.mark.skipif(
                np.timedelta64(1, "s") in {1}, reason="numpy takes them for numbers"
            ),
        ),
    ],
)
def test_ids_of_another_type_are_refused(ids, history, message):
    with pytest.raises(
        ValueError, match=f"None of the ids occurs in history.*{message}"
    ):
        activity_groups(ids, history=history)


@pytest.mark.parametrize("units", [("ns", "ns"), ("D", "D"), ("us", "us")])
def test_times_are_counted(units):
    ids, history = (DAYS.astype(f"M8[{unit}]") for unit in units)
    assert activity_groups(ids, history=history, n_groups=2).tolist() == [0, 1, 1]


def test_times_in_another_unit_are_not_silently_unknown():
    ids, history = DAYS.astype("M8[ns]"), DAYS.astype("M8[us]")
    if len({*ids, *history}) == 2:  # releases of numpy differ in that
        groups = activity_groups(ids, history=history, n_groups=2)
        assert groups.tolist() == [0, 1, 1]
        return
    with pytest.raises(ValueError, match="of another type"):
        activity_groups(ids, history=history)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=30),
    st.integers(1, 6),
    st.sampled_from(["interactions", "ids"]),
)
def test_groups_rise_with_the_count(counts, n_groups, equal):
    if not sum(counts):
        counts = [*counts, 1]
    groups = np.array(groups_of(*counts, n_groups=n_groups, equal=equal))
    order = np.argsort(counts, kind="stable")
    assert (np.diff(groups[order]) >= 0).all()
    assert set(groups) == set(range(groups.max() + 1))
    assert groups.max() < n_groups
    for count in set(counts):
        assert len(set(groups[np.array(counts) == count])) == 1


@given(st.integers(0, 10_000))
def test_scores_are_those_of_the_rows_alone(seed):
    rng = np.random.default_rng(seed)
    n = 60
    users, groups = rng.integers(0, 9, n), rng.choice(["a", "b", "c"], n)
    y, score = rng.integers(0, 2, n), rng.random(n)
    table = score_by_group(y, score, users, groups)
    assert table["group"].tolist() == sorted(set(groups))
    for line in table:
        here = groups == line["group"]
        assert line["n_pairs"] == here.sum()
        assert line["n_positive"] == y[here].sum()
        assert line["n_users"] == len(set(users[here]))
        expected = gauc_score(y[here], score[here], users[here], undefined=np.nan)
        np.testing.assert_equal(line["score"], expected)


def test_a_group_without_a_score_is_nan():
    table = score_by_group([1, 0, 1, 1], [1, 2, 3, 4], [0, 0, 1, 1], [0, 0, 1, 1])
    np.testing.assert_equal(table["score"], [0.0, np.nan])


def test_other_metrics():
    arguments = ["no", "yes", "no", "yes"], [1, 2, 4, 3], [0, 0, 1, 1], [5, 5, 3, 3]
    auc = score_by_group(*arguments, metric=lambda y, s, users: roc_auc_score(y, s))
    assert auc["group"].tolist() == [3, 5]
    assert auc["score"].tolist() == [0.0, 1.0]
    weighted = partial(gauc_score, average="weighted")
    assert score_by_group(*arguments, metric=weighted)["score"].tolist() == [0.0, 1.0]
    flipped = score_by_group(*arguments, pos_label="no")
    assert flipped["score"].tolist() == [1.0, 0.0]


def test_what_the_metric_says_of_undefined_groups_is_respected():
    rows = [1, 0, 1, 1], [1, 2, 3, 4], [0, 0, 1, 1], [0, 0, 1, 1]
    metric = partial(gauc_score, undefined=0.5)
    assert score_by_group(*rows, metric=metric)["score"].tolist() == [0.0, 0.5]


def test_a_metric_without_a_signature():
    class Metric:
        __signature__ = "of compiled code"

        def __call__(self, y, score, users):
            return len(y)

    table = score_by_group([1, 0], [1, 2], [0, 0], [0, 1], metric=Metric())
    assert table["score"].tolist() == [1.0, 1.0]


def test_groups_of_several_types_come_type_by_type():
    table = score_by_group([1, 0, 1, 0], [1, 2, 3, 4], [0] * 4, ["b", 2, 1.5, "a"])
    assert table["group"].tolist() == [1.5, 2, "a", "b"]


def test_a_single_label_is_counted_by_its_name():
    rows = [1, 2], [0, 1], [0, 0]
    for label in (0, 1):
        table = score_by_group([label] * 2, *rows)
        assert table["n_positive"].tolist() == [2 * label]
    assert score_by_group(["b"] * 2, *rows, pos_label="c")["n_positive"] == [0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activity_groups([]), "ids is empty"),
        (lambda: activity_groups([1, None]), "missing ids"),
        (lambda: activity_groups([1], history=[]), "history is empty"),
        (lambda: activity_groups([1], n_groups=0), "n_groups"),
        (lambda: activity_groups([1], equal="users"), "equal"),
        (lambda: score_by_group([1, 0], [1, 2], [1, 1], [1]), "one entry per pair"),
        (lambda: score_by_group([1, 0], [1, np.nan], [1, 1], [1, 1]), "NaN"),
        (lambda: score_by_group([], [], [], []), "users is empty"),
        (lambda: score_by_group([2, 2], [1, 2], [1, 1], [1, 1]), "pass pos_label"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
