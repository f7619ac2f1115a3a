"""The report of annotations against counts made by hand."""

import warnings

import numpy as np
import pytest

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.inspection import annotation_report


@pytest.fixture(scope="module")
def est(data):
    est = CrossEntropyRecommender(
        backbone="gmf", n_factors=4, gamma=0.05, max_epochs=20, random_state=0
    )
    return est.fit(data.X, data.y)


def report_of(est, X, **options):
    return annotation_report(est, X, **{"max_drift": 1.0, **options})


def test_totals(est, data):
    report = report_of(est, data.X_unlab, abstain=(0.4, 0.6))
    p = est.predict_proba(data.X_unlab)[:, 1]
    assert report.n_pairs == len(p)
    assert report.n_abstained == ((p > 0.4) & (p < 0.6)).sum() > 0
    assert report.n_positive == (p >= 0.6).sum() > 0
    assert report.n_negative == (p <= 0.4).sum() > 0
    assert report.base_rate == pytest.approx(data.y.mean())
    assert report.mean_proba == pytest.approx(p.mean())
    assert report.mean_w1 == pytest.approx(est.annotate(data.X_unlab).mean())
    assert report.drift == pytest.approx(report.mean_w1 - report.base_rate)
    everything = report_of(est, data.X_unlab)
    assert everything.n_abstained == 0
    assert everything.n_positive == est.predict(data.X_unlab).sum()


@pytest.mark.parametrize("count", ["pool", "labels"])
@pytest.mark.parametrize(("side", "column"), [("by_user", 0), ("by_item", 1)])
def test_groups_by_hand(est, data, side, column, count):
    pool = data.X_unlab
    table = getattr(
        report_of(est, pool, count=count, n_groups=3, abstain=(0.4, 0.6)), side
    )
    source = pool if count == "pool" else np.unique(data.X, axis=0)
    rows_of = {i: int((source[:, column] == i).sum()) for i in pool[:, column].tolist()}
    counts = np.array([rows_of[i] for i in pool[:, column].tolist()])
    p, w1 = est.predict_proba(pool)[:, 1], est.annotate(pool)
    assert len(table) == 3
    assert table["n_pairs"].sum() == len(pool)
    assert (table["most"][:-1] < table["fewest"][1:]).all()
    for row in table:
        here = (counts >= row["fewest"]) & (counts <= row["most"])
        assert row["n_pairs"] == here.sum()
        assert row["n_ids"] == len(set(pool[here, column].tolist()))
        assert row["positive_share"] == pytest.approx((p[here] >= 0.6).mean())
        within = (p[here] > 0.4) & (p[here] < 0.6)
        assert row["abstained_share"] == pytest.approx(within.mean())
        assert row["mean_proba"] == pytest.approx(p[here].mean())
        assert row["mean_w1"] == pytest.approx(w1[here].mean())


def test_unknown_ids_have_no_labels(est, data):
    pool = [*data.X_unlab.tolist(), *[("new", 3)] * 5]
    table = report_of(est, pool, count="labels").by_user
    assert table["fewest"][0] == 0


def test_a_pool_of_strangers_is_warned_of(est, data):
    pool = -1 - data.X_unlab
    with pytest.warns(UserWarning, match="score of the average pair") as seen:
        annotation_report(est, pool)
    assert [w.filename for w in seen] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report_of(est, [*pool.tolist(), [-1, data.X[0, 1]]])


def test_drift_is_warned_of(est, data):
    sure_ones = data.X_unlab[est.predict_proba(data.X_unlab)[:, 1] > 0.7]
    with pytest.warns(UserWarning, match="annotations drift from the labels") as seen:
        report = annotation_report(est, sure_ones)
    assert report.drift > 0.1
    assert seen[0].filename == __file__
    assert f"{report.base_rate:.3f}" in str(seen[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        annotation_report(est, sure_ones, max_drift=report.drift)


def test_it_prints_as_a_table(est, data):
    text = str(report_of(est, data.X_unlab, n_groups=2))
    assert f"{len(data.X_unlab):,} pairs" in text
    assert "rows per user" in text
    assert "rows per item" in text
    assert "labels per user" in str(report_of(est, data.X_unlab, count="labels"))
    assert len(text.splitlines()) == 2 + 2 * (2 + 2)


def test_weights_count_in_the_base_rate(data):
    weight = np.where(data.y == 1, 3.0, 1.0)
    est = CrossEntropyRecommender(backbone="bias", max_epochs=1)
    est.fit(data.X, data.y, sample_weight=weight)
    expected = np.average(data.y, weights=weight)
    assert report_of(est, data.X).base_rate == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"abstain": (0.7, 0.3)}, "is no band"),
        ({"n_groups": 0}, "n_groups"),
        ({"count": "rows"}, "count"),
        ({"max_drift": -1}, "max_drift"),
    ],
)
def test_what_makes_no_sense_is_refused(est, data, options, message):
    with pytest.raises(ValueError, match=message):
        report_of(est, data.X_unlab, **options)


def test_not_a_recommender(data):
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(ValueError, match="estimator"):
        annotation_report(LogisticRegression(), data.X_unlab)
