"""Tables, labels and weights that look right and are not, or the other way round."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn import config_context

from sklearn_invlearn import CrossEntropyRecommender, InverseDualLossRecommender
from sklearn_invlearn.metrics import gauc_score, mrr_score

QUICK = {"backbone": "gmf", "n_factors": 2, "max_epochs": 1, "random_state": 0}


def fit(X, y, **given):
    return InverseDualLossRecommender(**QUICK).fit(X, y, **given)


@pytest.mark.parametrize("where", ["X", "X_unlab", "y", "sample_weight"])
def test_masked_entries_are_missing(where, data):
    given = {"X": data.X, "y": data.y, "X_unlab": data.X_unlab}
    given["sample_weight"] = np.ones(len(data.y))
    masked = np.ma.masked_array(given[where], mask=given[where] == 1)
    if where == "X_unlab":
        masked = (masked,)
    with pytest.raises(ValueError, match=rf"{where} contains NaN: \d+ of its entries"):
        fit(**given | {where: masked})
    clear = np.ma.masked_array(given[where])
    assert fit(**given | {where: clear}).n_iter_ == 1
    if where in ("y", "sample_weight"):
        est = CrossEntropyRecommender(**QUICK).fit(data.X, data.y)
        with pytest.raises(ValueError, match=f"{where} contains NaN"):
            est.partial_fit(data.X, **{"y": data.y, where: masked})


def test_masked_lists_of_users(data):
    est = fit(data.X, data.y)
    users = np.ma.masked_array([3, 4], mask=[False, True])
    with pytest.raises(ValueError, match="users contains NaN: 1 of its entries"):
        est.recommend(users)


@pytest.mark.parametrize(
    ("X", "what"),
    [
        (None, "NoneType"),
        ({"user": [1], "item": [2]}, "dict"),
        (zip([1], [2]), "zip"),
        ("ab", "str"),
    ],
)
def test_what_is_no_table_is_named(X, what, data):
    with pytest.raises(ValueError, match=f"X is of type {what}. Pass a table"):
        fit(X, data.y)
    with pytest.raises(ValueError, match=f"X_unlab is of type {what}"):
        fit(data.X, data.y, X_unlab=(X,))


def test_an_empty_list_is_empty(data):
    with pytest.raises(ValueError, match="X_unlab is empty"):
        fit(data.X, data.y, X_unlab=[])
    with pytest.raises(ValueError, match="X is empty"):
        fit(data.X, data.y).predict([])


def test_an_id_that_would_never_be_found_again(data):
    with pytest.raises(ValueError, match=r"\(1, nan\) is not an id"):
        fit([[(1, np.nan), 3], [(2, 1), 3]], [0, 1])
    X = [[(1, None), 3], [(2, 1), 4]]
    assert fit(X, [0, 1]).user_ids_.tolist() == [(1, None), (2, 1)]


@pytest.mark.parametrize(
    ("make_y", "message"),
    [
        (lambda y: y.astype(object), "dtype object and holds values of type int"),
        (lambda y: (y > 0).astype(object), "holds values of type bool"),
        (lambda y: ["1" if v else 0 for v in y], "y mixes text and other labels"),
    ],
    ids=["integers", "booleans", "mixed"],
)
def test_labels_of_no_single_type(make_y, message, data):
    with pytest.raises(ValueError, match=message):
        fit(data.X, make_y(data.y))


@pytest.mark.parametrize(
    "make_weight",
    [
        lambda n: np.r_[1e300, np.ones(n - 1)],
        lambda n: np.r_[1.0, np.full(n - 1, 1e-60)],
        lambda n: np.r_[np.full(n - 1, 1e308), 1.0],
    ],
    ids=["a huge one", "tiny ones", "an infinite sum"],
)
def test_weights_that_single_precision_would_lose(make_weight, data):
    weight = make_weight(len(data.y))
    with pytest.raises(ValueError, match="too far apart for single precision"):
        fit(data.X, data.y, sample_weight=weight)
    est = CrossEntropyRecommender(**QUICK).fit(data.X, data.y)
    with pytest.raises(ValueError, match="too far apart for single precision"):
        est.partial_fit(data.X, data.y, np.where(weight == 1.0, 1e-60, 1.0))


def test_equal_weights_of_an_infinite_sum(data):
    weight = np.full(len(data.y), 1e308)
    one = fit(data.X, data.y, sample_weight=np.ones(len(data.y)))
    other = fit(data.X, data.y, sample_weight=weight)
    same = one.decision_function(data.X) == other.decision_function(data.X)
    assert same.all()
    other.partial_fit(data.X[:5], data.y[:5], weight[:5])


@pytest.mark.parametrize("label", [0, 1])
def test_a_weight_beside_which_the_others_round_to_nothing(label, data):
    weight = np.ones(len(data.y))
    weight[np.flatnonzero(data.y == label)[0]] = 1e30
    est = fit(data.X, data.y, sample_weight=weight)
    logit = est.decision_function(data.X_test)
    assert np.isfinite(logit).all()
    assert (logit > 0).all() == label


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_weights_may_have_any_scale(scale, data):
    weight = np.arange(1.0, len(data.y) + 1)
    one = fit(data.X, data.y, sample_weight=weight)
    other = fit(data.X, data.y, sample_weight=weight * scale)
    np.testing.assert_allclose(
        one.decision_function(data.X), other.decision_function(data.X), rtol=1e-4
    )


# ---- columns, callbacks, backbones ---------------------------------------------------


def test_pairs_to_leave_out_with_swapped_columns(data):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(data.X, columns=["user", "item"])
    shown = pd.DataFrame(data.X_unlab, columns=["user", "item"])
    est = fit(X, data.y)
    ids, _ = est.recommend([3], exclude_seen=shown)
    with pytest.raises(ValueError, match="first two columns of exclude_seen are"):
        est.recommend([3], exclude_seen=shown[["item", "user"]])
    assert (est.recommend([3], exclude_seen=shown.to_numpy())[0] == ids).all()
    with pytest.raises(TypeError, match="Sparse data was passed for exclude_seen"):
        est.recommend([3], exclude_seen=sparse.csr_array(data.X))


@pytest.mark.parametrize("metric", [gauc_score, mrr_score])
def test_masked_labels_have_no_score(metric, data):
    y = np.ma.masked_array(data.y_test, mask=data.y_test == 1)
    score = np.linspace(0, 1, len(y))
    with pytest.raises(ValueError, match="y_true has masked entries"):
        metric(y, score, data.X_test[:, 0])


def test_what_is_no_callback_is_refused_before_the_training(data):
    est = fit(data.X, data.y)
    before = dict(vars(est))
    for bad in ("stop", ("stop", 3), 3, int):
        est.callbacks = [bad]
        with pytest.raises(TypeError, match="is no skorch callback"):
            est.fit(data.X, data.y)
        with pytest.raises(TypeError, match="is no skorch callback"):
            est.partial_fit(data.X, data.y)
    est.callbacks = before["callbacks"]
    assert vars(est) == before


def test_backbones_that_are_none(data):
    with pytest.raises(TypeError, match=r"backbone=int is no torch\.nn\.Module"):
        InverseDualLossRecommender(backbone=int).fit(data.X, data.y)
    est = InverseDualLossRecommender(**QUICK, backbone_params={"n_users": 5})
    with pytest.raises(ValueError, match=r"backbone_params has \['n_users'\]"):
        est.fit(data.X, data.y)


# ---- labels, wherever they come in ---------------------------------------------------

WITHOUT_ONE = {
    "masked": lambda y: np.ma.masked_array(y, mask=np.arange(len(y)) == 1),
    "NA": lambda y: pytest.importorskip("pandas").array([y[0], None, *y[2:]], "string"),
    "null": lambda y: pytest.importorskip("polars").Series(
        [y[0], None, *y[2:].tolist()]
    ),
    "None": lambda y: np.array([y[0], None, *y[2:]], dtype=object),
}


@pytest.mark.parametrize("kind", WITHOUT_ONE)
def test_a_missing_label_is_refused_everywhere(kind, data):
    y = np.where(data.y == 1, "yes", "no")
    hole = WITHOUT_ONE[kind](y)
    est = CrossEntropyRecommender(**QUICK).fit(data.X, y)
    with pytest.raises(ValueError, match="y contains NaN: 1 of its"):
        est.fit(data.X, hole)
    with pytest.raises(ValueError, match="y contains NaN: 1 of its"):
        est.partial_fit(data.X, hole)
    with pytest.raises(ValueError, match="y contains NaN: 1 of its"):
        CrossEntropyRecommender(**QUICK).partial_fit(
            data.X, hole, classes=["no", "yes"]
        )
    with pytest.raises(ValueError, match="y_val contains NaN: 1 of its"):
        est.fit(data.X, y, X_val=(data.X,), y_val=(hole,))
    est = CrossEntropyRecommender(negatives="sampled", extra_feedback="warmup", **QUICK)
    with pytest.raises(ValueError, match="y_extra contains NaN: 1 of its"):
        est.fit(data.X, y, X_extra=(data.X,), y_extra=(hole,))


def test_text_beside_numbers_is_no_label(data):
    """numpy would write 0 as "0", which is a class."""
    y = data.y.astype(str)
    mixed = [0, *y.tolist()[1:]]
    est = CrossEntropyRecommender(**QUICK).fit(data.X, y)
    with pytest.raises(ValueError, match=r"y mixes text and other labels"):
        est.partial_fit(data.X, mixed)
    with pytest.raises(ValueError, match=r"y_val mixes text and other labels"):
        est.fit(data.X, y, X_val=(data.X,), y_val=(mixed,))


def test_a_table_in_a_tuple_is_for_fit_alone(data):
    """`pool` of the README, handed to the next method."""
    est = CrossEntropyRecommender(**QUICK).fit(data.X, data.y)
    for method in (est.annotate, est.predict):
        with pytest.raises(ValueError, match=r"X is a tuple that holds a table\. Pass"):
            method((data.X_unlab,))
    assert est.predict(((1, 2),)).shape == (1,)  # a row is no table


def test_a_boolean_is_no_number_of_items(data):
    est = CrossEntropyRecommender(**QUICK).fit(data.X, data.y)
    with pytest.raises(TypeError, match="n_items must be a number of ids, not True"):
        est.recommend([1], n_items=True)
    with pytest.raises(TypeError, match="n_users must be a number of ids, not True"):
        est.similar_users([1], n_users=True)


# ---- parameters ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["n_factors", "gamma", "max_epochs", "batch_size"])
def test_a_boolean_is_no_number(name, data):
    est = CrossEntropyRecommender(**QUICK | {name: True})
    with pytest.raises(ValueError, match=f"The '{name}' parameter .* Got True instead"):
        est.fit(data.X, data.y)


def test_tensors_as_labels_where_scikit_learn_computes_with_tensors(data, monkeypatch):
    monkeypatch.setattr(
        "sklearn.utils._array_api._check_array_api_dispatch", lambda _: None
    )
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1, random_state=0)
    expected = est.fit(data.X, data.y).decision_function(data.X)
    with config_context(array_api_dispatch=True):
        est.fit(data.X, torch.tensor(data.y))
    assert (est.decision_function(data.X) == expected).all()


@pytest.mark.parametrize("batch_size", [50, 64])  # of 320 rows
def test_integers_of_numpy_are_numbers(batch_size, data):
    params = {"negatives": "sampled", "backbone": "gmf", "max_epochs": np.int32(1)}
    scores = [
        CrossEntropyRecommender(batch_size=size, random_state=0, **params)
        .fit(data.X, data.y)
        .decision_function(data.X)
        for size in (batch_size, np.int64(batch_size))
    ]
    assert (scores[0] == scores[1]).all()


@pytest.mark.parametrize("label", [1, "yes", np.True_])
def test_a_tuple_of_one_label_holds_labels(label, data):
    y = np.where(data.y == 1, label, "no" if label == "yes" else type(label)(0))
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1)
    for labels in ((label,), ((label,),), [label]):
        est.fit(data.X, y, X_val=(data.X[:1],), y_val=labels)
        assert "valid_loss" in est.history_[0]


def test_a_boolean_is_no_number_of_epochs(data):
    est = CrossEntropyRecommender(**QUICK).fit(data.X, data.y)
    for wrong in (True, False, np.True_):
        with pytest.raises(ValueError, match=r"n_epochs is .*; a whole number"):
            est.partial_fit(data.X, data.y, n_epochs=wrong)


def no_optimizer(parameters, lr, weight_decay):
    return None


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (torch.optim.LBFGS, "LBFGS cannot be built: .*'weight_decay'.*lr=gamma"),
        (torch.optim.Muon, "Muon cannot be built: Muon only supports 2D parameters"),
        (no_optimizer, r"no_optimizer is no torch\.optim\.Optimizer"),
    ],
)
def test_what_is_no_optimizer_is_named(optimizer, message, data):
    with pytest.raises(TypeError, match=message):
        CrossEntropyRecommender(**QUICK, optimizer=optimizer).fit(data.X, data.y)


def test_parameters_that_a_backbone_does_not_take(data):
    est = InverseDualLossRecommender(backbone="spectral", backbone_params={"rank": 3})
    with pytest.raises(TypeError, match=r"SpectralExposure cannot be built: .*'rank'"):
        est.fit(data.X, data.y)
    est = InverseDualLossRecommender(backbone="mlp", backbone_params={"n_layers": 0})
    with pytest.raises(ValueError, match="n_layers is 0"):
        est.fit(data.X, data.y)


def test_ids_of_several_values(data):
    pl = pytest.importorskip("polars")
    X = pl.DataFrame(data.X, schema=["user", "item"])
    X = X.with_columns(pl.struct("user", "item").alias("item"))
    with pytest.raises(ValueError, match="Column 1 of X holds several values"):
        fit(X, data.y)
