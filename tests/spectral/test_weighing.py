"""What held-out labels decide: calibration on unseen pairs, strength under noise."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import CrossEntropyRecommender, load
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.spectral import Labels, exposure_matrix, spectral_embeddings
from sklearn_invlearn.spectral import _candidates as candidates
from sklearn_invlearn.spectral import _weighing as weighing_module
from sklearn_invlearn.spectral import _worth_trying as trying
from sklearn_invlearn.spectral._candidates import CANDIDATES, fit_full, fit_path
from sklearn_invlearn.spectral._embeddings import embeddings_for
from sklearn_invlearn.spectral._labels import loss_of
from sklearn_invlearn.spectral._mixture import fit_spectral
from sklearn_invlearn.spectral._weighing import _held_out_logits, _of_fold, weigh


@pytest.fixture(scope="module")
def data():
    return make_sparse_feedback(
        n_users=400,
        n_items=300,
        n_exposures=20_000,
        label_fraction=0.3,
        exposure_affinity=1.5,
        preference_strength=1.5,
        random_state=1,
    )


def labels_of(data, y=None):
    """Labels whose codes are the ids of the generator, and all exposures."""
    y = data.y if y is None else y
    labels = Labels(*data.X.T.astype(np.int64), y.astype(float), np.ones(len(y)))
    return labels, np.vstack([data.X, data.X_unlab]).T.astype(np.int64)


def shape_of(data):
    parts = (data.X, data.X_unlab, data.X_test)
    return tuple(int(max(part[:, k].max() for part in parts)) + 1 for k in (0, 1))


def fitted_logit(fit, X):
    pairs = torch.from_numpy(X.T.astype(np.int64))
    with torch.no_grad():
        z = [w * model(*pairs).numpy() for w, model in zip(fit.weights, fit.models)]
    return fit.intercept + np.sum(z, axis=0)


def bias_of_probabilities(data):
    labels, exposed = labels_of(data)
    fit = fit_spectral(labels, exposed, shape_of(data), seed=0)
    return expit(fitted_logit(fit, data.X_test)).mean() - data.proba_test.mean()


def test_probabilities_are_those_of_pairs_outside_the_exposures(data, monkeypatch):
    corrected = bias_of_probabilities(data)
    monkeypatch.setattr(weighing_module, "_OWN_SHARE", np.inf)
    assert bias_of_probabilities(data) < -0.02
    assert abs(corrected) < 0.015


def test_fits_of_folds_take_the_steps_of_the_whole_fit(data, monkeypatch):
    """Here a fold has so few rows that it would be done with fewer by itself."""
    taken = {"full": set(), "factors": set()}
    fit = candidates.fit_bilinear

    def count(model, *args, n_steps, **kwargs):
        taken[model.structure].add(n_steps)
        return fit(model, *args, n_steps=n_steps, **kwargs)

    monkeypatch.setattr(candidates, "fit_bilinear", count)
    labels, exposed = labels_of(data)
    few = labels[np.arange(2_100)]
    fit_spectral(few, exposed, shape_of(data), seed=0)
    assert taken["full"] == {candidates.n_steps_for(len(few))}
    assert candidates.n_steps_for(len(few)) > candidates.n_steps_for(1_400)


def weighing_of(data, y):
    labels, exposed = labels_of(data, y)
    exposures = exposure_matrix(*exposed, shape_of(data))
    embeddings = spectral_embeddings(exposures, np.random.default_rng(0))
    _, learned = fit_full(embeddings, labels, None, 0)
    return weigh(exposures, embeddings, labels, learned, 0), embeddings, labels


def with_flips(data, share, seed):
    flipped = np.random.default_rng(seed).random(len(data.y)) < share
    return data.y ^ flipped


def test_wrong_labels_bring_in_strong_regularisation(data):
    found, _, _ = weighing_of(data, with_flips(data, 0.4, seed=0))
    assert set(found.weights) == set(CANDIDATES)
    assert found.strengths["crossed"] >= 10
    assert found.weights["full"].max() < 0.5


def test_with_wrong_labels_the_mixture_is_better_than_the_full_model(data):
    gains = []
    for seed in (0, 1):
        _, embeddings, labels = weighing_of(data, with_flips(data, 0.4, seed))
        full, _ = fit_full(embeddings, labels, None, 0)
        alone = type("", (), {"weights": [1.0], "models": [full], "intercept": 0.0})
        whole = fit_spectral(labels, labels_of(data)[1], shape_of(data), seed=0)
        auc = [
            roc_auc_score(data.y_test, fitted_logit(fit, data.X_test))
            for fit in (whole, alone)
        ]
        gains.append(auc[0] - auc[1])
    assert np.mean(gains) > 0.005


def sharp_taste(n_users=300, n_items=60, seed=0):
    """Random exposures, half with labels: one taste decides all, few departures."""
    rng = np.random.default_rng(seed)
    exposed = np.stack(np.nonzero(rng.random((n_users, n_items)) < 0.35))
    exposed = exposed[:, rng.permutation(exposed.shape[1])]
    tastes, kinds = rng.normal(size=n_users), rng.normal(size=n_items)
    z = tastes[exposed[0]] * kinds[exposed[1]] + 0.3 * rng.normal(size=len(exposed[0]))
    y = (z > 0).astype(float)
    n = exposed.shape[1] // 2
    rows = [Labels(*exposed[:, s], y[s], np.ones(len(y[s]))) for s in np.s_[:n, n:]]
    return *rows, exposed, (n_users, n_items)


FACTORISATIONS = {"svdpp", "factors", "relevance", "posterior"}


def factorisations_in(fit):
    return FACTORISATIONS & {model.structure for model in fit.models}


@pytest.mark.parametrize("structure", ["factors", "relevance", "posterior"])
def test_factors_alone_where_embeddings_say_nothing(monkeypatch, structure):
    known, rest, exposed, shape = sharp_taste()
    for other in FACTORISATIONS - {structure}:
        monkeypatch.delitem(trying.STRENGTHS, other)
    assert len(known) < 10 * sum(known.n_ids)  # too few to ask elsewhere
    auc = []
    for _ in range(2):
        fit = fit_spectral(known, exposed, shape, seed=0)
        pairs = np.column_stack([rest.user, rest.item])
        auc.append(roc_auc_score(rest.y, fitted_logit(fit, pairs)))
        assert factorisations_in(fit) == ({structure} if len(auc) == 1 else set())
        # One has embeddings.
        assert {m.structure for m in fit.models} & {"linear", "crossed", "full"}
        monkeypatch.delitem(trying.STRENGTHS, structure, raising=False)
    assert auc[0] > auc[1] + 0.02


def test_factors_alone_need_labels_enough(monkeypatch):
    known, _, exposed, shape = sharp_taste()
    n_items = known.n_ids[1]  # the fewer ones; a fold knows two thirds of the rows
    for name in ("_ROWS_PER_ID", "_ROWS_PER_ID_FEW"):
        monkeypatch.setattr(trying, name, len(known) / n_items)
    fit = fit_spectral(known, exposed, shape, seed=0)
    assert not factorisations_in(fit)


@pytest.mark.parametrize("finds_little", [True, False])
def test_fewer_labels_do_where_the_full_model_finds_little(monkeypatch, finds_little):
    known, _, exposed, shape = sharp_taste()
    monkeypatch.setattr(trying, "_ROWS_PER_ID", 1e9)
    monkeypatch.setattr(trying, "_LITTLE", 1.0 if finds_little else -9.0)
    fit = fit_spectral(known, exposed, shape, seed=0)
    assert bool(factorisations_in(fit)) == finds_little


def test_no_factorisation_joins_where_labels_are_of_popular_items_alone(monkeypatch):
    known, _, exposed, shape = sharp_taste(n_users=600)
    popular = known[known.item < shape[1] // 4]
    monkeypatch.setattr(trying, "_ROWS_PER_ID_FEW", 1)
    for asked in (False, True):
        fit = fit_spectral(popular, exposed, shape, seed=0)
        assert bool(factorisations_in(fit)) == asked
        monkeypatch.setattr(trying, "_AS_WELL_KNOWN", 0.0)


def test_random_labels_speak_for_all_exposures():
    known, _, exposed, shape = sharp_taste()
    exposures = exposure_matrix(*exposed, shape)
    train, test = known[np.s_[::2]], known[np.s_[1::2]]
    assert trying._speak_for(exposures, train, test)
    few = known[known.user < shape[0] // 2]
    assert not trying._speak_for(exposures, few[np.s_[::2]], few[np.s_[1::2]])


def test_a_factorisation_joins_by_what_it_adds():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 2000))
    y = (rng.random(2000) < expit(one + 0.3 * other)).astype(float)
    rows = Labels(np.arange(2000), np.arange(2000), y, np.ones(2000))
    adds = trying._adds
    assert adds([0.3 * other], [one], rows)  # far worse alone
    assert not adds([rng.normal(size=2000)], [one], rows)
    assert not adds([0.9 * one], [one], rows)
    assert not adds([0.3 * other], [one, 0.2 * other], rows)


def test_factors_alone_are_saved_and_updated(tmp_path, monkeypatch):
    for other in ("relevance", "posterior"):
        monkeypatch.delitem(trying.STRENGTHS, other)
    known, rest, _, _ = sharp_taste()
    X, pool = (np.column_stack([rows.user, rows.item]) for rows in (known, rest))
    est = CrossEntropyRecommender(random_state=0, device="cpu")
    est.fit(X, known.y, X_unlab=(pool,))
    assert "factors" in est.net_.module_.settings()["structures"]
    proba = est.predict_proba(pool)
    est.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(pool), proba)
    new = np.array([[1000, 0], [1000, 1], [1001, 2]])
    est.partial_fit(new, [1, 1, 0])
    untouched = ~np.isin(pool[:, 1], new[:, 1])
    np.testing.assert_array_equal(est.predict_proba(pool)[untouched], proba[untouched])
    assert np.isfinite(est.predict_proba(new)).all()


def test_right_labels_do_not(data):
    found, _, _ = weighing_of(data, data.y)
    assert not {"crossed", *FACTORISATIONS} & set(found.strengths)
    assert found.weights["crossed"].tolist() == [0.0]
    assert found.weights["full"].max() > 0.5


def test_a_path_ends_where_the_held_out_loss_rises(data):
    labels, exposed = labels_of(data)
    embeddings = spectral_embeddings(
        exposure_matrix(*exposed, shape_of(data)), np.random.default_rng(0)
    )
    known, held_out = labels[np.arange(0, 4000)], labels[np.arange(4000, len(labels))]
    tried = trying.worth_trying(
        embeddings.exposures,
        embeddings,
        known,
        held_out,
        np.zeros(len(held_out)),
        seed=0,
    )[0]["biases"]
    every = trying.STRENGTHS["biases"]
    assert tried == every[: len(tried)]
    path = fit_path(embeddings, "biases", known, every, seed=0)
    logits = _held_out_logits((model for model, _ in path), held_out)
    losses = [loss_of(z, held_out) for z in logits.T]
    assert (np.diff(losses[: len(tried)]) < 0).all()
    assert len(tried) == len(every) or losses[len(tried)] >= losses[len(tried) - 1]


def test_labels_of_a_single_pair(data):
    """Without it no exposure is left to embed."""
    labels = Labels(
        np.ones(12, dtype=np.int64),
        np.ones(12, dtype=np.int64),
        np.arange(12) % 2.0,
        np.ones(12),
    )
    fit = fit_spectral(labels, np.ones((2, 1), dtype=np.int64), (2, 2), seed=0)
    assert expit(fitted_logit(fit, np.ones((1, 2)))) == pytest.approx(0.5, abs=0.1)


def test_a_pair_that_is_known_is_not_hidden_with_its_second_label():
    """It is all that there is to see of a newcomer."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(1, 200), rng.integers(1, 40, 199)])
    pool = np.column_stack([rng.integers(200, 600, 2000), rng.integers(1, 40, 2000)])
    exposures = exposure_matrix(*np.vstack([X, pool]).T, (600, 40))
    labels = Labels(*np.vstack([X, X]).T, np.arange(398) % 2.0, np.ones(398))
    known, others = labels[:180], labels[180:]
    labelled = exposure_matrix(known.user, known.item, exposures.shape)
    embeddings = embeddings_for(exposures, labelled, np.random.default_rng(0))
    found = _of_fold(exposures, embeddings, known, others, seed=0)
    left = exposure_matrix(*np.vstack([X[:180], pool]).T, exposures.shape)
    assert (found.exposures != left).nnz == 0
    fit = fit_spectral(labels, np.array(exposures.tocoo().coords), (600, 40), seed=0)
    assert np.isfinite(fitted_logit(fit, X)).all()


