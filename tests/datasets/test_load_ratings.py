"""load_ratings: formats, exact ids, and errors that say what to do."""

import numpy as np
import pytest

from sklearn_invlearn.datasets import load_ratings

BIG = 2**53 + 1


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def check(data, X=((1, 10), (2, 11)), rating=(5, 2), timestamp=(100, 101)):
    np.testing.assert_array_equal(data.X, np.array(X))
    np.testing.assert_array_equal(data.rating, rating)
    np.testing.assert_array_equal(data.y, [1, 0])
    assert data.y.dtype == np.int64
    assert data.rating.dtype == np.float64
    if timestamp is None:
        assert data.timestamp is None
    else:
        np.testing.assert_array_equal(data.timestamp, timestamp)
        assert data.timestamp.dtype == np.int64


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ratings.dat", "1::10::5::100\n2::11::2::101\n"),
        ("u.data", "1\t10\t5\t100\n2\t11\t2\t101\n"),
        ("windows.dat", "1::10::5::100\r\n2::11::2::101"),
        ("plain.csv", "userId,movieId,rating,timestamp\n1,10,5.0,100\n2,11,2,101\n"),
        ("other.csv", "Rating,Name,ITEM_ID,user,TimeStamp\n5,a,10,1,100\n2,b,11,2,101"),
        ("bom.csv", "\ufeffuser,item,rating,timestamp\n1,10,5,100\n2,11,2,101\n"),
        ("semicolon.csv", "user;item;rating;timestamp\n1;10;5;100\n2;11;2;101\n"),
        ("quoted.tsv", '"user"\t"item"\t"rating"\t"timestamp"\n"1"\t10\t5\t100\n'
         '"2"\t11\t2\t101'),
        ("mac.csv", "user,item,rating,timestamp\r1,10,5,100\r2,11,2,101\r"),
        ("mac.txt", "1,10,5,100\r2,11,2,101"),
        ("trailing.csv", "user,item,rating,timestamp\n1,10,5,100,\n2,11,2,101,\n"),
        ("one_name.csv", "timestamp,reader,book,stars\n100,1,10,5\n101,2,11,2\n"),
        ("video.csv", "timestamp,user_id,video_id,rating\n100,1,10,5\n101,2,11,2\n"),
        ("no_header.txt", "1,10,5,100\n2,11,2,101\n"),
        ("spaced.csv", "user, item, rating, timestamp\n1, 10, 5, 100\n2, 11, 2, 101\n"),
        ("spaced.txt", '1, "10", 5, 100\n2, 11, 2, 101\n'),
        ("dates.csv", "user,item,rating,timestamp\n1,10,5,1970-01-01T00:01:40Z\n"
         "2,11,2,1970-01-01 00:01:41\n"),
    ],
)  # fmt: skip
def test_text(tmp_path, name, text):
    pytest.importorskip("pandas")
    data = load_ratings(write(tmp_path, name, text))
    check(data)
    assert data.X.dtype == np.int64
    assert data.X_valid is data.y_valid is data.rating_valid is None
    assert name in data.DESCR


def test_unknown_names_mean_the_first_three_columns(tmp_path):
    text = "reader,book,stars,shelf\n1,10,5,7\n2,11,2,8\n"
    check(load_ratings(write(tmp_path, "a.csv", text)), timestamp=None)


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("b.tsv", "\t"), ("c.csv", ";")]
)
def test_a_first_row_with_the_separator_in_quotes_is_a_row(tmp_path, name, separator):
    pytest.importorskip("pandas")
    rows = [f'"smith{separator} j"', "i2", "4"], ["bob", '"i3"', "2"]
    text = "\n".join(separator.join(row) for row in rows)
    data = load_ratings(write(tmp_path, name, text))
    assert data.X.tolist() == [[f"smith{separator} j", "i2"], ["bob", "i3"]]
    assert data.rating.tolist() == [4, 2]


