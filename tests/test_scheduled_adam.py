"""The optimiser of fits with a given number of steps, against torch's Adam."""

import math
import subprocess
import sys

import pytest
import torch

from sklearn_invlearn._scheduled_adam import ScheduledAdam


def test_steps_are_those_of_torch_under_the_same_schedule():
    generator = torch.Generator().manual_seed(0)
    ours, theirs, never = (torch.ones(3, 2) for _ in range(3))
    mine = ScheduledAdam([ours, never], n_steps=20, n_warm_up=5)
    adam = torch.optim.Adam([theirs], betas=(0.9, 0.99))
    for t in range(20):
        ours.grad = torch.randn(3, 2, generator=generator)
        theirs.grad = ours.grad.clone()
        fall = 0.5 * (1 + math.cos(math.pi * t / 20))
        adam.param_groups[0]["lr"] = 0.03 * min(1.0, (t + 1) / 5) * fall
        mine.step()
        adam.step()
        torch.testing.assert_close(ours, theirs)
    assert torch.equal(never, torch.ones(3, 2))  # it has no gradient
    assert ours.grad is not None
    mine.zero_grad()
    assert ours.grad is None


def test_steps_do_not_depend_on_the_default_type():
    moved = []
    for dtype in (torch.float32, torch.bfloat16):  # that cannot count beyond 256
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            parameter = torch.ones(2, dtype=torch.float32)
            parameter.grad = torch.ones(2, dtype=torch.float32)
            optimizer = ScheduledAdam([parameter], n_steps=500, n_warm_up=1)
            for _ in range(300):
                optimizer.step()
        finally:
            torch.set_default_dtype(before)
        moved.append(parameter)
    assert torch.equal(*moved)


FIT = """
import sys, numpy as np
import sklearn_invlearn as inv
X = np.random.default_rng(0).integers(9, size=(60, 2))
est = inv.InverseGradientRecommender(device="cpu", max_epochs=1, {params})
est.fit(X, X.sum(axis=1) % 2, X_unlab=(X[:5, ::-1],)).predict_proba(X)
assert "torch._dynamo" not in sys.modules
"""


@pytest.mark.parametrize(
    "params", ["", "backbone='gmf'", "backbone='gmf', optimizer='sgd'"]
)
def test_no_fit_loads_the_compiler_of_torch(params):
    # It takes 1.4 s, and any first optimiser of torch's own does it.
    done = subprocess.run(
        [sys.executable, "-c", FIT.format(params=params)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
