"""Sparse, reliable feedback beside the labelled rows: warm-up and finetuning."""

import copy

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    MultiTaskRecommender,
    NegativeReweightingRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
    load,
)
from sklearn_invlearn.fitting._training_data import EncodedPairs, extra_stage_data
from sklearn_invlearn.ids._encoding import PairEncoder
from sklearn_invlearn.recommenders._base import _SEEDS
from sklearn_invlearn.training import NegativeSamplingNet, PairNet, Pairs, PoolSource

SIZES = {
    "backbone": "gmf",
    "n_factors": 4,
    "gamma": 0.5,
    "optimizer": "sgd",
    "batch_size": 64,
    "max_epochs": 3,
    "n_extra_epochs": 2,
    "random_state": 0,
}
METHODS = [
    (CrossEntropyRecommender, {"negatives": "sampled"}),
    (TruncatedLossRecommender, {"n_drop_steps": 4}),
    (ReweightedLossRecommender, {}),
]
each_method = pytest.mark.parametrize(("method", "params"), METHODS)
STRATEGIES = ["warmup", "finetune"]


@pytest.fixture(scope="module")
def implicit(data):
    return data.X[data.y == 1]


@pytest.fixture(scope="module")
def extra(implicit):
    """A third of the implicit feedback is known to be true."""
    X = implicit[::3]
    return {"X_extra": (X,), "y_extra": (np.ones(len(X)),)}


def fit(method, params, implicit, extra, **more):
    est = method(**SIZES | params | more)
    return est.fit(implicit, np.ones(len(implicit)), **extra)


# ---- what is trained on what, by hand ----------------------------------------------


def trained_on_extra(est, module, X_extra, implicit):
    """Eq. 7 of the paper, from `module` on."""
    n_users, n_items = len(est.user_ids_) + 1, len(est.item_ids_) + 1
    seeds = np.random.RandomState(0).randint(2**31 - 1, size=len(_SEEDS))
    seeds = dict(zip(_SEEDS, seeds.tolist()))
    cpu = torch.device("cpu")
    codes = est._encoder.lookup([X_extra[:, 0], X_extra[:, 1]])
    known = est._encoder.lookup([implicit[:, 0], implicit[:, 1]])
    labelled = Pairs.from_codes(known, np.ones(len(implicit)), device=cpu)
    pairs = EncodedPairs(
        labelled,
        None,
        None,
        Pairs.from_codes(codes, np.ones(len(X_extra)), device=cpu),
        len(implicit),
    )
    data = extra_stage_data(
        pairs,
        None,
        est._encoder,
        sampling="uniform",
        batch_size=64,
        seed=seeds["extra_unlabeled"],
    )
    assert (n_users, n_items) == (est._encoder.n_users, est._encoder.n_items)
    net = NegativeSamplingNet(
        copy.deepcopy(module),
        optimizer=torch.optim.SGD,
        lr=0.5,
        batch_size=64,
        max_epochs=2,
        seed=seeds["extra_shuffle"],
        verbose=0,
    )
    return net.partial_fit(data)


@each_method
def test_finetuning_goes_on_where_the_procedure_ends(method, params, implicit, extra):
    plain = fit(method, params, implicit, {})
    est = fit(method, params, implicit, extra, extra_feedback="finetune")
    losses = est.history_[:, "train_loss"]
    assert losses[:3] == plain.history_[:, "train_loss"]
    by_hand = trained_on_extra(plain, plain.net_.module_, extra["X_extra"][0], implicit)
    assert losses[3:] == by_hand.history[:, "train_loss"]
    plain.net_.module_ = by_hand.module_
    expected = plain.decision_function(implicit)
    np.testing.assert_allclose(est.decision_function(implicit), expected, rtol=1e-12)
    assert est.history_[:, "stage"] == ["main"] * 3 + ["finetune"] * 2
    assert est.history_[:, "epoch"] == [1, 2, 3, 4, 5]
    assert est.n_iter_ == 5
    assert type(est.net_) is type(plain.net_)
    assert not hasattr(est, "warm_user_vectors_")


