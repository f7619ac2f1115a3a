"""Lists as one frame: a row per item, of the kind that the users came in."""

import numpy as np
import pytest

from sklearn_invlearn import CrossEntropyRecommender

X = [[user, item] for user in range(4) for item in "abcde" if (user, item) != (3, "e")]
y = [k % 2 for k in range(len(X))]
ASKED = [2, 3, 99]


def fitted(X=X, **params):
    est = CrossEntropyRecommender(backbone="bias", max_epochs=5, random_state=0)
    return est.fit(X, y)


def rows_of(est, users, **arguments):
    """User, item, rank and score of every item in the lists."""
    ids, scores = est.recommend(users, **arguments)
    return [
        (user, item, rank, score)
        for user, row, row_scores in zip(users, ids.tolist(), scores.tolist())
        for rank, (item, score) in enumerate(zip(row, row_scores), 1)
        if item is not None
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_items": 3},  # two users have nothing left or one item
        {"n_items": 3, "exclude_seen": False},
        {"n_items": 2, "exclude_seen": False, "candidates": ["e", "new", "a"]},
    ],
    ids=["seen", "all", "candidates"],
)
def test_a_frame_has_the_rows_of_the_lists(arguments):
    pytest.importorskip("pandas")
    est = fitted()
    frame = est.recommend(ASKED, return_frame=True, **arguments)
    assert list(frame) == ["user", "item", "rank", "proba"]
    expected = rows_of(est, ASKED, **arguments)
    assert list(frame.itertuples(index=False, name=None)) == expected
    assert frame["user"].dtype == frame["rank"].dtype == np.int64
    single = est.recommend(2, return_frame=True, **arguments)
    assert single.equals(frame[frame["user"] == 2])


def test_columns_are_called_as_in_fit():
    pandas = pytest.importorskip("pandas")
    est = fitted(pandas.DataFrame(X, columns=["viewer", "film"]))
    frame = est.recommend(pandas.Series([0, 99]), 2, return_frame=True)
    assert list(frame) == ["viewer", "film", "rank", "proba"]
    est = fitted(pandas.DataFrame(X, columns=["proba", "film"]))
    with pytest.raises(ValueError, match=r"named \['proba'\].*Rename"):
        est.recommend([0], return_frame=True)


def test_frames_of_polars_and_pyarrow():
    pytest.importorskip("pandas")
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    for est in (fitted(), fitted([[(u, 0), item] for u, item in X])):
        users = est.user_ids_.tolist()[2:]
        expected = rows_of(est, users, n_items=4, exclude_seen=False)
        frame = est.recommend(users, 4, exclude_seen=False, return_frame=True)
        assert list(frame.itertuples(index=False, name=None)) == expected
    est = fitted()
    expected = rows_of(est, ASKED, n_items=4)
    frame = est.recommend(polars.Series(ASKED), 4, return_frame=True)
    assert isinstance(frame, polars.DataFrame)
    assert frame.rows() == expected
    chunked = pyarrow.chunked_array([ASKED[:2], ASKED[2:]])
    for users in (pyarrow.array(ASKED), chunked):
        table = est.recommend(users, 4, return_frame=True)
        assert isinstance(table, pyarrow.Table)
        assert [tuple(row.values()) for row in table.to_pylist()] == expected


@pytest.mark.parametrize("kind", ["datetime64[ns]", "timedelta64[ns]"])
def test_times_are_the_same_times_in_frames_of_polars_and_pyarrow(kind):
    # Of a list of times polars took nanoseconds for microseconds: dates in 2189.
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    times = 3_600 * 10**9 * np.arange(5)
    columns = {"user": np.arange(20) % 4, "item": times.astype(kind)[np.arange(20) % 5]}
    est = fitted(polars.DataFrame(columns).head(len(y)))
    expected = est.recommend([0, 99], 2, exclude_seen=False)[0].astype(kind).ravel()
    for asked in (polars.Series([0, 99]), pyarrow.array([0, 99])):
        frame = est.recommend(asked, 2, exclude_seen=False, return_frame=True)
        found = frame["item"].to_numpy().astype(kind)
        np.testing.assert_array_equal(found, expected)


def test_nobody_asked():
    pytest.importorskip("pandas")
    frame = fitted().recommend([], return_frame=True)
    assert frame.shape == (0, 4)
