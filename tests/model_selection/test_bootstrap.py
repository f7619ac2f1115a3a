"""The bootstrap over users, against a literal one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from sklearn_invlearn.metrics import gauc_score, mrr_score, ndcg_score, recall_score
from sklearn_invlearn.model_selection import paired_bootstrap
from sklearn_invlearn.model_selection._bootstrap import multiplicities
from sklearn_invlearn.model_selection._resampled_metrics import METRICS, get_metric


def of_pairs(function):
    return lambda y, score, users: function(y, score)


FUNCTIONS = {
    "roc_auc": of_pairs(roc_auc_score),
    "gauc": gauc_score,
    "weighted_gauc": lambda *rows: gauc_score(*rows, average="weighted"),
    "mrr": mrr_score,
    "ndcg@3": lambda *rows: ndcg_score(*rows, k=3),
    "recall@2": lambda *rows: recall_score(*rows, k=2),
    "log_loss": of_pairs(log_loss),
    "brier": of_pairs(brier_score_loss),
}
each_metric = pytest.mark.parametrize("name", FUNCTIONS)
few_users = pytest.mark.filterwarnings("ignore:.* with so few, the interval")


def random_rows(n=300, n_users=16, n_scores=9, seed=0):
    """Return y, two scores in (0, 1) with ties, and users."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    noise = rng.integers(-n_scores, n_scores, size=(2, n))
    scores = (2 * n_scores + noise + [3 * y, y]) / (4 * n_scores)
    return y, *scores, rng.integers(0, n_users, n)


def repeated(rows, codes, multiplicity):
    """Write every row of a user as often as the user is drawn, each draw a new user."""
    taken, names = [], []
    for user, times in enumerate(multiplicity):
        for time in range(times):
            own = [row for row in range(len(codes)) if codes[row] == user]
            taken += own
            names += [(user, time)] * len(own)
    codes_of_names = {name: code for code, name in enumerate(dict.fromkeys(names))}
    users = np.array([codes_of_names[name] for name in names])
    return [column[taken] for column in rows], users


@few_users
@each_metric
def test_replicates_are_those_of_a_naive_loop(name):
    y, a, b, users = random_rows(120, n_users=6)
    users = np.argsort(np.argsort(np.unique(users, return_index=True)[1]))[users]
    result = paired_bootstrap(y, a, b, users, metric=name, n_boot=15, random_state=3)
    (counts,) = multiplicities(6, 15, 3)
    assert (counts.sum(axis=1) == 6).all()
    expected = []
    for multiplicity in counts:
        (y_, a_, b_), users_ = repeated((y, a, b), users, multiplicity)
        metric = FUNCTIONS[name]
        expected.append(metric(y_, a_, users_) - metric(y_, b_, users_))
    np.testing.assert_allclose(result.replicates, expected, atol=1e-12)
    low, high = np.quantile(expected, [0.025, 0.975])
    assert (result.low, result.high) == (pytest.approx(low), pytest.approx(high))


@each_metric
@given(st.integers(0, 10_000))
def test_value_is_that_of_the_public_metric(name, seed):
    y, a, _, users = random_rows(60, n_users=7, seed=seed)
    value = get_metric(name).value(y == 1, a, users)
    assert value == pytest.approx(FUNCTIONS[name](y, a, users), rel=1e-9)


@each_metric
def test_a_function_gives_the_same_as_the_name(name):
    rows = random_rows()
    fast = paired_bootstrap(*rows, metric=name, n_boot=20, random_state=0)
    slow = paired_bootstrap(*rows, metric=FUNCTIONS[name], n_boot=20, random_state=0)
    np.testing.assert_allclose(fast.replicates, slow.replicates, atol=1e-12)


def test_blocks_do_not_matter(monkeypatch):
    rows = random_rows()
    expected = paired_bootstrap(*rows, n_boot=30, random_state=0).replicates
    module = "sklearn_invlearn.model_selection."
    monkeypatch.setattr(module + "_bootstrap._BLOCK_COUNTS", 50)
    monkeypatch.setattr(module + "_resampled_metrics._BLOCK_VALUES", 700)
    again = paired_bootstrap(*rows, n_boot=30, random_state=0).replicates
    assert (again == expected).all()


