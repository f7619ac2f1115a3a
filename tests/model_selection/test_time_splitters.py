"""Splitters by time: what counts as a time, and which rows come first."""

import numpy as np
import pytest

from sklearn_invlearn.model_selection import (
    ExpandingWindowSplit,
    LeaveLastN,
    TimeCutSplit,
)

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.integers(0, 12, 200), RNG.integers(0, 30, 200)])
Y = RNG.integers(0, 2, 200)
TIME = RNG.integers(0, 50, 200)


def rows_of(splitter, table=X, y=Y):
    return [(list(a), list(b)) for a, b in splitter.split(table, y)]


def test_time_as_array_position_name_datetime_and_text():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pd.DataFrame({"user": X[:, 0], "item": X[:, 1], "when": TIME})
    stamps = pd.to_datetime("2024-01-01") + pd.to_timedelta(TIME, unit="D")
    aware = pd.Series(stamps).dt.tz_localize("UTC")
    text = [str(stamp.date()) for stamp in stamps]
    for make in (
        lambda time: LeaveLastN(2, time=time),
        lambda time: TimeCutSplit(time=time),
        lambda time: ExpandingWindowSplit(3, time=time),
    ):
        expected = rows_of(make(TIME))
        for time in (TIME.tolist(), stamps, aware, list(stamps), text):
            assert rows_of(make(time)) == expected
        assert rows_of(make("when"), frame) == expected
        assert rows_of(make(2), frame.to_numpy()) == expected
        assert rows_of(make("when"), pl.from_pandas(frame)) == expected
    expected = [(list(np.flatnonzero(TIME < 20)), list(np.flatnonzero(TIME >= 20)))]
    for time, cut in (
        (TIME, 20),
        (stamps, "2024-01-21"),
        (stamps, stamps.min() + pd.Timedelta(days=20)),
        (text, "2024-01-21"),
        (aware, aware.min() + pd.Timedelta(days=20)),
    ):
        assert rows_of(TimeCutSplit(time=time, cut=cut)) == expected


def test_a_cut_keeps_its_nanoseconds_and_takes_the_zone_of_the_times():
    pd = pytest.importorskip("pandas")
    table = [[0, 0]] * 6
    nanoseconds = np.array([500, 1000, 1500, 2000, 2500, 3000])
    times = nanoseconds.astype("datetime64[ns]")
    for cut in (pd.Timestamp(1900), np.datetime64(1900, "ns")):
        ((_, test),) = TimeCutSplit(time=times, cut=cut).split(table)
        assert test.tolist() == [3, 4, 5]
    hours = pd.date_range("2024-05-01", periods=6, freq="h", tz="Europe/Berlin")
    plain = [hour.to_pydatetime() for hour in hours]
    for times in (pd.Series(hours), plain):
        for cut in ("2024-05-01 04:00", "2024-05-01T04:00+02:00", hours[4]):
            ((_, test),) = TimeCutSplit(time=times, cut=cut).split(table)
            assert test.tolist() == [4, 5]
        with pytest.raises(TypeError, match="cut='noon' cannot be compared"):
            next(TimeCutSplit(time=times, cut="noon").split(table))


def test_the_cut_by_share_keeps_equal_times_together():
    ((train, test),) = TimeCutSplit(time=TIME, test_size=0.3).split(X)
    assert TIME[train].max() < TIME[test].min()
    shares = [np.mean(t <= TIME) for t in range(1, 50)]
    assert abs(len(test) / 200 - 0.3) == min(abs(s - 0.3) for s in shares)
    ((train, test),) = TimeCutSplit(time=None, test_size=0.25).split(X)
    assert train.tolist() == list(range(150))


def test_windows_expand_and_every_later_row_is_tested_once():
    splits = list(ExpandingWindowSplit(4, time=TIME).split(X))
    past = set()
    for train, test in splits:
        assert TIME[train].max() < TIME[test].min()
        assert not past or set(train) == past
        past = set(train) | set(test)
        assert 20 <= len(test) <= 60
    assert past == set(range(200))


@pytest.mark.parametrize(
    "make",
    [
        lambda time: LeaveLastN(1, time=time),
        lambda time: TimeCutSplit(time=time),
        lambda time: TimeCutSplit(time=time, cut="08"),
        lambda time: ExpandingWindowSplit(2, time=time),
    ],
)
def test_numbers_that_are_text_are_refused_where_they_sort_otherwise(make):
    rows = [("ann", "a", 8), ("ann", "b", 9), ("bob", "a", 7), ("bob", "b", 100)]
    text = np.array(rows)  # all of it
    for table in (text, text.astype(object), text.astype("S")):
        with pytest.raises(ValueError, match=r"'100' would come before .*'7'"):
            next(make(2).split(table))
    for times in (["1", "01", "2", "3"], ["1.0", "1", "2", "3"]):
        with pytest.raises(ValueError, match="text that reads as numbers"):
            next(make(times).split(rows))
    for times in (["08", "09", "07", "10"], ["08.0", "08.5", "07", "1e1"]):
        assert rows_of(make(times), rows, None)  # in both orders the same


@pytest.mark.parametrize(
    "days",
    [
        ["2024-9-1", "2024-10-1"],
        ["15/01/2024", "01/02/2024"],  # of the day first
        ["12/31/2023", "01/02/2024"],  # of the month first
        ["2024-05-01T01:00:00+05:00", "2024-05-01T00:00:00+02:00"],
        ["Sep 1, 2024", "Oct 1, 2024"],
    ],
)
def test_dates_that_are_text_are_refused_where_they_sort_otherwise(days):
    pytest.importorskip("pandas")
    table = [["ann", 1], ["ann", 2]]
    for splitter in (LeaveLastN(time=days), TimeCutSplit(time=days)):
        with pytest.raises(ValueError, match=r"reads as dates, .* would come before"):
            next(splitter.split(table))


