"""Comparisons that go on from a file."""

import json
from pathlib import Path

import numpy as np
import pytest

from sklearn_invlearn.model_selection import (
    _compare,
    compare_recommenders,
)
from sklearn_invlearn.model_selection._run_cache import RunCache

from ._compare_cases import QUICK, Shouting, sign_grid


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


def test_other_code_is_repeated(rows, tmp_path, n_done):
    """Under the name that it had, as a cell of a notebook that is edited has it."""
    settings = {**sign_grid(), **QUICK, "cache": tmp_path / "runs.jsonl"}

    def validation(sign, select_by):
        def proba(self, X):
            return Shouting(sign=sign * self.sign).predict_proba(X)

        edited = type("Edited", (Shouting,), {"predict_proba": proba})
        n_done.clear()
        found = compare_recommenders(
            {"rule": edited()}, **rows, **settings, select_by=select_by
        )
        return next(run for run in found.runs if run["method"] == "rule")

    first = validation(1, lambda y, s, u: s[y == 1].mean())
    assert first["params"] == {"sign": 1}
    validation(1, lambda y, s, u: s[y == 1].mean())
    assert n_done == []
    assert validation(-1, lambda y, s, u: s[y == 1].mean())["params"] == {"sign": -1}
    assert n_done == ["rule"]
    other = validation(1, lambda y, s, u: -s[y == 1].mean())
    assert len(n_done) == 4
    assert (other["params"], other["validation"] < 0) == ({"sign": -1}, True)


@pytest.mark.filterwarnings("ignore:.* with so few, the interval")
def test_other_training_rows_with_the_same_labels_are_repeated(rows, tmp_path, n_done):
    X, y = rows["X"], rows["y"]
    by_class = np.flatnonzero(y == 0)[:60], np.flatnonzero(y == 1)[:60]
    test = np.concatenate([some[40:] for some in by_class])
    for half in (slice(0, 20), slice(20, 40)):
        train = np.concatenate([some[half] for some in by_class])
        n_done.clear()
        compare_recommenders(
            {"rule": Shouting()},
            X,
            y,
            cv=[(train, test)],
            cache=tmp_path / "runs.jsonl",
            **QUICK,
        )
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


def test_a_missing_folder_is_made(rows, tmp_path):
    path = tmp_path / "deep" / "er" / "runs.jsonl"
    compare_recommenders({}, **rows, **QUICK, cache=path)
    assert len(path.read_text().splitlines()) == 3


def test_another_file_is_never_written_to(rows, tmp_path):
    for content in ("user,item\n1,2\n", "no newline"):
        file = tmp_path / "ratings.csv"
        file.write_text(content)
        with pytest.raises(ValueError, match=r"compare_recommenders"):
            compare_recommenders({}, **rows, **QUICK, cache=file)
        assert file.read_text() == content


def test_a_cut_line_is_taken_off_though_the_disk_is_full(tmp_path, monkeypatch):
    file = tmp_path / "runs.jsonl"
    RunCache(file).add("one", {"method": "rule"})
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:-9])

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.warns(UserWarning, match="cut short"):
        assert list(RunCache(file).runs) == ["one"]
    assert file.read_bytes() == whole
