"""Ids to codes and back: nothing merged, numbered by first appearance."""

from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import chain

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.ids._columns import id_columns
from sklearn_invlearn.ids._encoding import IdIndex, PairEncoder, _unique

BIG = 2**53
small = st.integers(-5, 5)
int64 = st.integers(-(2**63), 2**63 - 1)
ids = st.one_of(
    small,
    int64,
    st.integers(),
    st.integers(BIG, BIG + 5),
    st.text(max_size=3),
    st.booleans(),
    st.binary(max_size=2),
    st.floats(-BIG, BIG),
    st.tuples(st.text(max_size=1), small),
    st.frozensets(small, max_size=2),
    st.dates(),
    st.fractions(),
)


def column_of(values):
    """One column, as `fit` would see it in a list of rows; no column for no rows."""
    return id_columns([(value, 0) for value in values])[0]


def by_first_appearance(values):
    """The same by hand: equal ids have one code, the first one 1."""
    codes = {}
    return [codes.setdefault(value, len(codes) + 1) for value in values]


@given(st.lists(ids, min_size=1))
@example(["", "\0", "a\0", "a"])  # numpy's strings lose a NUL at the end
def test_codes_of_any_ids(values):
    index = IdIndex()
    codes = index.extend(column_of(values))
    assert codes.dtype == np.int64
    assert codes.tolist() == by_first_appearance(values)
    assert index.lookup(column_of(values)).tolist() == codes.tolist()
    distinct = list(dict.fromkeys(values))
    assert len(index) == len(distinct)
    assert index.ids.tolist() == distinct
    assert index.extend(column_of(values)).tolist() == codes.tolist()


@given(st.lists(st.lists(ids, min_size=1), min_size=1, max_size=4))
def test_extending_by_blocks_is_extending_at_once(blocks):
    in_blocks, at_once = IdIndex(), IdIndex()
    codes = [in_blocks.extend(column_of(block)).tolist() for block in blocks]
    values = list(chain.from_iterable(blocks))
    expected = at_once.extend(column_of(values)).tolist()
    assert list(chain.from_iterable(codes)) == expected
    assert in_blocks.ids.tolist() == at_once.ids.tolist()


@given(st.lists(ids, min_size=1), st.lists(ids, min_size=1))
def test_lookup_knows_exactly_what_was_learned(known, asked):
    index = IdIndex()
    index.extend(column_of(known))
    codes = dict(zip(known, by_first_appearance(known)))
    expected = [codes.get(value, 0) for value in asked]
    assert index.lookup(column_of(asked)).tolist() == expected
    assert len(index) == len(codes)


@given(st.lists(int64, min_size=1), st.lists(int64, min_size=1))
def test_integer_columns_by_binary_search(known, asked):
    index = IdIndex()
    known_column = np.array(known, dtype=np.int64)
    assert index.extend(known_column).tolist() == by_first_appearance(known)
    codes = dict(zip(known, by_first_appearance(known)))
    got = index.lookup(np.array(asked, dtype=np.int64))
    assert got.tolist() == [codes.get(value, 0) for value in asked]


def test_switch_from_integers_to_dictionary_keeps_the_codes():
    index = IdIndex()
    assert index.extend(np.array([7, 3, BIG + 1, 7])).tolist() == [1, 2, 3, 1]
    assert index.extend(np.array(["7", "x"])).tolist() == [4, 5]
    assert index.ids.tolist() == [7, 3, BIG + 1, "7", "x"]
    assert index.extend(np.array([BIG, 3])).tolist() == [6, 2]
    assert index.lookup(column_of([7, "7", BIG + 1, BIG, 8])).tolist() == [
        1,
        4,
        3,
        6,
        0,
    ]


def test_a_lookup_of_strings_leaves_an_index_of_integers_alone():
    index = IdIndex()
    index.extend(np.array([5, 6]))
    assert index.lookup(np.array(["5", "6"])).tolist() == [0, 0]
    assert index.lookup(column_of([6, "6"])).tolist() == [2, 0]
    assert index.ids.dtype == np.int64


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (["int8"], "int8"),
        (["uint32"], "uint32"),
        (["float64"], "float64"),
        ([">i4"], "int32"),
        (["longdouble"], "float64"),
        (["int16", "int32", "int8"], "int32"),
        (["uint64", "int64"], "int64"),
        (["int32", "float32"], "int64"),
        (["float32", "int32", "float32"], "int64"),
        ([], "int64"),
    ],
)
def test_numbers_keep_their_dtype(dtypes, expected):
    index = IdIndex()
    for start, dtype in enumerate(dtypes):
        index.extend(np.array([start, start + 1], dtype=dtype))
    assert index.ids.dtype == np.dtype(expected)
    assert index.ids.tolist() == list(range(len(dtypes) + 1 if dtypes else 0))
    same = IdIndex.from_exact_ids(index.exact_ids)
    assert same.ids.dtype == index.ids.dtype
    assert same.lookup(np.arange(9)).tolist() == index.lookup(np.arange(9)).tolist()


