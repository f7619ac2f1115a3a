"""make_sparse_feedback: what it promises about probabilities, noise and structure."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sklearn_invlearn.datasets import _exposure_policy, make_sparse_feedback
from sklearn_invlearn.datasets._exposure_policy import draw_exposures, share_exposures

PARTS = ("", "_unlab", "_test")


def all_pairs(data):
    return np.concatenate([data[f"X{part}"] for part in PARTS])


def truth(data):
    labels = data.y_true, data.y_unlab, data.y_test
    proba = data.proba, data.proba_unlab, data.proba_test
    return np.concatenate(labels), np.concatenate(proba)


def taste(data, pairs):
    user, item = pairs.T
    return (data.user_factors[user] * data.item_factors[item]).sum(axis=1)


def test_shapes_and_dtypes():
    data = make_sparse_feedback(
        50, 40, n_exposures=1000, label_fraction=0.1, n_factors=3, random_state=0
    )
    for part, n_rows in zip(PARTS, (80, 720, 200)):
        assert data[f"X{part}"].shape == (n_rows, 2)
        assert data[f"X{part}"].dtype == np.int64
        assert data[f"y{part}"].shape == data[f"proba{part}"].shape == (n_rows,)
        assert data[f"y{part}"].dtype == np.int64
    assert data.y_true.shape == (80,)
    assert data.user_factors.shape == data.exposure_user_factors.shape == (50, 3)
    assert data.item_factors.shape == data.exposure_item_factors.shape == (40, 3)
    assert data.user_bias.shape == data.user_activity.shape == (50,)
    assert data.item_bias.shape == data.item_popularity.shape == (40,)
    assert "80 exposures carry a label" in data.DESCR


@pytest.mark.parametrize("selection", ["random", "popular", "active"])
def test_pairs_are_unique_disjoint_and_in_range(selection):
    data = make_sparse_feedback(label_selection=selection, random_state=1)
    pairs = all_pairs(data)
    assert len(np.unique(pairs, axis=0)) == len(pairs) == 30_000
    assert pairs.min() == 0
    assert (pairs.max(axis=0) < (600, 300)).all()


def test_every_pair_can_be_shown():
    data = make_sparse_feedback(7, 5, n_exposures=35, random_state=0)
    assert len(np.unique(all_pairs(data), axis=0)) == 35


def test_probabilities_follow_the_published_formula():
    data = make_sparse_feedback(preference_strength=2.0, random_state=0)
    user, item = data.X_test.T
    score = data.user_bias[user] + data.item_bias[item] + 2 * taste(data, data.X_test)
    np.testing.assert_allclose(data.proba_test, expit(data.intercept + score))


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.6, 0.95])
def test_positive_rate(rate):
    data = make_sparse_feedback(positive_rate=rate, random_state=3)
    y, proba = truth(data)
    assert proba.mean() == pytest.approx(rate, abs=1e-8)
    error = np.sqrt((proba * (1 - proba)).sum()) / len(y)
    assert abs(y.mean() - rate) < 4 * error


def test_positive_rate_without_any_differences():
    data = make_sparse_feedback(
        preference_strength=0, user_bias_scale=0, item_bias_scale=0, random_state=0
    )
    np.testing.assert_allclose(data.proba_test, 0.6)


def test_labels_are_calibrated():
    y, proba = truth(make_sparse_feedback(n_exposures=60_000, random_state=0))
    for low in np.arange(0.05, 0.95, 0.1):
        at = (proba >= low) & (proba < low + 0.1)
        error = np.sqrt((proba[at] * (1 - proba[at])).sum()) / at.sum()
        assert abs(y[at].mean() - proba[at].mean()) < 4 * error


def test_noise_rates_condition_on_the_truth():
    data = make_sparse_feedback(
        n_exposures=100_000,
        label_fraction=1.0,
        false_positive_rate=0.1,
        false_negative_rate=0.35,
        random_state=0,
    )
    assert data.y[data.y_true == 0].mean() == pytest.approx(0.1, abs=0.01)
    assert data.y[data.y_true == 1].mean() == pytest.approx(0.65, abs=0.01)
    assert data.X_unlab.shape == (0, 2)


def test_no_noise_by_default():
    data = make_sparse_feedback(random_state=0)
    np.testing.assert_array_equal(data.y, data.y_true)


def test_rates_of_one_turn_every_label_round():
    data = make_sparse_feedback(
        false_positive_rate=1.0, false_negative_rate=1.0, random_state=0
    )
    np.testing.assert_array_equal(data.y, 1 - data.y_true)


def test_later_steps_leave_earlier_ones_unchanged():
    base = make_sparse_feedback(random_state=5)
    noisy = make_sparse_feedback(false_positive_rate=0.4, random_state=5)
    for name in ("X", "y_true", "X_unlab", "y_unlab", "X_test", "y_test", "proba"):
        np.testing.assert_array_equal(noisy[name], base[name])
    more = make_sparse_feedback(label_fraction=0.2, random_state=5)
    assert {*map(tuple, base.X)} < {*map(tuple, more.X)}
    np.testing.assert_array_equal(more.X_test, base.X_test)
    other = make_sparse_feedback(preference_strength=0, random_state=5)
    np.testing.assert_array_equal(other.X_unlab, base.X_unlab)


def test_random_state():
    first, again = (make_sparse_feedback(random_state=7) for _ in range(2))
    for name, value in first.items():
        np.testing.assert_array_equal(again[name], value)
    other = make_sparse_feedback(random_state=8)
    assert not np.array_equal(other.X, first.X)
    by_instance = [
        make_sparse_feedback(random_state=np.random.RandomState(7)).X for _ in range(2)
    ]
    np.testing.assert_array_equal(*by_instance)


def test_global_generator_is_untouched():
    before = np.random.get_state()[1:3]  # noqa: NPY002 - the global state is the point
    fresh = [make_sparse_feedback(random_state=None).X for _ in range(2)]
    after = np.random.get_state()[1:3]  # noqa: NPY002
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1] == before[1]
    assert not np.array_equal(*fresh)


def one_hot(data, pairs):
    rows = np.arange(len(pairs))
    return hstack(
        [
            csr_matrix((np.ones(len(pairs)), (rows, pairs[:, column])), (len(pairs), n))
            for column, n in enumerate((len(data.user_bias), len(data.item_bias)))
        ]
    ).tocsr()


def exposure_products(data, n_factors=16):
    """Products of the SVD factors of the normalised training exposures."""
    shown = np.zeros((len(data.user_bias), len(data.item_bias)))
    shown[tuple(np.concatenate([data.X, data.X_unlab]).T)] = 1
    shown /= np.sqrt(shown.sum(axis=1, keepdims=True) + 20)
    shown /= np.sqrt(shown.sum(axis=0, keepdims=True) + 5)
    left, _, right = np.linalg.svd(shown, full_matrices=False)
    scale = np.sqrt(shown.size) ** 0.5
    left, right = left[:, :n_factors] * scale, right[:n_factors].T * scale
    return lambda pairs: left[pairs[:, 0]] * right[pairs[:, 1]]


def fitted_aucs(data):
    """Test AUC of one-hot logistic regression, without and with exposure factors."""
    products = exposure_products(data)
    aucs = []
    for features in (
        lambda pairs: one_hot(data, pairs),
        lambda pairs: hstack([one_hot(data, pairs), products(pairs)]).tocsr(),
    ):
        model = LogisticRegression(max_iter=2000).fit(features(data.X), data.y)
        score = model.decision_function(features(data.X_test))
        aucs.append(roc_auc_score(data.y_test, score))
    return aucs


def exposure_correlation(data, user_factors, item_factors):
    """Correlation over all pairs of being shown with the part of taste that is
    neither the user's nor the item's mean."""
    shown = np.zeros((len(user_factors), len(item_factors)))
    shown[tuple(all_pairs(data).T)] = 1
    table = user_factors @ item_factors.T
    table = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True)
    return np.corrcoef(shown.ravel(), table.ravel())[0, 1]


@pytest.mark.parametrize("affinity", [0.0, 1.0])
@pytest.mark.parametrize("strength", [0.0, 1.5])
def test_four_kinds_of_structure(affinity, strength):
    data = make_sparse_feedback(
        exposure_affinity=affinity, preference_strength=strength, random_state=0
    )
    correlation = exposure_correlation(data, data.user_factors, data.item_factors)
    assert (correlation > 0.15) if affinity else (abs(correlation) < 0.02)

    user, item = data.X_test.T
    biases = data.user_bias[user] + data.item_bias[item]
    by_biases = roc_auc_score(data.y_test, biases)
    oracle = roc_auc_score(data.y_test, data.proba_test)
    if strength:
        assert oracle > by_biases + 0.1
    else:
        assert oracle == pytest.approx(by_biases, abs=1e-12)

    without, with_exposures = fitted_aucs(data)
    if affinity and strength:
        assert with_exposures > without + 0.06
    else:
        assert with_exposures < without + 0.01
    assert with_exposures < oracle


@pytest.mark.parametrize("wanted", [0.0, 0.5, 1.0])
def test_taste_correlation(wanted):
    data = make_sparse_feedback(
        2000, 1000, n_factors=40, taste_correlation=wanted, random_state=0
    )
    labels = data.user_factors @ data.item_factors.T
    exposures = data.exposure_user_factors @ data.exposure_item_factors.T
    correlation = np.corrcoef(labels.ravel(), exposures.ravel())[0, 1]
    assert correlation == pytest.approx(wanted, abs=0.05)
    assert labels.std() == pytest.approx(1, abs=0.05)
    assert exposures.std() == pytest.approx(1, abs=0.05)


def test_uncorrelated_exposures_say_nothing_about_the_labels():
    data = make_sparse_feedback(taste_correlation=0.0, random_state=0)
    own = data.exposure_user_factors, data.exposure_item_factors
    assert exposure_correlation(data, *own) > 0.15
    without, with_exposures = fitted_aucs(data)
    assert with_exposures < without + 0.01


@pytest.mark.parametrize("consensus", [0.0, 0.4, 1.0])
def test_taste_consensus(consensus):
    data = make_sparse_feedback(
        2000, 1000, n_factors=20, taste_consensus=consensus, random_state=0
    )
    table = data.user_factors @ data.item_factors.T
    shared = table.mean(axis=0).var() / table.var()
    assert shared == pytest.approx(consensus, abs=0.05)


def test_popularity_and_activity_drive_exposure():
    data = make_sparse_feedback(exposure_affinity=0, random_state=0)
    user, item = all_pairs(data).T
    counts = np.bincount(user, minlength=600), np.bincount(item, minlength=300)
    log_rates = data.user_activity, data.item_popularity
    for count, log_rate in zip(counts, log_rates):
        assert np.corrcoef(np.log(count + 1), log_rate)[0, 1] > 0.95


@pytest.mark.parametrize(("selection", "column"), [("popular", 1), ("active", 0)])
def test_label_selection_keeps_to_the_head(selection, column):
    data = make_sparse_feedback(label_selection=selection, random_state=0)
    ids = np.concatenate([data.X, data.X_unlab])[:, column]
    counts = np.bincount(ids)
    head = np.sort(counts)[::-1][: round(0.2 * len(counts))]
    assert counts[data.X[:, column]].min() >= head.min()
    assert len(np.unique(data.X[:, column])) > 0.9 * len(head)


def test_label_selection_widens_the_head_where_needed():
    data = make_sparse_feedback(
        label_selection="popular", label_fraction=0.9, random_state=0
    )
    assert len(data.y) == 21_600


def test_both_classes_among_few_labels():
    for seed in range(30):
        data = make_sparse_feedback(
            n_exposures=500, label_fraction=0.01, positive_rate=0.9, random_state=seed
        )
        assert len(data.y) == 4
        assert {*data.y} == {0, 1}
        assert len(np.unique(all_pairs(data), axis=0)) == 500


def test_one_label_is_allowed():
    data = make_sparse_feedback(n_exposures=100, label_fraction=0.01, random_state=0)
    assert data.y.shape == (1,)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"label_fraction": 1e-6}, "label_fraction=1e-06 of 24000 training exposures"),
        ({"n_exposures": 2, "test_fraction": 0.9}, "lower test_fraction"),
        ({"n_users": 10, "n_items": 10}, "more than the 100 pairs"),
        ({"label_fraction": 0.0}, "'label_fraction' parameter"),
        ({"positive_rate": 1.0}, "'positive_rate' parameter"),
        ({"label_selection": "best"}, "'label_selection' parameter"),
        ({"false_positive_rate": 1.1}, "'false_positive_rate' parameter"),
    ],
)
def test_errors(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_sparse_feedback(**parameters)


def test_shares_are_exact_capped_and_proportional():
    rng = np.random.default_rng(0)
    for n_users, limit in ((1, 5), (7, 3), (50, 40), (400, 300)):
        for total in {1, n_users, n_users * limit // 2, n_users * limit}:
            activity = 2 * rng.standard_normal(n_users)
            counts = share_exposures(total, activity, limit)
            assert counts.sum() == total
            assert counts.min() >= 0
            assert counts.max() <= limit
    shares = share_exposures(1000, np.log([1.0, 3.0, 6.0]), limit=500)
    np.testing.assert_array_equal(shares, [125, 375, 500])


def test_activities_too_far_apart_for_a_float():
    activity = np.array([0.0, -300.0, -800.0, -5000.0])
    assert share_exposures(50, activity, 30).tolist() == [30, 20, 0, 0]
    assert share_exposures(110, activity, 30).tolist() == [30, 30, 25, 25]
    data = make_sparse_feedback(
        50, 30, n_exposures=600, activity_scale=300, random_state=0
    )
    n_shown = sum(map(len, (data.X, data.X_unlab, data.X_test)))
    assert n_shown == 600


def test_drawing_follows_successive_sampling():
    """One item a user: proportional to the rates; two: the known pair formula."""
    n_users = 200_000
    popularity = np.log([0.5, 0.3, 0.2])
    flat = np.zeros((n_users, 1)), np.zeros((3, 1))
    rng = np.random.default_rng(0)
    one = draw_exposures(rng, np.ones(n_users, dtype=int), popularity, *flat)
    frequency = np.bincount(one[:, 1]) / n_users
    np.testing.assert_allclose(frequency, [0.5, 0.3, 0.2], atol=0.005)

    two = draw_exposures(rng, np.full(n_users, 2), popularity, *flat)
    left_out = 1 - np.bincount(two[:, 1]) / n_users
    p = np.array([0.5, 0.3, 0.2])
    expected = [
        sum(p[j] * p[k] / (1 - p[j]) for j, k in ((a, b), (b, a)))
        for a, b in ((1, 2), (0, 2), (0, 1))
    ]
    np.testing.assert_allclose(left_out, expected, atol=0.005)


def test_drawing_in_blocks_gives_every_user_its_items(monkeypatch):
    monkeypatch.setattr(_exposure_policy, "_BLOCK_SCORES", 70)
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 11, size=100)
    factors = rng.standard_normal((100, 2)), rng.standard_normal((10, 2))
    pairs = draw_exposures(rng, counts, np.zeros(10), *factors)
    np.testing.assert_array_equal(np.bincount(pairs[:, 0], minlength=100), counts)
    assert len(np.unique(pairs, axis=0)) == counts.sum()
