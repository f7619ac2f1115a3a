"""Losses of a logit, as pure functions of tensors.

Conventions: `logit` is z of shape (B,), floating point; `y` is 0.0 or 1.0 of the
same shape; a function returns one loss per row, shape (B,). With p = sigmoid(z),
ℓ1 = -log p is the loss against label 1 and ℓ0 = -log(1 - p) that against label 0.

[IL] Lin et al., *Inverse Learning with Extremely Sparse Feedback for
Recommendation*, WSDM 2024, doi:10.1145/3616855.3635797.
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

    Both weights are under stop-gradient, so the derivative with respect to the
    logit is sigmoid(z) - w1(z): the loss teaches the model its own, sharpened,
    annotation.

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([2.0], requires_grad=True)
    >>> (slope,) = torch.autograd.grad(inverse_dual(z).sum(), z)
    >>> torch.allclose(slope, torch.sigmoid(z) - annotation_proba(z))
    True
    """
    return cross_entropy(logit, annotation_proba(logit.detach()))


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
