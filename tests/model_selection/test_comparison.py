"""What a comparison says: text, frame, picture."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_invlearn.model_selection import (
    compare_recommenders,
)

from ._compare_cases import QUICK, Shouting


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
    level = {
        key: replace(d, confidence_level=0.975) for key, d in found.differences.items()
    }
    assert "beyond the 97.5% interval" in str(replace(found, differences=level))
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
