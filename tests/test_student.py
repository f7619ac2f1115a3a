"""Whether a fitted backbone learns from the pool: held-out labels decide."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    load,
)
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.fitting import _student
from sklearn_invlearn.fitting._student import (
    GATE_DTYPE,
    gated_by_held_out_labels,
)
from sklearn_invlearn.modules._spectral import SpectralExposure
from sklearn_invlearn.spectral import (
    Labels,
    exposure_matrix,
    spectral_embeddings,
)
from sklearn_invlearn.spectral._candidates import fit_full
from sklearn_invlearn.training import Pairs

SPECTRAL = {"backbone": "spectral", "random_state": 0}
RECOMMENDERS = [InverseDualLossRecommender, InverseGradientRecommender]


@pytest.fixture(scope="module")
def data():
    return make_sparse_feedback(
        n_users=300, n_items=150, n_exposures=18_000, label_fraction=0.3, random_state=0
    )


@pytest.fixture(scope="module")
def noisy(data):
    """Labels of which 40 % are wrong."""
    return data.y ^ (np.random.default_rng(0).random(len(data.y)) < 0.4)


def fit(recommender, data, y, **params):
    est = recommender(**SPECTRAL | params)
    return est.fit(data.X, y, X_unlab=(data.X_unlab,))


def already_fitted(est):
    """A backbone that is a copy of the module of `est`."""
    copy = classmethod(lambda cls, **_: deepcopy(est.net_.module_))
    return type("AlreadyFitted", (), {"fitted": copy})


@pytest.fixture(scope="module")
def on_clean(data):
    return fit(CrossEntropyRecommender, data, data.y)


class FullModelAlone(SpectralExposure):
    """Without the strongly regularised models, which leave a student little to do."""

    @classmethod
    def fitted(cls, n_users, n_items, *, labels, exposed, seed, report=None):
        exposures = exposure_matrix(*exposed, (n_users, n_items))
        embeddings = spectral_embeddings(exposures, np.random.default_rng(seed))
        rows = Labels(**labels)
        full, learned = fit_full(embeddings, rows, None, seed)
        module = cls([full], [learned], 0.0, np.ones(1))
        for train, test in KFold(3, shuffle=True, random_state=seed).split(rows.y):
            other, _ = fit_full(embeddings, rows[train], learned, seed)
            unseen = (torch.from_numpy(ids[test]) for ids in (rows.user, rows.item))
            logit = other(*unseen).detach().double().numpy()
            module.out_of_fold.append((test, logit))
        return module


@pytest.fixture(scope="module")
def on_noise(data, noisy):
    return fit(CrossEntropyRecommender, data, noisy, backbone=FullModelAlone)


@pytest.fixture(scope="module")
def with_student(data, noisy, on_noise):
    backbone = already_fitted(on_noise)
    return fit(InverseDualLossRecommender, data, noisy, backbone=backbone)


def auc(est, data):
    return roc_auc_score(data.y_test, est.decision_function(data.X_test))


def assert_same_scores(*models, data):
    np.testing.assert_array_equal(*(m.decision_function(data.X_test) for m in models))


def test_on_clean_labels_the_model_stays_exactly_as_it_was_fitted(on_clean, data):
    est = fit(InverseDualLossRecommender, data, data.y)
    assert len(est.gate_)
    assert (est.gate_["weight"] == 0).all()
    assert est.n_iter_ == 0
    assert_same_scores(on_clean, est, data=data)


def test_rows_held_out_do_not_change_what_comes_fitted(data, on_clean):
    """The inverse gradient holds rows out, cross entropy does not."""
    seen = []

    class Seen(SpectralExposure):
        @classmethod
        def fitted(cls, *sizes, labels, exposed, seed, **kwargs):
            seen.append((labels, exposed, seed))
            return deepcopy(on_clean.net_.module_)

    for recommender in (CrossEntropyRecommender, InverseGradientRecommender):
        fit(recommender, data, data.y, backbone=Seen)
    (labels, exposed, seed), (of_ig, exposed_of_ig, seed_of_ig) = seen
    for name, column in labels.items():
        np.testing.assert_array_equal(of_ig[name], column)
    np.testing.assert_array_equal(exposed_of_ig, exposed)
    assert seed_of_ig == seed


def test_the_penalty_is_the_sum_of_the_gaussian_priors(with_student):
    module = with_student.net_.module_
    priors = module.gaussian_priors()
    learned = {id(p) for p in module.parameters() if p.requires_grad}
    assert {id(p) for p, _ in priors} == learned - {id(m.mu) for m in module.models}
    by_hand = sum(0.5 * precision * p.square().sum() for p, precision in priors)
    assert by_hand > 1
    torch.testing.assert_close(by_hand, module.penalty(), rtol=1e-5, atol=0)


def test_on_noisy_labels_the_student_joins_and_helps(with_student, on_noise, data):
    gate = with_student.gate_
    assert len(gate) == 3
    assert (gate["weight"] > 0).all()
    assert gate["loss_direct"].mean() < gate["loss_pass"].mean()
    assert auc(with_student, data) > auc(on_noise, data) + 0.01
    n_models = [len(m.net_.module_.models) for m in (with_student, on_noise)]
    assert n_models[0] == n_models[1] + 1


def test_the_same_seed_gives_the_same_gate(with_student, on_noise, data, noisy):
    backbone = already_fitted(on_noise)
    again = fit(InverseDualLossRecommender, data, noisy, backbone=backbone)
    np.testing.assert_array_equal(again.gate_, with_student.gate_)
    z = [m.decision_function(data.X_test[:50]) for m in (again, with_student)]
    np.testing.assert_array_equal(*z)


def test_a_file_keeps_student_and_gate(with_student, data, tmp_path):
    # Under its own name: a class of one's own is not kept in files.
    with_student.set_params(backbone="spectral")
    with_student.save(tmp_path / "est.safetensors")
    same = load(tmp_path / "est.safetensors")
    np.testing.assert_array_equal(same.gate_, with_student.gate_)
    assert_same_scores(same, with_student, data=data)


def test_the_trace_begins_with_the_gate(on_clean, data):
    backbone = already_fitted(on_clean)
    est = fit(InverseGradientRecommender, data, data.y, backbone=backbone, max_epochs=1)
    assert len(est.gate_)
    first = est.trace_[: len(est.gate_)]
    assert first["epoch"].tolist() == [0] * len(est.gate_)
    chosen = np.where(est.gate_["weight"] > 0, "direct", "pass")
    assert first["direction"].tolist() == chosen.tolist()
    for name in ("loss_direct", "loss_pass", "loss_inverse"):
        np.testing.assert_array_equal(first[name], est.gate_[name])
    assert (est.trace_["epoch"][len(est.gate_) :] == 1).all()


def test_no_epoch_follows_the_gate_by_default(on_clean, data):
    backbone = already_fitted(on_clean)
    est = fit(InverseGradientRecommender, data, data.y, backbone=backbone)
    assert est.n_iter_ == 0
    assert_same_scores(on_clean, est, data=data)
    (row,) = est.history_
    assert row["epoch"] == 0
    assert row["n_pass"] == len(est.gate_) == len(est.trace_)
    assert row["n_direct"] == row["n_inverse"] == 0
    for step, traced in zip(row["batches"], est.trace_, strict=True):
        assert step == {name: traced[name] for name in traced.dtype.names[1:]}
    est.set_params(backbone="spectral").partial_fit(data.X[:50], data.y[:50])
    assert est.n_iter_ == 1
    assert [row["epoch"] for row in est.history_] == [1]
    assert est.trace_["epoch"].max() == 1


@pytest.mark.parametrize("recommender", RECOMMENDERS)
def test_nothing_is_asked_where_alpha_is_given(recommender, on_clean, data):
    backbone = already_fitted(on_clean)
    est = fit(recommender, data, data.y, alpha=1e-4, backbone=backbone)
    assert est.gate_.dtype == GATE_DTYPE
    assert len(est.gate_) == 0
    assert est.n_iter_ == 1


@pytest.mark.parametrize("recommender", RECOMMENDERS)
def test_nothing_is_asked_without_a_pool_or_from_random_weights(
    recommender, on_clean, data
):
    no_pool = recommender(backbone=already_fitted(on_clean)).fit(data.X, data.y)
    gmf = recommender(backbone="gmf", max_epochs=1, random_state=0)
    gmf.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    assert len(no_pool.gate_) == len(gmf.gate_) == 0
    assert_same_scores(on_clean, no_pool, data=data)


@pytest.mark.parametrize("recommender", RECOMMENDERS)
def test_with_too_few_labels_to_ask_the_model_is_that_of_cross_entropy(
    recommender, data
):
    few = {"X": data.X[:999], "y": data.y[:999], "X_unlab": (data.X_unlab,)}
    alone = CrossEntropyRecommender(**SPECTRAL).fit(**few)
    est = recommender(**SPECTRAL).fit(**few)
    assert len(est.gate_) == est.n_iter_ == 0
    assert_same_scores(alone, est, data=data)


class Constant(torch.nn.Module):
    """Comes fitted, and knows no student."""

    def __init__(self):
        super().__init__()
        self.mu = torch.nn.Parameter(torch.zeros(()))

    @classmethod
    def fitted(cls, n_users, n_items, *, labels, exposed, seed):
        return cls()

    def forward(self, user, item):
        return self.mu + 0.0 * user


def test_a_backbone_without_student_stays_as_it_is(data):
    est = fit(InverseDualLossRecommender, data, data.y, backbone=Constant)
    assert len(est.gate_) == 0
    assert est.n_iter_ == 0
    assert (est.decision_function(data.X_test) == 0).all()


class Table(torch.nn.Module):
    """A logit for each item; its student is another table."""

    def __init__(self, logits, out_of_fold=()):
        super().__init__()
        self.out_of_fold = out_of_fold
        self.item = torch.nn.Embedding.from_pretrained(
            torch.as_tensor(logits, dtype=torch.float32)[:, None], freeze=False
        )

    def forward(self, user, item):
        return self.item(item)[:, 0]

    def student(self, base_rate):
        assert 0 < base_rate < 1
        return Table(torch.zeros(len(self.item.weight)))

    def part(self, users, items):
        return Table(self.item.weight[items, 0].detach())

    def set_part(self, part, users, items):
        with torch.no_grad():
            self.item.weight[items] = part.item.weight

    def beside(self, student, intercept, weights):
        logits = [m.item.weight[:, 0].detach() for m in (self, student)]
        return Table(intercept + weights[0] * logits[0] + weights[1] * logits[1])


def teaching(truth):
    """A teacher that hands the student its logits."""

    def teach(student, labelled, pool, *, seed):
        with torch.no_grad():
            student.item.weight[:, 0] = torch.as_tensor(truth, dtype=torch.float32)

    return teach


def test_a_part_scores_its_pairs_as_the_whole_does(on_noise):
    whole = on_noise.net_.module_
    users, items = torch.tensor([3, 7, 20]), torch.tensor([2, 5, 9, 11])
    part = whole.part(users, items)
    user, item = (
        t.flatten() for t in torch.meshgrid(*map(torch.arange, (3, 4)), indexing="ij")
    )
    torch.testing.assert_close(part(user, item), whole(users[user], items[item]))
    other = deepcopy(whole)
    for p in part.parameters():
        p.data += 0.1 * p.requires_grad
    other.set_part(part, users, items)
    torch.testing.assert_close(part(user, item), other(users[user], items[item]))
    for model in other.models:
        assert (model.b_u.weight[[1, 4]] == 0).all()


def table_case(sign):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=40)
    item = rng.integers(40, size=1500)
    y = (rng.random(1500) < 1 / (1 + np.exp(-truth[item]))).astype(float)
    codes = np.stack([np.zeros_like(item), item])
    labelled = Pairs.from_codes(codes, y, device=torch.device("cpu"))
    folds = [(np.arange(k, 1500, 3), np.zeros(500)) for k in range(3)]
    known = Table(np.zeros(40), folds)
    module, gate = gated_by_held_out_labels(
        known, labelled, None, seed=0, teach=teaching(sign * truth)
    )
    return module, np.array(gate, dtype=GATE_DTYPE), labelled, truth


def test_a_student_that_knows_joins_with_the_weight_of_brute_force():
    module, gate, labelled, truth = table_case(+1)
    weight = gate["weight"][0]
    y, z = labelled.y.numpy(), truth[labelled.item.numpy()]

    def loss(c):  # the model without the fold is all but zero
        away = min((c - 1) ** 2, c**2 + 1)  # ridge towards one of the two alone
        return np.sum(np.logaddexp(0, c * z) - y * c * z) + 2.5 * away

    grid = np.linspace(0, 2, 401)
    best = grid[np.argmin([loss(c) for c in grid])]
    assert weight == pytest.approx(best, abs=0.1)
    assert len(gate) == 3
    learned = module.item.weight[:, 0].detach().numpy()
    assert np.corrcoef(learned, truth)[0, 1] > 0.999


def test_a_student_that_is_wrong_is_left_out():
    module, gate, *_ = table_case(-1)
    assert gate["weight"].tolist() == [0.0]
    assert gate["loss_inverse"][0] < gate["loss_pass"][0] < gate["loss_direct"][0]
    assert (module.item.weight == 0).all()


def test_a_gain_that_is_next_to_nothing_is_none(monkeypatch):
    assert table_case(+1)[1]["weight"][0] > 0
    monkeypatch.setattr(_student, "_SMALLEST_GAIN", 1e4)
    module, gate, *_ = table_case(+1)
    assert gate["weight"].tolist() == [0.0]
    assert (module.item.weight == 0).all()


def test_without_logits_out_of_fold_nothing_is_asked():
    labelled = table_case(+1)[2]
    known = Table(np.zeros(40))
    module, gate = gated_by_held_out_labels(known, labelled, None, seed=0)
    assert module is known
    assert gate == []


@pytest.mark.parametrize("n", [900, 2_000])
def test_logits_out_of_fold_are_those_of_models_without_the_fold(data, n):
    """They predict; where labels are random they do not."""
    rng = np.random.default_rng(0)
    aucs = []
    for y in (data.y[:n], rng.permutation(data.y[:n])):
        est = CrossEntropyRecommender(**SPECTRAL).fit(data.X[:n], y)
        folds = est.net_.module_.out_of_fold
        rows = np.concatenate([rows for rows, _ in folds])
        np.testing.assert_array_equal(np.sort(rows), np.arange(n))
        logit = np.concatenate([logit for _, logit in folds])
        aucs.append(roc_auc_score(y[rows], logit))
    assert aucs[0] > 0.54
    assert abs(aucs[1] - 0.5) < 0.04
