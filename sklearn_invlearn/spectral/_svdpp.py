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

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from scipy.special import expit
from torch import Tensor

from .._scheduled_adam import ScheduledAdam
from ._bilinear import N_FREE_FACTORS, Bilinear
from ._convex import fit_biases
from ._labels import Labels
from ._pair_products import pair_products
from ._residual_factors import start_factors
from ._sparse_times import sparse_times

_PRECISION_OF_SUMMANDS = 2.5  # of x and y, in units of that of p and q
_SPREAD_OF_SUMMANDS = 0.02  # at the start
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
    tables.start(labels, precisions, seed)
    optimizer = ScheduledAdam(tables.parameters, n_steps=_N_STEPS, n_warm_up=_N_WARM_UP)
    batches = _batches(labels, exposures, generator)
    for _ in range(_N_STEPS):
        slopes = tables.loss_gradient(*next(batches))
        decays = tables.prior_gradient(precisions, len(labels))
        for parameter, slope, decay in zip(tables.parameters, slopes, decays):
            parameter.grad = torch.from_numpy(slope + decay)
        optimizer.step()
    return tables.model()


class _Tables:
    """What is learned for each user and item: departures from the means, summands.

    A row is (bias, factors). `departures` are those of users and of items, `summands`
    those of their means, so x of items and y of users.
    """

    def __init__(self, exposures: sparse.csr_array, generator: torch.Generator) -> None:
        self.means = _Means(exposures), _Means(exposures.T.tocsr())
        n_users, n_items = exposures.shape
        columns = 1 + N_FREE_FACTORS
        self.mu = torch.zeros(1)
        self.departures = [torch.zeros(n, columns) for n in (n_users, n_items)]
        self.summands = [
            _SPREAD_OF_SUMMANDS * torch.randn(n, columns, generator=generator)
            for n in (n_items, n_users)
        ]

    @property
    def parameters(self) -> list[Tensor]:
        """μ, departures, summands."""
        return [self.mu, *self.departures, *self.summands]

    @torch.no_grad()
    def start(self, labels: Labels, precisions: dict[str, float], seed: int) -> None:
        """Set departures to biases and to the structure these leave over; and μ."""
        n_users, n_items = map(len, self.departures)
        biases = fit_biases(labels, (n_users, n_items), precisions)
        P, Q = (np.zeros((n, 0), dtype=np.float32) for n in (n_users, n_items))
        model = Bilinear(P, Q, "factors", labels.base_rate)
        for name in ("mu", *biases.blocks):
            model.block(name).copy_(biases.block(name))
        start_factors(model, labels, precisions["p"], np.random.default_rng(seed))
        for names, own in zip(_SIDES, self.departures):
            own.copy_(torch.cat([model.block(name) for name in names], dim=1))
        self.mu.copy_(model.mu)

    def rows(self) -> list[np.ndarray]:
        """(b_u, p_u) of all users, (b_i, q_i) of all items."""
        return [
            own.numpy() + sparse_times(means.matrix, summands.numpy())
            for own, summands, means in zip(self.departures, self.summands, self.means)
        ]

    def loss_gradient(self, batch: Labels, is_exposed: np.ndarray) -> list[np.ndarray]:
        """Gradient of the mean cross entropy, one of each of `parameters`.

        A pair that is exposed (1.0, else 0.0) is left out of both of its sums: its
        rows are u - s_u x_i and v - s_i y_u with s = 1/√(number of exposures).
        """
        user, item = batch.user, batch.item
        u, v = self.rows()
        x, y = (summands.numpy() for summands in self.summands)
        s_u, s_i = (means.scale for means in self.means)
        own_x, own_y = s_i[:, None] * _factors(x), s_u[:, None] * _factors(y)
        left_out = pair_products(own_y, user, own_x, item)
        left_out -= s_u.take(user) * (x * _with_one(v)).sum(axis=1).take(item)
        left_out -= s_i.take(item) * (y * _with_one(u)).sum(axis=1).take(user)
        z = self.mu.numpy() + u[:, 0].take(user) + v[:, 0].take(item)
        z += pair_products(u[:, 1:], user, v[:, 1:], item) + is_exposed * left_out
        r = batch.weight * (expit(z) - batch.y) / np.float32(len(batch))
        places, shape = (user, item), (len(u), len(v))
        R = sparse.coo_array((r, places), shape)
        R_exposed = sparse.coo_array((is_exposed * r, places), shape)
        of_own_u, of_own_v = (R_exposed @ s_i)[:, None], (R_exposed.T @ s_u)[:, None]
        slope_u = R @ _with_one(v) - of_own_u * _factors(y)
        slope_v = R.T @ _with_one(u) - of_own_v * _factors(x)
        slope_x = s_i[:, None] * (R_exposed.T @ own_y) - of_own_v * _with_one(v)
        slope_y = s_u[:, None] * (R_exposed @ own_x) - of_own_u * _with_one(u)
        slope_x += sparse_times(self.means[0].transposed, slope_u)
        slope_y += sparse_times(self.means[1].transposed, slope_v)
        return [r.sum(keepdims=True), slope_u, slope_v, slope_x, slope_y]

    def prior_gradient(
        self, precisions: dict[str, float], n_labels: int
    ) -> Iterator[np.ndarray]:
        """Gradient of minus the log density of the prior over the number of labels."""
        yield np.zeros(1, dtype=np.float32)
        for (b, p), own in zip(_SIDES, self.departures):
            decay = np.full(own.shape[1], precisions[p] / n_labels, dtype=np.float32)
            decay[0] = precisions[b] / n_labels
            yield own.numpy() * decay
        for (_, p), summands in zip(_SIDES, self.summands):
            of_summands = _PRECISION_OF_SUMMANDS * precisions[p] / n_labels
            yield summands.numpy() * np.float32(of_summands)

    @torch.no_grad()
    def model(self) -> Bilinear:
        """What has been learned, without the summands."""
        tables, means = self.rows(), []
        for table, own, of_side in zip(tables, self.departures, self.means):
            mean = table - own.numpy()
            table[of_side.is_new] = mean[of_side.is_new] = of_side.usual @ table
            means.append(mean)
        P, Q = means
        found = Bilinear(P, Q, "svdpp", base_rate=0.5)
        found.mu.copy_(self.mu[0])
        for (bias, factors), table in zip(_SIDES, tables):
            rows = torch.from_numpy(table)
            found.block(bias).copy_(rows[:, :1])
            found.block(factors).copy_(rows[:, 1:])
        return found


