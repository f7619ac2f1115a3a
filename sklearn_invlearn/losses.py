"""Losses of a logit, as pure functions of tensors.

Conventions: `logit` is z of shape (B,), floating point; `y` is 0.0 or 1.0 of the
same shape; a function returns one loss per row, shape (B,). With p = sigmoid(z),
ℓ1 = -log p is the loss against label 1 and ℓ0 = -log(1 - p) that against label 0.

[IL] Lin et al., *Inverse Learning with Extremely Sparse Feedback for
Recommendation*, WSDM 2024, doi:10.1145/3616855.3635797.

[ADT] Wang et al., *Learning Robust Recommender from Noisy Implicit Feedback*,
arXiv:2112.01160.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def cross_entropy(logit: Tensor, y: Tensor) -> Tensor:
    """Cross entropy y·ℓ1 + (1 - y)·ℓ0 of every row ([IL] Eq. 1), shape (B,)."""
    return F.binary_cross_entropy_with_logits(logit, y, reduction="none")


def annotation_proba(logit: Tensor) -> Tensor:
    """Weight w1 of the positive label in the dual loss ([IL] Eq. 4), shape (B,).

    The paper's (ℓ0/ℓ1) / (ℓ0/ℓ1 + ℓ1/ℓ0) is ℓ0² / (ℓ0² + ℓ1²), which is
    sigmoid(2·(log ℓ0 - log ℓ1)): no quotient of two numbers that may both have
    underflowed, so it is finite for every finite logit. Differentiable; the dual
    loss takes it under stop-gradient.

    Examples
    --------
    >>> import torch
    >>> annotation_proba(torch.tensor([-1e4, 0.0, 1e4]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    log_loss_1 = torch.log(-F.logsigmoid(logit))
    log_loss_0 = torch.log(-F.logsigmoid(-logit))
    return torch.sigmoid(2.0 * (log_loss_0 - log_loss_1))


def inverse_dual(logit: Tensor) -> Tensor:
    """Inverse Dual Loss w1·ℓ1 + w0·ℓ0 of every row ([IL] Eq. 4), shape (B,).

    Both weights are under stop-gradient: the loss teaches the model its own,
    sharpened, annotation. :func:`inverse_dual_slope` is its derivative.
    """
    return cross_entropy(logit, annotation_proba(logit.detach()))


def inverse_dual_slope(logit: Tensor) -> Tensor:
    """Derivative σ(z) - w1(z) of the Inverse Dual Loss by its logit, shape (B,).

    For who needs a gradient and not the loss; nothing is differentiated.

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([2.0], requires_grad=True)
    >>> (slope,) = torch.autograd.grad(inverse_dual(z).sum(), z)
    >>> torch.allclose(slope, inverse_dual_slope(z))
    True
    """
    logit = logit.detach()
    return torch.sigmoid(logit) - annotation_proba(logit)


def align_to_prior(w1: Tensor, prior: float) -> Tensor:
    """Scale annotations so that their mean is `prior`, and cut at 1; shape (B,).

    An extension, not part of [IL]. The dual loss sharpens, so the mean of w1 drifts
    to the side of the more frequent label. w1·π/mean(w1) takes that back; π is the
    share of positives among the labels, as in the risks of positive and unlabeled
    learning (Kiryo et al., NeurIPS 2017, arXiv:1703.00593). Where the cut takes
    effect the mean stays below `prior`.

    Examples
    --------
    >>> import torch
    >>> align_to_prior(torch.tensor([0.1, 0.3, 0.8]), 0.2)
    tensor([0.0500, 0.1500, 0.4000])
    """
    mean = w1.mean().clamp_min(torch.finfo(w1.dtype).tiny)
    return (w1 * (prior / mean)).clamp_max(1.0)


def reweighted_cross_entropy(logit: Tensor, y: Tensor, beta: float) -> Tensor:
    """R-CE loss p_y^β · CE of every row ([ADT] Eq. 4-6), shape (B,).

    p_y is the probability of the label y, and the weight p_y^β is under stop-gradient.
    The gradient is that of the generalised cross entropy (1 - p_y^β)/β of Zhang and
    Sabuncu (NeurIPS 2018), a proper objective; β = 0 is cross entropy.

    Examples
    --------
    >>> import torch
    >>> y, z = torch.tensor([1.0]), torch.zeros(1, requires_grad=True)
    >>> (slope,) = torch.autograd.grad(reweighted_cross_entropy(z, y, 1.0).sum(), z)
    >>> slope  # that of 1 - p, which is -p (1 - p)
    tensor([-0.2500])
    """
    loss = cross_entropy(logit, y)
    weight = torch.exp(-beta * loss.detach())  # -log p_y is the loss itself
    return weight * loss


def largest_positive_losses(loss: Tensor, y: Tensor, n_largest: int | Tensor) -> Tensor:
    """Mask (B,) of the `n_largest` largest of the positive rows' losses.

    Of equal losses the earlier row comes first; if there are fewer positive rows
    than `n_largest` it is all of them. A loss that is NaN is never among them: to
    drop it would hide that training has diverged.

    Examples
    --------
    >>> import torch
    >>> loss = torch.tensor([0.1, 0.3, 0.9, 0.2])
    >>> largest_positive_losses(loss, torch.tensor([1.0, 1.0, 0.0, 1.0]), 2)
    tensor([False,  True, False,  True])
    """
    candidate = (y == 1) & ~loss.isnan()
    order = torch.where(candidate, loss, -torch.inf).argsort(
        descending=True, stable=True
    )
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    # A candidate of loss -inf does not exist, so candidates have the first ranks.
    return candidate & (rank < n_largest)


class MeanCrossEntropy(nn.Module):
    """Weighted mean of the cross entropy over a batch: the supervised criterion.

    The divisor is the number of rows, not the sum of the weights of the batch:
    with weights of mean 1 over the whole data set, the mean over batches is then
    an unbiased estimate of the weighted loss.
    """

    def forward(self, logit: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the scalar mean of `weight`·CE; `weight` (B,) or None for ones."""
        loss = cross_entropy(logit, y)
        return (loss if weight is None else loss * weight).mean()


class MeanReweightedCrossEntropy(nn.Module):
    """Weighted mean of the R-CE loss over a batch."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, logit: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the scalar mean of `weight`·p_y^β·CE; `weight` (B,) or None."""
        loss = reweighted_cross_entropy(logit, y, self.beta)
        return (loss if weight is None else loss * weight).mean()
