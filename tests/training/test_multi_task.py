"""NMTR: the cascade of two behaviours and its loss, against literal versions."""

import copy

import numpy as np
import pytest
import torch

from sklearn_invlearn import MultiTaskRecommender, load
from sklearn_invlearn.losses import cross_entropy
from sklearn_invlearn.modules import BACKBONES, GMF, MLP, BiasTable, Cascade
from sklearn_invlearn.training import MultiTaskNet, Pairs, RowwiseSGD, TrainingData

N_USERS, N_ITEMS = 8, 6
USER, ITEM = torch.tensor([1, 2, 7, 3]), torch.tensor([1, 5, 2, 2])
SIZES = {"backbone": "gmf", "n_factors": 4, "gamma": 0.05, "max_epochs": 3}


def pairs(n, seed, y=True, weight=False):
    rng = torch.Generator().manual_seed(seed)
    return Pairs(
        torch.randint(1, N_USERS, (n,), generator=rng),
        torch.randint(1, N_ITEMS, (n,), generator=rng),
        torch.randint(0, 2, (n,), generator=rng).float() if y else None,
        torch.rand(n, generator=rng) if weight else None,
    )


class Given:
    """Hands out the pairs of a list, as many as there are rows, and records both."""

    def __init__(self):
        self.drawn = []

    def draw(self, labelled):
        negatives = pairs(len(labelled) + 3, len(self.drawn), y=False)  # a pool's size
        self.drawn.append((labelled, negatives))
        return negatives

    def n_drawn(self, n_labelled):
        return n_labelled


def cascade(backbone=GMF, **params):
    torch.manual_seed(0)
    first = backbone(N_USERS, N_ITEMS, n_factors=3, **params)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.normal_()
    module = Cascade(first)
    with torch.no_grad():
        for parameter in module.second.parameters():
            parameter.normal_()
    return module


def test_the_second_behaviour_builds_on_the_first():
    module = cascade().double()
    tables = module.first
    p, q = tables.user_factors.weight, tables.item_factors.weight
    for z, u, i in zip(module(USER, ITEM), USER, ITEM):
        expected = 0.0
        for part in (module.first, module.second):
            expected = expected + part.head.weight[0] @ (p[u] * q[i])
            expected = expected + part.biases.intercept
            expected = expected + part.biases.user.weight[u, 0]
            expected = expected + part.biases.item.weight[i, 0]
        torch.testing.assert_close(z, expected)


@pytest.mark.parametrize(
    "name", sorted(n for n, cls in BACKBONES.items() if not hasattr(cls, "fitted"))
)
def test_embeddings_are_shared_and_nothing_else(name):
    first = BACKBONES[name](N_USERS, N_ITEMS)
    module = Cascade(first)
    own = {id(p) for p in module.first.parameters()}
    for part, parameters in (
        (module.second, dict(module.second.named_modules())),
        (copy.deepcopy(module).second, None),
    ):
        for layer in part.modules():
            for parameter in layer.parameters(recurse=False):
                table = isinstance(layer, torch.nn.Embedding)
                shared = table and not isinstance(layer, BiasTable)
                if parameters is not None:
                    assert (id(parameter) in own) == shared
    again = copy.deepcopy(module)
    first_again = {id(p) for p in again.first.parameters()}
    n_shared = sum(id(p) in first_again for p in again.second.parameters())
    assert n_shared == sum(id(p) in own for p in module.second.parameters())
    assert module(USER, ITEM).shape == (4,)


def test_the_second_behaviour_starts_with_the_intercept_of_the_first():
    first = GMF(N_USERS, N_ITEMS)
    torch.nn.init.constant_(first.biases.intercept, -1.5)
    module = Cascade(first)
    assert module.first.biases.intercept.item() == -1.5
    assert module.second.biases.intercept.item() == 0.0