def test_where_biases_are_all_that_counts_vectors_break_ties():
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, (60, 40), (4000, 2)).T
    y = (rng.random(150) < 0.5).astype(float)  # coins
    labels = Labels(pairs[0, :150], pairs[1, :150] // 2, y, np.ones(150))
    fit = fit_spectral(labels, pairs, (60, 40), seed=0)
    assert fit.weights[:-1].sum() > 0
    assert fit.models[-1].structure != "biases"
    assert fit.weights[-1] == pytest.approx(1e-3)
    without_label = np.column_stack([np.zeros(20, int), np.arange(20, 40)])
    assert len(np.unique(fitted_logit(fit, without_label))) == 20


def test_strong_regularisation_is_tried_only_where_biases_want_it(data, monkeypatch):
    y = with_flips(data, 0.4, seed=0)
    monkeypatch.setitem(trying.STRENGTHS, "biases", (1.0,))
    assert "crossed" not in weighing_of(data, y)[0].strengths


@pytest.mark.parametrize(("small_fold", "share"), [(1e9, 5), (4000, 10)])
def test_with_many_labels_one_fold_is_enough(data, monkeypatch, small_fold, share):
    monkeypatch.setattr(weighing_module, "_ONE_FOLD", 3000)
    monkeypatch.setattr(weighing_module, "_SMALL_FOLD", small_fold)
    found, _, labels = weighing_of(data, data.y)
    (rows, logit), *others = found.out_of_fold
    assert not others
    assert len(rows) == len(logit) == len(labels) // share


@pytest.mark.parametrize(("many", "most_ids", "asked"), [
    (False, 500, {"svdpp", "factors", "relevance", "posterior"}),
    (True, 500, {"svdpp", "relevance", "posterior"}),
    (True, 2, {"svdpp", "factors"}),
    (False, 2, {"svdpp", "factors"}),
])  # fmt: skip
def test_which_factorisations_are_asked(monkeypatch, many, most_ids, asked):
    known, _, _, _ = sharp_taste()
    monkeypatch.setattr(trying, "_ENOUGH_TO_TELL", len(known) + (0 if many else 1))
    monkeypatch.setattr(trying, "_MOST_COVARIANCES", most_ids)
    assert {s for s in FACTORISATIONS if trying._is_for(s, known)} == asked