def test_equal_numbers_of_any_type_are_one_id():
    index = IdIndex()
    values = [1, 1.0, True, np.int8(1), np.uint64(1), Decimal(1), Fraction(1), "1"]
    assert index.extend(column_of(values)).tolist() == [1] * 7 + [2]
    for dtype in (np.int8, np.uint64, float, np.float16, bool):
        assert index.lookup(np.ones(2, dtype)).tolist() == [1, 1]
    integers = IdIndex()
    integers.extend(np.array([0, 1], dtype=np.uint8))
    assert integers.lookup(np.array([True, False])).tolist() == [2, 1]
    assert integers.lookup(np.array([0.5, 1.0])).tolist() == [0, 2]


def test_large_neighbours_stay_apart_whatever_the_dtype():
    index = IdIndex()
    assert index.extend(np.array([2**63 - 1, 2**63 - 2])).tolist() == [1, 2]
    unsigned = np.array([2**63, 2**64 - 1, 2**63 - 1], dtype=np.uint64)
    assert index.extend(unsigned).tolist() == [3, 4, 1]
    assert index.lookup(column_of([2**63, 2**63 + 1])).tolist() == [3, 0]


def test_datetimes_are_ids():
    for unit in ("D", "s", "ns"):
        index = IdIndex()
        days = np.array(["2024-01-01", "2024-01-02", "2024-01-01"], f"M8[{unit}]")
        assert index.extend(days).tolist() == [1, 2, 1]
        assert index.lookup(days[1:]).tolist() == [2, 1]


def test_durations_are_ids_and_no_integers():
    ones, twos = np.array([1, 2, 1], "m8[s]"), np.array([2, 3], "m8[s]")
    for column in (ones, column_of(list(ones)), column_of(ones.tolist())):
        index = IdIndex()
        assert index.extend(column).tolist() == [1, 2, 1]
        assert index.lookup(column_of(list(twos))).tolist() == [2, 0]
        assert index.lookup(twos.astype("m8[ms]")).tolist() == [2, 0]
        assert index.lookup(column_of([1, 2])).tolist() == [0, 0]
        assert index.lookup(column_of(index.ids.tolist())).tolist() == [1, 2]
        assert index.kinds == {"durations"}
    integers = IdIndex()
    integers.extend(column_of([1, 2]))
    assert integers.lookup(column_of(list(ones))).tolist() == [0, 0, 0]
    assert ones[0] not in integers


def test_durations_from_fit_to_recommend(data):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"user": pd.to_timedelta(data.X[:, 0], unit="s"), "item": data.X[:, 1]}
    )
    est = CrossEntropyRecommender(backbone="gmf", max_epochs=3, random_state=0)
    expected = est.fit(data.X, data.y).recommend(est.user_ids_)[0]
    assert (est.fit(frame, data.y).recommend(est.user_ids_)[0] == expected).all()


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        (None, "NaN: None"),
        (float("nan"), "NaN: nan"),
        (np.float32("nan"), "NaN: np.float32"),
        (Decimal("nan"), "NaN: Decimal"),
        (np.datetime64("NaT"), "NaN: np.datetime64"),
        (np.timedelta64("NaT"), "NaN: np.timedelta64"),
        ((1, float("nan")), r"NaN: \(1, nan\)"),
        ((1, np.datetime64("NaT")), r"NaN: \(1, np.datetime64"),
        ((1, (2, float("nan"))), r"NaN: \(1, \(2, nan"),
        (float("inf"), "infinity: inf"),
        (np.float32("-inf"), "infinity: np.float32"),
    ],
    ids=repr,
)
def test_missing_ids_among_others(missing, what):
    for known in (["a", 1], [1, 2]):
        index = IdIndex()
        with pytest.raises(ValueError, match=f"Input X_val contains {what}"):
            index.extend(column_of(["a", missing]), name="X_val")
        index = IdIndex()
        index.extend(column_of(known))
        with pytest.raises(ValueError, match=f"Input X_val contains {what}"):
            index.lookup(column_of(["a", missing]), name="X_val")


class Colour(str, Enum):  # noqa: UP042 (a StrEnum is written like its text)
    RED = "red"
    BLUE = "blue"


class Loud(str):
    def __str__(self):
        return "!"


