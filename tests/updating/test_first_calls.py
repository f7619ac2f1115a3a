"""Models that have never seen fit; weights of rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_invlearn import MultiTaskRecommender, NegativeReweightingRecommender
from sklearn_invlearn.modules import BACKBONES

from ._cases import (
    METHODS,
    NEW,
    NEW_Y,
    SIZES,
    each_method,
    make,
)


def test_weights_are_on_the_scale_of_fit(data):
    weight = np.full(len(data.y), 4.0)
    scores = []
    for w, new in ((None, [0.5] * 6), (weight, [2.0] * 6)):
        est = make(backbone="bias", optimizer="sgd").fit(data.X, data.y, w)
        est.partial_fit(NEW, NEW_Y, new)
        scores.append(est.decision_function(NEW))
    np.testing.assert_allclose(*scores, rtol=1e-6)
    est = make(backbone="bias", optimizer="sgd").fit(data.X, data.y)
    assert np.abs(est.partial_fit(NEW, NEW_Y).decision_function(NEW) - scores[0]).max()


def test_rows_without_weights_are_average_rows(data):
    scores = []
    for w in (None, np.full(len(data.y), 1e-3)):
        est = make(backbone="bias", optimizer="sgd").fit(data.X, data.y, w)
        scores.append(est.partial_fit(NEW, NEW_Y).decision_function(NEW))
        assert est.class_count_.sum() == pytest.approx(len(data.y) + len(NEW))
    np.testing.assert_allclose(*scores, rtol=1e-6)


@pytest.mark.parametrize(("max_epochs", "n_run"), [(None, 0), (7, 2)])
def test_epochs_of_a_first_call_on_what_comes_fitted(max_epochs, n_run, data):
    est = make(backbone="spectral", max_epochs=max_epochs)
    assert est.partial_fit(data.X, data.y, n_epochs=2).n_iter_ == n_run
    assert est.max_epochs == max_epochs


@each_method
def test_the_first_call_is_a_fit_and_later_ones_train_everything(method, data):
    first = make(method).partial_fit(data.X, data.y, classes=[0, 1], n_epochs=2)
    fit = make(method, max_epochs=2, early_stopping=False).fit(data.X, data.y)
    assert_array_equal(first.decision_function(data.X), fit.decision_function(data.X))
    assert first.max_epochs == 3
    assert first.early_stopping == "auto"
    intercept = float(first.net_.module_.biases.intercept.detach())
    first.partial_fit(NEW, NEW_Y, classes=[1, 0])
    assert float(first.net_.module_.biases.intercept.detach()) != intercept
    one_class = first.partial_fit([["eve", 3]], [1])
    assert one_class.n_iter_ == 4


# ---- one class first -----------------------------------------------------------------

ONE_CLASS = [m for m in METHODS if m != "gradient"]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("backbone", [b for b in BACKBONES if b != "spectral"])
@pytest.mark.parametrize("method", ONE_CLASS)
def test_the_first_call_may_have_one_class_if_both_are_named(
    method, backbone, first, data
):
    words = np.array(["no", "yes"])[data.y]
    rows = data.y == first
    est = make(method, backbone)
    est.partial_fit(data.X[rows], words[rows], classes=["yes", "no"], n_epochs=2)
    assert est.classes_.tolist() == ["no", "yes"]
    assert est.class_count_[first] == rows.sum()
    assert est.class_count_[1 - first] == 0
    score = est.decision_function(data.X)
    assert np.isfinite(score).all()
    assert "_expected_classes" not in vars(est)
    est.partial_fit(data.X[~rows], words[~rows], n_epochs=2)
    assert (est.class_count_ == np.bincount(data.y)).all()
    change = (est.decision_function(data.X) - score)[~rows]
    assert change.mean() * (1 - 2 * first) > 0  # towards the class that came second


@pytest.mark.parametrize("cls", [MultiTaskRecommender, NegativeReweightingRecommender])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.filterwarnings("ignore:.*no extra feedback:UserWarning")
def test_methods_of_several_behaviours(cls, first, data):
    est = cls(backbone="gmf", max_epochs=2, **SIZES)
    rows = data.y == first
    est.partial_fit(data.X[rows], data.y[rows], classes=[0, 1])
    est.partial_fit(data.X, data.y)
    assert np.isfinite(est.decision_function(data.X)).all()


@pytest.mark.parametrize(
    ("method", "backbone", "message"),
    [
        ("gradient", "gmf", "holds a share of each class out.*another method"),
        ("none", "spectral", "fitted to labels of both classes.*backbone='gmf'"),
        ("dual", "spectral", "fitted to labels of both classes.*backbone='gmf'"),
    ],
)
def test_or_it_is_said_what_needs_both(method, backbone, message, data):
    est = make(method, backbone)
    with pytest.raises(ValueError, match=f"only the label.*{message}"):
        est.partial_fit(data.X[:9], [1] * 9, classes=[0, 1])
    with pytest.raises(ValueError, match=f"above zero.*only the label.*{message}"):
        est.partial_fit(data.X, data.y, 1 - data.y, classes=[0, 1])
    assert not hasattr(est, "classes_")
    est.partial_fit(data.X, data.y, classes=[0, 1])


def test_zero_weights_may_leave_one_class(data):
    est = make().partial_fit(data.X, data.y, data.y, classes=[0, 1])
    assert est.class_count_.tolist() == [0, data.y.sum()]
