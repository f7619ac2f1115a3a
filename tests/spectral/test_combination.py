"""Weights of candidates from labels held out, and logits with the others' weights."""

import numpy as np
import pytest
from scipy.special import expit

from sklearn_invlearn.spectral import Labels
from sklearn_invlearn.spectral import _combination as combination
from sklearn_invlearn.spectral._candidates import CANDIDATES
from sklearn_invlearn.spectral._combination import _LUCK, HeldOut
from sklearn_invlearn.spectral._stacking import (
    shift_to_base_rate,
    stacking_weights,
    trust,
)


def held_out_by_hand(n, noise, seed=0):
    """Biases of some use, a full model of two terms, and their labels."""
    rng = np.random.default_rng(seed)
    biases, more = rng.normal(size=(2, n))
    y = (rng.random(n) < expit(biases + 0.5 * more)).astype(float)
    terms = np.column_stack([biases, 0.5 * more + noise * rng.normal(size=n)])
    pairs = np.arange(n)
    labels = Labels(pairs, pairs, y, np.ones(n))
    seen = HeldOut([pairs], [terms], {"biases": [0.8 * biases[:, None]]})
    return seen, labels, terms, 0.8 * biases


def weighed(seen, labels):
    return combination.weighed(seen, {"biases": (1.0,)}, labels, factors=7.5)


def test_few_labels_go_a_share_of_the_way_from_biases_to_the_sum(monkeypatch):
    seen, labels, terms, biases = held_out_by_hand(400, noise=0.3)
    found = weighed(seen, labels)
    monkeypatch.setattr(combination, "_LUCK", 0)
    whole = weighed(seen, labels)

    def logit(weighing):
        full = terms.sum(axis=1) * weighing.weights["full"]
        return weighing.intercept + full + biases * weighing.weights["biases"][0]

    shifted = biases + shift_to_base_rate(biases, labels.y, labels.weight)
    share = trust(shifted, logit(whole), labels.y, labels.weight)
    assert 0 < share < 1
    expected = shifted + share * (logit(whole) - shifted)
    np.testing.assert_allclose(logit(found), expected, rtol=1e-10)
    ((_, unseen),), ((_, unseen_sum),) = found.out_of_fold, whole.out_of_fold
    expected = shifted + share * (unseen_sum - shifted)
    np.testing.assert_allclose(unseen, expected, rtol=1e-10)


def test_many_labels_are_not_doubted():
    seen, labels, *_ = held_out_by_hand(_LUCK, noise=0.3)
    found = weighed(seen, labels)
    again = stacking_weights(
        np.hstack([seen.paths["biases"][0], seen.full[0]]),
        labels.y,
        labels.weight,
        n_terms=[1, 2],
        ridge_of_terms=30.0,
    )
    assert found.intercept == again[0]
    np.testing.assert_array_equal(found.weights["biases"], again[1][:1])
    np.testing.assert_array_equal(found.weights["full"], again[1][1:])


def test_a_model_with_next_to_no_weight_is_left_out():
    seen, labels, terms, _ = held_out_by_hand(_LUCK, noise=0.3)
    without = weighed(seen, labels)
    seen.paths["linear"] = [300.0 * terms[:, [1]]]  # a weight of thousandths says all
    found = combination.weighed(
        seen, {"biases": (1.0,), "linear": (1.0,)}, labels, factors=7.5
    )
    assert found.intercept == without.intercept
    for name in CANDIDATES:
        np.testing.assert_array_equal(found.weights[name], without.weights[name])


def test_terms_are_freer_where_labels_are_wrong():
    seen, labels, terms, _ = held_out_by_hand(_LUCK, noise=1.0)
    seen.paths["biases"] = [1e-3 * terms[:, [0]]]  # all is up to the full model
    near = weighed(seen, labels).weights["full"]
    seen.paths["crossed"] = [1e-3 * terms[:, [1]]]
    tried = {"biases": (1.0,), "crossed": (10.0,)}
    free = combination.weighed(seen, tried, labels, factors=7.5).weights["full"]
    assert free[0] - free[1] > near[0] - near[1] + 0.02


@pytest.mark.parametrize("n_folds", [1, 3])
def test_logits_out_of_fold_have_the_weights_of_the_other_rows(n_folds):
    n = _LUCK
    seen, labels, terms, biases = held_out_by_hand(n, noise=0.3)
    folds = np.array_split(np.random.default_rng(1).permutation(n), n_folds)
    seen.rows = folds
    seen.full = [terms[rows] for rows in folds]
    seen.paths = {"biases": [biases[rows, None] for rows in folds]}
    found = weighed(seen, labels).out_of_fold
    assert [rows.tolist() for rows, _ in found] == [rows.tolist() for rows in folds]
    in_order = np.concatenate(folds)
    logit = np.empty(n)
    logit[in_order] = np.concatenate([of_fold for _, of_fold in found])
    both = np.column_stack([biases, terms])
    for k in range(3):
        part = in_order[k::3]
        others = np.setdiff1d(in_order, part)
        intercept, weights = stacking_weights(
            both[others],
            labels.y[others],
            labels.weight[others],
            n_terms=[1, 2],
            ridge_of_terms=30.0,
        )
        by_hand = intercept + both[part] @ weights
        np.testing.assert_allclose(logit[part], by_hand, rtol=0.02, atol=0.02)


def test_a_sum_of_models_that_say_nothing_is_not_flattered():
    """Weights from the same rows fit noise, those of other rows cannot."""
    rng = np.random.default_rng(0)
    n, losses = 300, {"other rows": [], "same rows": []}
    for _ in range(20):
        noise = rng.normal(size=(n, 6))
        y = rng.integers(2, size=n).astype(float)
        labels = Labels(np.arange(n), np.arange(n), y, np.ones(n))
        columns = {str(k): noise[:, [k]] for k in range(6)}
        unseen = combination._cross_fitted(columns, labels, 5.0)
        seen = combination._sum(columns, *combination._stacked(columns, labels, 5.0))
        for name, z in (("other rows", unseen), ("same rows", seen)):
            losses[name].append(np.mean(np.logaddexp(0, z) - y * z))
    assert np.mean(losses["same rows"]) < np.log(2) < np.mean(losses["other rows"])