def _with_one(rows: np.ndarray) -> np.ndarray:
    """Derivative of the logit by a row of the other side: (1, factors)."""
    return np.hstack([np.ones_like(rows[:, :1]), rows[:, 1:]])


def _factors(rows: np.ndarray) -> np.ndarray:
    """Rows (0, factors)."""
    return np.hstack([np.zeros_like(rows[:, :1]), rows[:, 1:]])


class _Means:
    """Rows of a 0/1 matrix over the root of their number of ones.

    Who has no ones is taken for a mean of the others in which those with few count
    more: an empty sum would be far from where the others are (on MovieLens-100K by
    time .04 of AUC among newcomers).
    """

    def __init__(self, exposures: sparse.csr_array) -> None:
        n = np.diff(exposures.indptr)
        self.scale = np.maximum(n, 1).astype(np.float32) ** np.float32(-0.5)
        self.matrix = (sparse.diags_array(self.scale) @ exposures).tocsr()
        self.transposed = self.matrix.T.tocsr()
        self.is_new = n == 0
        usual = self.scale * ~self.is_new
        self.usual = usual / usual.sum()


def _batches(
    labels: Labels, exposures: sparse.csr_array, generator: torch.Generator
) -> Iterator[tuple[Labels, np.ndarray]]:
    """Endless batches, and which of their pairs are among the exposures."""
    y, weight = (a.astype(np.float32) for a in (labels.y, labels.weight))
    # Copies, since scipy sets a flag of what it is asked for.
    labels = Labels(labels.user.copy(), labels.item.copy(), y, weight)
    is_exposed = np.asarray(exposures[labels.user, labels.item]).ravel()
    is_exposed = is_exposed.astype(np.float32)
    n = len(labels)
    size = min(n, max(_SMALLEST_BATCH, int(n * _SHARE_OF_A_BATCH)))
    while True:
        order = torch.randperm(n, generator=generator).numpy()
        for start in range(0, n - size + 1, size):
            rows = order[start : start + size]
            yield labels[rows], is_exposed[rows]
