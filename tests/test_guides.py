"""Every guide of docs/ runs from top to bottom, and ends with what it promises."""

import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"


def run(name):
    """Names that the code of a page leaves behind."""
    page = (DOCS / name).read_text(encoding="utf-8")
    names: dict = {}
    for snippet in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(snippet, name, "exec"), names)
    return names


def test_from_a_log(capsys):
    pytest.importorskip("pandas")
    names = run("from_a_log.md")
    past, future, pool = names["past"], names["future"], names["pool"]
    assert len(past) + len(future) == len(names["labelled"])
    assert past["time"].max() < future["time"].min()
    assert pool["time"].max() < future["time"].min()
    assert pool["watched"].between(0.1, 0.9).all()
    table = names["table"]
    assert (table["default"] > table["logistic regression"] + 0.01).all()
    assert str(table.round(3)) in capsys.readouterr().out


def test_annotate_and_rank(capsys):
    pytest.importorskip("pandas")
    names = run("annotate_and_rank.md")
    pool, frame, report = names["pool"], names["frame"], names["report"]
    assert names["w1"].shape == (len(pool),)
    assert list(frame) == ["viewer", "film", "proba", "w1", "confidence", "label"]
    assert frame["viewer"].equals(pool["viewer"])
    assert 0 < len(names["sure"]) < len(frame)
    assert report.n_abstained == frame["label"].isna().sum()
    assert names["by_user"]["n_pairs"].sum() == len(pool)
    assert names["verdict"].text in capsys.readouterr().out
    assert names["films"].shape == names["scores"].shape == (5,)
    shown = pool[pool["viewer"] == 3]["film"]
    assert not set(names["unseen"]) & set(shown)
    assert set(names["few"]) <= {4, 8, 15, 16, 23, 42, None}
    assert names["alike"].shape == (5, 3)
    assert names["neighbours"].shape == (3,)
    table = names["table"]
    assert table["group"].tolist() == list(range(len(table)))
    assert table["n_pairs"].sum() == len(names["data"].y_test)
    parts = names["parts"]
    total = parts[["intercept", "of_user", "of_item", "interaction"]].sum(axis=1)
    np.testing.assert_allclose(total, parts["logit"])
