"""Tables of any kind become columns, one by one, and no id changes."""

from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_invlearn.ids._columns import id_column, id_columns

BIG = 2**53
int64 = st.integers(-(2**63), 2**63 - 1)
cell = st.one_of(
    st.integers(),
    st.text(),
    st.booleans(),
    st.floats(-1e9, 1e9),
    st.binary(),
    st.tuples(st.text(), st.integers()),
)


def as_lists(columns):
    return [column.tolist() for column in columns]


@given(st.lists(st.tuples(cell, cell), min_size=1))
def test_rows_of_any_cells_come_back_as_they_were(rows):
    columns = as_lists(id_columns(rows))
    for j, column in enumerate(columns):
        for got, given_cell in zip(column, [row[j] for row in rows], strict=True):
            assert got == given_cell
            assert hash(got) == hash(given_cell)


@given(st.lists(st.tuples(int64, cell), min_size=1))
def test_object_arrays_like_lists_of_rows(rows):
    table = np.empty((len(rows), 2), dtype=object)
    for i, row in enumerate(rows):
        table[i, 0], table[i, 1] = row
    assert as_lists(id_columns(table)) == as_lists(id_columns(rows))
    assert id_columns(table)[0].dtype == np.int64


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, "U5", "S5"])
def test_arrays_are_split_without_conversion(dtype):
    X = np.arange(6).reshape(3, 2).astype(dtype)
    columns = id_columns(X)
    assert all(column.dtype == X.dtype for column in columns)
    assert as_lists(columns) == X.T.tolist()


def test_integers_in_lists_are_exact_beyond_doubles_and_int64():
    rows = [(BIG, 2**63), (BIG + 1, 2**63 + 1), (-BIG - 1, 2**70)]
    user, item = id_columns(rows)
    assert user.dtype == np.int64
    assert user.tolist() == [BIG, BIG + 1, -BIG - 1]
    assert item.tolist() == [2**63, 2**63 + 1, 2**70]


def frames():
    """Yield (id, function that makes a two-column table of two columns of values)."""
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    return {
        "pandas": lambda u, i: pd.DataFrame({"user": u, "item": i}),
        "polars": lambda u, i: pl.DataFrame({"user": u, "item": i}),
        "pyarrow": lambda u, i: pa.table({"user": u, "item": i}),
        "pyarrow batch": lambda u, i: pa.record_batch({"user": u, "item": i}),
    }


each_frame = pytest.mark.parametrize(
    "kind", ["pandas", "polars", "pyarrow", "pyarrow batch"]
)


@each_frame
@pytest.mark.parametrize(
    ("user", "item"),
    [
        (np.array([BIG, BIG + 1]), np.array([2**64 - 1, 2**64 - 2], dtype=np.uint64)),
        (np.array([BIG, BIG + 1]), np.array([0.5, 1.5])),
        (np.array([BIG, BIG + 1]), ["a", "b"]),
        (["", "ä"], ["1", "01"]),
        ([True, False], np.array([1, 2], dtype=np.int8)),
    ],
    ids=["int64+uint64", "int64+float64", "int64+string", "strings", "bool+int8"],
)
def test_frames_of_mixed_dtypes_are_exact(kind, user, item):
    columns = id_columns(frames()[kind](user, item))
    assert as_lists(columns) == [list(user), list(item)]


def test_pandas_extension_dtypes():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "Int64": pd.array([BIG, BIG + 1], dtype="Int64"),
            "UInt64": pd.array([2**64 - 1, 2**64 - 2], dtype="UInt64"),
            "category": pd.Categorical(["x", "y"], categories=["y", "x"]),
            "category of int": pd.Categorical([BIG + 1, BIG]),
            "string": pd.array(["x", "y"], dtype="string"),
            "arrow": pd.array([BIG, BIG + 1], dtype="int64[pyarrow]"),
            "object": pd.Series([("a", 1), 2**70], dtype=object),
        }
    )
    expected = [frame[name].tolist() for name in frame]
    assert expected[0] == [BIG, BIG + 1]
    assert [id_columns(frame[[c, c]])[1].tolist() for c in frame] == expected


def test_polars_and_arrow_categories():
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    words = ["y", "x", "y"]
    frame = pl.DataFrame({"a": words, "b": [3, 1, 2]}).cast({"a": pl.Categorical})
    assert as_lists(id_columns(frame)) == [words, [3, 1, 2]]
    table = pa.table({"a": pa.array(words).dictionary_encode(), "b": [3, 1, 2]})
    assert as_lists(id_columns(table)) == [words, [3, 1, 2]]


def test_repeated_column_names_are_read_by_position():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([[1, "a"], [2, "b"]], columns=["id", "id"])
    assert as_lists(id_columns(frame)) == [[1, 2], ["a", "b"]]


@each_frame
def test_missing_ids_in_frames(kind):
    table = frames()[kind](["a", None], ["x", "y"])
    with pytest.raises(ValueError, match="Input X_unlab contains NaN: 1 missing ids"):
        id_columns(table, name="X_unlab")


