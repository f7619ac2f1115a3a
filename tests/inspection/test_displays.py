"""Displays draw what they were given, and refuse what they cannot draw."""

from copy import copy

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.inspection import (
    AnnotationDisplay,
    DirectionDisplay,
    GroupsDisplay,
    LossPathDisplay,
    SensitivityDisplay,
    audit_labels,
)

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def gradient(data):
    est = InverseGradientRecommender(
        backbone="gmf", gamma=0.05, alpha=1.0, max_epochs=5, batch_size=64,
        random_state=0,
    )  # fmt: skip
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


TRACE = np.array(
    [
        (1, 0.5, 0.6, 0.7, "direct"),
        (1, 0.6, 0.5, 0.55, "pass"),
        (2, 0.9, 0.5, 0.2, "inverse"),
        (2, 0.3, 0.4, 0.5, "direct"),
    ],
    dtype=[
        ("epoch", int), ("loss_direct", float), ("loss_pass", float),
        ("loss_inverse", float), ("direction", "U7"),
    ],
)  # fmt: skip


def points(ax):
    """Points of every scatter by the first word of its label."""
    return {c.get_label().split()[0]: c.get_offsets().tolist() for c in ax.collections}


# ---- directions -------------------------------------------------------------------


def test_every_step_is_drawn_at_the_loss_of_its_direction():
    display = DirectionDisplay(TRACE, name="mine").plot()
    assert points(display.ax_) == {
        "direct": [[1, 0.5], [4, 0.3]],
        "pass": [[2, 0.5]],
        "inverse": [[3, 0.2]],
    }
    assert display.shares_ == {"direct": 0.5, "pass": 0.25, "inverse": 0.25}
    assert display.ax_.get_title() == "mine"


def test_the_change_by_a_direct_step():
    display = DirectionDisplay(TRACE).plot(quantity="change")
    drawn = points(display.ax_)
    np.testing.assert_allclose(drawn["direct"], [[1, -0.1], [4, -0.1]])
    np.testing.assert_allclose(drawn["inverse"], [[3, 0.4]])


def test_directions_of_an_estimator(gradient):
    ax = plt.figure().add_subplot()
    display = DirectionDisplay.from_estimator(gradient, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert sum(len(p) for p in points(ax).values()) == len(gradient.trace_)
    assert "= 1" in ax.get_title()


def test_the_gate_has_no_step_size(gradient):
    asked = copy(gradient)
    asked.n_iter_ = 0
    title = DirectionDisplay.from_estimator(asked).ax_.get_title()
    assert title == "Gate: a step is a fold of held-out labels"


def test_directions_need_steps_and_the_right_estimator(data):
    with pytest.raises(ValueError, match=r"no unlabeled step .* Give alpha for steps"):
        DirectionDisplay(TRACE[:0]).plot()
    with pytest.raises(ValueError, match="quantity"):
        DirectionDisplay(TRACE).plot(quantity="speed")
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(data.X, data.y)
    with pytest.raises(TypeError, match="has no trace_"):
        DirectionDisplay.from_estimator(est)


# ---- annotations ------------------------------------------------------------------


def test_shares_of_the_pool_add_up_to_one(gradient, data):
    display = AnnotationDisplay.from_estimator(gradient, data.X_unlab, name="now")
    heights = display.ax_.patches[0].get_data().values
    w1 = gradient.annotate(data.X_unlab)
    np.testing.assert_allclose(heights.sum(), 1.0)
    np.testing.assert_allclose(heights, np.histogram(w1, 40, (0, 1))[0] / len(w1))


def test_more_moments_than_colours():
    moments = {str(k): np.array([0.1, 0.9]) for k in range(9)}
    ax = AnnotationDisplay(moments).plot(n_bins=4).ax_
    assert len(ax.get_legend().get_texts()) == 9


@pytest.mark.parametrize("bad", [[-0.1, 0.5], [0.2, 3.0], [np.nan, 0.5], [[0.1, 0.9]]])
def test_weights_must_be_weights(bad):
    with pytest.raises(ValueError, match="now"):
        AnnotationDisplay({"now": np.array(bad)}).plot()


# ---- loss paths -------------------------------------------------------------------


def test_curves_need_names():
    with pytest.raises(TypeError, match=r"weights must be a dict .* got ndarray"):
        AnnotationDisplay(np.array([0.2, 0.8])).plot()
    with pytest.raises(ValueError, match="weights is empty"):
        AnnotationDisplay({}).plot()
    rows = {"y_true": [1, 0], "users": [7, 7], "history": [7]}
    with pytest.raises(TypeError, match=r"y_scores must be a dict .* got ndarray"):
        GroupsDisplay.from_predictions(y_scores=np.array([0.2, 0.8]), **rows)
    with pytest.raises(TypeError, match=r"scores must be a dict .* got list"):
        GroupsDisplay([0.5], [1], ["1"]).plot()


def test_loss_paths_are_means_of_groups():
    loss = np.array([[1.0, 2.0, 3.0], [0.5, 1.0, 2.0]])
    display = LossPathDisplay(loss, np.array([1, 0, 1]), epochs=[5, 10]).plot()
    assert display.lines_[1].get_xdata().tolist() == [5, 10]
    assert display.lines_[1].get_ydata().tolist() == [2.0, 1.25]
    assert display.lines_[0].get_ydata().tolist() == [2.0, 1.0]


def test_loss_paths_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="inconsistent"):
        LossPathDisplay([[1.0, 2.0]], ["a"]).plot()
    with pytest.raises(ValueError, match="inconsistent"):
        LossPathDisplay([[1.0, 2.0]], ["a", "b"], epochs=[1, 2]).plot()
    with pytest.raises(ValueError, match="NaN"):
        LossPathDisplay([[1.0, np.nan]], ["a", "b"]).plot()


