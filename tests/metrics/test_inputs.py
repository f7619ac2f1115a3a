import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from sklearn_invlearn.metrics import gauc_score
from sklearn_invlearn.metrics._inputs import (
    as_column,
    check_labels,
    check_pairs,
    check_score,
    factorise,
    is_missing,
)

HASHABLE = st.one_of(
    st.integers(-(2**70), 2**70),
    st.text(max_size=2),
    st.tuples(st.integers(0, 2), st.text(max_size=1)),
    st.floats(allow_nan=False),
    st.booleans(),
)


@given(st.lists(HASHABLE, min_size=1, max_size=30))
def test_factorise_any_hashables(ids):
    codes, distinct = factorise(as_column(ids, "users"), "users")
    assert [distinct[code] for code in codes] == ids
    assert sorted(set(codes.tolist())) == list(range(len(distinct)))
    for i, left in enumerate(ids):
        for j, right in enumerate(ids):
            assert (codes[i] == codes[j]) == (left == right)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30))
def test_factorise_int64(ids):
    array = np.array(ids, dtype=np.int64)
    codes, distinct = factorise(array, "users")
    np.testing.assert_array_equal(distinct[codes], array)
    np.testing.assert_array_equal(distinct, np.unique(array))


@pytest.mark.parametrize(
    "ids",
    [
        np.array([-128, 127, 5] * 200, dtype=np.int8),
        np.array([2**64 - 1, 2**64 - 3, 2**64 - 1], dtype=np.uint64),
        np.array([-(2**63), -(2**63) + 1]),
        np.array([2**63 - 1, 2**63 - 3]),
        np.array([2**53, 2**53 + 1]),
        np.array([0, 2**53, 2**53 + 1]),
        np.array([True, False, True]),
        np.array([0.5, 0.25, 0.5]),
    ],
    ids=lambda ids: f"{ids.dtype}-{ids[0]}",
)
def test_factorise_dtypes_and_extremes(ids):
    codes, distinct = factorise(ids, "users")
    assert distinct.dtype == ids.dtype
    np.testing.assert_array_equal(distinct[codes], ids)
    assert len(distinct) == len(np.unique(ids))


def test_read_only_ids():
    ids = np.array([3, 1, 3])
    ids.flags.writeable = False
    assert factorise(ids, "users")[0].tolist() == [1, 0, 1]


@pytest.mark.parametrize("values", [["a", "b", "a"], [2**53, 2**53 + 1, 2**53]])
def test_frames_give_the_same_groups_as_lists(values):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    series = [pd.Series(values, index=[5, 9, 5]), pl.Series(values), values]
    series += [pd.Series(values).astype("category"), np.array(values, dtype=object)]
    if isinstance(values[0], int):
        series += [pd.Series(values, dtype="Int64")]
    for users in series:
        assert factorise(as_column(users, "users"), "users")[0].tolist() == [0, 1, 0]


def test_list_of_mixed_types_is_not_made_strings():
    codes, _ = factorise(as_column([1, "1", 1], "users"), "users")
    assert codes.tolist() == [0, 1, 0]


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), np.float32("nan")])
def test_missing_ids_raise(missing):
    with pytest.raises(ValueError, match="missing ids"):
        factorise(as_column(["a", missing], "users"), "users")
    with pytest.raises(ValueError, match="missing ids"):
        factorise(np.array([1.0, np.nan]), "users")


@pytest.mark.parametrize("kind", ["M8[ns]", "M8[D]", "m8[s]"])
def test_times_stay_times(kind):
    times = np.array([3, 1, 3], dtype=kind)
    codes, distinct = factorise(times, "users")
    assert codes.tolist() == [0, 1, 0]
    assert distinct.tolist() == list(times[:2])
    assert all(value.dtype == times.dtype for value in distinct)
    times[1] = "NaT"
    with pytest.raises(ValueError, match="missing ids"):
        factorise(times, "users")


