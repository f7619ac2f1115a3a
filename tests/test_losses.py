"""Losses: identities, the papers' own formulas, extreme logits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_invlearn.losses import (
    MeanCrossEntropy,
    MeanReweightedCrossEntropy,
    align_to_prior,
    annotation_proba,
    cross_entropy,
    inverse_dual,
    reweighted_cross_entropy,
)

DTYPES = [torch.float32, torch.float64]


def paper_weights(z: float) -> tuple[float, float]:
    """w1 and w0 as Eq. 4 prints them, in plain Python floats."""
    p = 1 / (1 + math.exp(-z))
    loss_1, loss_0 = -math.log(p), -math.log(1 - p)
    z_w = loss_0 / loss_1 + loss_1 / loss_0
    return loss_0 / (z_w * loss_1), loss_1 / (z_w * loss_0)


@given(z=st.floats(-20, 20))
def test_annotation_proba_is_the_weight_of_eq_4(z):
    w1, w0 = paper_weights(z)
    assert annotation_proba(torch.tensor(z, dtype=torch.float64)) == pytest.approx(
        w1, rel=1e-6
    )
    assert w0 == pytest.approx(1 - w1, abs=1e-12)


@given(z=st.floats(-20, 20))
def test_inverse_dual_is_eq_4(z):
    p = 1 / (1 + math.exp(-z))
    w1, w0 = paper_weights(z)
    expected = -w1 * math.log(p) - w0 * math.log(1 - p)
    loss = inverse_dual(torch.tensor([z], dtype=torch.float64))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_identity_over_the_whole_range(dtype):
    magnitude = torch.logspace(-6, 4, 400, dtype=dtype)
    z = torch.cat([-magnitude, torch.zeros(1, dtype=dtype), magnitude])
    z.requires_grad_()
    loss = inverse_dual(z)
    (slope,) = torch.autograd.grad(loss.sum(), z)
    w1 = annotation_proba(z.detach())
    assert torch.isfinite(loss).all()
    assert torch.isfinite(w1).all()
    assert ((w1 >= 0) & (w1 <= 1)).all()
    torch.testing.assert_close(slope, torch.sigmoid(z.detach()) - w1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_annotation_is_symmetric_and_increasing(dtype):
    z = torch.linspace(-1e4, 1e4, 20_001, dtype=dtype)
    w1 = annotation_proba(z)
    torch.testing.assert_close(w1, 1 - annotation_proba(-z))
    assert (w1.diff() >= 0).all()
    assert w1[0] == 0
    assert w1[-1] == 1


def test_double_precision_in_the_tail():
    # ℓ0/ℓ1 with ℓ1 = log(1 + e^-z): w0 = ℓ1²/(ℓ0² + ℓ1²), here by series.
    z = torch.tensor([30.0], dtype=torch.float64)
    loss_1, loss_0 = math.exp(-30.0), 30.0
    w0 = 1 / (1 + (loss_0 / loss_1) ** 2)
    assert annotation_proba(-z).item() == pytest.approx(w0, rel=1e-9)


@given(z=st.floats(0.01, 20))
def test_the_dual_loss_sharpens(z):
    """w1 lies beyond p on the side that p is on: 0 is an unstable fixed point."""
    z = torch.tensor(z, dtype=torch.float64)
    assert annotation_proba(z) > torch.sigmoid(z)
    assert annotation_proba(-z) < torch.sigmoid(-z)
    assert annotation_proba(torch.zeros(())) == 0.5


def test_weights_are_under_stop_gradient():
    """Through the weights the slope would be another one; both are finite."""
    z = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    w1 = annotation_proba(z)
    through = w1 * cross_entropy(z, torch.ones(1, dtype=torch.float64))
    through = through + (1 - w1) * cross_entropy(z, torch.zeros(1, dtype=torch.float64))
    (slope_through,) = torch.autograd.grad(through.sum(), z)
    (slope,) = torch.autograd.grad(inverse_dual(z).sum(), z)
    assert not torch.isclose(slope_through, slope)


def test_cross_entropy_by_hand():
    z = torch.tensor([0.0, math.log(3.0), -math.log(3.0)])
    y = torch.tensor([1.0, 1.0, 1.0])
    expected = torch.tensor([math.log(2.0), math.log(4 / 3), math.log(4.0)])
    torch.testing.assert_close(cross_entropy(z, y), expected)


def test_mean_cross_entropy_divides_by_rows_not_by_weights():
    z, y = torch.zeros(4), torch.tensor([0.0, 1.0, 0.0, 1.0])
    weight = torch.tensor([2.0, 0.0, 2.0, 2.0])
    loss = MeanCrossEntropy()(z, y, weight)
    assert loss.item() == pytest.approx(6 * math.log(2) / 4)
    assert MeanCrossEntropy()(z, y).item() == pytest.approx(math.log(2))


@given(z=st.floats(-20, 20), y=st.sampled_from([0.0, 1.0]), beta=st.floats(0, 4))
def test_reweighted_loss_is_eq_4_to_6(z, y, beta):
    p = 1 / (1 + math.exp(-z))
    p_y = p if y else 1 / (1 + math.exp(z))
    loss = reweighted_cross_entropy(
        torch.tensor([z], dtype=torch.float64),
        torch.tensor([y], dtype=torch.float64),
        beta,
    )
    assert loss.item() == pytest.approx(-(p_y**beta) * math.log(p_y), rel=1e-9)


@given(z=st.floats(-15, 15), y=st.sampled_from([0.0, 1.0]), beta=st.floats(0.01, 4))
def test_gradient_of_the_reweighted_loss_is_that_of_generalised_cross_entropy(
    z, y, beta
):
    z = torch.tensor([z], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([y], dtype=torch.float64)
    p_y = torch.sigmoid(torch.where(y == 1, z, -z))
    gce = (1 - p_y**beta) / beta
    (expected,) = torch.autograd.grad(gce.sum(), z)
    (slope,) = torch.autograd.grad(reweighted_cross_entropy(z, y, beta).sum(), z)
    torch.testing.assert_close(slope, expected, rtol=1e-9, atol=1e-300)


def test_reweighted_loss_without_reweighting_is_cross_entropy():
    z, y = torch.linspace(-9, 9, 19), torch.arange(19) % 2.0
    assert torch.equal(reweighted_cross_entropy(z, y, 0.0), cross_entropy(z, y))
    weight = torch.linspace(0, 2, 19)
    mean = MeanReweightedCrossEntropy(0.5)(z, y, weight)
    expected = (weight * reweighted_cross_entropy(z, y, 0.5)).mean()
    torch.testing.assert_close(mean, expected)


@pytest.mark.parametrize("logit", [-1e4, -100.0, 0.0, 100.0, 1e4])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_reweighted_loss_of_extreme_logits_is_finite(logit, y):
    z = torch.tensor([logit], requires_grad=True)
    loss = reweighted_cross_entropy(z, torch.tensor([y]), 0.2)
    (slope,) = torch.autograd.grad(loss.sum(), z)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(slope).all()


@given(st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_aligned_annotations_have_the_mean_of_the_prior_unless_cut(values, prior):
    w1 = torch.tensor(values, dtype=torch.float64)
    aligned = align_to_prior(w1, prior)
    scaled = [w * prior / (sum(values) / len(values)) for w in values]
    assert aligned.min() >= 0
    assert aligned.max() <= 1
    if max(scaled) <= 1:
        assert aligned.mean().item() == pytest.approx(prior)
    else:
        assert aligned.mean().item() <= prior + 1e-9
    expected = torch.tensor([min(1.0, w) for w in scaled], dtype=torch.float64)
    torch.testing.assert_close(aligned, expected)


def test_annotations_that_are_all_zero_stay_finite():
    assert align_to_prior(torch.zeros(3), 0.4).tolist() == [0.0, 0.0, 0.0]