def test_sides_make_up_the_logit():
    module = cascade()
    (bias_u, u), (bias_i, i) = module.user_side(USER), module.item_side(ITEM)
    logit = bias_u + bias_i + (u * i).sum(-1)
    torch.testing.assert_close(logit, module(USER, ITEM))
    assert not hasattr(cascade(MLP), "user_side")
    assert cascade(MLP).user_vectors(USER).shape[0] == 4


def literal_epoch(module, data, order, rows_of_step, weight, n_negatives, gamma):
    """One epoch of plain gradient descent, row by row."""
    source, losses = Given(), []
    for click_rows, extra_rows in zip(order, rows_of_step):
        parts = []
        for rows, table, score in (
            (click_rows, data.labelled, module.first),
            (extra_rows, data.extra, module),
        ):
            batch, total = table[rows], torch.zeros(())
            drawn = [source.draw(batch) for _ in range(n_negatives if len(rows) else 0)]
            for k in range(len(rows)):
                loss = cross_entropy(
                    score(batch.user[[k]], batch.item[[k]]), batch.y[[k]]
                )
                total = total + loss[0] * (
                    1 if batch.weight is None else batch.weight[k]
                )
            for negatives in drawn:
                for k in range(len(rows)):
                    z = score(negatives.user[[k]], negatives.item[[k]])
                    total = total - torch.log(1 - torch.sigmoid(z))[0]
            parts.append(total)
        n_rows = len(click_rows) * (1 + n_negatives)
        loss = ((1 - weight) * parts[0] + weight * parts[1]) / n_rows
        module.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.grad is not None:
                    parameter -= gamma * parameter.grad
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, RowwiseSGD])
@pytest.mark.parametrize("n_negatives", [1, 2])
@pytest.mark.parametrize("n_extra", [7, 2])  # two rows in three steps: one has none
def test_an_epoch_is_that_of_the_paper(n_negatives, n_extra, optimizer):
    data = TrainingData(
        pairs(12, 0, weight=True), None, Given(), None, pairs(n_extra, 1)
    )
    module, reference = cascade(), cascade()
    net = MultiTaskNet(
        module,
        extra_weight=0.8,
        n_negatives=n_negatives,
        optimizer=optimizer,
        lr=0.3,
        batch_size=4,
        max_epochs=1,
        seed=5,
    )
    net.partial_fit(data)
    generator = torch.Generator().manual_seed(5)
    extra_order = torch.randperm(n_extra, generator=generator).tensor_split(3)
    order = torch.randperm(12, generator=generator).split(4)
    losses = literal_epoch(reference, data, order, extra_order, 0.8, n_negatives, 0.3)
    assert net.history[-1, "train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, theirs in zip(net.module_.parameters(), reference.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_every_row_counts_once_an_epoch():
    source = Given()
    data = TrainingData(pairs(10, 0), None, source, None, pairs(25, 1))
    net = MultiTaskNet(cascade(), batch_size=4, max_epochs=1, lr=0.0)
    net.partial_fit(data)
    drawn_for = sorted(len(rows) for rows, _ in source.drawn)
    assert drawn_for == sorted([4, 4, 2, 9, 8, 8])


def clicks_and_likes(data):
    """The pool as clicks, the labelled pairs as likes."""
    return data.X_unlab, np.ones(len(data.X_unlab), dtype=int)


def test_it_predicts_the_extra_feedback(data):
    clicks, ones = clicks_and_likes(data)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    est = MultiTaskRecommender(
        backbone="bias", extra_weight=0.9, gamma=0.1, max_epochs=20, random_state=0
    ).fit(clicks, ones, **extra)
    scores = est.decision_function(data.X)
    assert scores[data.y == 1].mean() > scores[data.y == 0].mean() + 0.1
    module = est.net_.module_
    with torch.no_grad():
        codes = [
            torch.tensor(index.lookup(column, name="X"))
            for index, column in zip(
                (est._encoder.users, est._encoder.items), np.asarray(data.X).T
            )
        ]
        torch.testing.assert_close(
            module(*codes).double(), torch.from_numpy(scores), rtol=1e-4, atol=1e-5
        )


def test_weight_zero_leaves_the_second_behaviour_alone(data):
    clicks, ones = clicks_and_likes(data)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    est = MultiTaskRecommender(**SIZES, extra_weight=0.0, random_state=0)
    module = est.fit(clicks, ones, **extra).net_.module_
    assert module.second.biases.user.weight.abs().max() == 0
    assert module.second.biases.intercept == 0
    assert module.first.biases.user.weight.abs().max() > 0


def test_without_extra_feedback_x_stands_for_both(data):
    est = MultiTaskRecommender(**SIZES, random_state=0)
    with pytest.warns(
        UserWarning, match="no extra feedback for 'the second behaviour'"
    ):
        est.fit(data.X, data.y)
    assert np.isfinite(est.decision_function(data.X)).all()


def test_backbones_that_come_fitted_are_refused(data):
    class Mine(BACKBONES["spectral"]):
        pass

    with pytest.raises(ValueError, match="backbone"):
        MultiTaskRecommender(backbone="spectral").fit(data.X, data.y)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    with pytest.raises(ValueError, match="comes fitted to the labels of X"):
        MultiTaskRecommender(backbone=Mine).fit(data.X, data.y, **extra)


def test_cdae_knows_the_clicks(data):
    clicks, ones = clicks_and_likes(data)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    est = MultiTaskRecommender(**SIZES | {"backbone": "cdae"}, random_state=0)
    module = est.fit(clicks, ones, **extra).net_.module_
    assert len(module.first.history_keys) > len(np.unique(clicks, axis=0))
    module.set_history(torch.tensor([[1], [1]]))
    assert len(module.first.history_keys) == len(module.second.history_keys) == 1


def test_validation_rows_are_of_the_second_behaviour(data):
    clicks, ones = clicks_and_likes(data)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    valid = {"X_val": (data.X_test,), "y_val": (data.y_test,)}
    est = MultiTaskRecommender(**SIZES, random_state=0).fit(
        clicks, ones, **extra, **valid
    )
    logit = torch.from_numpy(est.decision_function(data.X_test))
    y = torch.tensor(data.y_test).double()
    expected = cross_entropy(logit, y).mean().item()
    assert min(est.history_[:, "valid_loss"]) == pytest.approx(expected, rel=1e-4)


def test_it_comes_back_from_a_file_with_its_tables_shared(data, tmp_path):
    clicks, ones = clicks_and_likes(data)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    est = MultiTaskRecommender(**SIZES, random_state=0).fit(clicks, ones, **extra)
    est.save(tmp_path / "likes.safetensors")
    again = load(tmp_path / "likes.safetensors")
    scores = again.decision_function(data.X_test)
    assert (scores == est.decision_function(data.X_test)).all()
    module = again.net_.module_
    assert module.second.user_factors is module.first.user_factors


@pytest.mark.parametrize("backbone", ["gmf", "cdae"])
def test_an_update_gives_new_ids_rows_in_shared_tables(data, backbone):
    clicks, ones = clicks_and_likes(data)
    extra = {"X_extra": (data.X,), "y_extra": (data.y,)}
    est = MultiTaskRecommender(**SIZES | {"backbone": backbone}, random_state=0)
    est.fit(clicks, ones, **extra)
    n_users = len(est.user_ids_)
    est.partial_fit([[10**6, clicks[0, 1]], [10**6, clicks[1, 1]]], [1, 0])
    module = est.net_.module_
    assert len(est.user_ids_) == n_users + 1
    assert module.second.user_factors is module.first.user_factors
    assert len(module.first.user_factors.weight) == n_users + 2
    assert np.isfinite(est.decision_function([[10**6, clicks[0, 1]]])).all()