@pytest.mark.parametrize(("kind", "power"), [("f2", 11), ("f4", 24), ("f8", 53)])
def test_inexact_float_ids_are_refused(kind, power):
    """As by the estimators: 2**53 and 2**53 + 1 would be one user."""
    exact = np.array([0.5, -(2.0**power), 2.0**power], dtype=kind)
    assert factorise(exact, "users")[0].tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match=rf"users has ids of .* beyond 2\*\*{power}"):
        factorise(np.nextafter(exact, np.inf * exact, dtype=kind), "users")


def test_missing_in_frames_raises():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = [pd.Series([1, None], dtype="Int64"), pd.Series(["a", None])]
    columns += [pl.Series([1, None]), pl.Series(["a", None])]
    columns += [pd.Series(["2020-01-01", None], dtype="datetime64[ns]")]
    for users in columns:
        with pytest.raises(ValueError, match="missing ids"):
            factorise(as_column(users, "users"), "users")
    assert is_missing(pd.NA)
    assert is_missing(pd.NaT)


def test_unhashable_ids_raise():
    ids = np.empty(2, dtype=object)
    ids[:] = [[1], [2]]
    with pytest.raises(TypeError, match="Turn lists into tuples"):
        factorise(ids, "users")


@pytest.mark.parametrize(
    ("y_true", "expected"),
    [
        ([0, 1, 1], [False, True, True]),
        ([-1, 1, -1], [False, True, False]),
        ([True, False], [True, False]),
        (["no", "yes"], [False, True]),
        ([2.0, 5.0], [False, True]),
        ([1, 1], [True, True]),
    ],
)
def test_positive_is_the_larger_label(y_true, expected):
    for column in (as_column(y_true, "y_true"), np.array(y_true)):
        assert check_labels(column).tolist() == expected


def test_pos_label():
    assert check_labels(np.array(["no", "yes"]), "no").tolist() == [True, False]
    assert check_labels(np.array([0, 1]), 0).tolist() == [True, False]
    assert check_labels(np.array([1, 1]), 0).tolist() == [False, False]
    with pytest.raises(ValueError, match="pos_label=2 is not one of"):
        check_labels(np.array([0, 1]), 2)


@pytest.mark.parametrize(
    ("y_true", "message"),
    [
        (np.array([0, 1, 2]), "at most two different labels, got 3: 0, 1, 2"),
        (np.arange(9), "0, 1, 2, 3, 4, ..."),
        (np.array(["a", "b", "c"]), "at most two"),
        (np.array([0.0, np.nan]), "y_true has NaN"),
        (np.array([0, None], dtype=object), "missing labels"),
        (np.array([0, "1"], dtype=object), "cannot be ordered"),
    ],
)
def test_wrong_labels_raise(y_true, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y_true)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 1], [0.5], [1, 1]), ValueError, "have 2, 1 and 2 entries"),
        (([], [], []), ValueError, "no pairs"),
        (([0, 1], [0.5, np.nan], [1, 1]), ValueError, "1 NaN among 2"),
        (([0, 1], [0.5, "x"], [1, 1]), ValueError, "must be numbers"),
        (([0, 1], [0.5, None], [1, 1]), ValueError, "NaN|must be numbers"),
        (([0, 1], np.ones((2, 2)), [1, 1]), ValueError, "predict_proba"),
        (([0, 1], [1, 2], np.ones((2, 1))), ValueError, "users must be 1-D"),
        (([0, 1], [1, 2], csr_array((2, 1))), TypeError, "sparse"),
        (([0, 1], [1, 2], "ab"), TypeError, "1-D array-like"),
        (([0, 1], [1, 2], 3), TypeError, "1-D array-like"),
    ],
)
def test_wrong_pairs_raise(arguments, error, message):
    with pytest.raises(error, match=message):
        check_pairs(*arguments)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u8", "?", "O"])
def test_scores_of_any_numeric_dtype(dtype):
    assert check_score(np.array([1, 0, 1], dtype=dtype)).tolist() == [1, 0, 1]


def test_infinite_scores_are_allowed():
    check_score(np.array([-np.inf, np.inf]))


@pytest.mark.parametrize("largest", [2**60 + 1, 2**63 + 1])
def test_large_whole_numbers_of_a_list_are_told_apart(largest):
    assert gauc_score([1, 0], [largest, largest - 1], ["ann", "ann"]) == 1.0