def test_text_that_sorts_as_what_it_stands_for_is_time():
    for days in (
        ["2024/05/02 10:00", "2024/06/01 09:00"],
        ["2024.05.02", "2024.06.01"],
        ["2024-05-01T01:00:00+02:00", "2024-05-01T02:00:00+02:00"],
        ["week 07", "week 11"],
        ["20240502", "20240601"],
    ):
        (_, test), *_ = LeaveLastN(time=days).split([["ann", 1], ["ann", 2]])
        assert test.tolist() == [1]


@pytest.mark.parametrize("categories", [["low", "high", "end"], [9, 8, 7]])
def test_ordered_categories_say_themselves_what_comes_first(categories):
    pd = pytest.importorskip("pandas")
    first, second, third = categories
    times = pd.Categorical([third, first, second], categories, ordered=True)
    frame = pd.DataFrame({"user": ["ann"] * 3, "item": [1, 2, 3], "time": times})
    for time in ("time", 2, times, frame["time"]):
        ((train, test),) = LeaveLastN(time=time).split(frame)
        assert (train.tolist(), test.tolist()) == ([1, 2], [0])
        ((train, test),) = TimeCutSplit(time=time, cut=second).split(frame)
        assert (train.tolist(), test.tolist()) == ([1], [0, 2])
    with pytest.raises(ValueError, match="cut='mid' is none of the categories"):
        next(TimeCutSplit(time="time", cut="mid").split(frame))
    frame.loc[0, "time"] = None
    with pytest.raises(ValueError, match=r"1 of the times .* missing"):
        next(LeaveLastN(time="time").split(frame))


def test_a_position_may_be_an_integer_of_numpy():
    table = np.column_stack([X, TIME])
    expected = rows_of(TimeCutSplit(time=2), table)
    for position in (np.int64(2), np.int32(-1)):
        assert rows_of(TimeCutSplit(time=position), table) == expected


def test_bad_times():
    with pytest.raises(ValueError, match="time has 7 entries, but X has 200"):
        next(LeaveLastN(time=TIME[:7]).split(X))
    for missing in ([np.nan] + [1.0] * 199, [None] + [1] * 199):
        with pytest.raises(ValueError, match="1 of the times in time are missing"):
            next(TimeCutSplit(time=missing).split(X))
    stamps = np.array(["NaT"] + ["2024-01-01"] * 199, dtype="datetime64[D]")
    with pytest.raises(ValueError, match="missing"):
        next(TimeCutSplit(time=stamps).split(X))
    with pytest.raises(TypeError, match="cannot be sorted"):
        next(TimeCutSplit(time=["a", 1] * 100).split(X))
    with pytest.raises(TypeError, match="cannot be compared"):
        next(TimeCutSplit(time=list("ab") * 100, cut=3).split(X))
    with pytest.raises(TypeError, match="cannot be compared"):
        next(TimeCutSplit(time=TIME, cut="May").split(X))
    for cut in (1000, -1):
        with pytest.raises(ValueError, match="There are no"):
            next(TimeCutSplit(time=TIME, cut=cut).split(X))
    with pytest.raises(ValueError, match="cut is NaN"):
        next(TimeCutSplit(time=TIME, cut=np.nan).split(X))
    with pytest.raises(ValueError, match="There are no test rows"):
        next(TimeCutSplit(time=np.ones(200)).split(X))
    with pytest.raises(ValueError, match="leaves 1 cuts"):
        next(ExpandingWindowSplit(3, time=[0, 1] * 100).split(X))
    for size in (0, 1, "half"):
        with pytest.raises(ValueError, match="test_size"):
            TimeCutSplit(time=0, test_size=size)


@pytest.mark.parametrize(
    ("times", "cut"),
    [
        (["2024-04-01", "2024-10-01", "2025-01-01"], "2024-9-1"),
        (["2024-04-01", "2024-10-01", "2025-01-01"], "2024-10-01T00:00"),
        (["2024-04-01", "2024-10-01", "2025-01-01"], "2024-Q3"),
        (["10", "20", "30"], "9"),
        (["10", "20", "30"], "1e1"),
        ([b"10", b"20", b"30"], b"9"),
    ],
)
def test_a_text_cut_is_refused_where_letters_sort_it_otherwise(times, cut):
    pytest.importorskip("pandas")
    table = [[0, 0]] * len(times)
    with pytest.raises(ValueError, match="written"):
        list(TimeCutSplit(time=times, cut=cut).split(table))


@pytest.mark.parametrize("cut", ["2024-10-01", "2024-10", "2024-09-30T12:00"])
def test_a_text_cut_may_be_coarser_or_finer_than_the_times(cut):
    times = ["2024-04-01", "2024-10-01", "2025-01-01"]
    ((_, test),) = TimeCutSplit(time=times, cut=cut).split([[0, 0]] * 3)
    assert test.tolist() == [1, 2]


def test_text_that_is_neither_dates_nor_numbers_is_cut_by_letters():
    ((_, test),) = TimeCutSplit(time=["a", "b", "c"], cut="bb").split([[0, 0]] * 3)
    assert test.tolist() == [2]