def test_double_colons_know_no_quotes(tmp_path):
    pytest.importorskip("pandas")
    items = ["10", '"Heroes" (1)', '"Lost', '"24', "a\ttab", "a\x1f", "Friends"]
    text = "".join(f"{k}::{item}::{k % 5}::{k}\n" for k, item in enumerate(items))
    data = load_ratings(write(tmp_path, "ratings.dat", text))
    assert data.X.tolist() == [list(pair) for pair in enumerate(items)]
    assert data.timestamp.tolist() == list(range(len(items)))


def test_text_without_timestamp_from_a_str_path(tmp_path):
    path = write(tmp_path, "a.csv", "user,item,rating\n1,10,5\n2,11,2\n")
    check(load_ratings(str(path)), timestamp=None)


def test_threshold(tmp_path):
    path = write(tmp_path, "a.csv", "user,item,rating\n1,10,3.5\n2,11,4\n")
    np.testing.assert_array_equal(load_ratings(path, threshold=4).y, [0, 1])


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((BIG, BIG + 1), [BIG, BIG + 1]),
        ((-5, 0), [-5, 0]),
        (("007", "7"), ["007", "7"]),
        (("NA", "null"), ["NA", "null"]),
        (("é b", "1e3"), ["é b", "1e3"]),
        ((2**63, 2**63 + 1), [str(2**63), str(2**63 + 1)]),
    ],
)
def test_ids_of_text_stay_exact(tmp_path, ids, expected):
    text = "user,item,rating\n" + "".join(f"{i},1,{r}\n" for i, r in zip(ids, (5, 2)))
    data = load_ratings(write(tmp_path, "a.csv", text))
    assert data.X[:, 0].tolist() == expected
    assert data.X[:, 1].tolist() == [1, 1]
    assert data.X.dtype == (np.int64 if isinstance(expected[0], int) else object)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (np.array([BIG, BIG + 1]), [BIG, BIG + 1]),
        (np.array([3, 4], dtype=np.int16), [3, 4]),
        (np.array([2**64 - 1, 1], dtype=np.uint64), [2**64 - 1, 1]),
        (np.array([3.0, 4.0]), [3, 4]),
        (np.array(["u1", "007"]), ["u1", "007"]),
    ],
)
def test_ids_of_npz_stay_exact(tmp_path, user, expected):
    np.savez(tmp_path / "a.npz", user=user, item=[10, 11], rating=[5, 2])
    data = load_ratings(tmp_path / "a.npz")
    assert data.X[:, 0].tolist() == expected
    assert data.X[:, 1].tolist() == [10, 11]


def test_float_ids_that_lost_digits(tmp_path):
    np.savez(tmp_path / "a.npz", user=[2.0**60, 1], item=[10, 11], rating=[5, 2])
    with pytest.raises(ValueError, match="Store them as integers or text"):
        load_ratings(tmp_path / "a.npz")


def test_npz(tmp_path):
    columns = {"user": [1, 2], "item": [10, 11], "rating": [5, 2]}
    np.savez(tmp_path / "a.npz", **columns)
    check(load_ratings(tmp_path / "a.npz"), timestamp=None)
    np.savez_compressed(tmp_path / "b.npz", timestamp=[100, 101], **columns)
    check(load_ratings(tmp_path / "b.npz"))


def test_npz_in_two_parts(tmp_path):
    train = {"train_user": [1, 2], "train_item": [10, 11], "train_rating": [5, 2]}
    valid = {"valid_user": [3], "valid_item": [12], "valid_rating": [4]}
    np.savez(tmp_path / "a.npz", **train, **valid)
    data = load_ratings(tmp_path / "a.npz")
    check(data, timestamp=None)
    np.testing.assert_array_equal(data.X_valid, [[3, 12]])
    np.testing.assert_array_equal(data.y_valid, [1])
    np.testing.assert_array_equal(data.rating_valid, [4.0])
    np.savez(tmp_path / "b.npz", **train)
    with pytest.raises(ValueError, match="lacks the arrays valid_item, valid_rating"):
        load_ratings(tmp_path / "b.npz")


