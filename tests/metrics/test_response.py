from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_invlearn.metrics._response import get_scores, is_positive

BOTH = ("decision_function", "predict_proba")
X = np.zeros((3, 2))


def estimator(**methods):
    functions = {
        name: lambda X, value=value: np.array(value) for name, value in methods.items()
    }
    return SimpleNamespace(classes_=np.array([0, 1]), **functions)


def test_first_method_is_used():
    proba = [[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]
    both = estimator(decision_function=[1, 2, 3], predict_proba=proba)
    assert get_scores(both, X, BOTH).tolist() == [1, 2, 3]
    assert get_scores(both, X, BOTH[::-1]).tolist() == [0.1, 0.5, 0.8]
    assert get_scores(both, X, "predict_proba").tolist() == [0.1, 0.5, 0.8]
    only_proba = estimator(predict_proba=proba)
    assert get_scores(only_proba, X, BOTH).tolist() == [0.1, 0.5, 0.8]


def test_no_method_raises():
    with pytest.raises(TypeError, match="none of the methods"):
        get_scores(estimator(), X, BOTH)


@pytest.mark.parametrize("method", BOTH)
def test_wrong_shapes_raise(method):
    with pytest.raises(ValueError, match="not one score per row"):
        get_scores(estimator(**{method: np.zeros((3, 3))}), X, method)


@pytest.mark.parametrize(
    ("classes", "y", "expected"),
    [
        ([0, 1], [0, 1, 1], [False, True, True]),
        ([-1, 1], np.array([1, 1, -1]), [True, True, False]),
        (["no", "yes"], ["yes", "no"], [True, False]),
        (["no", "yes"], np.array(["yes", "no"], dtype=object), [True, False]),
        ([False, True], [1, 0], [True, False]),
    ],
)
def test_positive_is_the_second_class(classes, y, expected):
    fitted = SimpleNamespace(classes_=np.array(classes))
    assert is_positive(fitted, y).tolist() == expected


def test_unknown_label_and_wrong_number_of_classes_raise():
    with pytest.raises(ValueError, match="y holds the label 2"):
        is_positive(SimpleNamespace(classes_=np.array([0, 1])), np.array([0, 2]))
    for classes in ([1], [0, 1, 2]):
        with pytest.raises(ValueError, match="need a binary classifier"):
            is_positive(SimpleNamespace(classes_=np.array(classes)), [0, 1])
