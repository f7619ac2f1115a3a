"""SVD++ in both directions: a factorisation whose priors know the exposures.

    z = μ + b_u + b_i + p_u·q_i
    (b_u, p_u) ~ N(m_u, 1/λ),  m_u = Σ_{j ∈ N(u)} x_j / √|N(u)|
    (b_i, q_i) ~ N(m_i, 1/λ),  m_i = Σ_{v ∈ N(i)} y_v / √|N(i)|

N(u) are the items that a user was shown and N(i) the users that an item was shown to,
labelled or not (Koren, KDD 2008; Rendle et al., arXiv:1905.01395, who add the second
direction). x and y are learned from the labels, so they find in the exposures what
the leading directions of spectral embeddings leave out.

A labelled pair is one of the exposures, a pair to be predicted is not: in training, the
sums leave out the pair itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F

from ._bilinear import N_FREE_FACTORS, Bilinear
from ._convex import fit_biases
from ._labels import Labels
from ._residual_factors import start_factors

_PRECISION_OF_SUMMANDS = 2.5  # of x and y, in units of that of p and q
_SPREAD_OF_SUMMANDS = 0.02  # at the start
_LEARNING_RATE = 0.03
_N_WARM_UP = 15
_N_STEPS = 200
# A step passes over all exposures, so small batches would not be cheaper by much.
_SMALLEST_BATCH = 8_192
_SHARE_OF_A_BATCH = 0.04

_SIDES = (("b_u", "p"), ("b_i", "q"))


def fit_svdpp(
    labels: Labels,
    exposures: sparse.csr_array,
    precisions: dict[str, float],
    seed: int,
) -> Bilinear:
    """Fit to labels; return a model of all users and items.

    Parameters
    ----------
    labels : Labels
        Labelled pairs.
    exposures : csr_array of shape (n_users, n_items)
        0/1; labelled pairs may be among them.
    precisions : dict
        λ of b_u, b_i, p and q.
    seed : int
        Of the start and of the order of the rows.

    Returns
    -------
    model : Bilinear
        Of the structure "svdpp"; its P and Q are (m_u) and (m_i), where the priors
        of its parameters are centred.
    """
    generator = torch.Generator().manual_seed(seed)
    tables = _Tables(exposures, generator)
    mu = nn.Parameter(tables.start(labels, precisions, seed))
    optimizer = torch.optim.Adam(
        [mu, *tables.parameters()], lr=_LEARNING_RATE, betas=(0.9, 0.99), fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda t: min(1.0, (t + 1) / _N_WARM_UP)
        * 0.5 * (1 + math.cos(math.pi * min(t, _N_STEPS) / _N_STEPS)),
    )  # fmt: skip
    batches = _batches(labels, exposures, generator)
    for _ in range(_N_STEPS):
        batch, is_exposed = next(batches)
        user, item, y, weight = map(
            torch.from_numpy, (batch.user, batch.item, batch.y, batch.weight)
        )
        of_user, of_item = tables(user, item, is_exposed)
        z = mu + of_user[:, 0] + of_item[:, 0]
        z = z + (of_user[:, 1:] * of_item[:, 1:]).sum(-1)
        loss = F.binary_cross_entropy_with_logits(z, y, weight)
        loss = loss + tables.penalty(precisions) / len(labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return tables.model(mu)


class _Tables(nn.Module):
    """What is learned for each user and item: departures from the means, summands.

    A row is (bias, factors). `departures` are those of users and of items, `summands`
    those of their means, so x of items and y of users.
    """

    def __init__(self, exposures: sparse.csr_array, generator: torch.Generator) -> None:
        super().__init__()
        self.means = _Means(exposures), _Means(exposures.T.tocsr())
        n_users, n_items = exposures.shape
        columns = 1 + N_FREE_FACTORS
        self.departures = nn.ParameterList(
            torch.zeros(n, columns) for n in (n_users, n_items)
        )
        self.summands = nn.ParameterList(
            _SPREAD_OF_SUMMANDS * torch.randn(n, columns, generator=generator)
            for n in (n_items, n_users)
        )

    @torch.no_grad()
    def start(self, labels: Labels, precisions: dict[str, float], seed: int) -> Tensor:
        """Set departures to biases and to the structure these leave over; return μ."""
        n_users, n_items = map(len, self.departures)
        biases = fit_biases(labels, (n_users, n_items), precisions)
        P, Q = (np.zeros((n, 0), dtype=np.float32) for n in (n_users, n_items))
        model = Bilinear(P, Q, "factors", labels.base_rate)
        for name in ("mu", *biases.blocks):
            model.block(name).copy_(biases.block(name))
        start_factors(model, labels, precisions["p"], np.random.default_rng(seed))
        for names, own in zip(_SIDES, self.departures):
            own.copy_(torch.cat([model.block(name) for name in names], dim=1))
        return model.mu.detach()

    def rows(self) -> list[Tensor]:
        """(b_u, p_u) of all users, (b_i, q_i) of all items."""
        return [
            own + _Mean.apply(summands, means)
            for own, summands, means in zip(self.departures, self.summands, self.means)
        ]

    def forward(
        self, user: Tensor, item: Tensor, is_exposed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rows of the pairs (B, 1 + k), as if those that are exposed were not."""
        of_user, of_item = self.rows()
        x, y = self.summands
        of_pair = [
            (means.scale[codes] * is_exposed).unsqueeze(1)
            for means, codes in zip(self.means, (user, item))
        ]
        return of_user[user] - of_pair[0] * x[item], of_item[item] - of_pair[1] * y[
            user
        ]

    def penalty(self, precisions: dict[str, float]) -> Tensor:
        """Minus the log density of the prior."""
        squares = []
        for (b, p), own, summands in zip(_SIDES, self.departures, self.summands):
            squares.append(precisions[b] * own[:, 0].square().sum())
            squares.append(precisions[p] * own[:, 1:].square().sum())
            of_summands = _PRECISION_OF_SUMMANDS * precisions[p]
            squares.append(of_summands * summands.square().sum())
        return 0.5 * torch.stack(squares).sum()

    @torch.no_grad()
    def model(self, mu: Tensor) -> Bilinear:
        """What has been learned, without the summands."""
        tables, means = self.rows(), []
        for table, own, of_side in zip(tables, self.departures, self.means):
            mean = table - own
            table[of_side.is_new] = mean[of_side.is_new] = of_side.usual @ table
            means.append(mean.numpy())
        P, Q = means
        found = Bilinear(P, Q, "svdpp", base_rate=0.5)
        found.mu.copy_(mu)
        for (bias, factors), table in zip(_SIDES, tables):
            found.block(bias).copy_(table[:, :1])
            found.block(factors).copy_(table[:, 1:])
        return found


