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
