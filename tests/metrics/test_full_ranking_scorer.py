import pickle
import warnings
from copy import deepcopy

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklearn_invlearn.metrics import (
    full_ranking_ndcg_score,
    full_ranking_recall_score,
    make_full_ranking_scorer,
)
from sklearn_invlearn.metrics._columns import take_column

FUNCTIONS = {"recall": full_ranking_recall_score, "ndcg": full_ranking_ndcg_score}


class Popularity(ClassifierMixin, BaseEstimator):
    """Scores an item by its positives in training, times a sign."""

    def __init__(self, sign=1):
        self.sign = sign

    def fit(self, X, y):
        users, items = take_column(X, 0).tolist(), take_column(X, 1).tolist()
        self.classes_ = np.unique(y)
        distinct = sorted(set(items))
        self.item_ids_ = np.array(distinct)
        self.pairs_ = set(zip(users, items))
        positives = [i for i, label in zip(items, y) if label == self.classes_[1]]
        self.count_ = {item: positives.count(item) for item in distinct}
        return self

    def seen_items(self, users):
        items = self.item_ids_.tolist()
        pairs = [[(u, i) in self.pairs_ for i in items] for u in users.tolist()]
        return csr_array(np.array(pairs, dtype=bool).reshape(len(users), len(items)))

    def decision_function(self, X):
        self.shapes_ = [*getattr(self, "shapes_", []), (X.dtype, X.shape)]
        return np.array([self.sign * self.count_[item] for item in X[:, 1].tolist()])


def score_by_hand(name, model, X, y, k):
    """Build the whole matrices; unknown items become columns with the last score."""
    X, y = list(zip(*np.asarray(X, dtype=object).T)), np.asarray(y)
    positives = {pair for pair, label in zip(X, y) if label == model.classes_[1]}
    users = sorted({user for user, _ in positives})
    known = model.item_ids_.tolist()
    unknown = sorted({item for _, item in positives} - set(known))
    relevant = np.array([[(u, i) in positives for i in known + unknown] for u in users])
    seen = np.array([[(u, i) in model.pairs_ for i in known + unknown] for u in users])
    scores = [model.sign * model.count_[item] for item in known] + [-1e9] * len(unknown)
    return FUNCTIONS[name](
        relevant, np.tile(np.array(scores, float), (len(users), 1)), seen=seen, k=k
    )


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 12, 300), rng.integers(0, 40, 300) ** 2])
    y = rng.integers(0, 2, 300)
    # Items 1521 and above occur in the test set only.
    known = X[:, 1] < 1400
    train = known & (rng.random(300) < 0.5)
    return X[train], y[train], X[~train], y[~train]


@pytest.mark.parametrize("block_size", [1, 5, 256])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_as_whole_matrices(name, block_size, data):
    X, y, X_test, y_test = data
    model = Popularity().fit(X, y)
    assert not set(X_test[y_test == 1, 1]) <= set(model.item_ids_)
    k = 10
    scorer = make_full_ranking_scorer(name, k=k, block_size=block_size)
    expected = score_by_hand(name, model, X_test, y_test, k)
    assert scorer(model, X_test, y_test) == pytest.approx(expected)


def test_blocks_bound_the_number_of_scored_pairs(data):
    X, y, X_test, y_test = data
    model = Popularity().fit(X, y)
    make_full_ranking_scorer(block_size=5)(model, X_test, y_test)
    assert {dtype for dtype, _ in model.shapes_} == {np.dtype(np.int64)}
    assert max(shape[0] for _, shape in model.shapes_) == 5 * len(model.item_ids_)


def test_hand_value():
    X = np.array([[1, 10], [1, 20], [2, 10], [3, 30]])
    model = Popularity().fit(X, [1, 0, 1, 1])  # 10 twice, 30 once, 20 never
    # User 1 has seen 10 and 20, so 30 is first; user 4 is new and likes 30, second.
    X_test, y_test = np.array([[1, 30], [4, 30], [4, 10], [2, 20]]), [1, 1, 0, 0]
    scorer = make_full_ranking_scorer("recall", k=1)
    assert scorer(model, X_test, y_test) == 0.5
    assert make_full_ranking_scorer("recall", k=2)(model, X_test, y_test) == 1.0


def test_unknown_items_are_never_found():
    X = np.array([[1, 10], [2, 20]])
    model = Popularity().fit(X, [1, 0])
    scorer = make_full_ranking_scorer("recall")
    assert scorer(model, np.array([[1, 20], [1, 99]]), [1, 1]) == 0.5
    assert scorer(model, np.array([[1, 99]]), [1]) == 0.0
    # The same pair twice is one relevant item.
    assert scorer(model, np.array([[1, 20], [1, 99], [1, 99]]), [1, 1, 1]) == 0.5
    # A user who has seen every known item still has the unknown one to find.
    all_seen = Popularity().fit(np.array([[1, 10], [1, 20]]), [1, 0])
    assert scorer(all_seen, np.array([[1, 99], [1, 10]]), [1, 1]) == 0.0