@each_method
def test_warm_up_comes_before_the_procedure(method, params, implicit, extra):
    still = fit(method, params, implicit, {}, gamma=1e-30)  # weights as drawn
    est = fit(method, params, implicit, extra, extra_feedback="warmup")
    by_hand = trained_on_extra(still, still.net_.module_, extra["X_extra"][0], implicit)
    vectors = by_hand.module_.user_factors.weight.detach().numpy()[1:]
    np.testing.assert_allclose(est.warm_user_vectors_, vectors, rtol=1e-5, atol=1e-7)
    final = est.net_.module_.user_factors.weight.detach().numpy()[1:]
    assert np.abs(final - vectors).max() > 1e-4
    assert est.history_[:, "stage"] == ["warmup"] * 2 + ["main"] * 3
    assert est.history_[:2, "train_loss"] == pytest.approx(
        by_hand.history[:, "train_loss"]
    )
    est.set_params(extra_feedback=None).fit(implicit, np.ones(len(implicit)))
    assert not hasattr(est, "warm_user_vectors_")
    assert "stage" not in est.history_[0]


def test_extra_negatives_are_drawn_outside_of_all_feedback():
    encoder, rng = PairEncoder(), np.random.default_rng(0)
    implicit, extra, pool = (rng.integers(0, 9, (2, 30)) for _ in range(3))
    cpu = torch.device("cpu")
    parts = [
        Pairs.from_codes(encoder.extend(list(codes)), np.ones(30), device=cpu)
        for codes in (implicit, extra, pool)
    ]
    pairs = EncodedPairs(parts[0], parts[2], None, parts[1], 30)
    for sampling in ("uniform", "same_user"):
        data = extra_stage_data(
            pairs, None, encoder, sampling=sampling, batch_size=16, seed=0
        )
        seen = {tuple(c) for part in parts[:2] for c in part.codes.T.tolist()}
        drawn = set()
        for _ in range(60):
            drawn |= {tuple(c) for c in data.unlabeled.draw(data.labelled).codes.T}
        assert drawn
        assert not drawn & seen
        assert data.labelled is parts[1]


SAMPLERS = {
    "CE": (CrossEntropyRecommender, {"negatives": "sampled"}),
    "T-CE": (TruncatedLossRecommender, {}),
    "R-CE": (ReweightedLossRecommender, {}),
    "NMTR": (MultiTaskRecommender, {}),
    "NR": (NegativeReweightingRecommender, {}),
}


def taken_for_negatives(monkeypatch):
    """Codes that pools hand out, collected in a set."""
    taken, draw = set(), PoolSource.draw

    def recording(self, labelled):
        drawn = draw(self, labelled)
        taken.update(map(tuple, drawn.codes.T.tolist()))
        return drawn

    monkeypatch.setattr(PoolSource, "draw", recording)
    return taken


@pytest.mark.filterwarnings("ignore:.*no extra feedback for:UserWarning")
@pytest.mark.parametrize("method", SAMPLERS)
def test_what_has_feedback_is_no_negative_of_the_pool(method, data, monkeypatch):
    """Not in `fit`, and not in an update that knows of it from earlier calls."""
    cls, params = SAMPLERS[method]
    est = cls(backbone="gmf", n_factors=2, max_epochs=2, random_state=0, **params)
    extra = {}
    if est._extra_feedback is not None:
        extra = {"X_extra": (data.X[:20],), "y_extra": (data.y[:20],)}
    taken = taken_for_negatives(monkeypatch)
    labelled, free = data.X[20:], data.X_unlab[:40]
    pool = (np.vstack([data.X, free]),)
    est.fit(labelled, data.y[20:], X_unlab=pool, **extra)
    observed = data.X if extra else labelled
    expected = set(map(tuple, pool[0].tolist())) - set(map(tuple, observed.tolist()))
    assert taken == {tuple(codes) for codes in est.encode(sorted(expected)).tolist()}
    taken.clear()
    new = data.X_unlab[50:60]
    est.partial_fit(new, np.arange(10) % 2, X_unlab=(np.vstack([pool[0], new]),))
    assert taken == {tuple(codes) for codes in est.encode(sorted(expected)).tolist()}
    with pytest.raises(ValueError, match="Every pair of X_unlab has feedback"):
        est.partial_fit(new, np.arange(10) % 2, X_unlab=(labelled,))
    with pytest.raises(ValueError, match="Likely X_unlab is X itself"):
        est.fit(labelled, data.y[20:], X_unlab=(labelled,), **extra)
    assert hasattr(est, "net_")  # what was refused costs no model


