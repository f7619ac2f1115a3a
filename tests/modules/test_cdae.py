"""The denoising auto-encoder against its formula, and what its history promises."""

import copy
import pickle

import numpy as np
import pytest
import torch

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.modules import BACKBONES, CDAE
from sklearn_invlearn.scoring._scoring import score_pairs
from sklearn_invlearn.training import RowwiseSGD
from sklearn_invlearn.training._row_gradients import use_row_gradients

N_USERS, N_ITEMS = 7, 5
HISTORY = torch.tensor([[1, 1, 1, 2, 6, 6, 1], [1, 2, 4, 4, 1, 3, 2]])  # (1, 2) twice
ITEMS_OF = {1: {1, 2, 4}, 2: {4}, 6: {1, 3}}
USER, ITEM = torch.tensor([1, 6, 3, 1, 0, 2]), torch.tensor([1, 2, 4, 3, 1, 0])
SIZES = {"backbone": "cdae", "n_factors": 4, "gamma": 0.05, "max_epochs": 3}


def randomised(seed=0, **params):
    torch.manual_seed(seed)
    module = CDAE(N_USERS, N_ITEMS, history=HISTORY, n_factors=3, **params)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def literal(module, u, i, corruption=None):
    """One pair at a time; `corruption` maps (user, item) to c_uj."""
    hidden = module.user_factors.weight[u] + module.hidden_bias
    for j in ITEMS_OF.get(u, set()):
        if module.leave_target_out and j == i:
            continue
        c = 1.0 if corruption is None else corruption[u, j]
        hidden = hidden + c * module.item_input.weight[j]
    score = torch.sigmoid(hidden) @ module.item_output.weight[i]
    biases = module.biases.user.weight[u, 0] + module.biases.item.weight[i, 0]
    return score + biases + module.biases.intercept


@pytest.mark.parametrize("leave_target_out", [False, True])
def test_score_is_that_of_the_formula(leave_target_out):
    module = randomised(leave_target_out=leave_target_out).double().eval()
    for z, u, i in zip(module(USER, ITEM), USER.tolist(), ITEM.tolist()):
        torch.testing.assert_close(z, literal(module, u, i))


def test_hand_case():
    module = CDAE(3, 3, history=torch.tensor([[1, 1], [1, 2]]), n_factors=1).eval()
    with torch.no_grad():
        module.item_input.weight[:, 0] = torch.tensor([0.0, 1.0, 2.0])
        module.item_output.weight[:, 0] = torch.tensor([0.0, 10.0, 100.0])
        module.user_factors.weight[:, 0] = torch.tensor([0.0, -1.0, 0.0])
        module.hidden_bias[:] = 0.5
    logit = module(torch.tensor([1, 2]), torch.tensor([2, 1]))
    sigmoid = 1 / (1 + np.exp(-np.array([1 + 2 - 1 + 0.5, 0.5])))
    np.testing.assert_allclose(logit.detach(), sigmoid * [100, 10], rtol=1e-6)


@pytest.mark.parametrize("leave_target_out", [False, True])
def test_corruption_hides_or_doubles_each_item_of_a_history(leave_target_out):
    module = randomised(leave_target_out=leave_target_out).double()
    pairs = [(u, j) for u, items in ITEMS_OF.items() for j in sorted(items)]
    seen = set()
    for seed in range(30):
        torch.manual_seed(seed)
        logit = module(USER, ITEM)
        # The masks that explain every score of the batch, among all of them.
        masks = []
        for bits in range(2 ** len(pairs)):
            c = {pair: 2.0 * (bits >> k & 1) for k, pair in enumerate(pairs)}
            scores = [
                literal(module, u, i, c) for u, i in zip(USER.tolist(), ITEM.tolist())
            ]
            if torch.allclose(torch.stack(scores), logit):
                masks.append(bits)
        assert masks  # one mask per user, the same for all her pairs in the batch
        seen.add(masks[0])
    assert len(seen) > 10