class _Means:
    """Rows of a 0/1 matrix over the root of their number of ones.

    Who has no ones is taken for a mean of the others in which those with few count
    more: an empty sum would be far from where the others are (on MovieLens-100K by
    time .04 of AUC among newcomers).
    """

    def __init__(self, exposures: sparse.csr_array) -> None:
        n = np.diff(exposures.indptr)
        scale = np.maximum(n, 1).astype(np.float32) ** np.float32(-0.5)
        self.matrix = (sparse.diags_array(scale) @ exposures).tocsr()
        self.transposed = self.matrix.T.tocsr()
        self.scale = torch.from_numpy(scale)
        self.is_new = torch.from_numpy(n == 0)
        usual = self.scale * ~self.is_new
        self.usual = usual / usual.sum()


class _Mean(torch.autograd.Function):
    """The means of a table's rows: a product with a sparse matrix, by scipy."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, means: _Means) -> Tensor:
        ctx.means = means
        return torch.from_numpy(means.matrix @ table.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.means.transposed @ slopes[0].numpy()), None


def _batches(
    labels: Labels, exposures: sparse.csr_array, generator: torch.Generator
) -> Iterator[tuple[Labels, Tensor]]:
    """Endless batches, and which of their pairs are among the exposures."""
    y, weight = (a.astype(np.float32) for a in (labels.y, labels.weight))
    # Copies, since scipy sets a flag of what it is asked for.
    labels = Labels(labels.user.copy(), labels.item.copy(), y, weight)
    is_exposed = np.asarray(exposures[labels.user, labels.item]).ravel()
    n = len(labels)
    size = min(n, max(_SMALLEST_BATCH, int(n * _SHARE_OF_A_BATCH)))
    while True:
        order = torch.randperm(n, generator=generator).numpy()
        for start in range(0, n - size + 1, size):
            rows = order[start : start + size]
            yield labels[rows], torch.from_numpy(is_exposed[rows].astype(np.float32))
