"""Displays of what happened to single rows, and to groups of users."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.inspection import DropsDisplay, GroupsDisplay, LossPathDisplay
from sklearn_invlearn.metrics import gauc_score
from sklearn_invlearn.training import RecordRows

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class Fitted(BaseEstimator):
    classes_ = np.array(["bad", "good"])

    def fit(self, X, y):
        raise NotImplementedError

    def __init__(self, history_=()):
        self.history_ = history_


def fitted_with(**columns):
    """Something fitted, with these columns in its history."""
    if "row_loss" not in columns:
        columns["row_loss"] = np.zeros(np.shape(columns["row_dropped"]))
    n_epochs = len(next(iter(columns.values())))
    return Fitted([{k: v[t] for k, v in columns.items()} for t in range(n_epochs)])


DROPPED = np.array([[0, 0, 0, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 1, 0]], dtype=bool)
IS_FALSE = np.array([1, 1, 0, 0, 0], dtype=bool)


def test_recall_and_precision_of_drops_by_hand():
    display = DropsDisplay(DROPPED, IS_FALSE).plot()
    assert display.recall_.tolist() == [0.0, 0.5, 1.0]
    np.testing.assert_allclose(display.precision_, [np.nan, 1 / 3, 0.5])
    assert display.random_recall_.tolist() == [0.0, 0.6, 0.8]
    assert display.random_precision_ == 0.4
    recall, at_random, precision, *_ = display.ax_.lines
    assert recall.get_ydata().tolist() == [0.0, 0.5, 1.0]
    assert at_random.get_ydata().tolist() == [0.0, 0.6, 0.8]
    assert precision.get_label() == "precision"


def test_negative_rows_are_left_out_of_the_drops():
    est = fitted_with(row_dropped=DROPPED)
    y = np.array(["good", "good", "good", "bad", "bad"])
    display = DropsDisplay.from_estimator(est, y, IS_FALSE)
    assert display.recall_.tolist() == [0.0, 0.5, 1.0]
    assert display.random_precision_ == 2 / 3


def test_drops_need_the_labels_of_fit():
    est = fitted_with(row_dropped=DROPPED)
    with pytest.raises(ValueError, match=r"y holds the label 1, .* \['bad', 'good'\]"):
        DropsDisplay.from_estimator(est, [1, 1, 1, 0, 0], IS_FALSE)


def test_rows_that_were_not_trained_on_are_no_missed_drops():
    loss = np.where([0, 1, 0, 0, 0], np.nan, np.ones((3, 5)))
    est = fitted_with(row_dropped=DROPPED, row_loss=loss)
    display = DropsDisplay.from_estimator(est, ["good"] * 5, IS_FALSE)
    assert display.recall_.tolist() == [0.0, 1.0, 1.0]
    assert display.random_precision_ == 0.25


@pytest.mark.parametrize("n_first", [100, 120])
def test_the_last_of_several_fits_is_drawn(data, n_first):
    est = CrossEntropyRecommender(
        backbone="bias", max_epochs=3, warm_start=True, callbacks=[RecordRows()]
    )
    est.fit(data.X[:n_first], data.y[:n_first])
    est.set_params(max_epochs=2).fit(data.X[-120:], data.y[-120:])
    assert len(est.history_) == 5
    display = LossPathDisplay.from_estimator(est, data.y[-120:])
    expected = np.stack([epoch["row_loss"] for epoch in est.history_[-2:]])
    np.testing.assert_array_equal(display.loss, expected)


def test_drops_need_false_positives_and_records(data):
    with pytest.raises(ValueError, match="nothing to recall"):
        DropsDisplay(DROPPED, ~IS_FALSE & IS_FALSE).plot()
    with pytest.raises(ValueError, match="inconsistent"):
        DropsDisplay(DROPPED, IS_FALSE[:-1]).plot()
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(data.X, data.y)
    with pytest.raises(ValueError, match=r"callbacks=\[.*RecordRows"):
        DropsDisplay.from_estimator(est, data.y, data.y)
    with pytest.raises(ValueError, match=r"callbacks=\[.*RecordRows"):
        LossPathDisplay.from_estimator(est, data.y)


def test_loss_paths_leave_out_rows_that_were_not_trained_on():
    loss = np.array([[1.0, np.nan, 3.0], [0.5, np.nan, 1.0]])
    display = LossPathDisplay.from_estimator(
        fitted_with(row_loss=loss), ["a", "a", "b"]
    )
    assert display.lines_["a"].get_ydata().tolist() == [1.0, 0.5]
    assert display.lines_["b"].get_ydata().tolist() == [3.0, 1.0]
    assert display.lines_["a"].get_label() == "a (1)"


def test_groups_are_scored_one_by_one():
    rng = np.random.default_rng(0)
    users = rng.integers(0, 40, 2000)
    y = rng.integers(0, 2, 2000)
    scores = {"one": rng.random(2000), "two": rng.random(2000) + y}
    history = np.repeat(np.arange(30), np.arange(30) // 2)  # ten users have none
    display = GroupsDisplay.from_predictions(y, scores, users, history=history)
    counts = np.bincount(history, minlength=40)[users]
    assert display.n_users.sum() == 40
    assert len(display.groups) == 4
    for name, score in scores.items():
        for g, label in enumerate(display.groups):
            low, _, high = label.partition("-")
            rows = (counts >= int(low)) & (counts <= int(high or low))
            expected = gauc_score(y[rows], score[rows], users[rows])
            assert display.scores[name][g] == pytest.approx(expected)
    heights = [bar.get_height() for bar in display.bars_ax_.patches]
    assert heights == display.n_users.tolist()
    assert [line.get_label() for line in display.ax_.lines] == ["one", "two"]


@pytest.mark.parametrize(
    ("users", "history"),
    [
        (["a", "b", "c"], ["a"] * 3 + ["b"] * 3 + ["c"] * 50),
        ([1, 2, 3], [1] * 3 + [2] * 3 + [3] * 50 + ["x"]),
        ([("a", 1), ("b", 1), ("c", 1)], [("a", 1), ("b", 1)] * 3 + [("c", 1)] * 50),
        (
            np.array(["2020", "2021", "2022"], dtype="datetime64[s]"),
            np.array(["2020", "2021"] * 3 + ["2022"] * 50, dtype="datetime64[ns]"),
        ),
    ],
    ids=["text", "mixed", "tuples", "times"],
)
def test_groups_of_ids_of_any_kind(users, history):
    twice = [user for user in users for _ in range(2)]
    if isinstance(users, np.ndarray):
        twice = np.repeat(users, 2)
    scores = {"model": [0.9, 0.1, 0.2, 0.8, 0.3, 0.4]}
    y = [1, 0, 1, 0, 0, 1]
    display = GroupsDisplay.from_predictions(
        y, scores, twice, history=history, n_groups=2
    )
    assert display.groups == ["3", "50"]
    with pytest.raises(ValueError, match="y_scores is empty"):
        GroupsDisplay.from_predictions(y, {}, twice, history=history)