def test_seed_decides_and_global_state_stays():
    rows = random_rows()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (
        paired_bootstrap(*rows, n_boot=50, random_state=seed) for seed in (0, 0, 1)
    )
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (first.replicates == second.replicates).all()
    assert first.difference == other.difference
    assert not (first.replicates == other.replicates).all()


def test_interval_and_p_value_follow_the_difference():
    y, a, b, users = random_rows(2000, n_users=150)
    better = paired_bootstrap(y, a, b, users, n_boot=400, random_state=0)
    assert better.low < better.difference < better.high
    assert better.low > 0
    assert better.p_value == pytest.approx(2 / 401)
    worse = paired_bootstrap(y, b, a, users, n_boot=400, random_state=0)
    assert worse.difference == -better.difference
    assert worse.p_value == better.p_value
    np.testing.assert_allclose(worse.replicates, -better.replicates)
    same = paired_bootstrap(y, a, a, users, n_boot=50, random_state=0)
    assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)
    assert "resamples of 150 users" in str(better)
    assert "replicates" not in repr(better)


@pytest.mark.parametrize(
    ("level", "said"), [(0.9, "90%"), (0.975, "97.5%"), (0.999, "99.9%")]
)
def test_the_level_is_printed_as_it_is(level, said):
    rows = random_rows(2000, n_users=150)
    found = paired_bootstrap(*rows, n_boot=20, confidence_level=level, random_state=0)
    assert f", {said} interval [" in str(found)


def test_the_interval_covers_about_as_often_as_it_says():
    """Differences of means over users, of known expectation 0."""
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        users = np.repeat(np.arange(60), 4)
        y = np.tile([0, 1], 120)
        shift = np.repeat(rng.normal(size=60), 4) / 10
        proba = np.full(240, 0.5)
        other = np.clip(0.5 + shift * np.where(y, 1, -1), 0, 1)
        # Squared errors are (.5 - shift)²: the expected difference is E shift² = .01.
        result = paired_bootstrap(
            y, other, proba, users, metric="brier", n_boot=200, random_state=trial
        )
        covered += result.low <= 0.01 <= result.high
    assert 175 <= covered <= 199


@few_users
def test_undefined_replicates_are_counted():
    y, users = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 3, 3, 1])
    score = np.array([0.1, 0.9, 0.2, 0.5, 0.4])
    result = paired_bootstrap(
        y, score, 1 - score, users, metric="gauc", n_boot=200, random_state=0
    )
    (counts,) = multiplicities(3, 200, 0)
    assert result.n_undefined == (counts[:, :2].sum(axis=1) == 0).sum() > 5
    assert (result.replicates == 1.0).all()


@pytest.mark.parametrize("metric", ["roc_auc", "gauc", "ndcg@3"])
def test_one_user_says_nothing_of_others(metric):
    y, a, b, _ = random_rows(40)
    with pytest.warns(UserWarning, match="is of one user here") as log:
        result = paired_bootstrap(y, a, b, ["ann"] * 40, metric=metric, n_boot=20)
    assert [warning.filename for warning in log] == [__file__]
    assert np.isfinite(result.difference)
    assert np.isnan([result.low, result.high, result.p_value]).all()
    assert "p = nan (20 resamples of 1 users)" in str(result)


@pytest.mark.parametrize("metric", ["gauc", "weighted_gauc", "mrr", "ndcg@3"])
def test_users_without_both_classes_are_no_evidence(metric):
    y = np.r_[np.ones(100, int), 1, 0, 0]
    users = np.r_[np.arange(100), [100] * 3]
    a, b = np.random.default_rng(0).random((2, 103))
    with pytest.warns(UserWarning, match="one user here.* one class only"):
        alone = paired_bootstrap(y, a, b, users, metric=metric, n_boot=50)
    assert alone.n_users == 1
    assert np.isnan([alone.low, alone.high, alone.p_value]).all()
    y, users = np.r_[y, 1, 0], np.r_[users, 101, 101]
    with pytest.warns(UserWarning, match=f"{metric} is of 2 users here: with so few"):
        pair = paired_bootstrap(
            y, *np.random.default_rng(0).random((2, 105)), users, metric=metric
        )
    assert pair.n_users == 2