def test_seen_pairs_do_not_count():
    model = Popularity().fit(np.array([[1, 10], [2, 20]]), [1, 0])
    scorer = make_full_ranking_scorer("ndcg")
    with pytest.raises(ValueError, match="no user has a relevant item"):
        scorer(model, np.array([[1, 10]]), [1])
    lenient = make_full_ranking_scorer("ndcg", undefined=np.nan)
    assert np.isnan(lenient(model, np.array([[1, 10]]), [1]))
    assert np.isnan(lenient(model, np.array([[1, 20]]), [0]))


def test_containers_of_X(data):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y, X_test, y_test = data
    scorer = make_full_ranking_scorer()
    expected = scorer(Popularity().fit(X, y), X_test, y_test)
    columns = ["user", "item"]
    for convert in (
        lambda X: X.tolist(),
        lambda X: X.astype(object),
        lambda X: pd.DataFrame(X, columns=columns),
        lambda X: pl.DataFrame(X, schema=columns),
        lambda X: X.astype(np.int32),
    ):
        model = Popularity().fit(convert(X), y)
        assert scorer(model, convert(X_test), y_test) == expected


def test_items_of_another_type_than_in_fit_are_refused(data):
    X, y, X_test, y_test = data
    as_text = [[user, str(item)] for user, item in X_test.tolist()]
    model = Popularity().fit(X, y)
    with pytest.raises(
        ValueError, match=r"None of the items of X .* are str .* numbers"
    ):
        make_full_ranking_scorer()(model, as_text, y_test)
    new = [[0, 10**6]]  # of the same type: never found
    assert make_full_ranking_scorer()(model, new, [1]) == 0.0


def test_ids_of_different_types(data):
    X, y, X_test, y_test = data
    expected = make_full_ranking_scorer()(Popularity().fit(X, y), X_test, y_test)

    def rename(X):
        return np.array([[f"u{u}", int(i)] for u, i in X], dtype=object)

    model = Popularity().fit(rename(X), y)
    value = make_full_ranking_scorer()(model, rename(X_test), y_test)
    assert value == expected
    assert model.shapes_[0][0].kind == "O"


def test_warning_of_feature_names_is_silenced(data):
    pd = pytest.importorskip("pandas")

    class Named(Popularity):
        def decision_function(self, X):
            if not hasattr(X, "columns"):
                message = "X does not have valid feature names, but Named was fitted"
                warnings.warn(message, UserWarning, stacklevel=2)
            return super().decision_function(X)

    X, y, X_test, y_test = data
    model = Named().fit(pd.DataFrame(X), y)
    make_full_ranking_scorer()(model, pd.DataFrame(X_test), y_test)


@pytest.mark.parametrize("routing", [False, True])
def test_model_selection(routing, data):
    X, y, X_test, y_test = data
    scoring = {"recall": make_full_ranking_scorer("recall", k=5)}
    scoring["ndcg"] = make_full_ranking_scorer("ndcg", k=5)
    folds = KFold(3, shuffle=True, random_state=0)
    with config_context(enable_metadata_routing=routing):
        result = cross_validate(Popularity(), X, y, scoring=scoring, cv=folds, n_jobs=2)
        assert np.isfinite(result["test_recall"]).all()
        search = GridSearchCV(
            Popularity(), {"sign": [-1, 1]}, scoring=scoring["ndcg"], cv=folds
        ).fit(X, y)
        expected = scoring["ndcg"](search.best_estimator_, X_test, y_test)
        assert search.score(X_test, y_test) == expected
        nested = cross_validate(search, X, y, scoring=scoring, cv=folds)
        assert np.isfinite(nested["test_ndcg"]).all()


def test_pipelines(data):
    X, y, X_test, y_test = data
    scorer = make_full_ranking_scorer()
    expected = scorer(Popularity().fit(X, y), X_test, y_test)
    model = make_pipeline("passthrough", None, Popularity()).fit(X, y)
    assert scorer(model, X_test, y_test) == expected
    encoded = make_pipeline(OrdinalEncoder(), Popularity()).fit(X, y)
    with pytest.raises(TypeError, match="transforms X in the step 'ordinalencoder'"):
        scorer(encoded, X, y)


def test_wrong_estimator_and_columns_raise(data):
    X, y, X_test, y_test = data
    scorer = make_full_ranking_scorer()
    with pytest.raises(TypeError, match="lacks item_ids_, seen_items"):
        scorer(LogisticRegression().fit(X, y), X_test, y_test)
    with pytest.raises(ValueError, match=r"X has 3"):
        scorer(Popularity().fit(X, y), np.ones((4, 3), int), [1, 0, 1, 0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        scorer(Popularity().fit(X, y), X_test, y_test[1:])


@pytest.mark.parametrize(
    "arguments", [{"metric": "auc"}, {"k": 0}, {"block_size": 0}, {"undefined": "no"}]
)
def test_wrong_parameters_raise(arguments):
    with pytest.raises(ValueError, match=f"'{next(iter(arguments))}' parameter"):
        make_full_ranking_scorer(**arguments)


@pytest.mark.parametrize("copy", [deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_pickles_and_repr(copy, data):
    X, y, X_test, y_test = data
    model = Popularity().fit(X, y)
    scorer = make_full_ranking_scorer("ndcg", k=3, undefined=0.0)
    assert copy(scorer)(model, X_test, y_test) == scorer(model, X_test, y_test)
    assert repr(copy(scorer)) == (
        "make_full_ranking_scorer('ndcg', k=3, block_size=256, undefined=0.0)"
    )