def test_loss_paths_of_models_that_stop_early():
    loss = np.array([[1.0, 3.0, 5.0], [0.5, 1.0, np.nan], [0.25, np.nan, np.nan]])
    display = LossPathDisplay(loss, np.array(["a", "a", "b"])).plot()
    line, short = display.lines_["a"], display.lines_["b"]
    assert line.get_ydata().tolist() == [2.0, 0.75, 0.25]
    assert (short.get_xdata().tolist(), short.get_ydata().tolist()) == ([1], [5.0])
    with pytest.raises(ValueError, match=r"contains NaN: 1 of its rows .* gap"):
        LossPathDisplay(loss[::-1, :2], ["a", "b"]).plot()


def test_the_path_of_an_audit_that_stops_early(data):
    est = CrossEntropyRecommender(
        backbone="gmf", gamma=0.3, max_epochs=30, early_stopping=True,
        n_iter_no_change=1, random_state=0,
    )  # fmt: skip
    audit = audit_labels(est, data.X, data.y, cv=3, path=True, random_state=0)
    assert np.isnan(audit.path).any()
    display = LossPathDisplay(audit.path, data.y).plot()
    first = display.lines_[1].get_ydata()[0]
    assert first == pytest.approx(audit.path[0, data.y == 1].mean())


def test_rows_of_a_gate_count_where_there_is_nothing_else():
    gate = np.array([(0, 0.5, 0.6, 0.7, "direct")] * 4, dtype=TRACE.dtype)
    display = DirectionDisplay(np.concatenate([gate, TRACE])).plot()
    assert display.shares_ == display.verdict_.shares
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["direct (50%)", "pass (25%)", "inverse (25%)"]
    assert DirectionDisplay(gate).shares_ == {
        "direct": 1.0,
        "pass": 0.0,
        "inverse": 0.0,
    }


# ---- sensitivity ------------------------------------------------------------------


class Search:
    scoring = "roc_auc"
    cv_results_ = {
        "param_alpha": np.ma.array(
            [0.1, 0.1, 0.001, 9.0, 1.0], mask=[0, 0, 0, 1, 0], dtype=object
        ),
        "mean_test_score": np.array([0.6, 0.7, 0.5, 0.9, np.nan]),
        "std_test_score": np.array([0.01, 0.02, 0.03, 0.04, 0.05]),
    }


def test_the_best_candidate_stands_for_its_value():
    display = SensitivityDisplay.from_search(Search(), "alpha")
    assert display.values == [0.001, 0.1]  # neither the masked nor the failed one
    assert display.mean.tolist() == [0.5, 0.7]
    assert display.std.tolist() == [0.03, 0.02]
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_ylabel() == "roc_auc"


def test_sensitivity_of_a_real_search(data):
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1, random_state=0)
    grid = {"gamma": [0.01, 0.1], "optimizer": ["sgd", "adam"]}
    search = GridSearchCV(
        est, grid, cv=2, scoring=["roc_auc", "neg_log_loss"], refit="roc_auc"
    ).fit(data.X, data.y)
    display = SensitivityDisplay.from_search(search, "optimizer", metric="roc_auc")
    labels = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert labels == ["adam", "sgd"]
    with pytest.raises(ValueError, match=r"there are \['gamma', 'optimizer'\]"):
        SensitivityDisplay.from_search(search, "alpha", metric="roc_auc")
    with pytest.raises(ValueError, match=r"\['roc_auc', 'neg_log_loss'\]"):
        SensitivityDisplay.from_search(search, "gamma")


@pytest.mark.parametrize(
    ("tried", "values"),
    [
        ([None, 0.1, 0.01], [0.01, 0.1, None]),
        (["auto", True, False], [False, True, "auto"]),
        ([True, False, True], [False, True]),
        ([{"a": 1}, None, {}], [None, {"a": 1}, {}]),
    ],
)
def test_values_of_any_kind(tried, values):
    search = Search()
    search.scoring = None
    column = np.ma.empty(3, dtype=object)
    column[:] = tried
    score = np.array([0.7, 0.6, 0.5])
    search.cv_results_ = {
        "param_it": column, "mean_test_score": score, "std_test_score": score,
    }  # fmt: skip
    display = SensitivityDisplay.from_search(search, "it")
    assert display.values == values
    drawn = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert drawn == [str(value) for value in values]
    by_value = dict(zip(map(str, tried[::-1]), score[::-1]))
    assert display.mean.tolist() == [by_value[text] for text in drawn]
    assert display.ax_.get_ylabel() == "score"


def test_of_halving_the_last_iteration_counts():
    search = Search()
    alpha = np.ma.array([0.1, 0.2, 0.3, 0.2, 0.3], dtype=object)
    score = np.array([0.4, 0.9, 0.8, 0.6, 0.7])
    search.cv_results_ = {
        "param_alpha": alpha,
        "params": [{"alpha": value} for value in alpha],
        "iter": np.array([0, 0, 0, 1, 1]),
        "mean_test_score": score,
        "std_test_score": score,
    }
    display = SensitivityDisplay.from_search(search, "alpha")
    assert display.values == [0.1, 0.2, 0.3]
    assert display.mean.tolist() == [0.4, 0.6, 0.7]


def test_nothing_to_draw():
    search = Search()
    search.cv_results_ = Search.cv_results_ | {"mean_test_score": np.full(5, np.nan)}
    with pytest.raises(ValueError, match="No candidate with 'alpha' has a finite"):
        SensitivityDisplay.from_search(search, "alpha")
