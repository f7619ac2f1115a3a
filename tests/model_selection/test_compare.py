"""All methods with the same budget, rows and seeds."""

import json

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn import CrossEntropyRecommender, InverseDualLossRecommender
from sklearn_invlearn.model_selection import (
    ColdUserKFold,
    LeaveLastN,
    _compare,
    compare_recommenders,
    paired_bootstrap,
)
from sklearn_invlearn.model_selection._contenders import BASELINES, pool_params

BASELINE_NAMES = list(BASELINES)
QUICK = {"n_trials": 2, "seeds": [0], "n_boot": 40, "progress": False}


class Shouting(ClassifierMixin, BaseEstimator):
    """Scores by a known rule, and notes the rows of every fit and prediction."""

    log: list = []

    def __init__(self, *, sign=1, random_state=None):
        self.sign = sign
        self.random_state = random_state

    def fit(self, X, y, *, X_unlab=None):
        self.classes_ = np.unique(y)
        n_pool = None if X_unlab is None else tuple(map(len, X_unlab))
        rows = {tuple(row) for row in np.asarray(X).tolist()}
        self.log.append(("fit", self.sign, self.random_state, rows, n_pool))
        return self

    def predict_proba(self, X):
        X = np.asarray(X)
        self.log.append(("predict", self.sign, {tuple(r) for r in X.tolist()}))
        proba = 0.5 + self.sign * 0.4 * np.sin(X[:, 0] * 7 + X[:, 1] * 3)
        return np.column_stack([1 - proba, proba])


@pytest.fixture
def rows(data):
    """Labels that the rule of Shouting explains, of a few users and items."""
    rng = np.random.default_rng(0)
    pairs = np.array([(u, i) for u in range(20) for i in range(15)])
    proba = Shouting().fit(pairs, [0] * len(pairs)).predict_proba(pairs)[:, 1]
    y = (rng.random(300) < proba).astype(int)
    order = rng.permutation(300)
    Shouting.log.clear()
    train, test = order[:180], order[180:]
    return {
        "X": pairs[train],
        "y": y[train],
        "X_test": pairs[test],
        "y_test": y[test],
        "X_unlab": np.column_stack([rng.integers(0, 20, 70), rng.integers(0, 15, 70)]),
    }


def sign_grid():
    return {"param_distributions": {"rule": {"sign": [-1, 1]}}}


# ---- what is trained on what -----------------------------------------------------


def test_selection_sees_labelled_rows_only_and_finds_the_rule(rows):
    found = compare_recommenders({"rule": Shouting()}, **rows, **sign_grid(), **QUICK)
    labelled = {tuple(row) for row in rows["X"].tolist()}
    test = {tuple(row) for row in rows["X_test"].tolist()}
    fits = [entry for entry in Shouting.log if entry[0] == "fit"]
    predictions = [entry for entry in Shouting.log if entry[0] == "predict"]
    assert len(fits) == 3  # two trials and the refit
    assert len(fits[0][3]) == len(fits[1][3]) == 144
    assert fits[2][1] == 1
    assert fits[2][3] == labelled
    assert all(entry[2:] == (0, entry[3], (70,)) for entry in fits)
    assert [p[2] <= labelled for p in predictions] == [True, True, False]
    assert predictions[2][2] == test
    (run,) = [run for run in found.runs if run["method"] == "rule"]
    assert run["params"] == {"sign": 1}
    assert found.methods[0] == "rule"


def test_values_and_differences_are_those_of_the_public_functions(rows):
    found = compare_recommenders(
        {"rule": Shouting()}, **rows, **{**QUICK, "seeds": [0, 5]}, reference="rule"
    )
    assert found.reference == "rule"
    for name in BASELINE_NAMES:
        runs = [run for run in found.runs if run["method"] == name]
        values = [
            roc_auc_score(rows["y_test"], found.predictions[name, 0, seed])
            for seed in (0, 5)
        ]
        assert [run["roc_auc"] for run in runs] == pytest.approx(values)
        assert found.means[name, "roc_auc"] == pytest.approx(np.mean(values))
        sd = np.std(values, ddof=1)
        assert found.deviations[name, "roc_auc"] == pytest.approx(sd)
    found = compare_recommenders({"rule": Shouting()}, **rows, **QUICK)
    reference = found.predictions[found.reference, 0, 0]
    for metric in found.metrics:
        expected = paired_bootstrap(
            rows["y_test"], found.predictions["rule", 0, 0], reference,
            rows["X_test"][:, 0], metric=metric, n_boot=40, random_state=0,
        )  # fmt: skip
        difference = found.differences["rule", metric]
        assert difference.difference == pytest.approx(expected.difference)
        assert difference.low == pytest.approx(expected.low)
        assert difference.p_value == expected.p_value


