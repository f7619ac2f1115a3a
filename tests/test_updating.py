"""partial_fit and warm_start: what changes, what stays, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
    load,
)
from sklearn_invlearn.modules import BACKBONES, table_sides

SIZES = {"n_factors": 4, "gamma": 0.05, "batch_size": 64, "random_state": 0}
METHODS = {
    "none": (CrossEntropyRecommender, {}),
    "sampled": (CrossEntropyRecommender, {"negatives": "sampled"}),
    "dual": (InverseDualLossRecommender, {}),
    "gradient": (InverseGradientRecommender, {}),
    "truncated": (TruncatedLossRecommender, {"n_drop_steps": 20}),
    "reweighted": (ReweightedLossRecommender, {}),
}
each_method = pytest.mark.parametrize("method", METHODS)


class Distance(nn.Module):
    """A backbone with tables that are plain parameters."""

    def __init__(self, n_users, n_items, n_factors):
        super().__init__()
        self.user = nn.Parameter(0.1 * torch.randn(n_users, n_factors))
        self.item = nn.Embedding(n_items, n_factors)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, user, item):
        return self.offset - (self.user[user] - self.item(item)).square().sum(-1)


each_backbone = pytest.mark.parametrize("backbone", [*BACKBONES, Distance])


def make(method="none", backbone="gmf", **params):
    cls, own = METHODS[method]
    return cls(**{"backbone": backbone, "max_epochs": 3} | SIZES | own | params)


def fitted(data, method="none", backbone="gmf", **params):
    est = make(method, backbone, **params)
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


NEW = [["eve", 3], ["eve", "film"], [5, "film"], [5, 7], ["dan", 7], ["dan", 3]]
NEW_Y = [1, 0, 1, 0, 1, 1]
NEW_POOL = [["eve", 4], ["fay", 3], [6, "film"]]


def untouched(data, pool):
    users = {5, 6} if pool else {5}
    items = {3, 7, 4} if pool else {3, 7}
    return np.array([(u, i) for u, i in data.X if u not in users and i not in items])


# ---- the promise: what is not in the update stays ------------------


@each_backbone
@each_method
@pytest.mark.parametrize("pool", [None, NEW_POOL], ids=["no_pool", "pool"])
def test_untouched_pairs_keep_their_scores_bit_for_bit(method, backbone, pool, data):
    est = fitted(data, method, backbone, weight_decay=0.01)
    uses_pool = est._draws_unlabeled or backbone == "spectral"
    X = untouched(data, pool)
    if backbone == "cdae":  # whose history has a touched item?
        touched = [i in (3, 7, 4) for _, i in data.X]
        X = np.array([(u, i) for u, i in X if u not in set(data.X[touched, 0])])
    before, touched_before = est.decision_function(X), est.decision_function([[5, 7]])
    est.partial_fit(NEW, NEW_Y, X_unlab=pool and (pool,), n_epochs=3)
    assert len(X) > (3 if backbone == "cdae" else 100)
    assert_array_equal(est.decision_function(X), before)
    assert est.decision_function([[5, 7]]) != touched_before
    newcomers = ["eve", "dan"] + (["fay"] if pool and uses_pool else [])
    assert est.user_ids_.tolist()[-len(newcomers) :] == newcomers
    assert est.item_ids_.tolist()[-1] == "film"


def test_shared_parameters_move_only_if_asked(data):
    X = untouched(data, None)
    for update_shared, same in ((False, True), ("auto", True), (True, False)):
        est = fitted(data)
        before, head = est.predict_proba(X), est.net_.module_.head.weight.clone()
        rows = est.net_.module_.user_factors.weight[1:].clone()
        est.partial_fit(NEW, NEW_Y, update_shared=update_shared)
        assert torch.equal(est.net_.module_.head.weight, head) == same
        assert (est.predict_proba(X) == before).all() == same
        # Rows of tables stay even then.
        after = est.net_.module_.user_factors.weight[1 : len(rows) + 1]
        unchanged = (after == rows).all(dim=1)
        assert (~unchanged).sum() == 1
        assert all(p.requires_grad for p in est.net_.module_.parameters())


def test_the_memory_of_the_optimizer_goes_on_and_grows(data):
    est = fitted(data)
    memory = est.net_.optimizer_.state[est.net_.module_.user_factors.weight]
    before = {key: value.clone() for key, value in memory.items()}
    code = est._encoder.users.lookup(np.array([5]))[0]
    est.partial_fit(NEW, NEW_Y)
    after = est.net_.optimizer_.state[est.net_.module_.user_factors.weight]
    assert after["step"] == before["step"] + 1
    for key in ("exp_avg", "exp_avg_sq"):
        assert len(after[key]) == len(before[key]) + 2
        same = (after[key][: len(before[key])] == before[key]).all(dim=1)
        assert (~same).nonzero()[:, 0].tolist() == [code]
        assert (after[key][-2:] != 0).any(dim=1).all()


def test_one_step_is_the_step_of_adam_on_the_touched_rows(data):
    """Against Adam by hand, with the bias of a known user."""
    est = fitted(data, backbone="bias")
    weight = est.net_.module_.biases.user.weight
    memory = est.net_.optimizer_.state[weight]
    row = est._encoder.users.lookup(np.array([5]))[0]
    tensors = weight, memory["exp_avg"], memory["exp_avg_sq"]
    b, m, v = (float(tensor[row, 0].detach()) for tensor in tensors)
    t = float(memory["step"]) + 1
    p = est.predict_proba([[5, 7]])[0, 1]
    est.partial_fit([[5, 7]], [0])
    m, v = 0.9 * m + 0.1 * p, 0.999 * v + 0.001 * p * p
    b -= 0.05 * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
    assert float(est.net_.module_.biases.user.weight[row, 0].detach()) == pytest.approx(
        b, rel=1e-4
    )


# ---- newcomers ------------------


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_newcomer_starts_near_the_average_and_learns(backbone, data):
    est = fitted(data, backbone=backbone)
    unknown = est.decision_function([[999, item] for item in range(40)])
    est.partial_fit([[999, 3]], [1], n_epochs=1)
    once = est.decision_function([[999, item] for item in range(40)])
    np.testing.assert_allclose(once, unknown, atol=1.0)
    start = est.decision_function([[999, 3]])
    est.partial_fit([[999, 3]], [1], n_epochs=30)
    assert est.decision_function([[999, 3]]) > start + 0.1


def test_updates_help_on_rows_to_come(data):
    rng = np.random.default_rng(0)
    late = np.isin(data.X[:, 0], rng.permutation(60)[:20])
    half = late & (rng.random(len(late)) < 0.5)
    rest = late & ~half
    est = make(max_epochs=30, backbone="bias").fit(data.X[~late], data.y[~late])

    def loss():
        proba = est.predict_proba(data.X[rest])
        return -np.log(proba[np.arange(rest.sum()), data.y[rest]]).mean()

    before = loss()
    est.partial_fit(data.X[half], data.y[half], n_epochs=10)
    assert loss() < before


def test_row_0_is_the_mean_after_an_update(data):
    est = fitted(data).partial_fit(NEW, NEW_Y)
    table = est.net_.module_.user_factors.weight
    torch.testing.assert_close(table[0], table[1:].mean(dim=0))
    assert len(table) == len(est.user_ids_) + 1


# ---- a stream ------------------


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


# ---- failures ------------------


class RaisesIn(Callback):
    """Raises `error` once the weights have changed."""

    def __init__(self, error):
        self.error = error

    def on_batch_end(self, net, **kwargs):
        raise self.error


def state_of(est):
    module = {k: v.clone() for k, v in est.net_.module_.state_dict().items()}
    params = est.get_params(deep=False)
    rest = {k: v for k, v in vars(est).items() if k not in params}
    return module, len(est.history_), rest, len(est.user_ids_)


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), KeyboardInterrupt()])
@each_method
def test_a_call_that_fails_changes_nothing(method, error, data):
    est = fitted(data, method)
    expected = fitted(data, method).partial_fit(NEW, NEW_Y).decision_function(data.X)
    module, n_epochs, rest, n_users = state_of(est)
    est.set_params(callbacks=[RaisesIn(error)])
    with pytest.raises(type(error)):
        est.partial_fit(NEW, NEW_Y, n_epochs=2)
    after, n_epochs_after, rest_after, n_users_after = state_of(est)
    assert (n_epochs_after, n_users_after) == (n_epochs, n_users)
    assert rest.keys() == rest_after.keys()
    assert all(rest[k] is rest_after[k] for k in rest)
    assert all(torch.equal(after[k], module[k]) for k in module)
    est.set_params(callbacks=None).partial_fit(NEW, NEW_Y)
    assert_array_equal(est.decision_function(data.X), expected)


def test_a_first_call_that_fails_leaves_the_estimator_unfitted(data):
    est = make(callbacks=[RaisesIn(RuntimeError("on purpose"))])
    with pytest.raises(RuntimeError, match="on purpose"):
        est.partial_fit(data.X, data.y)
    with pytest.raises(NotFittedError):
        est.predict(data.X)
    with pytest.raises(ValueError, match="rows of both classes"):
        make().partial_fit(data.X, data.y, classes=[0, 2])
    with pytest.raises(ValueError, match="needs labelled pairs of two classes"):
        make().partial_fit(data.X[data.y == 1], [1] * data.y.sum(), classes=[0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": [0, 1, 2, 0, 1, 1]}, r"labels \[2\], which are not among the classes"),
        ({"y": [0, 1, 0]}, "inconsistent"),
        ({"y": None}, "requires y"),
        ({"y": [0, 1, 0, 1, 0, np.nan]}, "NaN"),
        ({"X": [[1]] * 6}, "1 features"),
        ({"X": [[None, 1]] * 6}, "None is not an id"),
        ({"classes": [0, 2]}, "not the same as on the last call"),
        ({"n_epochs": 0}, "n_epochs is 0"),
        ({"update_shared": "yes"}, "update_shared is 'yes'"),
        ({"sample_weight": np.zeros(6)}, "Sample weights must contain"),
        ({"X_unlab": ()}, "X_unlab is an empty tuple"),
    ],
)
def test_bad_updates_are_refused_and_change_nothing(changes, message, data):
    est = fitted(data)
    _, _, rest, n_users = state_of(est)
    with pytest.raises(ValueError, match=message):
        est.partial_fit(**{"X": NEW, "y": NEW_Y} | changes)
    assert all(vars(est)[k] is rest[k] for k in rest)
    assert len(est.user_ids_) == n_users


def test_another_backbone_is_refused(data):
    est = fitted(data)
    with pytest.raises(ValueError, match="is not what was fitted, a GMF"):
        est.set_params(backbone="mlp").partial_fit(NEW, NEW_Y)
    with pytest.raises(ValueError, match="were changed since"):
        est.set_params(backbone="gmf", n_factors=5).partial_fit(NEW, NEW_Y)
    est.set_params(n_factors=4).partial_fit(NEW, NEW_Y)


# ---- weights, first calls ------------------


def test_weights_are_on_the_scale_of_fit(data):
    weight = np.full(len(data.y), 4.0)
    scores = []
    for w, new in ((None, [0.5] * 6), (weight, [2.0] * 6)):
        est = make(backbone="bias", optimizer="sgd").fit(data.X, data.y, w)
        est.partial_fit(NEW, NEW_Y, new)
        scores.append(est.decision_function(NEW))
    np.testing.assert_allclose(*scores, rtol=1e-6)
    est = make(backbone="bias", optimizer="sgd").fit(data.X, data.y)
    assert np.abs(est.partial_fit(NEW, NEW_Y).decision_function(NEW) - scores[0]).max()


@each_method
def test_the_first_call_is_a_fit_and_later_ones_train_everything(method, data):
    first = make(method).partial_fit(data.X, data.y, classes=[0, 1], n_epochs=2)
    fit = make(method, max_epochs=2, early_stopping=False).fit(data.X, data.y)
    assert_array_equal(first.decision_function(data.X), fit.decision_function(data.X))
    assert first.max_epochs == 3
    assert first.early_stopping == "auto"
    intercept = float(first.net_.module_.biases.intercept.detach())
    first.partial_fit(NEW, NEW_Y, classes=[1, 0])
    assert float(first.net_.module_.biases.intercept.detach()) != intercept
    one_class = first.partial_fit([["eve", 3]], [1])
    assert one_class.n_iter_ == 4


# ---- warm start ------------------


@each_backbone
def test_a_warm_start_goes_on_from_the_weights(backbone, data):
    est = fitted(data, backbone=backbone, warm_start=True, max_epochs=2)
    first = est.decision_function(data.X)
    state = {k: v.clone() for k, v in est.net_.module_.state_dict().items()}
    users = est.user_ids_
    est.set_params(gamma=1e-9).fit(NEW, NEW_Y)
    assert est.n_iter_ == len(est.history_) == 4
    assert est.user_ids_.tolist() == [*users.tolist(), "eve", "dan"]
    if backbone != "cdae":
        np.testing.assert_allclose(est.decision_function(data.X), first, atol=1e-4)
    for name, tensor in state.items():
        new = est.net_.module_.state_dict()[name]
        if name != "history_keys":
            new = new[1 : len(tensor)] if new.ndim else new
            tensor = tensor[1:] if tensor.ndim else tensor
            torch.testing.assert_close(new, tensor, atol=1e-5, rtol=1e-5)
    est.set_params(warm_start=False).fit(data.X, data.y)
    assert est.n_iter_ == 2


def test_two_warm_fits_learn_more_than_one(data):
    one = fitted(data, max_epochs=5)
    two = fitted(data, max_epochs=5, warm_start=True)
    two.fit(data.X, data.y)
    losses = [row["train_loss"] for row in two.history_]
    assert losses[:5] == [row["train_loss"] for row in one.history_]
    assert losses[5] < losses[4]
    seen = two.seen_items(two.user_ids_)
    assert seen.dtype == bool
    assert (seen != one.seen_items(two.user_ids_)).nnz == 0


def test_a_warm_fit_that_fails_leaves_the_old_model(data):
    est = fitted(data, warm_start=True)
    module, n_epochs, rest, _ = state_of(est)
    est.set_params(callbacks=[RaisesIn(RuntimeError("on purpose"))])
    with pytest.raises(RuntimeError, match="on purpose"):
        est.fit(NEW, NEW_Y)
    after, n_epochs_after, rest_after, _ = state_of(est)
    assert n_epochs_after == n_epochs
    assert all(rest[k] is rest_after[k] for k in rest)
    assert all(torch.equal(after[k], module[k]) for k in module)
    with pytest.raises(ValueError, match="not the same as on the last call"):
        est.fit(NEW, ["a", "b"] * 3)
    assert est.n_iter_ == n_epochs


def test_a_warm_fit_with_other_columns_is_refused(data):
    X = pd.DataFrame(data.X, columns=["viewer", "film"])
    est = make(warm_start=True).fit(X, data.y)
    n_users = len(est.user_ids_)
    for other in (X[["film", "viewer"]], X.rename(columns={"film": "song"})):
        with pytest.raises(ValueError, match="feature names should match"):
            est.fit(other, data.y)
    assert est.feature_names_in_.tolist() == ["viewer", "film"]
    assert len(est.user_ids_) == n_users
    est.set_params(warm_start=False).fit(X[["film", "viewer"]], data.y)
    assert est.feature_names_in_.tolist() == ["film", "viewer"]


# ---- which tensors are tables ------------------


class PairTable(nn.Module):
    """A table with a row for every pair, which no update can enlarge."""

    def __init__(self, n_users, n_items):
        super().__init__()
        self.n_items = n_items
        self.table = nn.Embedding(n_users * n_items, 1)

    def forward(self, user, item):
        return self.table(user * self.n_items + item).squeeze(-1)


def test_tables_are_found_by_their_size():
    sides = table_sides(lambda n_u, n_i: Distance(n_u, n_i, 4))
    assert sides == {"user": 0, "item.weight": 1}


def test_what_cannot_grow_is_refused(data):
    est = fitted(data, backbone=PairTable)
    with pytest.raises(ValueError, match=r"PairTable cannot be given rows"):
        est.partial_fit(NEW, NEW_Y)
