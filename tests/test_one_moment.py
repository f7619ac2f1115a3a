"""A recommender that another thread updates is seen before the update, or after it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.serving import _explanation, _prediction, _ranking

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "gamma": 0.05,
    "max_epochs": 2,
    "random_state": 0,
}
NEW = [[1000, 2000], [1000, 2001]]


@pytest.fixture(params=["alone", "colliding"])
def est(request, data):
    if request.param == "alone":
        return CrossEntropyRecommender(**SIZES).fit(data.X, data.y)
    inner = TruncatedLossRecommender(extra_feedback="warmup", n_extra_epochs=1, **SIZES)
    est = CollidingRecommender(recommender=inner, n_neighbors=2, max_extra_ratio=9.0)
    return est.fit(data.X, data.y, X_extra=(data.X[:9],), y_extra=(data.y[:9],))


@pytest.mark.parametrize(
    ("module", "name", "ask"),
    [
        (_prediction, "score_pairs", lambda e, X: e.decision_function(X)),
        (_explanation, "score_pairs", lambda e, X: e.explain(X)),
        (_explanation, "check_pairs_like_fit", lambda e, X: e.explain(X)),
        (_ranking, "check_id_kind", lambda e, X: np.stack(e.recommend(1000, 3))),
        (_ranking, "excluded_pairs", lambda e, X: np.stack(e.recommend(1000, 3))),
        (_ranking, "check_id_kind", lambda e, X: np.stack(e.similar_items(X[0, 1], 3))),
    ],
)
def test_an_answer_is_of_one_moment(module, name, ask, est, data, monkeypatch):
    X = np.vstack([data.X[:20], NEW])
    before, plain = ask(est, X), getattr(module, name)

    def then_updated(*arguments, **options):
        monkeypatch.setattr(module, name, plain)
        answer = plain(*arguments, **options)
        est.partial_fit(NEW, [1, 1], n_epochs=5)
        return answer

    monkeypatch.setattr(_prediction, "_BLOCK_ROWS", 7)
    monkeypatch.setattr(module, name, then_updated)
    assert_array_equal(ask(est, X), before)
    assert 1000 in est.user_ids_


class Witness:
    """Looks at a recommender when it is freed, as a thread would that runs then."""

    def __init__(self, est, seen):
        self.est, self.seen = est, seen

    def __del__(self):
        n_rows = self.est.net_.module_.user_factors.num_embeddings
        sizes = [n_rows, self.est._encoder.n_users, self.est._seen.shape[0]]
        if hasattr(self.est, "neighbors_"):
            sizes.append(1 + len(self.est.neighbors_))
        self.seen.append(sizes)


def test_what_an_update_replaces_is_freed_after_it(est):
    seen = []
    est.net_.witness = Witness(est, seen)
    est.partial_fit(NEW, [1, 1])
    assert [set(sizes) for sizes in seen] == [{est._encoder.n_users}]


def test_updates_in_threads_take_turns(est):
    n_before, n_rows = len(est.user_ids_), est.class_count_.sum()
    together = Barrier(3)

    def update(thread):
        together.wait()
        for k in range(4):
            user = 1000 + 10 * thread + k
            est.partial_fit([[user, 2000], [user, 2001]], [1, 0])

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(update, range(3)))
    assert len(est.user_ids_) == n_before + 12
    assert est.class_count_.sum() == n_rows + 24
    assert est.seen_items(est.user_ids_[-12:]).sum(axis=1).tolist() == [2] * 12
    assert len(getattr(est, "neighbors_", est.user_ids_)) == n_before + 12
