"""Stacking weights: the best model as it is, unless another adds something."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from sklearn_invlearn.spectral import stacking_weights
from sklearn_invlearn.spectral._stacking import shift_to_base_rate, trust


def draw(n, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(scale=1.5, size=(n, 2))
    y = (rng.random(n) < expit(z.sum(axis=1))).astype(float)
    return z, y


def test_two_halves_of_the_truth_get_weight_one_each():
    z, y = draw(50_000)
    intercept, weights = stacking_weights(z, y, np.ones(len(y)))
    assert intercept == pytest.approx(0, abs=0.05)
    assert weights == pytest.approx([1, 1], abs=0.05)
    reference = LogisticRegression(C=1e6).fit(z, y)
    assert weights == pytest.approx(reference.coef_[0], abs=0.01)


def test_terms_of_one_model_get_a_weight_each_and_start_together():
    z, y = draw(20_000)
    worse = np.random.default_rng(3).normal(size=(len(y), 1))
    models = np.hstack([worse, z * [0.5, 2.0]])
    _, weights = stacking_weights(models, y, np.ones(len(y)), n_terms=[1, 2])
    assert weights == pytest.approx([0, 2, 0.5], abs=0.1)
    few = slice(0, 12)
    _, weights = stacking_weights(models[few, 1:], y[few], np.ones(12), n_terms=[2])
    assert weights == pytest.approx([1, 1], abs=0.6)


def test_a_useless_model_gets_nothing_and_none_is_negative():
    z, y = draw(20_000)
    truth = z.sum(axis=1)
    rng = np.random.default_rng(1)
    models = np.column_stack([truth, rng.normal(size=len(y)), -truth])
    _, weights = stacking_weights(models, y, np.ones(len(y)))
    assert (weights >= 0).all()
    assert weights == pytest.approx([1, 0, 0], abs=0.06)


def test_few_rows_stay_with_the_best_model():
    z, y = draw(12)
    best = int(np.argmin([(np.logaddexp(0, c) - y * c).sum() for c in z.T]))
    _, weights = stacking_weights(z, y, np.ones(12))
    assert np.argmax(weights) == best
    assert abs(weights - np.eye(2)[best]).max() < 0.5


def test_weights_of_rows_are_repetitions():
    z, y = draw(300)
    repeat = np.random.default_rng(2).integers(0, 4, 300)
    weighted = stacking_weights(z, y, repeat.astype(float))
    rows = np.repeat(np.arange(300), repeat)
    repeated = stacking_weights(z[rows], y[rows], np.ones(len(rows)))
    assert weighted[0] == pytest.approx(repeated[0], abs=1e-4)
    assert weighted[1] == pytest.approx(repeated[1], abs=1e-4)


def test_terms_of_a_model_stay_nearer_to_its_weight_than_models_to_each_other():
    z, y = draw(400, seed=5)
    z[:, 1] += np.random.default_rng(6).normal(scale=2.0, size=len(y))
    _, whole = stacking_weights(z.sum(axis=1, keepdims=True), y, np.ones(len(y)))
    _, terms = stacking_weights(z, y, np.ones(len(y)), n_terms=[2], ridge_of_terms=30.0)
    _, models = stacking_weights(z, y, np.ones(len(y)))
    assert terms[1] < terms[0]  # what is noisy counts less
    assert abs(terms - whole).max() < 0.8 * abs(models - whole).max()


def test_trust_is_james_and_steins_factor():
    z, y = draw(3000)
    simple, better = z[:, 0], z.sum(axis=1)

    def losses(logit):
        return -np.log(np.where(y == 1, expit(logit), 1 - expit(logit)))

    gains = losses(simple) - losses(better)
    by_hand = 1 - gains.var() * len(y) / (gains.sum() - 2) ** 2
    assert trust(simple, better, y, np.ones(len(y))) == pytest.approx(by_hand)
    assert 0.9 < by_hand < 1


def test_a_gain_within_its_error_is_not_trusted():
    z, y = draw(400)
    truth = z.sum(axis=1)
    noisy = truth + np.random.default_rng(4).normal(scale=0.3, size=len(y))
    weight = np.ones(len(y))
    assert trust(truth, noisy, y, weight) == 0.0
    assert trust(truth, truth, y, weight) == 0.0
    # One row gains log 2, one loses 95 % of it: a gain, but within its error.
    y = np.array([1.0, 1.0])
    simple, other = np.zeros(2), np.array([40.0, -np.log(2.0**1.95 - 1)])
    assert trust(simple, other, y, np.ones(2)) == 0.0
    # With a million of the first row, g = a and s² = 2·a²/4.
    weighted = trust(simple, other, y, np.array([1e6, 1.0]))
    assert weighted == pytest.approx(0.5, abs=1e-4)
    y = np.ones(100)
    simple, other = np.zeros(100), np.full(100, 1.0)
    other[0] = -3.0
    unit = trust(simple, other, y, np.ones(100))
    without_it = trust(simple, other, y, np.r_[0.0, np.ones(99)])
    assert 0.9 < unit < without_it < 1
    z, y = draw(400)
    truth, weight = z.sum(axis=1), np.ones(400)
    few = slice(0, 8)
    assert trust(z[few, 0], truth[few], y[few], weight[few]) < trust(
        z[:, 0], truth, y, weight
    )


def test_shifted_logits_tell_the_base_rate():
    z, y = draw(20_000)
    found = shift_to_base_rate(z.sum(axis=1) + 0.7, y, np.ones(len(y)))
    assert found == pytest.approx(-0.7, abs=0.05)
    weight = np.where(y == 1, 3.0, 1.0)
    found = shift_to_base_rate(np.zeros(len(y)), y, weight)
    assert found == pytest.approx(logit(np.average(y, weights=weight)), abs=1e-3)


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_a_class_alone_shifts_logits_no_further_than_the_prior_allows(y):
    n, sign = 50, 2 * y - 1
    found = shift_to_base_rate(np.full(n, 30.0 * sign), np.full(n, y), np.ones(n))
    assert found == pytest.approx(0.0, abs=1e-9)  # no label contradicts
    found = sign * shift_to_base_rate(np.zeros(n), np.full(n, y), np.ones(n))
    assert found == pytest.approx(n * expit(-found))  # slope of the prior, of the loss
