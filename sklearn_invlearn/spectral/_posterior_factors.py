"""A factorisation of the labels that counts what they leave open: variational Bayes.

    z = μ + b_u + b_i + p_u·q_i
    (b_u, p_u) ~ N(0, diag(1/λ)),  (b_i, q_i) ~ N(0, diag(1/κ))

The posterior is taken for a Gaussian for each user and each item, independent of the
others (Lim & Teh, KDD Cup 2007; for labels of two classes Seeger & Bouchard, AISTATS
2012). A mode misleads here: three labels of a user fit any of sixteen factors, of which
one may be real. What labels leave open counts as variance instead, which shrinks what
it is multiplied with. The precisions may be learned, too, one for each column: that of
a factor that says nothing grows, and the factor is dropped (MacKay 1995). It is what a
few sharp tastes want; many weak ones would be dropped with the noise.

A label's log likelihood is at least a parabola in z of curvature

    c = tanh(ξ/2) / 2ξ,   closest for ξ² = E z²

(Jaakkola & Jordan, Statistics and Computing 2000). Under it, and with the moments of
the items given, those of a user are, with f = (1, q_i) and the labels' weights w,

    Cov⁻¹ = diag(λ) + Σ w c E[f fᵀ]
    Cov⁻¹ mean = Σ w E[f (y - ½ - c (μ + b_i))].
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from ._bilinear import Bilinear
from ._codes import order_by
from ._convex import fit_biases
from ._gradient import FlatBlocks
from ._labels import Labels
from ._pair_products import pair_products
from ._sparse_times import sparse_times
from ._symmetric import inverse, unfolded

_N_FACTORS_LEARNED = 8  # where precisions are learned, twice as many find no more
# Sweeps with the given precision, and then with precisions that are learned.
_SWEEPS, _SWEEPS_LEARNED = 16, (8, 17)
_MANY = 100_000  # labels from which half as many sweeps come as far
_SPREAD = 0.3  # of factors at the start
_OF_BIASES = 2.0  # precision at the start
_PSEUDO_COUNT = 2.0  # of a weak prior on each precision, at its starting value
_SMALLEST_PRECISION = 0.01
_SMALLEST_FACTOR = 1e-3  # product of the root mean squares of p and q
_SMALLEST_XI = 1e-3
_BLOCK_ROWS = 20_000


def fit_posterior_factors(
    model: Bilinear, labels: Labels, precision: float, seed: int
) -> dict[str, float]:
    """Set the blocks of `model`, in place, to their posterior means.

    Parameters
    ----------
    model : Bilinear
        Of the structure "posterior", or of "relevance", which learns precisions.
    labels : Labels
        Labelled pairs in its codes.
    precision : float
        Of p and q. If it is learned, at the start, while they find what there is: what
        a strong one leaves at zero stays there; under a weak one all fit noise, and
        some stay.
    seed : int
        Of the factors at the start.

    Returns
    -------
    precisions : dict
        For each block the one under which a mode would have its size: what else may
        be learned from here on starts in balance.
    """
    n_factors, n_given, n_learned = model.p.embedding_dim, _SWEEPS, 0
    if model.structure == "relevance":
        n_factors, (n_given, n_learned) = _N_FACTORS_LEARNED, _SWEEPS_LEARNED
    if len(labels) >= _MANY:
        n_given, n_learned = n_given // 2, n_learned // 2
    shape = model.b_u.num_embeddings, model.b_i.num_embeddings
    biases = fit_biases(labels, shape, dict.fromkeys(("b_u", "b_i"), _OF_BIASES))
    posterior = _Posterior(labels, biases, n_factors, precision, seed)
    for sweep in range(n_given + n_learned):
        for side in posterior.sides:
            posterior.update(side)
            if sweep >= n_given:
                side.learn_precision()
        if sweep >= n_given and not posterior.drop_factors():
            break
        posterior.tighten()
    posterior.write_means(model)
    return _precisions_in_balance(model, labels)


class _Side:
    """Moments of (bias, factors) of all users or of all items; the labels by row."""

    def __init__(
        self, codes: np.ndarray, others: np.ndarray, mean: np.ndarray, precision: float
    ) -> None:
        n, d = mean.shape
        self.codes = codes
        self.order, self.starts = order_by(codes, n)
        self.columns = others[self.order]
        self.mean = mean
        self.covariance = np.zeros((n, d, d), dtype=np.float32)
        prior = np.r_[_OF_BIASES, np.full(d - 1, precision)]
        self.prior = self.precision = prior

    def matrix(self, values: np.ndarray, n_others: int) -> sparse.csr_array:
        """Values of the labels; times a table of the other side, sums for each row."""
        entries = values[self.order], self.columns, self.starts
        return sparse.csr_array(entries, (len(self.mean), n_others))

    @property
    def variance(self) -> np.ndarray:
        """Shape (n, d)."""
        return np.diagonal(self.covariance, axis1=1, axis2=2)

    def learn_precision(self) -> None:
        """One over the mean square under the posterior."""
        squares = (self.mean**2 + self.variance).sum(axis=0, dtype=np.float64)
        n = len(self.mean) + _PSEUDO_COUNT
        self.precision = n / (squares + _PSEUDO_COUNT / self.prior)

    def keep(self, columns: np.ndarray) -> None:
        """Forget the others; `columns` are booleans (d,)."""
        self.mean = self.mean[:, columns]
        self.covariance = self.covariance[:, columns][:, :, columns]
        self.prior, self.precision = self.prior[columns], self.precision[columns]


class _Posterior:
    """Both sides, μ, and the curvature of each label's bound."""

    def __init__(
        self,
        labels: Labels,
        biases: Bilinear,
        n_factors: int,
        precision: float,
        seed: int,
    ) -> None:
        rng = np.random.default_rng(seed)
        y, self.weight = (a.astype(np.float32) for a in (labels.y, labels.weight))
        self.slope = self.weight * (y - np.float32(0.5))
        self.mu = float(biases.mu.detach())
        self.sides = []
        pairs = labels.user, labels.item
        for codes, others, name in zip(pairs, pairs[::-1], biases.blocks):
            bias = biases.block(name).detach().numpy()
            factors = rng.normal(scale=_SPREAD, size=(len(bias), n_factors))
            mean = np.hstack([bias, factors]).astype(np.float32)
            self.sides.append(_Side(codes, others, mean, precision))
        self.curvature = np.full(len(labels), 0.25, dtype=np.float32)  # that at z = 0
        self.tighten()

    def update(self, side: _Side) -> None:
        """Solve for one side, the other given."""
        other = self.sides[1 if side is self.sides[0] else 0]
        d = side.mean.shape[1]
        j, k = np.triu_indices(d)
        f = other.mean.copy()
        f[:, 0] = 1
        # E[f fᵀ] and E[f b] are more than products of means where both are uncertain.
        squares = f.take(j, axis=1) * f.take(k, axis=1)
        squares[:, j > 0] += other.covariance[:, j[j > 0], k[j > 0]]
        beside = f * other.mean[:, :1]
        beside[:, 1:] += other.covariance[:, 0, 1:]
        weight = self.weight * self.curvature
        slope = self.slope - weight * np.float32(self.mu)
        curved = side.matrix(weight, len(f))
        right = sparse_times(side.matrix(slope, len(f)), f)
        right -= sparse_times(curved, beside)
        for start in range(0, len(right), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            known = unfolded(sparse_times(curved[rows], squares), d).astype(np.float64)
            side.covariance[rows] = inverse(known + np.diag(side.precision))
        side.mean = np.vecdot(side.covariance, right[:, None])

    def tighten(self) -> None:
        """Set μ to the best under the bounds, and the bounds to the best under all.

        Covariances of one row's numbers are left out of E z²; with any ξ it is a bound.
        """
        (user, m, v), (item, n, w) = (
            (side.codes, side.mean, side.variance) for side in self.sides
        )
        z = m[:, 0].take(user) + n[:, 0].take(item)
        z += pair_products(m[:, 1:], user, n[:, 1:], item)
        variance = v[:, 0].take(user) + w[:, 0].take(item)
        of_user, of_item = np.hstack([m * m, v]), np.hstack([w, n * n + w])
        of_user[:, [0, m.shape[1]]] = 0  # the biases are in already
        variance += pair_products(of_user, user, of_item, item)
        curved = self.weight * self.curvature
        self.mu = float((self.slope.sum() - curved @ z) / curved.sum())
        xi = np.sqrt((z + np.float32(self.mu)) ** 2 + variance).clip(min=_SMALLEST_XI)
        self.curvature = np.tanh(xi / 2) / (2 * xi)

    def drop_factors(self) -> int:
        """Leave out those of no size; return how many there still are."""
        sizes = [np.sqrt((side.mean**2).mean(axis=0)) for side in self.sides]
        kept = sizes[0] * sizes[1] > _SMALLEST_FACTOR
        kept[0] = True  # the biases
        if not kept.all():
            for side in self.sides:
                side.keep(kept)
        return int(kept.sum()) - 1

    @torch.no_grad()
    def write_means(self, model: Bilinear) -> None:
        """Set the blocks of `model`; columns of p and q that are not needed are 0."""
        model.mu.fill_(self.mu)
        for side, (bias, factors) in zip(self.sides, (("b_u", "p"), ("b_i", "q"))):
            mean = torch.from_numpy(side.mean)
            model.block(bias).copy_(mean[:, :1])
            model.block(factors).zero_()
            model.block(factors)[:, : mean.shape[1] - 1] = mean[:, 1:]


def _precisions_in_balance(model: Bilinear, labels: Labels) -> dict[str, float]:
    """λ with λ‖θ‖² = -θ·∂(sum of losses)/∂θ for each block."""
    flat = FlatBlocks(model)
    flat.add_loss_gradient(labels)
    found = {}
    for name in model.blocks:
        value, slope = flat.values[name], flat.slopes[name]
        pull = -len(labels) * float((value * slope).sum(dtype=np.float64))
        squares = float((value**2).sum(dtype=np.float64))
        found[name] = max(pull / max(squares, 1e-12), _SMALLEST_PRECISION)
    return found
