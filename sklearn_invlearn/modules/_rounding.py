"""How far rounding can take a sum of products, in whatever order it is summed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def rounding(size: Tensor, n_terms: int) -> Tensor:
    """Bound of the rounding error of sums of `n_terms` products.

    The error is at most n·ε·Σ|a·b| to first order; the few terms more are for the
    second, and for a sum that is added to others.

    Parameters
    ----------
    size : Tensor
        Σ|a·b|, or more.
    n_terms : int
        Length of the sum.
    """
    return (n_terms + 4) * torch.finfo(size.dtype).eps * size


def largest(rows: Tensor) -> Tensor:
    """Largest absolute value of each column of (n, d), shape (d,); 0 of no rows."""
    return F.pad(rows, (0, 0, 0, 1)).abs().amax(dim=0)
