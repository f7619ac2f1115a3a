from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from sklearn_invlearn.metrics import ece_score

rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=40
)


def ece_by_loops(y_true, y_proba, edges):
    """Sum over bins (edges[k], edges[k + 1]], the first one with its left edge."""
    total = 0.0
    for k, (low, high) in enumerate(pairwise(edges)):
        members = [
            row
            for row, p in enumerate(y_proba)
            if (low < p or k == 0) and (p <= high or k == len(edges) - 2)
        ]
        if members:
            share = np.mean([y_true[row] for row in members])
            mean = np.mean([y_proba[row] for row in members])
            total += len(members) / len(y_true) * abs(share - mean)
    return total


@given(rows, st.integers(1, 8))
def test_equal_width_is_what_loops_say(pairs, n_bins):
    y_true, y_proba = [y for y, _ in pairs], [p / 20 for _, p in pairs]
    expected = ece_by_loops(y_true, y_proba, np.linspace(0, 1, n_bins + 1))
    assert ece_score(y_true, y_proba, n_bins=n_bins) == pytest.approx(expected)


def test_equal_mass_bins_hold_equal_numbers():
    rng = np.random.default_rng(0)
    y_proba = rng.beta(0.3, 2, 1000)
    y_true = (rng.random(1000) < 0.3).astype(int)
    order = np.argsort(y_proba).reshape(5, 200)
    gaps = y_true[order].mean(axis=1) - y_proba[order].mean(axis=1)
    value = ece_score(y_true, y_proba, n_bins=5, strategy="quantile")
    assert value == pytest.approx(np.abs(gaps).mean())
    assert value != pytest.approx(ece_score(y_true, y_proba, n_bins=5))


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_same_bins_as_the_curve_of_scikit_learn(strategy):
    rng = np.random.default_rng(1)
    y_proba = rng.random(500).round(2)
    y_true = rng.integers(0, 2, 500)
    shares, means = calibration_curve(y_true, y_proba, n_bins=1, strategy=strategy)
    value = ece_score(y_true, y_proba, n_bins=1, strategy=strategy)
    assert value == pytest.approx(abs(shares[0] - means[0]))
    shares, means = calibration_curve(y_true, y_proba, n_bins=7, strategy=strategy)
    edges = np.linspace(0, 1, 8)
    if strategy == "quantile":
        edges = np.quantile(y_proba, edges)
    counts = np.bincount(np.searchsorted(edges[1:-1], y_proba), minlength=7)
    expected = np.average(np.abs(shares - means), weights=counts[counts > 0])
    value = ece_score(y_true, y_proba, n_bins=7, strategy=strategy)
    assert value == pytest.approx(expected)


def test_bins_of_equal_mass_round_as_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n, n_bins = rng.integers(2, 60), int(rng.integers(2, 9))
        y, proba = np.r_[0, 1, rng.integers(0, 2, n - 2)], rng.random(n).round(2)
        shares, means = calibration_curve(y, proba, n_bins=n_bins, strategy="quantile")
        edges = np.percentile(proba, np.linspace(0, 1, n_bins + 1) * 100)
        counts = np.bincount(np.searchsorted(edges[1:-1], proba))
        expected = np.average(np.abs(shares - means), weights=counts[counts > 0])
        value = ece_score(y, proba, n_bins=n_bins, strategy="quantile")
        assert value == pytest.approx(expected)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@given(pairs=rows, random=st.randoms(use_true_random=False))
def test_order_does_not_matter_and_one_bin_is_the_smallest(strategy, pairs, random):
    y_true, y_proba = [y for y, _ in pairs], [p / 20 for _, p in pairs]
    value = ece_score(y_true, y_proba, strategy=strategy)
    assert 0 <= value <= 1
    random.shuffle(pairs)
    shuffled = [y for y, _ in pairs], [p / 20 for _, p in pairs]
    assert ece_score(*shuffled, strategy=strategy) == pytest.approx(value)
    assert ece_score(*shuffled, n_bins=1) <= value + 1e-12


def test_calibrated_probabilities_have_a_small_error():
    rng = np.random.default_rng(0)
    y_proba = rng.random(100_000)
    y_true = rng.random(100_000) < y_proba
    assert ece_score(y_true, y_proba) < 0.01
    assert ece_score(y_true, y_proba**2) > 0.1
    assert ece_score(y_true, y_true.astype(float)) == 0


def test_label_names_and_a_single_label():
    y_true, y_proba = np.array([0, 1, 1, 0]), [0.3, 0.6, 0.9, 0.2]
    expected = ece_score(y_true, y_proba)
    assert ece_score(y_true == 1, y_proba) == expected
    assert ece_score(np.array(["no", "yes"])[y_true], y_proba) == expected
    assert ece_score(1 - y_true, y_proba, pos_label=0) == expected
    assert ece_score([1, 1], [0.75, 0.75]) == 0.25
    assert ece_score([0, 0], [0.75, 0.75]) == 0.75
    assert ece_score([True, True], [0.75, 0.75]) == 0.25
    assert ece_score(["no", "no"], [0.75, 0.75], pos_label="yes") == 0.75
    with pytest.raises(ValueError, match="one label only, 'no'"):
        ece_score(["no", "no"], [0.5, 0.5])


def test_bad_input():
    with pytest.raises(ValueError, match="runs from -1 to 3"):
        ece_score([0, 1], [-1, 3])
    with pytest.raises(ValueError, match="NaN"):
        ece_score([0, 1], [np.nan, 0.5])
    with pytest.raises(ValueError, match="2 and 1 entries"):
        ece_score([0, 1], [0.5])
    with pytest.raises(ValueError, match="no pairs"):
        ece_score([], [])
    with pytest.raises(ValueError, match="at most two different labels"):
        ece_score([0, 1, 2], [0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match="must be 1-D"):
        ece_score([0, 1], np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match="n_bins"):
        ece_score([0, 1], [0, 1], n_bins=0)
