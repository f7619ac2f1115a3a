"""What a trace says about α, on traces made by hand and real ones."""

import numpy as np
import pytest

from sklearn_invlearn import InverseGradientRecommender
from sklearn_invlearn.inspection import trace_verdict

DTYPE = [("epoch", int), *((f"loss_{n}", float) for n in ("direct", "pass", "inverse"))]


def trace_of(*steps, repeat=100):
    """Each step: change by direct, change by inverse; loss 0.5 without."""
    rows = []
    for direct, inverse in steps * repeat:
        losses = {"direct": 0.5 + direct, "pass": 0.5, "inverse": 0.5 + inverse}
        chosen = min(losses, key=lambda name: np.nan_to_num(losses[name], nan=9e9))
        rows.append((1, *losses.values(), chosen))
    return np.array(rows, dtype=[*DTYPE, ("direction", "U7")])


GOOD, BAD, OVER = (-0.01, 0.012), (0.012, -0.01), (0.02, 0.03)


@pytest.mark.parametrize(
    ("steps", "verdict", "words"),
    [
        ([GOOD], "balanced", "100% direct"),
        ([GOOD, GOOD, BAD, OVER], "balanced", "50% direct, 25% pass, 25% inverse"),
        ([OVER], "too large", "overshoots, and most are not taken"),
        ([GOOD, OVER], "too large", "a tenth"),
        (
            [GOOD, *[BAD] * 8, *[OVER] * 3],
            "too large",
            "most of the others are inverse",
        ),
        ([BAD], "disagreement", "CrossEntropyRecommender"),
        ([BAD, BAD, GOOD], "disagreement", "contradict"),
        ([(0.0, 0.0)], "too small", "mean nothing"),
        ([(1e-8, -2e-8), (-2e-8, 1e-8)], "too small", "mean nothing"),
        ([(-1e-5, 1e-5)], "too small", "all steps together"),
        ([(-1e-5, 1e-5), (-1e-5, 1e-5), (1e-5, 1e-5)], "balanced", "more steps"),
        ([(np.nan, np.inf), GOOD], "too large", "50% of the steps"),
        ([(np.nan, np.nan)], "too large", "100% of the steps"),
    ],
)
def test_verdicts(steps, verdict, words):
    result = trace_verdict(trace_of(*steps))
    assert result.verdict == verdict
    assert words in result.text
    assert str(result) == result.text
    assert sum(result.shares.values()) == pytest.approx(1)


def test_figures():
    result = trace_verdict(trace_of(GOOD, BAD, OVER, GOOD))
    assert result.shares == {"direct": 0.5, "pass": 0.25, "inverse": 0.25}
    assert result.change == pytest.approx(0.012 / 0.5)  # of 0.024, 0.024, 0.06, 0.024


def test_many_small_steps_add_up():
    step = (-1e-5, 1e-5)
    assert trace_verdict(trace_of(step, repeat=400)).verdict == "too small"
    assert trace_verdict(trace_of(step, repeat=600)).verdict == "balanced"


def test_a_short_trace_says_so():
    assert "little to go by" in trace_verdict(trace_of(OVER, repeat=19)).text
    assert "little to go by" not in trace_verdict(trace_of(OVER, repeat=20)).text


def test_no_steps():
    result = trace_verdict(trace_of()[:0])
    assert result.verdict == "no steps"
    assert np.isnan(result.change)


@pytest.mark.parametrize(
    "other", [InverseGradientRecommender(), [{"epoch": 1}], [], np.zeros(3)]
)
def test_what_is_no_trace_is_refused(other):
    with pytest.raises(TypeError, match=r"not the trace.*est\.trace_"):
        trace_verdict(other)


@pytest.mark.parametrize(
    ("alpha", "verdict"), [(1e-9, "too small"), (0.3, "balanced"), (1e3, "too large")]
)
def test_real_traces(alpha, verdict, data):
    est = InverseGradientRecommender(
        backbone="gmf", alpha=alpha, gamma=0.01, batch_size=32, max_epochs=10,
        n_unlabeled_steps=4, random_state=0,
    ).fit(data.X, data.y, X_unlab=(data.X_unlab,))  # fmt: skip
    assert trace_verdict(est.trace_).verdict == verdict


def test_the_gate_is_no_step():
    gate = trace_of(OVER, repeat=3)
    gate["epoch"] = 0
    both = np.concatenate([gate, trace_of(GOOD)])
    assert trace_verdict(both) == trace_verdict(trace_of(GOOD))
    alone = trace_verdict(gate)
    assert alone.verdict == "no steps"
    assert "Give alpha" in alone.text
    assert "held-out labels decide" in alone.text
    nothing = trace_verdict(gate[:0])
    assert nothing.verdict == "no steps"
    assert "nothing was asked" in nothing.text