def test_baselines_are_always_there_and_one_of_them_is_the_reference(rows):
    found = compare_recommenders({}, **rows, **QUICK)
    assert set(found.methods) == set(BASELINE_NAMES)
    validation = {
        name: np.mean([r["validation"] for r in found.runs if r["method"] == name])
        for name in BASELINE_NAMES
    }
    assert found.reference == max(validation, key=validation.get)
    with pytest.raises(ValueError, match="names of baselines"):
        compare_recommenders({BASELINE_NAMES[0]: Shouting()}, **rows, **QUICK)


def test_all_methods_have_the_same_number_of_trials_and_rows(rows):
    found = compare_recommenders(
        {"rule": Shouting(), "GMF": CrossEntropyRecommender(backbone="gmf")},
        **rows,
        param_distributions={
            "rule": {"sign": [1]},
            "GMF": {"gamma": loguniform(0.01, 0.1), "max_epochs": [1, 2]},
        },
        **{**QUICK, "n_trials": 3},
    )
    trials = {run["method"]: run["n_trials"] for run in found.runs}
    assert trials == {"rule": 1, "GMF": 3, **dict.fromkeys(BASELINE_NAMES, 3)}


@pytest.mark.parametrize("validation", [0.4, 2, ColdUserKFold(3)])
def test_ways_to_validate(rows, validation):
    n = {0.4: 1, 2: 2}.get(validation, 3) if not hasattr(validation, "split") else 3
    compare_recommenders({"rule": Shouting()}, **rows, validation=validation, **QUICK)
    assert len([entry for entry in Shouting.log if entry[0] == "fit"]) == n + 1


@pytest.mark.parametrize("cv", [3, ColdUserKFold(2), LeaveLastN(3)])
def test_splits_instead_of_test_rows(rows, cv):
    found = compare_recommenders(
        {"rule": Shouting()}, rows["X"], rows["y"], cv=cv, **QUICK
    )
    n_splits = cv if isinstance(cv, int) else cv.get_n_splits()
    runs = [run for run in found.runs if run["method"] == "rule"]
    assert [run["split"] for run in runs] == list(range(n_splits))
    expected = np.mean([run["roc_auc"] for run in runs])
    assert found.means["rule", "roc_auc"] == pytest.approx(expected)
    fits = [entry for entry in Shouting.log if entry[0] == "fit"]
    tests = [entry[2] for entry in Shouting.log if entry[0] == "predict"][1::2]
    for refit, test in zip(fits[1::2], tests):
        assert not refit[3] & test


def test_lower_is_better_for_the_log_loss(rows):
    found = compare_recommenders(
        {"rule": Shouting()}, **rows, **sign_grid(), **QUICK,
        metrics=["log_loss", "brier"], select_by="log_loss",
    )  # fmt: skip
    assert found.methods[0] == "rule"
    assert found.differences["rule", "log_loss"].difference < 0
    assert "0" in str(found)
    (line,) = [x for x in str(found).splitlines() if x.startswith("rule")]
    assert f"{found.means['rule', 'log_loss']:.4f}+" in line


def test_strings_frames_and_lists(rows):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

    def strings(X):
        return [[f"u{user}", f"i{item}"] for user, item in X]

    names = ["user", "item"]
    gmf = CrossEntropyRecommender(backbone="gmf", n_factors=2, max_epochs=2)
    results = []
    for table in (
        strings,
        lambda X: pd.DataFrame(strings(X), columns=names),
        lambda X: pl.DataFrame(strings(X), names, orient="row"),
        lambda X: np.array(strings(X)),
    ):
        tables = {k: table(v) if k[0] == "X" else v.tolist() for k, v in rows.items()}
        results.append(compare_recommenders({"GMF": gmf}, **tables, **QUICK).means)
    for other in results[1:]:
        assert other == pytest.approx(results[0])


def test_two_jobs_give_the_same(rows):
    gmf = CrossEntropyRecommender(backbone="gmf", n_factors=2, max_epochs=2)
    one, two = (
        compare_recommenders(
            {"GMF": gmf}, **rows, **{**QUICK, "seeds": [0, 1]}, n_jobs=n_jobs,
            param_distributions={"GMF": {"gamma": loguniform(0.01, 0.1)}},
        )
        for n_jobs in (None, 2)
    )  # fmt: skip
    assert one.means == two.means
    assert {k: v.low for k, v in one.differences.items()} == {
        k: v.low for k, v in two.differences.items()
    }
    assert [run["params"] for run in one.runs] == [run["params"] for run in two.runs]


