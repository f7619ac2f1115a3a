"""Annotations: weights, frames of every kind, bands, labels."""

import sys

import numpy as np
import pytest

from sklearn_invlearn import CrossEntropyRecommender, InverseDualLossRecommender

RESULTS = ["proba", "w1", "confidence", "label"]


@pytest.fixture(scope="module")
def est(data):
    est = InverseDualLossRecommender(
        backbone="gmf", n_factors=4, gamma=0.05, max_epochs=10, random_state=0
    )
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


def test_weights_are_those_of_the_dual_loss(est, data):
    p = est.predict_proba(data.X_unlab)
    loss_0, loss_1 = -np.log(p[:, 0]), -np.log(p[:, 1])
    ratio = loss_0 / loss_1
    expected = ratio / (ratio + 1 / ratio)
    np.testing.assert_allclose(est.annotate(data.X_unlab), expected, rtol=1e-9)


def test_frame_of_an_array(est, data):
    pandas = pytest.importorskip("pandas")
    frame = est.annotate(data.X_unlab, return_frame=True)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame) == ["user", "item", *RESULTS]
    assert (frame[["user", "item"]].to_numpy() == data.X_unlab).all()
    assert frame["user"].dtype == data.X_unlab.dtype
    proba = est.predict_proba(data.X_unlab)
    assert frame["proba"].tolist() == proba[:, 1].tolist()
    assert frame["confidence"].tolist() == proba.max(axis=1).tolist()
    assert frame["w1"].tolist() == est.annotate(data.X_unlab).tolist()
    assert frame["label"].tolist() == est.predict(data.X_unlab).tolist()


def test_the_band_is_left_without_a_label(est, data):
    pytest.importorskip("pandas")
    frame = est.annotate(data.X_unlab, return_frame=True, abstain=(0.4, 0.6))
    inside = frame["proba"].between(0.4, 0.6, inclusive="neither")
    assert 0 < inside.sum() < len(frame)
    assert (frame["label"].isna() == inside).all()
    rest = frame[~inside]
    assert (rest["label"] == (rest["proba"] > 0.5)).all()
    edge = frame["proba"].iloc[0]
    for band in ((edge, 1.0), (0.0, edge), (edge, edge)):
        frame = est.annotate(data.X_unlab[:1], return_frame=True, abstain=band)
        assert frame["label"].notna().all()


@pytest.mark.parametrize(
    "classes", [(0, 1), ("no", "yes"), (False, True), (-1.0, 2.0), (1, 5)]
)
def test_labels_are_the_classes(classes, data):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    y = np.array(classes)[data.y]
    est = CrossEntropyRecommender(
        backbone="gmf", gamma=0.05, max_epochs=5, random_state=0
    ).fit(data.X, y)
    pool = data.X_unlab
    p = est.predict_proba(pool)[:, 1]
    low, high = 0.45, 0.6
    expected = [
        None if low < p_row < high else label
        for p_row, label in zip(p, est.predict(pool).tolist())
    ]
    assert set(expected) == {None, *classes}

    frame = est.annotate(pool, return_frame=True, abstain=(low, high))
    got = [None if pandas.isna(v) else v for v in frame["label"]]
    assert got == expected
    columns = {"u": pool[:, 0], "i": pool[:, 1]}
    for make, values in (
        (polars.DataFrame, lambda column: column.to_list()),
        (pyarrow.table, lambda column: column.to_pylist()),
    ):
        est.fit(make({"u": data.X[:, 0], "i": data.X[:, 1]}), y)
        frame = est.annotate(make(columns), return_frame=True, abstain=(low, high))
        assert values(frame["label"]) == expected


def test_pandas_keeps_names_index_and_dtypes(data):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(data.X, columns=["viewer", "film"]).astype(
        {"viewer": np.int32, "film": str}
    )
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(frame, data.y)
    part = frame[::-3]
    result = est.annotate(part, return_frame=True)
    assert list(result) == ["viewer", "film", *RESULTS]
    pandas.testing.assert_frame_equal(result[["viewer", "film"]], part)
    assert list(part) == ["viewer", "film"]