def test_evaluation_has_nothing_random():
    module = randomised().eval()
    assert torch.equal(module(USER, ITEM), module(USER, ITEM))
    module.train()
    assert not torch.equal(module(USER, ITEM), module(USER, ITEM))
    module = randomised(corruption=0.0)
    assert torch.equal(module(USER, ITEM), module.eval()(USER, ITEM))


@pytest.mark.parametrize("leave_target_out", [False, True])
def test_gradient_is_that_of_the_formula(leave_target_out):
    module = randomised(leave_target_out=leave_target_out).double().eval()
    module(USER, ITEM).sum().backward()
    reference = copy.deepcopy(module)
    reference.zero_grad()
    pairs = zip(USER.tolist(), ITEM.tolist())
    torch.stack([literal(reference, u, i) for u, i in pairs]).sum().backward()
    for (name, a), b in zip(module.named_parameters(), reference.parameters()):
        ours, theirs = a.grad.to_dense(), b.grad.clone()
        if name.endswith(("factors.weight", "input.weight", "output.weight")) or (
            name.startswith("biases.") and theirs.ndim == 2
        ):
            theirs[0] = 0.0  # the row of unknown ids gets no gradient
        torch.testing.assert_close(ours, theirs, msg=name)


def test_the_target_has_no_part_in_its_own_score_if_left_out():
    module = randomised(leave_target_out=True)
    user, item = torch.tensor([1, 1, 6]), torch.tensor([1, 2, 3])
    for _ in range(5):
        for k in range(3):
            module.zero_grad()
            module(user, item)[k].backward()
            assert (
                module.item_input.weight.grad.to_dense()[item[k]].abs() < 1e-6
            ).all()


@pytest.mark.parametrize("leave_target_out", [False, True])
def test_steps_by_row_are_those_of_dense_gradients(leave_target_out):
    modules = [randomised(leave_target_out=leave_target_out).eval() for _ in range(2)]
    use_row_gradients(modules[1], True)
    optimizers = [torch.optim.SGD, RowwiseSGD]
    for module, optimizer in zip(modules, optimizers):
        steps = optimizer(module.parameters(), lr=0.3)
        for _ in range(3):
            steps.zero_grad()
            module(USER, ITEM).sum().backward()
            steps.step()
    assert modules[1].item_input.weight.grad.is_sparse
    for ours, theirs in zip(*(module.parameters() for module in modules)):
        torch.testing.assert_close(ours, theirs)


def test_no_history_is_legal():
    for leave_target_out in (False, True):
        module = CDAE(N_USERS, N_ITEMS, leave_target_out=leave_target_out)
        assert module(USER, ITEM).shape == (6,)
        module.set_history(torch.empty(2, 0, dtype=torch.int64))
        module(USER, ITEM).sum().backward()


def test_history_can_be_replaced():
    old, new = randomised().eval(), randomised().eval()
    new.set_history(torch.tensor([[3, 1], [2, 2]]))
    changed = old(USER, ITEM) != new(USER, ITEM)
    assert changed.tolist() == [True, True, True, True, False, True]
    new.set_history(HISTORY.flip(1))  # order and repetitions are nothing
    assert torch.equal(old(USER, ITEM), new(USER, ITEM))


def test_state_and_pickle_bring_the_history():
    module = randomised().eval()
    empty = CDAE(N_USERS, N_ITEMS, n_factors=3).eval()
    empty.load_state_dict(module.state_dict())
    assert torch.equal(empty(USER, ITEM), module(USER, ITEM))
    again = pickle.loads(pickle.dumps(module))
    assert torch.equal(again(USER, ITEM), module(USER, ITEM))


@pytest.mark.parametrize("corruption", [-0.1, 1.0, float("nan")])
def test_corruption_is_a_probability(corruption):
    with pytest.raises(ValueError, match="corruption is"):
        CDAE(3, 3, corruption=corruption)