@pytest.mark.parametrize("dtype", ["Int64", "float64", "category", "string", "object"])
def test_missing_ids_in_pandas(dtype):
    pd = pytest.importorskip("pandas")
    column = pd.Series([1, None, 2], dtype="object").astype(dtype)
    with pytest.raises(ValueError, match="1 missing ids in column 'item'"):
        id_columns(pd.DataFrame({"user": [1, 2, 3], "item": column}))


def test_nan_in_polars_floats():
    pl = pytest.importorskip("polars")
    with pytest.raises(ValueError, match="contains NaN: 1 ids in column 1"):
        id_columns(pl.DataFrame({"u": [1, 2], "i": [1.0, float("nan")]}))


NO_IDS = {
    "missing": [1.0, np.nan],
    "infinite": [np.inf, 1.0],
    "large": [1.6e18, 1.6e18],
    "complex": [1j, 2],
    "none": ["a", None],
    "lists": [[1], [2, 3]],
}


@pytest.mark.parametrize("third", NO_IDS)
def test_what_stands_beside_the_ids_may_be_anything(third):
    expected, beside = [[1, 2], [3, 4]], NO_IDS[third]
    rows = list(zip(*expected, beside))
    assert as_lists(id_columns(rows)) == expected
    table = np.empty((2, 3), dtype=object)
    table[:] = rows
    assert as_lists(id_columns(table)) == expected
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"u": [1, 2], "i": [3, 4], "more": beside}
    assert as_lists(id_columns(pd.DataFrame(columns))) == expected
    if third != "complex":
        frame = pl.DataFrame(columns)
        assert as_lists(id_columns(frame)) == expected
        assert as_lists(id_columns(frame.to_arrow())) == expected
    if third not in ("complex", "none", "lists"):
        masked = np.ma.masked_invalid(np.array(rows))
        assert as_lists(id_columns(masked)) == expected


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[1.0, np.nan]]), "contains NaN: 1 ids in column 1"),
        ([[1, float("nan")]], "contains NaN: 1 ids in column 1"),
        (np.array([[1.0, 2.0], [-np.inf, 1]]), "infinity: 1 ids in column 0.* row 1"),
        ([[1.5, 2], [float("inf"), 2]], "infinity: 1 ids in column 0"),
        (np.array([[1.0, 2.0**53 + 2]]), r"dtype float64 beyond 2\*\*53"),
        (np.float32([[1, 2**24 + 2]]), r"dtype float32 beyond 2\*\*24"),
        (np.float16([[1, 2**11 + 2]]), r"dtype float16 beyond 2\*\*11"),
        (np.array([[1 + 0j, 2]]), "Complex data not supported"),
        ([[1, 2], [3]], "differ in length"),
        ([[1, 2], 3], "row 1 of X is 3"),
        ([("a", "b"), "cd"], "row 1 of X is 'cd'"),
        (["ab", "cd"], "Expected 2D array, got 1D array"),
        (np.arange(4), "Expected 2D array, got 1D array"),
        (np.zeros((2, 2, 2)), "Expected 2D array, got 3D array"),
        (3, "Expected 2D array, got scalar array instead: X is of type int"),
        ([], "0 sample.* X is empty"),
    ],
)
def test_unusable_tables(X, message):
    with pytest.raises(ValueError, match=message):
        id_columns(X)


def test_a_series_is_not_a_table():
    for frame_library in ("pandas", "polars"):
        series = pytest.importorskip(frame_library).Series([1, 2])
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            id_columns(series)


def test_sparse_and_lazy_tables():
    for make in (sparse.csr_matrix, sparse.coo_array):
        with pytest.raises(TypeError, match=r"Sparse .* X_unlab, but dense .*nonzero"):
            id_columns(make(np.eye(3)), name="X_unlab")
    lazy = pytest.importorskip("polars").LazyFrame({"u": [1], "i": [2]})
    with pytest.raises(TypeError, match=r"lazy frame .* call \.collect\(\) first"):
        id_columns(lazy)


def test_floats_up_to_the_limit_and_decimals_are_exact():
    edge = np.array([[BIG, -BIG], [BIG - 1, 1]], dtype=float)
    assert as_lists(id_columns(edge)) == edge.T.tolist()
    rows = [[Decimal("0.1"), 0.1], [Decimal("0.10"), 1]]
    assert as_lists(id_columns(rows)) == [[r[0] for r in rows], [r[1] for r in rows]]


def test_scalars_of_tensors_and_arrow_are_the_ids_they_hold():
    # Tensors hash by what they are, not by what they hold: every row a newcomer.
    tensor, text = torch.tensor([7, 8, 7]), ["a", "b", "a"]
    for made in (tensor, [np.array(v) for v in tensor.tolist()]):
        user, item = id_columns(list(zip(made, text)))
        assert user.dtype == np.int64
        assert user.tolist() == [7, 8, 7]
        assert item.tolist() == text
        assert id_column(list(made), name="users").tolist() == [7, 8, 7]
    table = pytest.importorskip("pyarrow").table({"user": [7, 8, 7], "item": text})
    columns = id_columns(list(zip(table["user"], table["item"])))
    assert as_lists(columns) == [[7, 8, 7], text]
    moment = np.datetime64("2024-01-01", "ns")
    (alone,) = id_column([np.array(moment)], name="users")
    assert type(alone) is np.datetime64
    assert alone == moment