def test_pandas_columns_of_two_levels(est, data):
    pandas = pytest.importorskip("pandas")
    names = pandas.MultiIndex.from_tuples([("id", "user"), ("id", "item")])
    frame = pandas.DataFrame(data.X, columns=names)
    result = est.annotate(frame, return_frame=True, abstain=(0.4, 0.6))
    assert list(result) == [*names, *[(name, "") for name in RESULTS]]
    assert result["w1"].tolist() == est.annotate(data.X).tolist()
    taken = pandas.MultiIndex.from_tuples([("id", "user"), ("w1", "")])
    with pytest.raises(ValueError, match="names of results"):
        est.annotate(frame.set_axis(taken, axis=1), return_frame=True)


def test_polars_and_pyarrow_keep_theirs(data):
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    columns = {
        "viewer": data.X[:, 0].astype(np.int16),
        "film": data.X[:, 1].astype(str),
    }
    table = polars.DataFrame(columns)
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(table, data.y)
    result = est.annotate(table, return_frame=True)
    assert isinstance(result, polars.DataFrame)
    assert result.columns == ["viewer", "film", *RESULTS]
    assert result.select("viewer", "film").equals(table)
    arrow = est.annotate(pyarrow.table(columns), return_frame=True, abstain=(0.4, 0.6))
    assert isinstance(arrow, pyarrow.Table)
    assert arrow.column_names == ["viewer", "film", *RESULTS]
    assert arrow["film"].to_pylist() == table["film"].to_list()
    assert arrow["proba"].to_pylist() == result["proba"].to_list()


def test_rows_of_tuples(data):
    pytest.importorskip("pandas")
    rows = [(("u", u), f"i{i}") for u, i in data.X.tolist()]
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(rows, data.y)
    frame = est.annotate(rows, return_frame=True)
    assert list(zip(frame["user"], frame["item"])) == rows


def test_blocks_change_nothing(est, data, monkeypatch):
    whole = est.annotate(data.X_unlab)
    logit = est.decision_function(data.X_unlab)
    monkeypatch.setattr("sklearn_invlearn.serving._annotation._BLOCK_ROWS", 100)
    monkeypatch.setattr("sklearn_invlearn.serving._prediction._BLOCK_ROWS", 100)
    np.testing.assert_allclose(est.annotate(data.X_unlab), whole, rtol=1e-12)
    np.testing.assert_allclose(est.decision_function(data.X_unlab), logit, rtol=1e-12)


@pytest.mark.parametrize(
    "band", [0.5, (0.7, 0.3), (-0.1, 0.5), (0.5, 1.1), (0.1, 0.2, 0.3), (None, 1), "ab",
             (float("nan"), 0.5)],
)  # fmt: skip
def test_what_is_no_band_is_refused(est, data, band):
    with pytest.raises(ValueError, match="is no band"):
        est.annotate(data.X_unlab, return_frame=True, abstain=band)


def test_a_band_needs_a_frame(est, data):
    with pytest.raises(ValueError, match="abstain needs return_frame=True"):
        est.annotate(data.X_unlab, abstain=(0.3, 0.7))


def test_names_of_results_are_taken(data):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    columns = {"user": data.X[:, 0], "label": data.X[:, 1]}
    for make in (pandas.DataFrame, polars.DataFrame, pyarrow.table):
        table = make(columns)
        est = CrossEntropyRecommender(backbone="bias", max_epochs=1)
        est.fit(table, data.y)
        with pytest.raises(ValueError, match=r"columns named \['label'\]"):
            est.annotate(table, return_frame=True)


def test_without_pandas_it_says_what_to_install(est, data, monkeypatch):
    # scikit-learn 1.8 takes what is in the place of pandas for pandas.
    monkeypatch.setattr(
        "sklearn.utils.validation.is_pandas_df", lambda X: False, raising=False
    )
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"sklearn-invlearn\[frames\]"):
        est.annotate(data.X_unlab, return_frame=True)
    assert est.annotate(data.X_unlab).shape == (len(data.X_unlab),)


def test_class_counts_are_those_of_the_labels(data):
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1).fit(data.X, data.y)
    assert est.class_count_.tolist() == np.bincount(data.y).tolist()
    weight = np.where(data.y == 1, 3.0, 1.0)
    est.fit(data.X, data.y, sample_weight=weight)
    expected = np.bincount(data.y, weight) / weight.mean()
    np.testing.assert_allclose(est.class_count_, expected, rtol=1e-6)