@pytest.mark.parametrize(
    "cls", [InverseDualLossRecommender, InverseGradientRecommender]
)
def test_inverse_methods_see_the_pool_as_it_is(cls, data, monkeypatch):
    taken = taken_for_negatives(monkeypatch)
    est = cls(backbone="gmf", n_factors=2, max_epochs=2, random_state=0)
    est.fit(data.X, data.y, X_unlab=(data.X[:50],))
    assert taken == {tuple(codes) for codes in est.encode(data.X[:50]).tolist()}


def test_main_negatives_are_no_extra_feedback(data, implicit):
    """With all pairs but one in X or X_extra, the one is the only negative."""
    users, items = np.unique(implicit[:, 0])[:3], np.unique(implicit[:, 1])[:3]
    pairs = np.array([(u, i) for u in users for i in items])
    drawn = []

    class Watch(Callback):
        def on_batch_end(self, net, batch, **kwargs):
            drawn.extend(batch[batch.y == 0].codes.T.tolist())

    est = TruncatedLossRecommender(
        extra_feedback="finetune", callbacks=[Watch()], **SIZES
    )
    X, X_extra = pairs[:6], pairs[[0, 6, 7]]
    est.fit(X, np.ones(6), X_extra=X_extra, y_extra=np.ones(3))
    code = est._encoder.lookup([pairs[8:, 0], pairs[8:, 1]])[:, 0].tolist()
    if 0 in code:  # a row that nobody has seen does not exist
        pytest.fail("the ids of the last pair are known from the others")
    assert drawn
    assert all(pair == code for pair in drawn)
    assert est.seen_items(users).toarray().sum() == 8


# ---- the border ---------------------------------------------------------------------


def test_estimators_that_would_not_use_it_refuse_it(data, extra):
    for method in (CrossEntropyRecommender, InverseGradientRecommender):
        with pytest.raises(ValueError, match="would not use X_extra"):
            method(backbone="gmf").fit(data.X, data.y, **extra)


@each_method
def test_extra_feedback_needs_a_strategy(method, params, implicit, extra):
    with pytest.raises(ValueError, match="choose extra_feedback='warmup'"):
        fit(method, params, implicit, extra)


@each_method
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_without_extra_feedback_warns(method, params, strategy, implicit):
    with pytest.warns(UserWarning, match="no extra feedback.*trained on X alone") as w:
        est = fit(method, params, implicit, {}, extra_feedback=strategy)
    assert w[0].filename == __file__
    plain = fit(method, params, implicit, {})
    same = est.decision_function(implicit) == plain.decision_function(implicit)
    assert same.all()


def test_extra_feedback_needs_sampled_negatives(data, extra):
    est = CrossEntropyRecommender(extra_feedback="warmup", backbone="gmf")
    with pytest.raises(ValueError, match="needs negatives='sampled'"):
        est.fit(data.X, data.y, **extra)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_extra": [[1, 2]]}, "X_extra was passed without y_extra"),
        ({"y_extra": [1]}, "y_extra was passed without X_extra"),
        ({"X_extra": [[1, 2]], "y_extra": [1, 1]}, "inconsistent"),
        ({"X_extra": [[1, 2]], "y_extra": [2]}, r"y_extra has the labels \[2"),
        ({"X_extra": [[1]], "y_extra": [1]}, "X_extra needs the user id"),
        ({"X_extra": [[1, None]], "y_extra": [1]}, "X_extra contains NaN"),
        ({"X_extra": np.empty((0, 2)), "y_extra": []}, "X_extra is empty"),
    ],
)
@pytest.mark.filterwarnings("ignore:TruncatedLossRecommender has no extra:UserWarning")
def test_bad_extra_feedback_is_refused(arguments, message, data):
    est = TruncatedLossRecommender(extra_feedback="warmup", **SIZES)
    with pytest.raises(ValueError, match=message):
        est.fit(data.X, data.y, **arguments)