def test_the_pool_reaches_what_takes_one(rows):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV

    pool = rows["X_unlab"]
    dual = InverseDualLossRecommender(backbone="bias", max_epochs=2)
    assert pool_params(LogisticRegression(), pool) == {}
    assert pool_params(dual, None) == {}
    for est in (dual, GridSearchCV(dual, {}), CalibratedClassifierCV(dual)):
        (given,) = pool_params(est, pool).values()
        assert given[0] is pool
        assert pool_params(est, (pool, pool)) == {"X_unlab": (pool, pool)}
    pipeline = make_pipeline("passthrough", dual)
    assert list(pool_params(pipeline, pool)) == ["inverseduallossrecommender__X_unlab"]
    one_hot = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), LogisticRegression()
    )
    found = compare_recommenders(
        {"pipeline": pipeline, "one hot": one_hot}, **rows, **QUICK
    )
    assert {"pipeline", "one hot"} < set(found.methods)


# ---- the result ------------------------------------------------------------------


@pytest.fixture
def found(rows):
    return compare_recommenders(
        {"rule <x>": Shouting()}, **rows, **{**QUICK, "seeds": [0, 1]}
    )


def test_frame(found):
    pytest.importorskip("pandas")
    frame = found.to_frame()
    assert frame.index.tolist() == found.methods
    for method in found.methods:
        row = frame.loc[method]
        assert row["gauc"] == found.means[method, "gauc"]
        assert row["gauc_sd"] == found.deviations[method, "gauc"]
        if method != found.reference:
            difference = found.differences[method, "gauc"]
            assert row["gauc_difference"] == difference.difference
            assert row["gauc_low"] <= row["gauc_high"]
            assert row["gauc_p"] == difference.p_value
    assert frame.loc[found.reference, "gauc_difference"] == 0
    assert np.isnan(frame.loc[found.reference, "gauc_low"])
    assert (frame["seconds"] > 0).all()


def test_text_and_html(found):
    text = str(found)
    assert "120 test pairs of 20 users in 1 split, 2 seeds" in text
    assert "reference" in text
    for method in found.methods:
        assert f"{found.means[method, 'roc_auc']:.4f}" in text
    page = found._repr_html_()
    assert "rule &lt;x&gt;" in page
    assert page.count("<tr>") == len(found.methods) + 1


def test_picture(found):
    plt = pytest.importorskip("matplotlib.pyplot")
    ax = found.plot()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[::-1] == found.methods
    assert "right is better" in ax.get_xlabel()
    _, mine = plt.subplots()
    assert found.plot(mine, metric="log_loss") is mine
    assert "left is better" in mine.get_xlabel()
    plt.close("all")
    with pytest.raises(ValueError, match="metric must be one of"):
        found.plot(metric="map")


# ---- resume ----------------------------------------------------------------------


@pytest.fixture
def n_done(monkeypatch):
    """Lists the method of every run that is not taken from the file."""
    done = []
    run = _compare.run

    def noting(task):
        done.append(task.method)
        return run(task)

    monkeypatch.setattr(_compare, "run", noting)
    return done


def test_a_finished_comparison_is_not_repeated(rows, tmp_path, n_done):
    cache = tmp_path / "runs.jsonl"
    settings = {**sign_grid(), **QUICK, "cache": cache}
    first = compare_recommenders({"rule": Shouting()}, **rows, **settings)
    assert len(n_done) == 4
    copies = {name: value.copy() for name, value in rows.items()}
    again = compare_recommenders({"rule": Shouting()}, **copies, **settings)
    assert len(n_done) == 4
    assert again.means == first.means
    assert again.runs == first.runs
    for line in cache.read_text().splitlines():
        assert json.loads(line)["format"].startswith("sklearn_invlearn")


def test_what_has_changed_is_repeated(rows, tmp_path, n_done):
    settings = {**sign_grid(), **QUICK, "cache": str(tmp_path / "runs.jsonl")}
    compare_recommenders({"rule": Shouting()}, **rows, **settings)
    n_done.clear()
    compare_recommenders({"rule": Shouting(sign=-1)}, **rows, **settings)
    assert n_done == ["rule"]
    n_done.clear()
    compare_recommenders({"rule": Shouting()}, **rows, **{**settings, "seeds": [0, 7]})
    assert len(n_done) == 4
    n_done.clear()
    other = {**rows, "y": np.r_[1 - rows["y"][:1], rows["y"][1:]]}
    compare_recommenders({"rule": Shouting()}, **other, **settings)
    assert len(n_done) == 4
    n_done.clear()
    other = {**rows, "X_unlab": rows["X_unlab"][:-1]}
    compare_recommenders({"rule": Shouting()}, **other, **settings)
    assert len(n_done) == 4


