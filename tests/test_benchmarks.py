"""The benchmark scripts can be run: their imports and options are sound."""

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(p.name for p in FOLDER.glob("[!_]*.py"))


@pytest.fixture
def own_modules(monkeypatch):
    """Import the scripts' own modules by name, and forget them afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if Path(file).parent == FOLDER:
            del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_what_it_takes(script, own_modules, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(FOLDER / script), run_name="__main__")
    assert stop.value.code == 0
    assert "--help" in capsys.readouterr().out


def test_every_script_is_described():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in SCRIPTS if f"`{name}`" not in page] == []


def test_a_log_is_drawn_and_measured(own_modules, monkeypatch):
    import random_logs

    small = {"n_users": 80, "n_items": 40, "n_exposures": 1500, "random_state": 0}
    drawn = {**random_logs.draw(10_000), **small, "label_fraction": 0.3}
    monkeypatch.setattr(random_logs, "draw", lambda seed: drawn)
    found = random_logs.measure(3)
    assert set(found["AUC"]) == {"LR", "LR, tuned", "LR + SVD, tuned", "default"}
    page = random_logs.page([found, {"seed": 4, "labels": 7, "AUC": {}}], "At home.")
    assert "1 generated logs" in page
    assert "At home." in page