def test_extra_feedback_of_both_classes_and_of_new_ids(data):
    X_extra = np.array([[10**6, data.X[0, 1]], [data.X[0, 0], 10**7]])
    est = ReweightedLossRecommender(extra_feedback="finetune", **SIZES)
    est.fit(data.X, data.y, X_extra=X_extra, y_extra=[1, 0])
    assert 10**6 in est.user_ids_
    assert 10**7 in est.item_ids_


def test_a_table_as_long_as_X_is_warned_about(implicit):
    est = TruncatedLossRecommender(extra_feedback="warmup", **SIZES)
    ones = np.ones(len(implicit))
    with pytest.warns(UserWarning, match="X_extra has as many rows as X"):
        est.fit(implicit, ones, X_extra=implicit, y_extra=ones)


@pytest.mark.parametrize("routing", [False, True])
def test_a_search_hands_all_of_it_to_every_fit(routing, data, extra):
    est = TruncatedLossRecommender(extra_feedback="warmup", **SIZES)
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(est, {"max_drop_rate": [0.0, 0.1]}, cv=2)
        search.fit(data.X, data.y, **extra)
        assert search.best_estimator_.warm_user_vectors_.shape[1] == 4
        pipe = Pipeline([("nothing", "passthrough"), ("rec", est)])
        prefix = "" if routing else "rec__"
        pipe.fit(data.X, data.y, **{prefix + name: v for name, v in extra.items()})
        assert pipe[-1].history_[0]["stage"] == "warmup"


# ---- failure and interruption -------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_interrupt_in_the_main_stage_leaves_a_model(strategy, implicit, extra):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                net.lr = 0.0

        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    est = TruncatedLossRecommender(
        extra_feedback=strategy, callbacks=[Interrupt()], **SIZES
    )
    with pytest.raises(KeyboardInterrupt):
        est.fit(implicit, np.ones(len(implicit)), **extra)
    assert np.isfinite(est.decision_function(implicit)).all()
    assert est.n_iter_ == 3


@pytest.mark.parametrize("epoch", [1, 5])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_interrupt_in_any_stage_leaves_what_a_file_can_hold(
    strategy, epoch, implicit, extra, tmp_path, monkeypatch
):
    train = PairNet.train_epoch

    def interrupted(net, data):
        train(net, data)
        if len(net.history) == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(PairNet, "train_epoch", interrupted)
    est = TruncatedLossRecommender(extra_feedback=strategy, **SIZES)
    with pytest.raises(KeyboardInterrupt):
        est.fit(implicit, np.ones(len(implicit)), **extra)
    monkeypatch.undo()
    est.save(tmp_path / "model", optimizer=True)
    again = load(tmp_path / "model")
    for one in (est, again):
        one.partial_fit(implicit[:9], np.ones(9))
    assert again.n_iter_ == epoch + 1
    scores = est.decision_function(implicit)
    assert (again.decision_function(implicit) == scores).all()


def test_divergence_in_warm_up_leaves_no_model(implicit, extra):
    with pytest.raises(FloatingPointError, match="diverged"):
        fit(
            TruncatedLossRecommender,
            {},
            implicit,
            extra,
            gamma=1e30,
            extra_feedback="warmup",
        )


def test_a_bar_for_each_stage(implicit, extra, capsys):
    fit(TruncatedLossRecommender, {}, implicit, extra, verbose=1,
        extra_feedback="finetune")  # fmt: skip
    printed = capsys.readouterr().err
    assert "TruncatedLossRecommender:" in printed
    assert "TruncatedLossRecommender (finetune):" in printed


def test_validation_rows_are_scored_in_every_stage(data, implicit, extra):
    est = fit(
        TruncatedLossRecommender,
        {},
        implicit,
        {**extra, "X_val": (data.X_test,), "y_val": (data.y_test,)},
        extra_feedback="warmup",
    )
    assert all("valid_loss" in row for row in est.history_)
