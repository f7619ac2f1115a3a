"""Full-ranking scorers on real recommenders: in a search, and against a loop."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.metrics import gauc_scorer, make_full_ranking_scorer


@pytest.fixture(scope="module")
def data():
    return make_sparse_feedback(
        n_users=40, n_items=30, n_exposures=900, label_fraction=0.6, random_state=0
    )


def recall_by_hand(est, X_train, X_test, y_test, k):
    """Rank all items of each user but those of training; one user at a time."""
    items = est.item_ids_.tolist()
    recalls = []
    for user in np.unique(X_test[:, 0]):
        seen = set(X_train[X_train[:, 0] == user, 1].tolist())
        liked = X_test[(X_test[:, 0] == user) & (y_test == 1), 1].tolist()
        relevant = set(liked) - seen
        if not relevant:
            continue
        candidates = [item for item in items if item not in seen]
        scores = est.decision_function([[user, item] for item in candidates])
        top = [candidates[j] for j in np.argsort(-scores)[:k]]
        recalls.append(len(relevant & set(top)) / len(relevant))
    return np.mean(recalls)


@pytest.mark.parametrize("as_strings", [False, True])
def test_scorer_equals_a_loop_over_users(data, as_strings):
    X, X_test = data.X, data.X_test
    if as_strings:
        X, X_test = X.astype(str), X_test.astype(str)
    est = CrossEntropyRecommender(backbone="gmf", gamma=0.05, random_state=0).fit(
        X, data.y
    )
    scorer = make_full_ranking_scorer("recall", k=5)
    expected = recall_by_hand(est, X, X_test, data.y_test, k=5)
    assert scorer(est, X_test, data.y_test) == pytest.approx(expected)


def test_seen_items_are_the_labelled_ones(data):
    est = CrossEntropyRecommender(backbone="gmf", max_epochs=1, random_state=0).fit(
        data.X, data.y
    )
    users = [data.X[0, 0], -7, data.X[3, 0]]
    seen = est.seen_items(users).toarray()
    assert seen.shape == (3, len(est.item_ids_))
    for user, row in zip(users, seen):
        labelled = set(data.X[data.X[:, 0] == user, 1].tolist())
        assert set(est.item_ids_[row].tolist()) == labelled
    assert not seen[1].any()


def test_scorers_drive_a_search(data):
    search = GridSearchCV(
        InverseGradientRecommender(backbone="gmf", random_state=0),
        {"gamma": [0.01, 0.05]},
        scoring={
            "recall": make_full_ranking_scorer("recall", k=5),
            "ndcg": make_full_ranking_scorer("ndcg", k=5),
            "gauc": gauc_scorer,
        },
        refit="gauc",
        cv=2,
    ).fit(data.X, data.y, X_unlab=(data.X_unlab,))
    for name in ("recall", "ndcg", "gauc"):
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()


@pytest.mark.parametrize("unit", ["D", "us", "ns"])
@pytest.mark.parametrize("side", [0, 1])
def test_ids_that_are_times(side, unit, data):
    """The same model, whatever its ids are called."""
    pandas = pytest.importorskip("pandas")
    est = CrossEntropyRecommender(
        backbone="gmf", n_factors=2, max_epochs=3, random_state=0
    )
    scorer = make_full_ranking_scorer("recall", k=5)
    expected = scorer(est.fit(data.X, data.y), data.X_test, data.y_test)
    assert expected > 0

    def with_times(X):
        columns = [X[:, 0], X[:, 1]]
        columns[side] = columns[side].astype("M8[D]").astype(f"M8[{unit}]")
        if unit == "D":  # which a frame does not have
            return list(zip(*map(list, columns)))
        return pandas.DataFrame({"user": columns[0], "item": columns[1]})

    est.fit(with_times(data.X), data.y)
    assert scorer(est, with_times(data.X_test), data.y_test) == expected
