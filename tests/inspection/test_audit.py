"""Suspicious labels."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import KFold, cross_val_predict

from sklearn_invlearn import CrossEntropyRecommender, InverseDualLossRecommender
from sklearn_invlearn.baselines import OneHotLogisticRegression
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.inspection import (
    LabelAudit,
    LossPathDisplay,
    audit_labels,
    precision_recall_at_k,
)
from sklearn_invlearn.model_selection import LeaveLastN, UserStratifiedKFold

FOLDS = UserStratifiedKFold(3)
BIAS = CrossEntropyRecommender(
    backbone="bias", gamma=0.05, max_epochs=8, batch_size=64, random_state=0
)


@pytest.fixture(scope="module")
def noisy():
    """Labels of strong biases, a tenth of them wrong on either side."""
    return make_sparse_feedback(
        80, 40, n_exposures=2500, label_fraction=0.9, user_bias_scale=2.5,
        preference_strength=0.3, false_positive_rate=0.1, false_negative_rate=0.1,
        random_state=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def audit(noisy):
    return audit_labels(BIAS, noisy.X, noisy.y, cv=FOLDS)


# ---- the ranking -----------------------------------------------------------------


def test_probabilities_are_out_of_fold(noisy, audit):
    expected = cross_val_predict(
        BIAS, noisy.X, noisy.y, cv=FOLDS, method="predict_proba"
    )
    assert (audit.proba == expected[:, 1]).all()
    np.testing.assert_allclose(audit.pred_probs, expected)


def test_columns_are_what_their_names_say(noisy, audit):
    own = np.where(noisy.y == 1, audit.proba, 1 - audit.proba)
    np.testing.assert_allclose(audit.loss, -np.log(own))
    np.testing.assert_allclose(audit.margin, own - (1 - own), atol=1e-12)
    assert (np.diff(audit.loss[audit.order]) <= 0).all()
    assert audit.rank[audit.order].tolist() == list(range(1, len(own) + 1))
    assert audit.path is audit.best_epoch is None
    n_suspected = audit.suspected.sum()
    assert repr(audit) == f"LabelAudit(n_rows={len(own)}, n_suspected={n_suspected})"


def test_wrong_labels_of_both_sides_come_first(noisy, audit):
    wrong = noisy.y != noisy.y_true
    precision, recall = precision_recall_at_k(audit.order, wrong, int(wrong.sum()))
    assert precision == recall > 2 * wrong.mean()
    for side in (0, 1):
        suspected = audit.suspected & (noisy.y == side)
        assert suspected.any()
        assert wrong[suspected].mean() > 1.5 * wrong[noisy.y == side].mean()
    shown = str(audit)
    assert (
        f"{audit.suspected.sum():,} of {len(noisy.y):,} labels are suspected" in shown
    )
    assert str(audit.order[0]) in shown


def test_suspected_is_what_a_loop_says(audit):
    low, high = audit.thresholds
    assert low == np.mean([1 - p for p, y in zip(audit.proba, audit.positive) if not y])
    for p, positive, suspected in zip(audit.proba, audit.positive, audit.suspected):
        confident = [name for name, sure in ((0, 1 - p >= low), (1, p >= high)) if sure]
        guess = None
        if len(confident) == 1:
            (guess,) = confident
        elif confident:
            guess = int(p > 0.5)
        assert suspected == (guess is not None and guess != positive)


def test_cleanlab_suspects_the_same(audit):
    count = pytest.importorskip("cleanlab.count")
    _, expected = count.compute_confident_joint(
        audit.positive.astype(int),
        audit.pred_probs,
        calibrate=False,
        return_indices_of_off_diagonals=True,
    )
    assert np.flatnonzero(audit.suspected).tolist() == sorted(expected)
    issues = pytest.importorskip("cleanlab.filter").find_label_issues(
        audit.positive.astype(int),
        audit.pred_probs,
        return_indices_ranked_by="self_confidence",
    )
    suspicious = audit.order[: len(issues)]
    assert len(set(issues) & set(suspicious)) > 0.7 * len(issues)


# ---- input -----------------------------------------------------------------------


def test_kinds_of_tables_and_labels(noisy, audit):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    strings = [[f"u{user}", f"i{item}"] for user, item in noisy.X]
    names = ["user", "item"]
    words = np.array(["bad", "good"])[noisy.y]
    for X, y in (
        (strings, words),
        (np.array(strings), words.tolist()),
        (pd.DataFrame(strings, columns=names), pd.Series(words)),
        (pl.DataFrame(strings, names, orient="row"), noisy.y.tolist()),
        (noisy.X.tolist(), noisy.y.astype(bool)),
    ):
        other = audit_labels(BIAS, X, y, cv=FOLDS)
        np.testing.assert_allclose(other.proba, audit.proba)
        assert (other.order == audit.order).all()
    frame = audit_labels(BIAS, strings, words, cv=FOLDS).to_frame()
    assert frame["rank"].tolist() == list(range(1, len(noisy.y) + 1))
    row = audit.order[0]
    assert frame.index[0] == row
    assert frame.iloc[0][["user", "item"]].tolist() == strings[row]
    assert frame.iloc[0]["label"] == words[row]


def test_the_pool_is_whole_in_every_fold(noisy, monkeypatch):
    lengths = []

    class Noting(InverseDualLossRecommender):
        def fit(self, X, y, sample_weight=None, *, X_unlab=None):
            lengths.append(len(X_unlab[0]))
            return super().fit(X, y, sample_weight, X_unlab=X_unlab)

    est = Noting(backbone="bias", max_epochs=1)
    pool = np.vstack([noisy.X_unlab] * 20)[: len(noisy.X)]
    audit_labels(est, noisy.X, noisy.y, cv=2, X_unlab=pool)
    audit_labels(est, noisy.X, noisy.y, cv=2, X_unlab=(pool,))
    assert lengths == [len(noisy.X)] * 4


def test_seeds_jobs_and_the_estimator_itself(noisy, audit):
    fitted = OneHotLogisticRegression().fit(noisy.X, noisy.y)
    before = fitted.decision_function(noisy.X)
    first, second, other = (
        audit_labels(fitted, noisy.X, noisy.y, cv=3, random_state=seed).proba
        for seed in (0, 0, 1)
    )
    assert (first == second).all()
    assert not (first == other).all()
    assert (fitted.decision_function(noisy.X) == before).all()
    two = audit_labels(BIAS, noisy.X, noisy.y, cv=FOLDS, n_jobs=2, path=True)
    one = audit_labels(BIAS, noisy.X, noisy.y, cv=FOLDS, path=True)
    assert (two.proba == audit.proba).all()
    assert (two.path == one.path).all()


def test_bad_input(noisy):
    X, y = noisy.X, noisy.y
    with pytest.raises(ValueError, match="must test every row once"):
        audit_labels(BIAS, X, y, cv=LeaveLastN())
    with pytest.raises(ValueError, match="one class only"):
        audit_labels(BIAS, X, np.ones(len(X)))
    with pytest.raises(ValueError, match="at most two different labels"):
        audit_labels(BIAS, X, np.arange(len(X)) % 3)
    with pytest.raises(ValueError, match="'estimator' parameter"):
        audit_labels(RidgeClassifier(), X, y)
    with pytest.raises(ValueError, match="'cv' parameter"):
        audit_labels(BIAS, X, y, cv=1)

    class Silent(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            return np.full((len(X), 2), np.nan)

    with pytest.raises(ValueError, match="Silent predicts NaN"):
        audit_labels(Silent(), X, y, cv=KFold(2))


# ---- the path --------------------------------------------------------------------


def test_the_path_ends_where_the_audit_does_and_changes_nothing(noisy, audit):
    """Cold users included: their row is filled after the training only."""
    watched = audit_labels(BIAS, noisy.X, noisy.y, cv=FOLDS, path=True)
    assert watched.path.shape == (8, len(noisy.y))
    assert (watched.proba == audit.proba).all()
    np.testing.assert_allclose(watched.path[-1], watched.loss)
    folds = [
        (np.flatnonzero(noisy.X[:, 0] % 2 != k), np.flatnonzero(noisy.X[:, 0] % 2 == k))
        for k in (0, 1)
    ]
    cold = audit_labels(BIAS, noisy.X, noisy.y, cv=folds, path=True)
    np.testing.assert_allclose(cold.path[-1], cold.loss)


def test_memorisation_begins_after_the_best_epoch(noisy):
    est = CrossEntropyRecommender(
        backbone="gmf", n_factors=16, gamma=0.03, max_epochs=25, batch_size=64,
        random_state=0,
    )  # fmt: skip
    audit = audit_labels(est, noisy.X, noisy.y, cv=FOLDS, path=True)
    mean = audit.path.mean(axis=1)
    assert audit.best_epoch == mean.argmin() + 1 < 25
    assert mean[-1] > mean.min() + 0.05
    pytest.importorskip("matplotlib")
    groups = np.where(noisy.y == noisy.y_true, "right", "wrong")
    display = LossPathDisplay(audit.path, groups).plot()
    assert set(display.lines_) == {"right", "wrong"}


def test_early_stopping_ends_a_path_early(noisy):
    est = CrossEntropyRecommender(
        backbone="bias", gamma=0.1, max_epochs=60, early_stopping=True,
        n_iter_no_change=1, random_state=0,
    )  # fmt: skip
    audit = audit_labels(est, noisy.X, noisy.y, cv=FOLDS, path=True)
    lengths = (~np.isnan(audit.path)).sum(axis=0)
    assert lengths.max() == len(audit.path) < 60
    assert 1 <= audit.best_epoch <= lengths.min()


def test_no_path(noisy):
    with pytest.raises(ValueError, match="path=True needs a recommender"):
        audit_labels(OneHotLogisticRegression(), noisy.X, noisy.y, path=True)


# ---- precision and recall --------------------------------------------------------


def test_precision_and_recall_by_hand():
    wrong = np.array([False, True, False, True, True])
    order = [1, 0, 4, 2, 3]
    precision, recall = precision_recall_at_k(order, wrong, [1, 2, 3, 5])
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3, 3 / 5])
    np.testing.assert_allclose(recall, [1 / 3, 1 / 3, 2 / 3, 1])
    assert precision_recall_at_k(order, wrong, 3) == (2 / 3, 2 / 3)


def test_bad_rankings():
    wrong = [False, True, False]
    for order in ([0, 1], [0, 1, 1], [0.3, 0.2, 0.1]):
        with pytest.raises(ValueError, match="order must hold the positions 0 to 2"):
            precision_recall_at_k(order, wrong, 1)
    for flags in ([0, 1, 0], [False] * 3):
        with pytest.raises(ValueError, match="wrong must be booleans"):
            precision_recall_at_k([0, 1, 2], flags, 1)
    for k in (0, 4, 1.5, [1, 9]):
        with pytest.raises(ValueError, match="k must be integers from 1 to 3"):
            precision_recall_at_k([0, 1, 2], wrong, k)


def test_equal_losses_keep_the_order_of_the_table():
    rows = np.arange(4)
    audit = LabelAudit(rows, rows, rows % 2, rows % 2 == 1, np.full(4, 0.5))
    assert audit.order.tolist() == [0, 1, 2, 3]
    sure = LabelAudit(rows, rows, rows % 2, rows % 2 == 1, np.array([1.0, 0, 0, 1]))
    assert np.isfinite(sure.loss).all()
    assert sure.order.tolist() == [0, 1, 2, 3]