def test_npz_never_unpickles(tmp_path):
    user = np.array([1, "a"], dtype=object)
    np.savez(tmp_path / "a.npz", user=user, item=[10, 11], rating=[5, 2])
    with pytest.raises(ValueError, match="they can run code"):
        load_ratings(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
def test_parquet(tmp_path, suffix):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(
        {
            "movieId": pandas.Categorical(["x", "007"]),
            "rating": np.array([5, 2], dtype=np.float32),
            "USER_ID": [BIG, BIG + 1],
            "extra": ["a", None],
            "timestamp": pandas.to_datetime([100, 101], unit="s", utc=True),
        }
    )
    path = tmp_path / f"a{suffix}"
    frame.to_parquet(path)
    data = load_ratings(path)
    assert data.X.tolist() == [[BIG, "x"], [BIG + 1, "007"]]
    np.testing.assert_array_equal(data.timestamp, [100, 101])
    np.testing.assert_array_equal(data.rating, [5, 2])

    frame["USER_ID"] = frame["USER_ID"].astype("Int64")
    frame.to_parquet(path)
    assert load_ratings(path).X.tolist() == data.X.tolist()
    frame.loc[1, "USER_ID"] = pandas.NA
    frame.to_parquet(path)
    with pytest.raises(ValueError, match="no user in 1 of 2 rows, first in row 1"):
        load_ratings(path)


def test_parts_of_a_second_are_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    moments = ["2024-05-01T10:00:00.001", "2024-05-01T10:00:00.002"]
    expected = [1714557600.001, 1714557600.002]
    frame = pandas.DataFrame({"user": [1, 2], "item": [10, 11], "rating": [5, 2]})
    frame["timestamp"] = pandas.to_datetime(moments)
    frame.to_parquet(tmp_path / "a.parquet")
    rows = "".join(f"{k},{k},{k},{moment}\n" for k, moment in zip((2, 5), moments))
    write(tmp_path, "a.csv", "user,item,rating,timestamp\n" + rows)
    for name in ("a.parquet", "a.csv"):
        found = load_ratings(tmp_path / name).timestamp
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["1970-01-01T00:01:40Z", "1970-01-01T01:01:41+01:00"], [100, 101]),
        (["1970-01-01", "1970-01-02"], [0, 86400]),
        (["100", "101"], [100, 101]),
        (["100.5", "101"], [100.5, 101]),
    ],
)
def test_times_that_are_text_in_parquet_and_npz(tmp_path, times, expected):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    columns = {"user": [1, 2], "item": [10, 11], "rating": [5, 2], "timestamp": times}
    pandas.DataFrame(columns).to_parquet(tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", **columns)
    for name in ("a.parquet", "a.npz"):
        data = load_ratings(tmp_path / name)
        assert data.timestamp.tolist() == expected
        assert data.timestamp.dtype == np.asarray(expected).dtype


def test_a_column_that_is_there_twice(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = [pyarrow.array([1, 2])] * 4
    table = pyarrow.table(columns, names=["user", "item", "rating", "user"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="has 2 columns of the name 'user'"):
        load_ratings(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xlsx", "x", "suffix '.xlsx', which tells no known format"),
        ("a.zip", "x", "fetch_movielens"),
        ("a.csv", "", "fewer than three columns"),
        ("a.csv", "user,rating\n1,2\n", "fewer than three columns"),
        ("a.csv", "user,item,rating\n", "has no row"),
        ("a.csv", "user,thing,rating\n1,2,3\n", "no column for item among"),
        ("a.csv", "user,item,rating\n1,2,5\n,3,4\n", "no user in 1 of 2 rows"),
        ("a.csv", "user,item,rating\n1,2,5\n2,3,\n", "no rating in 1 of 2 rows"),
        ("a.csv", "user,item,rating\n1,2,5\n2,3\n", "no rating in 1 of 2 rows"),
        ("a.csv", "user,item,rating\n1,2,good\n", "row 0 .* is 'good', not a number"),
        ("a.csv", "user,item,rating\n1,2,inf\n", "not a finite number"),
        ("a.csv", "user,item,rating,timestamp\n1,2,3,soon\n", "timestamp in row 0"),
        (
            "a.csv",
            "user,item,rating,timestamp\n1,2,3,31/5/2024\n",
            "is '31/5/2024', neither a number nor an ISO 8601 date",
        ),
        ("a.csv", 'user,item,rating\n1,2,"3\n', "is not UTF-8 text with 3 columns"),
        ("a.csv", b"user,item,rating\n\xe9,2,3\n", "is not UTF-8 text"),
        (
            "a.csv",
            "user,item,rating\nSmith, John,12,5\nDoe, Jane,13,2\n",
            "lines have more fields than the first.* not in quotation marks",
        ),
        ("a.csv", "user,item,rating\n1,2,3\n4,5,1,9\n", "with 3 columns in every"),
        ("a.csv", "user,item,rating,rating\n1,2,3,4\n", "2 columns of .* 'rating'"),
        (
            "a.csv",
            "user,item,rating,User\n1,2,3,4\n",
            "2 columns of the name 'user'",
        ),
        ("a.csv", "timestamp,a,b\n1,2,c\n", "no column for user, item, rating"),
        (
            "a.csv",
            'user,item,rating\nu1,"Foo,5\nu2,bar,3\nu3,Baz",4\nu4,x,1\n',
            "item in row 0 .* holds a line break: 'Foo,5.*no partner",
        ),
        ("a.csv", "x" * 200_000, "fewer than three columns"),
        ("a.csv", "1,2,\n1,3,4\n", r"first line of a.csv, \['1', '2', ''\], is no h"),
        ("a.csv", "1,2,NA\n1,3,4\n", "is no header, .* and no row"),
        ("a.csv", "ann,7,good\nann,8,4\n", "is no header, .* and no row"),
        ("a.dat", "1::2::\n1::3::4\n", "is no header, .* and no row"),
        ("a.csv", ",reader,book,stars\n0,1,2,3\n", "is no header, .* and no row"),
        ("a.npz", "x", "is no .npz archive"),
        ("a.parquet", "x", "is no Parquet file, or is damaged"),
    ],
)
def test_errors(tmp_path, name, text, message):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=message):
        load_ratings(write(tmp_path, name, text))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"user": [1, 2], "item": [1, 2]}, "lacks the arrays rating among"),
        ({"user": [1, 2], "item": [1], "rating": [1]}, "differ in length"),
        ({"user": [[1]], "item": [1], "rating": [1]}, r"has shape \(1, 1\)"),
        ({"user": [1], "item": [1], "rating": [np.nan]}, "no rating in 1 of 1 rows"),
        ({"user": [], "item": [], "rating": []}, "has no row"),
    ],
)
def test_npz_errors(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_ratings(tmp_path / "a.npz")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="Check the spelling"):
        load_ratings(tmp_path / "a.csv")


@pytest.mark.parametrize(("threshold", "side"), [(0.5, "reach"), (9, "stay below")])
def test_one_class_warns(tmp_path, threshold, side):
    np.savez(tmp_path / "a.npz", user=[1, 2], item=[1, 2], rating=[1, 5])
    with pytest.warns(UserWarning, match=rf"{side} threshold.* from 1 to 5"):
        load_ratings(tmp_path / "a.npz", threshold=threshold)


@pytest.mark.parametrize(
    ("name", "package"), [("a.csv", "pandas"), ("a.parquet", "pyarrow")]
)
def test_missing_package(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ImportError, match=rf"{package}.*sklearn-invlearn\[frames\]"):
        load_ratings(write(tmp_path, name, "user,item,rating\n1,2,3\n"))
