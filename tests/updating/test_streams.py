"""Many updates, one after the other; what they draw."""

import numpy as np
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from sklearn_invlearn import load

from ._cases import (
    NEW,
    NEW_Y,
    each_method,
    fitted,
    make,
)


@each_method
def test_a_stream_of_100_small_updates_keeps_its_promises(method, data, tmp_path):
    est = fitted(data, method, max_epochs=1)
    n_epochs, n_labels = est.n_iter_, est.class_count_.sum()
    rng = np.random.default_rng(0)
    known = {tuple(pair) for pair in data.X.tolist()}
    users = set(est.user_ids_.tolist())
    copy = None
    for step in range(100):
        user = int(rng.integers(40)) if step % 3 else 1000 + step
        rows = [(user, int(rng.integers(20))) for _ in range(rng.integers(1, 4))]
        y = rng.integers(2, size=len(rows)).tolist()
        others = [pair for pair in data.X.tolist() if pair[0] >= 40 and pair[1] >= 20]
        before = est.decision_function(others)
        est.partial_fit(rows, y)
        assert_array_equal(est.decision_function(others), before)
        known |= set(rows)
        if step == 50:  # halfway through a file, and on
            est.save(tmp_path / "model", optimizer=True)
            copy = load(tmp_path / "model")
        elif copy is not None:
            copy.partial_fit(rows, y)
    assert est.n_iter_ == len(est.history_) == n_epochs + 100
    assert [row["epoch"] for row in est.history_] == list(range(1, est.n_iter_ + 1))
    assert set(est.user_ids_.tolist()) == users | {user for user, _ in known}
    assert est.class_count_.sum() > n_labels + 100
    assert copy.history_ == est.history_
    assert_array_equal(copy.decision_function(data.X), est.decision_function(data.X))
    seen = est.seen_items(est.user_ids_).nonzero()
    pairs = zip(est.user_ids_[seen[0]].tolist(), est.item_ids_[seen[1]].tolist())
    assert set(pairs) == known
    if method == "gradient":
        assert len(est.trace_) >= est.n_iter_
        assert est.trace_["epoch"][-1] == est.n_iter_
        assert len(est._held_out["y"]) > 0.1 * len(data.y)


@each_method
def test_an_update_is_reproducible_and_leaves_the_generators_alone(method, data):
    state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    scores = []
    for _ in range(2):
        est = fitted(data, method)
        for _ in range(2):
            est.partial_fit(NEW, NEW_Y)
        scores.append(est.decision_function(data.X))
    assert_array_equal(*scores)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert_array_equal(np.random.get_state()[1], state[1])  # noqa: NPY002


def test_updates_differ_in_what_they_draw(data):
    est = fitted(data, "sampled", gamma=1e-6)
    tables = []
    for name in (998, 999):
        est.partial_fit([[name, 3]], [1])
        tables.append(est.net_.module_.user_factors.weight[-1].detach().numpy())
    assert np.abs(tables[0] - tables[1]).max() > 1e-3


def test_sampled_negatives_are_pairs_that_no_call_has_labelled(data):
    every = [[user, item] for item in range(3) for user in range(4)]
    est = make("sampled").fit(every[:6], [0, 1] * 3)
    drawn = []

    class Draws(Callback):
        def on_batch_begin(self, net, batch, **kwargs):
            drawn.extend(zip(batch.user.tolist(), batch.item.tolist()))

    est.set_params(callbacks=[Draws()]).partial_fit(every[6:10], [1, 0, 1, 0])
    drawn.clear()
    est.partial_fit([[3, 2]], [1], n_epochs=40)
    codes = est._encoder.lookup([np.array([2, 3]), np.array([2, 2])])
    last, new = map(tuple, codes.T.tolist())
    assert set(drawn) == {last, new}  # the only other pair that was never labelled