def test_resume_after_an_interrupt_and_a_line_cut_short(rows, tmp_path, n_done):
    class Interrupting(Shouting):
        def fit(self, X, y, *, X_unlab=None):
            raise KeyboardInterrupt

    cache = tmp_path / "runs.jsonl"
    settings = {**QUICK, "seeds": [0, 1], "cache": cache}
    methods = {"rule": Shouting(), "stop": Interrupting()}
    with pytest.raises(KeyboardInterrupt):
        compare_recommenders(methods, **rows, **settings)
    assert len(cache.read_text().splitlines()) == 1
    n_done.clear()
    compare_recommenders({"rule": Shouting()}, **rows, **settings)
    assert len(n_done) == 7
    whole = cache.read_text()
    cache.write_text(whole[:-30])
    n_done.clear()
    with pytest.warns(UserWarning, match="cut short"):
        compare_recommenders({"rule": Shouting()}, **rows, **settings)
    assert len(n_done) == 1
    assert len(cache.read_text().splitlines()) == 8


def test_another_file_is_never_written_to(rows, tmp_path):
    for content in ("user,item\n1,2\n", "no newline"):
        file = tmp_path / "ratings.csv"
        file.write_text(content)
        with pytest.raises(ValueError, match=r"compare_recommenders"):
            compare_recommenders({}, **rows, **QUICK, cache=file)
        assert file.read_text() == content


# ---- what goes wrong -------------------------------------------------------------


class Failing(Shouting):
    def fit(self, X, y, *, X_unlab=None):
        if self.sign < 0:
            raise FloatingPointError("diverged")
        return super().fit(X, y, X_unlab=X_unlab)


def test_a_failed_trial_is_counted_and_reported(rows):
    with pytest.warns(UserWarning, match="1 of 2 trials of 'rule' failed.*diverged"):
        found = compare_recommenders(
            {"rule": Failing()}, **rows, **sign_grid(), **QUICK
        )
    (run,) = [run for run in found.runs if run["method"] == "rule"]
    assert (run["n_failed"], run["params"]) == (1, {"sign": 1})
    with pytest.raises(FloatingPointError) as caught:
        compare_recommenders({"rule": Failing(sign=-1)}, **rows, **QUICK)
    assert "Raised by 'rule'" in caught.value.__notes__[0]


def test_errors_come_before_any_training(rows):
    def compare(**changes):
        methods = changes.pop("methods", {"rule": Shouting()})
        compare_recommenders(methods, **{**rows, **QUICK, **changes})

    for changes, message in (
        ({"X_test": None, "y_test": None}, "either X_test and y_test, or cv"),
        ({"cv": 3}, "either X_test and y_test, or cv"),
        ({"y_test": None}, "either X_test and y_test, or cv"),
        ({"reference": "rules"}, "'rules' is not a method"),
        ({"metrics": ["auc"]}, "metric must be one of"),
        ({"select_by": "auc"}, "metric must be one of"),
        ({"param_distributions": {"rul": {}}}, r"entries for \['rul'\]"),
        ({"seeds": [0, 0]}, "different integers"),
        ({"y": np.zeros(180, int)}, "y has one class only"),
        ({"y_test": np.full(120, 2)}, "y_test has labels"),
        ({"y_test": np.ones(120, int)}, "roc_auc is undefined on the test rows"),
        (
            {"validation": 0.006, "select_by": "gauc"},
            "undefined on the validation|least",
        ),
        ({"n_trials": 0}, "n_trials"),
    ):
        with pytest.raises(ValueError, match=message):
            compare(**changes)
    with pytest.raises(TypeError, match="no estimator, but int"):
        compare(methods={"x": 3})
    with pytest.raises(TypeError, match="'ridge' has no predict_proba"):
        compare(methods={"ridge": RidgeClassifier()})
    assert not Shouting.log


def test_logits_are_enough_for_rankings(rows):
    ridge = make_pipeline(OneHotEncoder(handle_unknown="ignore"), RidgeClassifier())
    found = compare_recommenders(
        {"ridge": ridge}, **rows, metrics=["roc_auc", "ndcg@3"], **QUICK
    )
    assert 0 < found.means["ridge", "ndcg@3"] <= 1


def test_a_bar_unless_told_otherwise(rows, capsys):
    settings = {k: v for k, v in QUICK.items() if k != "progress"}
    compare_recommenders({}, **rows, **settings)
    assert "comparison" in capsys.readouterr().err
    compare_recommenders({}, **rows, **settings, progress=False)
    assert capsys.readouterr().err == ""