@pytest.mark.parametrize("leave_target_out", [False, True])
def test_score_of_a_pair_does_not_depend_on_its_batch(leave_target_out):
    rng = np.random.default_rng(0)
    history = torch.tensor(rng.integers(1, 200, size=(2, 3000)))
    module = CDAE(200, 200, history=history, leave_target_out=leave_target_out).eval()
    codes = rng.integers(0, 200, size=(2, 500))
    together = score_pairs(module, codes)
    alone = [score_pairs(module, codes[:, [k]])[0] for k in range(500)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)  # float32 would have 1e-7


def positives(X, y):
    return {(u, i) for (u, i), label in zip(X.tolist(), y) if label}


def history_of(est):
    keys = est.net_.module_.history_keys.numpy()
    users, items = np.divmod(keys, est.net_.module_.n_items)
    return set(
        zip(est.user_ids_[users - 1].tolist(), est.item_ids_[items - 1].tolist())
    )


def test_history_is_the_labelled_positives(data):
    for method in (CrossEntropyRecommender, InverseGradientRecommender):
        est = method(**SIZES, random_state=0).fit(data.X, data.y)
        assert history_of(est) == positives(data.X, data.y)


def test_rows_for_early_stopping_are_not_in_the_history(data):
    est = CrossEntropyRecommender(**SIZES, early_stopping=True, random_state=0)
    found = history_of(est.fit(data.X, data.y))
    known = positives(data.X, data.y)
    n_positives = sum(data.y)
    assert found < known
    assert len(known) - len(found) == pytest.approx(0.1 * n_positives, abs=3)
    est.fit(data.X, data.y, X_val=(data.X_test,), y_val=(data.y_test,))
    assert history_of(est) == known


def test_parameters_reach_the_module(data):
    params = {"corruption": 0.25, "leave_target_out": True}
    est = CrossEntropyRecommender(**SIZES, backbone_params=params)
    module = est.fit(data.X, data.y).net_.module_
    assert isinstance(module, BACKBONES["cdae"])
    assert module.corruption == 0.25
    assert module.leave_target_out
    assert module.hidden_bias.shape == (4,)


def test_a_backbone_of_ones_own_gets_the_history(data):
    given = []

    class Spy(BACKBONES["gmf"]):
        def __init__(self, n_users, n_items, history):
            given.append(history)
            super().__init__(n_users, n_items)

    est = CrossEntropyRecommender(backbone=Spy, max_epochs=1, random_state=0)
    est.fit(data.X, data.y)
    assert given[0].dtype == torch.int64
    assert given[0].shape == (2, int(data.y.sum()))


def test_unknown_ids_are_scored(data):
    est = CrossEntropyRecommender(**SIZES, random_state=0).fit(data.X, data.y)
    known = data.X[:5]
    new = np.column_stack([np.full(5, 10**6), known[:, 1]])
    assert np.isfinite(est.decision_function(new)).all()


def test_ranking_takes_a_product_unless_the_target_is_left_out(data):
    for left_out in (False, True):
        params = {"leave_target_out": left_out}
        est = CrossEntropyRecommender(**SIZES, backbone_params=params, random_state=0)
        est.fit(data.X, data.y)
        assert hasattr(est.net_.module_, "user_side") is not left_out
        assert hasattr(est.net_.module_, "item_side") is not left_out
        _, proba = est.recommend(est.user_ids_[:5], 3, exclude_seen=False)
        for user, scores in zip(est.user_ids_[:5], proba):
            every = est.predict_proba([(user, i) for i in est.item_ids_])[:, 1]
            np.testing.assert_allclose(scores, np.sort(every)[::-1][:3], rtol=1e-12)
        similar, _ = est.similar_items(est.item_ids_[0], 3)
        assert len(set(np.ravel(similar))) == 3


def test_one_seed_one_result(data):
    est = InverseGradientRecommender(**SIZES, random_state=0)
    scores = [est.fit(data.X, data.y).decision_function(data.X) for _ in range(2)]
    assert (scores[0] == scores[1]).all()
    again = pickle.loads(pickle.dumps(est)).decision_function(data.X)
    assert (again == scores[0]).all()
