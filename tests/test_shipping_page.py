"""The code of docs/updating_and_shipping.md, block by block."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "updating_and_shipping.md"


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 5
    for block in blocks[:3]:
        exec(block, names)
    est, data = names["est"], names["data"]
    assert {"eve", "new film"} <= {*est.user_ids_.tolist(), *est.item_ids_.tolist()}
    assert est.n_iter_ == 50 + 10 + 2
    pytest.importorskip("skops")
    exec(blocks[3], names)
    assert not any(t.startswith(("os.", "posix", "builtins")) for t in names["types"])
    proba = names["again"].predict_proba(data.X)
    np.testing.assert_array_equal(proba, est.predict_proba(data.X))
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    exec(blocks[4], names)
    expected = est.predict_proba([["eve", 3], ["nobody", 8]])[:, 1]
    np.testing.assert_allclose(names["proba"], expected, atol=1e-5)
