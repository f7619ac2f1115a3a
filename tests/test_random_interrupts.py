"""Fits and updates that are interrupted at some line of the package."""

import random
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from sklearn_invlearn import (
    InverseGradientRecommender,
    TruncatedLossRecommender,
    load,
)
from sklearn_invlearn.datasets import make_sparse_feedback

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SIZES = {"n_factors": 4, "max_epochs": 3, "batch_size": 16, "random_state": 0}
STAGED = {"n_extra_epochs": 2, **SIZES}
ESTIMATORS = {
    "gradient": lambda **params: InverseGradientRecommender(
        backbone="gmf", **SIZES, **params
    ),
    "warmup": lambda **params: TruncatedLossRecommender(
        backbone="gmf", extra_feedback="warmup", early_stopping=True, **STAGED, **params
    ),
    "finetune": lambda **params: TruncatedLossRecommender(
        backbone="gmf", extra_feedback="finetune", **STAGED, **params
    ),
}
# Where torch's own settings are being put back, nothing can help.
CONTEXTS = ("_torch_state.py", "_rollback.py")
FEW = make_sparse_feedback(30, 20, n_exposures=400, random_state=1)
NEW = [[901, 902], [903, 904], [int(FEW.X[0, 0]), 904], [901, int(FEW.X[0, 1])]] * 3
NEW_Y = [0, 1, 1, 0] * 3


def tables(name, X=FEW.X, y=FEW.y):
    extra = {"X_extra": (FEW.X[:20],), "y_extra": (FEW.y[:20],)}
    given = {"X": X, "y": y, "X_unlab": (FEW.X_unlab,)}
    return given | (extra if name != "gradient" else {})


def run(call, error=None, line=0, inside=""):
    """Call; raise `error` at a line, by number, of functions named `inside` (or any).

    Return the number of lines that were counted, and whether one has raised.
    """
    n, raised = 0, False

    def trace(frame, event, _):
        nonlocal n, raised
        name = frame.f_code.co_filename
        if "sklearn_invlearn" not in name or name.endswith(CONTEXTS):
            return None
        if event == "line" and inside in ("", frame.f_code.co_name):
            n += 1
            if n == line:
                raised = True
                sys.settrace(None)
                raise error
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except (KeyboardInterrupt, MemoryError):
        assert raised
    finally:
        sys.settrace(before)
    return n, raised


def fitted(name, **params):
    return ESTIMATORS[name](**params).fit(**tables(name))


def calls(est, name, mode):
    more = {"X": NEW + FEW.X.tolist(), "y": NEW_Y + FEW.y.tolist()}
    if mode == "update":
        return lambda: est.partial_fit(NEW, NEW_Y, X_unlab=([[901, 3]],), n_epochs=2)
    return lambda: est.fit(**tables(name, **more))


def assert_works(est, path):
    """All of a model, or nothing of it."""
    assert np.isfinite(est.decision_function(NEW)).all()
    assert len(est.recommend(est.user_ids_)[0]) == len(est.user_ids_)
    if hasattr(est, "trace_"):
        assert est.trace_.ndim == 1
    est.partial_fit(NEW, NEW_Y)
    est.save(path, optimizer=True)
    again = load(path).partial_fit(NEW, NEW_Y)
    est.partial_fit(NEW, NEW_Y)
    assert_array_equal(again.decision_function(NEW), est.decision_function(NEW))


@pytest.mark.parametrize("mode", ["cold", "warm", "update"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_interrupt_leaves_a_model_or_none(name, mode, tmp_path):
    draw = random.Random(f"{name} {mode}")
    n_lines, _ = run(calls(fitted(name, warm_start=mode == "warm"), name, mode))
    for error in (KeyboardInterrupt, MemoryError) * 4:
        est = fitted(name, warm_start=mode == "warm")
        before, n_epochs = est.decision_function(FEW.X), len(est.history_)
        state = torch.get_rng_state()
        call, line = calls(est, name, mode), draw.randint(1, n_lines)
        run(call, error, line)
        assert torch.equal(torch.get_rng_state(), state)
        if mode == "update" or (mode, error) == ("warm", MemoryError):
            same = est.decision_function(FEW.X) == before
            assert same.all() == (len(est.history_) == n_epochs)
        if mode != "cold" or hasattr(est, "net_"):
            assert_works(est, tmp_path / "model")


@pytest.mark.parametrize("name", ["record_trace", "_state_of"])
def test_an_interrupt_while_something_is_recorded(name, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sklearn_invlearn.training._compiled_rows.kernels", lambda: None
    )
    for line in range(1, 12):
        est = ESTIMATORS["gradient"]()
        _, raised = run(calls(est, "gradient", "cold"), KeyboardInterrupt, line, name)
        assert raised
        assert_works(est, tmp_path / "model")
