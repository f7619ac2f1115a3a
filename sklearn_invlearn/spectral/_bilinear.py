"""A logit that is bilinear in embeddings of the user and the item.

    z = μ + b_u + b_i + a·P_u + c·Q_i
          + P_uᵀ(diag(g) + W)Q_i + e_u·Q_i + d_i·P_u + p_u·q_i

P and Q are given and stay; everything else is learned. `a` and `c` say which exposed
tastes go with positive labels, `g` and `W` how a user's and an item's tastes match, `e`
and `d` how one user or item departs from that, `p` and `q` what exposures do not show.
Each block of parameters has a Gaussian prior with a precision of its own.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

# Precisions to start from; those of p and q stay, the others are learned.
PRECISIONS = {
    "b_u": 1.5, "b_i": 12.0, "a": 2.0, "c": 1.5, "g": 0.3,
    "W": 15.0, "e": 6.0, "d": 15.0, "p": 7.5, "q": 7.5,
}  # fmt: skip

STRUCTURES = {
    "biases": ("b_u", "b_i"),
    "factors": ("b_u", "b_i", "p", "q"),
    "posterior": ("b_u", "b_i", "p", "q"),
    "relevance": ("b_u", "b_i", "p", "q"),
    "svdpp": ("b_u", "b_i", "p", "q"),
    "linear": ("b_u", "b_i", "a", "c", "g"),
    "crossed": ("b_u", "b_i", "a", "c", "g", "W", "e", "d"),
    "full": tuple(PRECISIONS),
}

# Summands of the logit: what gets a weight of its own.
TERMS = (
    ("mu", "b_u"),
    ("b_i",),
    ("a",),
    ("c",),
    ("g", "W"),
    ("e",),
    ("d",),
    ("p", "q"),
)

N_FREE_FACTORS = 16
_SMALLEST_FACTOR = 1e-3


class Bilinear(nn.Module):
    """One of the STRUCTURES; parameters are attributes by the names above.

    Parameters
    ----------
    P, Q : ndarray of shape (n_users, r), (n_items, r), float32
        Embeddings. Those of "svdpp" are no part of the logit: they are where the priors
        of (b_u, p) and (b_i, q) are centred.
    structure : str
        Key of STRUCTURES: which blocks there are.
    base_rate : float
        Share of positives, strictly between 0 and 1; μ starts at its logit.
    """

    # Tables are modules, the other blocks parameters; both are set by name.
    P: nn.Embedding
    Q: nn.Embedding
    fold_P: Tensor
    fold_Q: Tensor
    b_u: nn.Embedding
    b_i: nn.Embedding
    e: nn.Embedding
    d: nn.Embedding
    p: nn.Embedding
    q: nn.Embedding
    a: nn.Parameter
    c: nn.Parameter
    g: nn.Parameter
    W: nn.Parameter
    held: dict[str, tuple[Tensor, Tensor]] | None = None  # see `hold`

    def __init__(
        self, P: np.ndarray, Q: np.ndarray, structure: str, base_rate: float
    ) -> None:
        super().__init__()
        self.structure = structure
        self.blocks = STRUCTURES[structure]
        (n_users, r), n_items = P.shape, len(Q)
        if "a" in self.blocks or structure == "svdpp":
            self.P = _frozen(P)
            self.Q = _frozen(Q)
            for name in ("fold_P", "fold_Q"):  # see `_fold_in.py`
                self.register_buffer(name, torch.zeros(3 * r + 3, r))
        shapes = {
            "b_u": (n_users, 1), "b_i": (n_items, 1), "a": (1, r), "c": (1, r),
            "g": (1, r), "W": (r, r), "e": (n_users, r), "d": (n_items, r),
            "p": (n_users, N_FREE_FACTORS), "q": (n_items, N_FREE_FACTORS),
        }  # fmt: skip
        for name in self.blocks:
            table = torch.zeros(shapes[name])
            if name in "pq":  # at zero, neither would ever get a gradient
                table.normal_(std=0.05)
            if name in ("a", "c", "g", "W"):
                setattr(self, name, nn.Parameter(table))
            else:  # a table of users or items: its row 0 is the unknown one
                setattr(self, name, nn.Embedding.from_pretrained(table, freeze=False))
        self.mu = nn.Parameter(torch.tensor(math.log(base_rate / (1 - base_rate))))

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        z = self.mu + self.b_u(user).squeeze(-1) + self.b_i(item).squeeze(-1)
        if "p" in self.blocks:
            z = z + (self.p(user) * self.q(item)).sum(-1)
        if "a" not in self.blocks:
            return z
        P, Q = self.P(user), self.Q(item)  # (B, r)
        z = z + P @ self.a[0] + Q @ self.c[0]
        taste = P * self.g  # what the user looks for in Q
        if "W" in self.blocks:
            taste = taste + P @ self.W + self.e(user)
            z = z + (self.d(item) * P).sum(-1)
        return z + (taste * Q).sum(-1)

    def user_side(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors (B, d): all of z that one user decides.

        z is the user's bias + the item's bias + the product of the two vectors.
        """
        bias = self.mu + self.b_u(user).squeeze(-1)
        vectors = [self.p(user)] if "p" in self.blocks else []
        if "a" in self.blocks:
            P = self.P(user)
            bias = bias + P @ self.a[0]
            taste = P * self.g
            if "W" in self.blocks:
                taste = taste + P @ self.W + self.e(user)
                vectors.append(P)
            vectors.append(taste)
        return bias, _side_by_side(vectors, bias)

    def item_side(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors (B, d): the other half of z."""
        bias = self.b_i(item).squeeze(-1)
        vectors = [self.q(item)] if "p" in self.blocks else []
        if "a" in self.blocks:
            Q = self.Q(item)
            bias = bias + Q @ self.c[0]
            if "W" in self.blocks:
                vectors.append(self.d(item))
            vectors.append(Q)
        return bias, _side_by_side(vectors, bias)

    @property
    def rank(self) -> int:
        """Columns of P and Q; 0 without."""
        return self.P.embedding_dim if "P" in self._modules else 0

    def block(self, name: str) -> Tensor:
        """Parameter of a block, whether it is a table or not."""
        value = getattr(self, name)
        return value.weight if isinstance(value, nn.Embedding) else value

    def departure(self, name: str) -> Tensor:
        """Parameter of a block, less where its prior is centred."""
        value = departed = self.block(name)
        if self.structure == "svdpp":
            means = self.P.weight if name in ("b_u", "p") else self.Q.weight
            departed = value - (means[:, 1:] if name in "pq" else means[:, :1])
        if self.held is None:
            return departed
        is_held, place = self.held[name]
        return torch.where(is_held, value - place, departed)

    def hold(self, users: Tensor, items: Tensor) -> None:
        """Centre the prior of some rows (masks), and of what all share, where it is."""
        self.held = {}
        for name in self.blocks:
            place = self.block(name).detach().clone()
            is_held = torch.ones_like(place[:, :1], dtype=torch.bool)
            if name in ("b_u", "e", "p"):
                is_held = users[:, None]
            elif name in ("b_i", "d", "q"):
                is_held = items[:, None]
            self.held[name] = is_held, place


def _side_by_side(vectors: list[Tensor], bias: Tensor) -> Tensor:
    """(B, r), (B, s), ... -> (B, r + s + ...); of no vectors (B, 0)."""
    return torch.cat([bias.new_zeros(len(bias), 0), *vectors], dim=-1)


def _frozen(rows: np.ndarray) -> nn.Embedding:
    return nn.Embedding.from_pretrained(torch.from_numpy(rows), freeze=True)


@torch.no_grad()
def rescale(
    model: Bilinear, precisions: dict[str, float], factors: np.ndarray
) -> dict[str, float]:
    """Multiply the terms (n,) of `model`, in place; return precisions to match.

    λ/s is what keeps a block at a stationary point when it is multiplied by s. p and q
    take √s each, and keep theirs.
    """
    there = {"mu", *model.blocks}
    present = [t for t in ([n for n in names if n in there] for names in TERMS) if t]
    changed = dict(precisions)
    for names, factor in zip(present, factors):
        power = 0.5 if "p" in names else 1.0
        for name in names:
            model.block(name).mul_(factor**power)
            if name in changed and power == 1.0:
                changed[name] /= max(factor, _SMALLEST_FACTOR)
    return changed


@torch.no_grad()
def expanded(
    part: Bilinear, P: np.ndarray, Q: np.ndarray, users: np.ndarray, items: np.ndarray
) -> Bilinear:
    """Model of all users and items from one of the labelled ones alone.

    Parameters
    ----------
    part : Bilinear
        Fitted with embeddings of the same rank, those of a labelled pair.
    P, Q : ndarray of shape (n_users, r), (n_items, r)
        Embeddings of all, as a pair to be predicted sees them.
    users, items : ndarray of int64
        Rows that `part` knows; in the others only the embeddings speak.
    """
    whole = Bilinear(P, Q, part.structure, base_rate=0.5)
    whole.mu.copy_(part.mu)
    for name in part.blocks:
        if name in ("a", "c", "g", "W"):
            whole.block(name).copy_(part.block(name))
        else:
            rows = users if name in ("b_u", "e", "p") else items
            whole.block(name).zero_()
            whole.block(name)[torch.from_numpy(rows)] = part.block(name)
    return whole
