"""The snippets of docs/evaluate_and_audit.md run, one after the other."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "evaluate_and_audit.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_every_snippet_runs_and_gives_what_the_text_says(capsys):
    plt = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("optuna")
    names: dict = {}
    *ours, cleanlab = SNIPPETS
    for snippet in ours:
        exec(snippet, names)
    plt.close("all")
    assert 0.4 < names["cold"] < names["warm"] < 0.9
    assert 0 < names["recall_at_10"] < 1
    assert len(names["found"].methods) == 5
    assert 0 < names["ece"] < 0.3
    assert len(names["study"].trials) == 5
    assert set(names["study"].best_params) == {"gamma", "weight_decay"}
    for model in (names["by_folds"], names["on_held_out"]):
        proba = model.predict_proba(names["data"].X_test)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert names["precision"][0] > names["wrong"].mean()
    assert 1 <= names["watched"].best_epoch <= 10
    shown = capsys.readouterr().out
    assert "reference" in shown
    assert "labels are suspected" in shown
    pytest.importorskip("cleanlab")
    exec(cleanlab, names)
    assert names["issues"].shape == names["data"].y.shape