def test_text_of_another_class_comes_out_as_it_went_in():
    for ids in (list(Colour), [Loud("a"), Loud("b")], ["red", Colour.BLUE]):
        index = IdIndex()
        column = np.empty(len(ids), dtype=object)
        column[:] = ids
        index.extend(column)
        assert index.ids.tolist() == ids
        assert [type(v) for v in index.ids] == [type(v) for v in ids]
        assert index.lookup(index.ids).tolist() == [1, 2]


def test_the_ends_of_int64_are_known():
    ends = [-(2**63), 2**63 - 1]
    index = IdIndex()
    index.extend(np.array(ends))
    assert all(end in index for end in ends)
    assert not any(end in index for end in (-(2**63) - 1, 2**63))


def test_missing_ids_of_pandas_in_lists():
    pd = pytest.importorskip("pandas")
    for missing in (pd.NA, pd.NaT):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            IdIndex().extend(column_of(["a", missing]))


def test_what_is_one_id_in_a_tuple_is_not_missing():
    ids = [(1, None), (1, float("inf")), (None, (None, 2))]
    assert IdIndex().extend(column_of(ids)).tolist() == [1, 2, 3]


@pytest.mark.parametrize("bad", [[1], {1}, {"a": 1}, np.array([1, 2]), (1, [2])])
def test_unhashable_ids(bad):
    column = np.empty(2, dtype=object)
    column[:] = ["a", bad]
    with pytest.raises(TypeError, match=r"id in X_unlab is not hashable .*unhashable"):
        IdIndex().extend(column, name="X_unlab")
    with pytest.raises(TypeError, match=r"id in X is not hashable .*unhashable"):
        IdIndex().lookup(column)


def test_users_and_items_are_two_worlds():
    encoder = PairEncoder()
    columns = id_columns([("a", 1), ("b", "a"), ("a", "b")])
    assert encoder.extend(columns).tolist() == [[1, 2, 1], [1, 2, 3]]
    assert (encoder.n_users, encoder.n_items) == (3, 4)
    codes = encoder.lookup(id_columns([("b", "b"), (1, "z")]))
    assert codes.tolist() == [[2, 0], [3, 0]]


def make_tables():
    """Yield the same pairs in every kind of table; ids that doubles would merge."""
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    user = [BIG, BIG + 1, BIG, BIG + 1]
    item = [2**63 + 1, 2**63, 2**63, 2**63 + 1]
    columns = {"u": np.array(user), "i": np.array(item, dtype=np.uint64)}
    yield list(zip(user, item))
    yield np.array([user, item], dtype=object).T
    yield np.array([user, item], dtype=np.uint64).T
    yield pd.DataFrame(columns)
    yield pd.DataFrame(columns).astype({"u": "Int64", "i": "UInt64"})
    yield pd.DataFrame(columns).astype("category")
    yield pl.DataFrame(columns)
    yield pa.table(columns)


# An XOR table: a factor model learns it, and only if all four pairs are kept apart.
def test_fit_keeps_ids_apart_in_every_kind_of_table():
    scores = []
    for table in make_tables():
        est = CrossEntropyRecommender(
            backbone="gmf", gamma=0.1, max_epochs=150, random_state=1
        )
        est.fit(table, [0, 1, 0, 1])
        assert est.user_ids_.tolist() == [BIG, BIG + 1]
        assert est.item_ids_.tolist() == [2**63 + 1, 2**63]
        assert est.predict(table).tolist() == [0, 1, 0, 1]
        scores.append(est.decision_function(table))
    assert all((score == scores[0]).all() for score in scores)


@given(
    known=st.lists(
        st.integers(-(2**63), 2**63 - 1) | st.integers(-30, 30), unique=True
    ),
    asked=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-40, 40)),
)
def test_integers_near_and_far_are_found_as_in_a_dictionary(known, asked):
    index = IdIndex()
    cut = len(known) // 2
    for part in (known[:cut], known[cut:]):
        index.extend(np.array(part, dtype=np.int64))
    codes = {integer: code for code, integer in enumerate(known, 1)}
    asked = asked + known
    found = index.lookup(np.array(asked, dtype=np.int64))
    assert found.tolist() == [codes.get(integer, 0) for integer in asked]


def test_a_table_is_no_longer_than_a_few_times_the_ids():
    near, far = IdIndex(), IdIndex()
    near.extend(np.arange(10, 1010))
    far.extend(np.arange(0, 10**12, 10**9))
    assert len(near._table) == 1001
    assert len(far._table) == 0


@given(st.lists(st.integers(-40, 40), max_size=30), st.sampled_from([1, 10**6, 2**57]))
def test_integers_are_told_apart_as_a_sort_does(values, apart):
    integers = np.array(values, dtype=np.int64) * apart
    expected = np.unique(integers, return_index=True, return_inverse=True)
    for found, sorted_ in zip(_unique(integers), expected):
        np.testing.assert_array_equal(found, sorted_)
