"""Stages in the history: of fit, of updates, of warm starts."""

import numpy as np
import pytest

from sklearn_invlearn.inspection._recorded import recorded
from sklearn_invlearn.training import RecordRows

from ._cases import (
    NEW,
    NEW_Y,
    fitted,
    make,
)


def test_weights_are_on_the_scale_of_fit(data):
    weight = np.full(len(data.y), 4.0)
    scores = []
    for w, new in ((None, [0.5] * 6), (weight, [2.0] * 6)):
        est = make(backbone="bias", optimizer="sgd").fit(data.X, data.y, w)
        est.partial_fit(NEW, NEW_Y, new)
        scores.append(est.decision_function(NEW))
    np.testing.assert_allclose(*scores, rtol=1e-6)
    est = make(backbone="bias", optimizer="sgd").fit(data.X, data.y)
    assert np.abs(est.partial_fit(NEW, NEW_Y).decision_function(NEW) - scores[0]).max()


def test_every_row_of_the_history_has_a_stage_after_an_update(data):
    est = fitted(data)
    assert all("stage" not in row for row in est.history_)
    rows = [dict(row) for row in est.history_]
    before = est.history_
    est.partial_fit(NEW, NEW_Y, n_epochs=2)
    assert est.history_[:, "stage"] == ["main"] * 3 + ["update"] * 2
    assert [dict(row) for row in before] == rows
    est.set_params(warm_start=True, max_epochs=1).fit(NEW, NEW_Y)
    assert est.history_[:, "stage"] == ["main"] * 3 + ["update"] * 2 + ["main"]
    est.set_params(warm_start=False).fit(data.X, data.y)
    assert "stage" not in est.history_[0]


@pytest.mark.filterwarnings("ignore:.*no extra feedback:UserWarning")
@pytest.mark.parametrize("use", ["warmup", "finetune"])
def test_stages_of_extra_feedback_go_on(use, data):
    est = make("sampled", extra_feedback=use, n_extra_epochs=1, max_epochs=1)
    extra = {"X_extra": (data.X[::3],), "y_extra": (data.y[::3],)}
    both = ["warmup", "main"] if use == "warmup" else ["main", "finetune"]
    est.fit(data.X, data.y, **extra).partial_fit(NEW, NEW_Y)
    assert est.history_[:, "stage"] == [*both, "update"]
    est.set_params(warm_start=True).fit(data.X, data.y)
    assert est.history_[:, "stage"] == [*both, "update", "main"]
    est.fit(data.X, data.y, **extra)
    assert est.history_[:, "stage"] == [*both, "update", "main", *both]
    assert est.history_[:, "epoch"] == list(range(1, 7))


def test_recorded_rows_are_those_of_fit_after_an_update(data):
    est = fitted(data, callbacks=[RecordRows()]).partial_fit(NEW, NEW_Y)
    assert recorded(est, "row_loss").shape == (3, len(data.y))
