"""Precisions of the blocks by marginal likelihood (MacKay, Neural Computation 1992).

At the mode of the penalised loss, with H = JᵀwJ + Λ its Hessian (J the derivative of
the logits, w = p(1 - p)), the labels have determined

    γ_b = tr_b(H⁻¹ JᵀwJ)

of the parameters of block b, and λ_b = γ_b / ‖θ_b‖² maximises the approximate evidence.
The trace is estimated with one probe: for r with E[r rᵀ] = JᵀwJ, it is the expectation
of rᵀH⁻¹r restricted to the block. H⁻¹r comes from conjugate gradients over all blocks
jointly; a diagonal H would take correlated parameters for independent ones and shrink
far too much. p and q enter the logit as a product, are not part of H, and keep theirs.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from ._bilinear import PRECISIONS, Bilinear

_BLOCK_ROWS = 20_000
_PSEUDO_COUNT = 0.2  # of a weak prior on each precision, at its starting value
_LARGEST_FACTOR = 4.0  # a precision changes by no more than this at once
_RANGE = (0.01, 1e4)

Blocks = dict[str, np.ndarray]


class Design:
    """J of the linear blocks at labelled pairs, as an operator: never a matrix.

    Parameters
    ----------
    model : Bilinear
        Its blocks and embeddings.
    user, item : ndarray of shape (n,)
        Labelled pairs.
    """

    def __init__(self, model: Bilinear, user: np.ndarray, item: np.ndarray) -> None:
        self.user, self.item = user, item
        self.names = [name for name in model.blocks if name not in "pq"]
        self.shape = (len(model.block("b_u")), len(model.block("b_i")))
        self.by_user = _sorted_pairs(user, item, self.shape)
        self.by_item = _sorted_pairs(item, user, self.shape[::-1])
        if "a" in self.names:
            self.P, self.Q = model.P.weight.numpy(), model.Q.weight.numpy()

    def times(self, v: Blocks) -> np.ndarray:
        """J v: change of the logits (n,) for a change `v` of the parameters."""
        user, item = self.user, self.item
        if "a" not in self.names:
            return v["b_u"][user, 0] + v["b_i"][item, 0]
        P, Q = self.P, self.Q
        left, right = P * v["g"], Q
        if "W" in self.names:
            left = np.hstack([left + P @ v["W"] + v["e"], P])
            right = np.hstack([Q, v["d"]])
        z = (v["b_u"] + P @ v["a"].T)[user, 0] + (v["b_i"] + Q @ v["c"].T)[item, 0]
        for start in range(0, len(z), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            z[rows] += np.einsum("ij,ij->i", left[user[rows]], right[item[rows]])
        return z

    def transposed_times(self, r: np.ndarray) -> Blocks:
        """Jᵀ r: gradient of Σ r z."""
        return self._reduce(r, *((self.P, self.Q) if "a" in self.names else ()))

    def squared_times(self, w: np.ndarray) -> Blocks:
        """Diagonal of Jᵀ diag(w) J."""
        squares = (self.P**2, self.Q**2) if "a" in self.names else ()
        return self._reduce(w, *squares)

    def _reduce(self, r: np.ndarray, *tables: np.ndarray) -> Blocks:
        (order, M), (transposed_order, MT) = self.by_user, self.by_item
        M.data, MT.data = r[order], r[transposed_order]
        n_users, n_items = self.shape
        of_user = np.bincount(self.user, r, n_users)[:, None]
        of_item = np.bincount(self.item, r, n_items)[:, None]
        out = {"b_u": of_user, "b_i": of_item}
        if tables:
            P, Q = tables
            MQ = M @ Q
            out |= {"a": of_user.T @ P, "c": of_item.T @ Q}
            out["g"] = (P * MQ).sum(axis=0, keepdims=True)
            if "W" in self.names:
                out |= {"W": P.T @ MQ, "e": MQ, "d": MT @ P}
        return {name: out[name].astype(np.float32) for name in self.names}


def _sorted_pairs(
    row: np.ndarray, column: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, sparse.csr_array]:
    """Order of pairs by row, and a matrix whose entries are to be put in that order.

    A pair that occurs twice has two entries.
    """
    order = np.argsort(row, kind="stable")
    starts = np.r_[0, np.cumsum(np.bincount(row, minlength=shape[0]))]
    entries = np.ones(len(row), dtype=np.float32)
    return order, sparse.csr_array((entries, column[order], starts), shape=shape)


@torch.no_grad()
def update_precisions(
    model: Bilinear,
    user: np.ndarray,
    item: np.ndarray,
    weight: np.ndarray,
    precisions: dict[str, float],
    rng: np.random.Generator,
) -> None:
    """Move `precisions`, in place, towards the maximum of the evidence.

    Parameters
    ----------
    model : Bilinear
        Near the mode for the present precisions.
    user, item, weight : ndarray of shape (n,)
        Labelled pairs and their weights.
    """
    design = Design(model, user, item)
    p = torch.sigmoid(logits(model, user, item)).numpy()
    w = (weight * p * (1.0 - p)).astype(np.float32)
    sign = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), len(w))
    r = design.transposed_times(np.sqrt(w) * sign)
    solution = conjugate_gradients(design, w, precisions, r)
    for name in design.names:
        start = PRECISIONS[name]
        determined = max(float((solution[name] * r[name]).sum()), 0.0)
        squares = float(model.block(name).square().sum())
        new = (determined + 2 * _PSEUDO_COUNT) / (squares + 2 * _PSEUDO_COUNT / start)
        old = precisions[name]
        factor = np.clip(new / old, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
        precisions[name] = float(np.clip(old * factor, *_RANGE))


def logits(model: Bilinear, user: np.ndarray, item: np.ndarray) -> torch.Tensor:
    """Logits (n,) of pairs, in blocks."""
    pairs = torch.from_numpy(user), torch.from_numpy(item)
    blocks = zip(*(side.split(_BLOCK_ROWS) for side in pairs))
    return torch.cat([model(*block) for block in blocks])


def conjugate_gradients(
    design: Design,
    w: np.ndarray,
    precisions: dict[str, float],
    r: Blocks,
    *,
    n_steps: int = 6,
    tolerance: float = 1e-4,
) -> Blocks:
    """Solve (JᵀwJ + Λ) v = r, preconditioned by the diagonal."""

    def hessian_times(v: Blocks) -> Blocks:
        curved = design.transposed_times(w * design.times(v))
        return {k: curved[k] + precisions[k] * v[k] for k in v}

    diagonal = design.squared_times(w)
    scale = {k: diagonal[k] + precisions[k] for k in r}
    v = {k: np.zeros_like(x) for k, x in r.items()}
    residual = {k: x.copy() for k, x in r.items()}
    direction = {k: residual[k] / scale[k] for k in r}
    size = first = _dot(residual, direction)
    for _ in range(n_steps):
        if size <= tolerance * first or size == 0.0:
            break
        H = hessian_times(direction)
        step = size / _dot(direction, H)
        for k in v:
            v[k] += step * direction[k]
            residual[k] -= step * H[k]
        scaled = {k: residual[k] / scale[k] for k in r}
        size, before = _dot(residual, scaled), size
        direction = {k: scaled[k] + size / before * direction[k] for k in r}
    return v


def _dot(x: Blocks, y: Blocks) -> float:
    return sum(float((x[k] * y[k]).sum()) for k in x)
