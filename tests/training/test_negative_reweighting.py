"""NR: which pair is of which kind, and what each kind weighs."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_invlearn import NegativeReweightingRecommender, load
from sklearn_invlearn.losses import cross_entropy
from sklearn_invlearn.modules import GMF
from sklearn_invlearn.training import NegativeReweightingNet, Pairs, TrainingData
from sklearn_invlearn.training._negative_reweighting import (
    in_shares,
    post_click_feedback,
    sum_of_means,
)

SIZES = {"backbone": "gmf", "n_factors": 4, "gamma": 0.05, "max_epochs": 3}


def pairs(rows, weight=None):
    user, item, y = (
        (torch.tensor(c) for c in zip(*rows)) if rows else [torch.empty(0)] * 3
    )
    weight = None if weight is None else torch.tensor(weight)
    return Pairs(user.long(), item.long(), y.float(), weight)


def rows_of(table):
    return list(zip(table.user.tolist(), table.item.tolist(), table.y.tolist()))


CLICKS = [(1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 3, 0), (3, 3, 1)]
EXTRA = [(1, 1, 1), (2, 1, 0), (3, 1, 1)]  # complete, skipped, and not among the clicks


def test_kinds_of_feedback_by_hand():
    found = rows_of(post_click_feedback(pairs(CLICKS), pairs(EXTRA), "skip"))
    assert sorted(found) == [
        (1, 1, 1), (1, 2, 0), (2, 1, 0), (2, 3, 0), (3, 1, 1), (3, 3, 0),
    ]  # fmt: skip
    found = rows_of(post_click_feedback(pairs(CLICKS), pairs(EXTRA), "ignore"))
    assert sorted(found) == [(1, 1, 1), (2, 1, 0), (2, 3, 0), (3, 1, 1)]
    assert rows_of(post_click_feedback(pairs(CLICKS), None, "skip")) == CLICKS


def test_clicks_keep_their_weights():
    table = post_click_feedback(
        pairs(CLICKS, [0.5, 1.0, 1.5, 2.0, 3.0]), pairs(EXTRA), "skip"
    )
    weights = dict(
        zip(zip(table.user.tolist(), table.item.tolist()), table.weight.tolist())
    )
    assert weights == {
        (1, 1): 1.0, (2, 1): 1.0, (3, 1): 1.0, (1, 2): 1.0, (2, 3): 2.0, (3, 3): 3.0,
    }  # fmt: skip


@given(
    y=st.lists(st.booleans(), min_size=1, max_size=12),
    n_unclicked=st.integers(0, 6),
    shares=st.sampled_from([(0.5, 0.25), (0.3, 0.0), (0.6, 0.4), (1.0, 0.0)]),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_loss_is_a_sum_of_means(y, n_unclicked, shares, weighted, seed):
    y[0] = True
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 2.0, len(y)).astype(np.float32) if weighted else None
    clicks = pairs([(1, k + 1, label) for k, label in enumerate(y)], weight)
    unclicked = pairs([(2, k + 1, 0) for k in range(n_unclicked)])
    joint = sum_of_means(in_shares(clicks, *shares), unclicked, 1 - sum(shares))
    loss = rng.normal(size=len(joint)) ** 2
    expected = 0.0
    w = np.ones(len(y)) if weight is None else weight
    kinds = np.array(y, dtype=bool)
    for kind, share in ((kinds, shares[0]), (~kinds, shares[1])):
        if kind.any():
            expected += share * np.average(loss[: len(y)][kind], weights=w[kind])
    if n_unclicked:
        expected += (1 - sum(shares)) * loss[len(y) :].mean()
    ours = (joint.weight.numpy() * loss).mean()
    assert ours == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert joint.y.tolist() == [*kinds.astype(float), *[0.0] * n_unclicked]


class Fixed:
    def __init__(self, negatives):
        self.negatives = negatives

    def draw(self, labelled):
        return self.negatives

    def n_drawn(self, n_labelled):
        return len(self.negatives)


def test_steps_are_those_of_the_formula():
    negatives = Pairs(torch.tensor([1, 2, 3]), torch.tensor([3, 2, 2]))
    data = TrainingData(pairs(CLICKS), None, Fixed(negatives), None, pairs(EXTRA))
    torch.manual_seed(0)
    module = GMF(5, 5, n_factors=3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    net = NegativeReweightingNet(
        module,
        complete_weight=0.6,
        skip_weight=0.3,
        optimizer=torch.optim.SGD,
        lr=0.5,
        batch_size=100,
        max_epochs=4,
    )
    reference = GMF(5, 5, n_factors=3)
    reference.load_state_dict(module.state_dict())
    net.partial_fit(data)

    def mean(rows, y):
        user, item = (torch.tensor(c) for c in zip(*rows))
        return cross_entropy(reference(user, item), torch.full((len(rows),), y)).mean()

    complete = [(1, 1), (3, 1)]
    skipped = [(1, 2), (2, 1), (2, 3), (3, 3)]
    unclicked = [(1, 3), (2, 2), (3, 2)]
    for epoch in range(4):
        loss = 0.6 * mean(complete, 1.0) + 0.3 * mean(skipped, 0.0)
        loss = loss + 0.1 * mean(unclicked, 0.0)
        reference.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in reference.parameters():
                parameter -= 0.5 * parameter.grad
        recorded = net.history[epoch, "train_loss"]
        assert recorded == pytest.approx(loss.item(), rel=1e-5)
    for ours, theirs in zip(net.module_.parameters(), reference.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_skipped_clicks_are_learned_as_negatives(data):
    clicks, ones = data.X_unlab, np.ones(len(data.X_unlab), dtype=int)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    est = NegativeReweightingRecommender(
        backbone="bias", gamma=0.1, max_epochs=20, random_state=0
    ).fit(clicks, ones, **extra)
    scores = est.decision_function(data.X)
    assert scores[data.y == 1].mean() > scores[data.y == 0].mean() + 0.1


def test_silent_clicks_change_the_model(data):
    clicks, ones = data.X_unlab, np.ones(len(data.X_unlab), dtype=int)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    scores = [
        NegativeReweightingRecommender(**SIZES, silent_clicks=how, random_state=0)
        .fit(clicks, ones, **extra)
        .decision_function(data.X)
        for how in ("skip", "ignore")
    ]
    assert not np.allclose(*scores)


def test_labels_speak_where_there_is_no_extra_feedback(data):
    """As the same labels handed in as extra feedback; and there is no warning."""
    est = NegativeReweightingRecommender(**SIZES, random_state=0)
    alone = est.fit(data.X, data.y).decision_function(data.X)
    twice = est.fit(data.X, data.y, X_extra=(data.X,), y_extra=(data.y,))
    np.testing.assert_allclose(twice.decision_function(data.X), alone, rtol=1e-6)


def test_no_complete_click_is_an_error(data):
    ones = np.ones(len(data.X), dtype=int)
    est = NegativeReweightingRecommender(**SIZES)
    with pytest.raises(ValueError, match="No row counts as a complete click"):
        est.fit(data.X, ones, X_extra=(data.X[:5],), y_extra=(0 * ones[:5],))
    assert not hasattr(est, "net_")


# ---- updates, which have no extra feedback -------------------------------------------


def fitted_to_clicks(data, how="skip", extra=True, **params):
    clicks = data.X_unlab[:300]
    feedback = {"X_extra": (data.X,), "y_extra": (data.y,)} if extra else {}
    est = NegativeReweightingRecommender(
        **SIZES, silent_clicks=how, random_state=0, **params
    )
    return est.fit(clicks, np.ones(300, dtype=int), **feedback)


def test_rows_of_an_update_mean_what_they_meant_in_fit(data):
    """With extra feedback a bare click is skipped, in an update as in fit."""
    bare, ones = data.X_unlab[300:340], np.ones(40, dtype=int)
    for extra, sign in ((True, -1), (False, 1)):
        est = fitted_to_clicks(data, extra=extra)
        before = est.decision_function(bare)
        est.partial_fit(bare, ones, n_epochs=10)
        assert sign * (est.decision_function(bare) - before).mean() > 0.5
    # A warm start has a say of its own.
    est = fitted_to_clicks(data, warm_start=True).fit(data.X, data.y)
    before = est.decision_function(bare)
    est.partial_fit(bare, ones, n_epochs=10)
    assert (est.decision_function(bare) - before).mean() > 0.5


def test_it_is_so_after_a_file_too(data, tmp_path):
    est = fitted_to_clicks(data)
    est.save(tmp_path / "nr.safetensors", optimizer=True)
    bare, ones = data.X_unlab[300:340], np.ones(40, dtype=int)
    again = load(tmp_path / "nr.safetensors").partial_fit(bare, ones)
    expected = est.partial_fit(bare, ones).decision_function(bare)
    np.testing.assert_array_equal(again.decision_function(bare), expected)


@pytest.mark.parametrize("extra", [True, False])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_enough_for_an_update(extra, label, data):
    est = fitted_to_clicks(data, extra=extra)
    bare = data.X_unlab[300:340]
    est.partial_fit(bare, np.full(40, label))
    assert np.isfinite(est.decision_function(bare)).all()


def test_ignored_clicks_alone_are_nothing_to_learn_from(data):
    bare = data.X_unlab[300:340]
    est = fitted_to_clicks(data, "ignore")
    before = est.decision_function(bare)
    with pytest.raises(ValueError, match=r"nothing to learn from.*warm_start=True"):
        est.partial_fit(bare, np.ones(40, dtype=int))
    np.testing.assert_array_equal(est.decision_function(bare), before)
    est.partial_fit(bare, np.arange(40) % 2)  # skipped ones are not ignored
    assert est.decision_function(bare)[::2].mean() < before[::2].mean()


def test_shares_make_one_at_most(data):
    est = NegativeReweightingRecommender(complete_weight=0.8, skip_weight=0.3)
    with pytest.raises(ValueError, match="make more than 1"):
        est.fit(data.X, data.y)