@few_users
@pytest.mark.parametrize(
    "metric",
    ["brier", "log_loss", lambda y, p, u: brier_score_loss(y, p, labels=[0, 1])],
)
def test_a_single_label_is_taken_by_its_name(metric):
    rows = [0.1] * 6, [0.6] * 6, [1, 1, 2, 2, 3, 3]
    for label, better in ((0, -1), (1, 1), (False, -1), (True, 1)):
        found = paired_bootstrap([label] * 6, *rows, metric=metric, n_boot=5)
        assert np.sign(found.difference) == better
    with pytest.raises(ValueError, match=r"one label only, 'no'.* pass pos_label"):
        paired_bootstrap(["no"] * 6, *rows, metric=metric)
    named = paired_bootstrap(["no"] * 6, *rows, metric=metric, pos_label="yes")
    assert named.difference < 0


def test_labels_and_ids_of_any_kind():
    y, a, b, users = random_rows()
    expected = paired_bootstrap(y, a, b, users, n_boot=5, random_state=0)
    names = [f"u{user}" for user in users]
    words = np.array(["no", "yes"])[y]
    for labels, kwargs in ((words, {}), (1 - y, {"pos_label": 0})):
        result = paired_bootstrap(
            labels, a, b, names, n_boot=5, random_state=0, **kwargs
        )
        assert result.difference == expected.difference
        assert (result.replicates == expected.replicates).all()


def test_bad_input():
    y, a, b, users = random_rows()
    with pytest.raises(ValueError, match=r"metric must be one of .* got 'auc'"):
        paired_bootstrap(y, a, b, users, metric="auc")
    with pytest.raises(ValueError, match="metric must be one of"):
        paired_bootstrap(y, a, b, users, metric="ndcg@0")
    with pytest.raises(ValueError, match="300 entries and score_b has 299"):
        paired_bootstrap(y, a, b[1:], users)
    with pytest.raises(ValueError, match="score_b runs from -"):
        paired_bootstrap(y, a, -b, users, metric="log_loss")
    with pytest.raises(ValueError, match="NaN"):
        paired_bootstrap(y, a, np.where(y, b, np.nan), users)
    with pytest.raises(ValueError, match="undefined on these pairs"):
        paired_bootstrap(y, a, b, np.arange(len(y)), metric="gauc")
    for name in METRICS.keys() & {"roc_auc", "gauc"}:
        with pytest.raises(ValueError, match="undefined"):
            paired_bootstrap(np.ones(300), a, b, users, metric=name)
    for wrong in ({"n_boot": 0}, {"confidence_level": 1.0}):
        with pytest.raises(ValueError, match="parameter of paired_bootstrap"):
            paired_bootstrap(y, a, b, users, **wrong)


@few_users
def test_a_function_that_raises_is_undefined_on_that_resample():
    y, users = [1, 0, 1, 1, 1, 0], [0, 0, 1, 1, 2, 2]  # user 1 has positives alone
    pair = ([0.9, 0.1, 0.2, 0.3, 0.5, 0.4], [0.1, 0.9, 0.2, 0.3, 0.5, 0.4])
    found = [
        paired_bootstrap(y, *pair, users, metric=metric, n_boot=99, random_state=0)
        for metric in (gauc_score, "gauc")
    ]
    assert found[0].n_undefined == found[1].n_undefined > 0
    np.testing.assert_array_equal(found[0].replicates, found[1].replicates)
    with pytest.raises(ValueError, match="no user"):
        paired_bootstrap([1, 1, 0, 0, 1, 1], *pair, users, metric=gauc_score)
