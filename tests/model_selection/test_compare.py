"""All methods with the same budget, rows and seeds."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.model_selection import (
    ColdUserKFold,
    LeaveLastN,
    compare_recommenders,
    paired_bootstrap,
)

from ._compare_cases import BASELINE_NAMES, QUICK, Shouting, sign_grid


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


@pytest.mark.parametrize("values", [[-1, 1], (-1, 1), np.array([-1, 1])])
def test_a_grid_that_is_smaller_than_the_budget_is_tried_as_a_whole(rows, values):
    found = compare_recommenders(
        {"rule": Shouting()},
        **rows,
        param_distributions={"rule": {"sign": values}},
        **{**QUICK, "n_trials": 5},
    )
    (run,) = [run for run in found.runs if run["method"] == "rule"]
    assert (run["n_trials"], run["params"]) == (2, {"sign": 1})


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


@pytest.mark.filterwarnings("ignore:.* with so few, the interval")
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


def test_functions_need_not_be_defined_for_equal_scores(rows):
    def correlation(y, score, users):
        return np.corrcoef(y, score)[0, 1]

    def precision_at_half(y, score, users):
        best = score > np.median(score)
        if not best.any():
            raise ValueError("no row is in the better half")
        return y[best].mean()

    def neg_abs_error(y, score, users):
        return -np.abs(y - score).mean()

    found = compare_recommenders(
        {"rule": Shouting()},
        **rows,
        **{**QUICK, "n_boot": 2},
        metrics=[correlation, precision_at_half, neg_abs_error],
        select_by=correlation,
    )
    assert found.methods[0] == "rule"
    assert found.means["rule", "neg_abs_error"] < 0 < found.means["rule", "correlation"]


def test_validation_may_be_read_once(rows):
    splits = list(ColdUserKFold(3).split(rows["X"]))
    settings = {**QUICK, "seeds": [0, 1]}
    for validation in (splits, iter(splits)):
        found = compare_recommenders({}, **rows, **settings, validation=validation)
        assert len(found.runs) == 6
