"""What an update leaves as it was, and what it changes."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from sklearn_invlearn.modules import table_sides

from ._cases import (
    NEW,
    NEW_POOL,
    NEW_Y,
    Distance,
    each_backbone,
    each_method,
    fitted,
    untouched,
)


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
