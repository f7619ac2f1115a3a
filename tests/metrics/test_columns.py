import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from sklearn_invlearn.metrics import gauc_score
from sklearn_invlearn.metrics._columns import (
    cross_product,
    number_of_columns,
    take_column,
)
from sklearn_invlearn.model_selection import ColdUserKFold

BIG = [2**53, 2**53 + 1]


def frames():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = {"user": BIG, "item": [0.5, 1.5], "name": ["a", "b"]}
    return pd.DataFrame(table, index=[4, 4]), pl.DataFrame(table)


def test_frames_keep_the_dtype_of_each_column():
    for frame in frames():
        for column in (0, "user", -3):
            values = take_column(frame, column)
            assert values.dtype == np.int64
            assert values.tolist() == BIG
        assert take_column(frame, "name").tolist() == ["a", "b"]
        assert number_of_columns(frame) == 3


def test_arrow_tables_keep_the_dtype_of_each_column():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"user": BIG, "item": [0.5, 1.5], "name": ["a", "b"]})
    for X in (table, table.to_batches()[0]):
        for column in (0, "user"):
            assert take_column(X, column).tolist() == BIG
        assert take_column(X, "name").tolist() == ["a", "b"]
        for column in (7, "users"):
            with pytest.raises(ValueError, match="does not exist"):
                take_column(X, column)


def test_nulls_of_arrow_are_seen():
    pa = pytest.importorskip("pyarrow")
    users = pa.array(["ann", None, "bob", "bob"])
    for column in (users, users.dictionary_encode()):
        table = pa.table({"user": column, "item": [1, 2, 3, 4]})
        assert take_column(table, "user").tolist() == ["ann", None, "bob", "bob"]
        with pytest.raises(ValueError, match="missing ids"):
            next(ColdUserKFold(2).split(table))
        for ids in (column, table["user"]):
            with pytest.raises(ValueError, match="missing ids"):
                gauc_score([0, 1, 0, 1], [1, 2, 3, 4], ids)


def test_masked_entries_are_refused():
    X = np.ma.array([[1, 2], [1, 3], [2, 3]], mask=[[0, 0], [1, 0], [0, 0]])
    assert take_column(X, 1).tolist() == [2, 3, 3]
    with pytest.raises(ValueError, match="Column 0 of X has masked entries"):
        take_column(X, 0)


def test_position_in_a_frame_whose_names_are_numbers():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([[1, 2]], columns=[1, 0])
    assert take_column(frame, 0).tolist() == [1]


@pytest.mark.parametrize(
    "X",
    [
        [[2**53, 0.5], [2**53 + 1, 1.5]],
        [(2**53, "a"), (2**53 + 1, 1)],
        np.array([[2**53, "a"], [2**53 + 1, 0.5]], dtype=object),
        np.array([[2**53, 1], [2**53 + 1, 2]]),
    ],
    ids=["lists", "tuples", "objects", "integers"],
)
def test_arrays_and_lists_keep_ids(X):
    assert take_column(X, 0).tolist() == BIG
    assert number_of_columns(X) == 2


def test_missing_columns_are_told_which_there_are():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"viewer": [1], "film": [2]})
    with pytest.raises(ValueError, match=r"X has \['viewer', 'film'\]\.$"):
        take_column(frame, "time")
    with pytest.raises(ValueError, match=r"X has 2 columns\.$"):
        take_column([[1, 2]], 7)


def test_missing_columns_raise():
    for X in (*frames(), np.ones((2, 3)), [[1, 2, 3]]):
        with pytest.raises(ValueError, match="Column 7 of X does not exist; X has"):
            take_column(X, 7)
    for frame in frames():
        with pytest.raises(ValueError, match="Column 'users' of X does not exist"):
            take_column(frame, "users")


def test_wrong_containers_raise():
    with pytest.raises(TypeError, match="given by name, but X is ndarray"):
        take_column(np.ones((2, 2)), "user")
    with pytest.raises(TypeError, match="sparse"):
        take_column(csr_array((2, 2)), 0)


ID_LISTS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4).map(np.array),
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4).map(
        lambda ids: np.array(ids, dtype=np.uint64)
    ),
    st.lists(st.text(max_size=3), min_size=1, max_size=4).map(np.array),
    st.lists(st.tuples(st.integers()), min_size=1, max_size=4).map(
        lambda ids: np.fromiter(ids, dtype=object)
    ),
)


@given(ID_LISTS, ID_LISTS)
def test_cross_product_keeps_ids(users, items):
    pairs = cross_product(users, items)
    expected = [(user, item) for user in users.tolist() for item in items.tolist()]
    assert [tuple(pair) for pair in pairs.tolist()] == expected


@pytest.mark.parametrize(
    ("user_dtype", "item_dtype", "expected"),
    [
        ("i8", "i8", "i8"),
        ("i4", "i8", "i8"),
        ("u1", "u8", "u8"),
        ("i8", "u8", "O"),
        ("i8", "f8", "O"),
        ("U3", "U1", "O"),
        ("O", "i8", "O"),
    ],
)
def test_dtype_of_the_cross_product(user_dtype, item_dtype, expected):
    pairs = cross_product(np.ones(2, user_dtype), np.ones(3, item_dtype))
    assert pairs.dtype == np.dtype(expected)
    assert pairs.shape == (6, 2)
