"""Neural matrix factorisation: GMF beside MLP (He et al., WWW 2017, Eq. 12)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._biases import Biases
from ._mlp import Tower
from ._rounding import largest, rounding
from ._tables import FactorTable
from ._tower_grid import tower_grid


class NeuMF(nn.Module):
    """logit = hᵀ[p_u ⊙ q_i, tower(p'_u, q'_i)] + biases."""

    same_in_training = True

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        n_factors: int = 32,
        n_layers: int = 3,
        dropout: float = 0.0,
        user_bias: bool = True,
        item_bias: bool = True,
    ) -> None:
        super().__init__()
        self.user_factors = FactorTable(n_users, n_factors)
        self.item_factors = FactorTable(n_items, n_factors)
        self.tower = Tower(
            n_users, n_items, n_factors=n_factors, n_layers=n_layers, dropout=dropout
        )
        self.head = nn.Linear(2 * n_factors, 1, bias=False)
        self.biases = Biases(n_users, n_items, user_bias=user_bias, item_bias=item_bias)
        nn.init.xavier_uniform_(self.head.weight)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        product = self.user_factors(user) * self.item_factors(item)  # (B, n_factors)
        hidden = torch.cat([product, self.tower(user, item)], dim=-1)
        return self.head(hidden).squeeze(-1) + self.biases(user, item)

    @torch.no_grad()
    def grid(self, user: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (n,), (m,) -> logit (n, m), bound of its rounding error ()."""
        p, q = self.user_factors(user), self.item_factors(item)
        of_product, of_tower = self.head.weight[0].tensor_split([p.shape[1]])
        logit, size, error = tower_grid(
            self.tower.layers, of_tower, *self.tower.rows(user, item)
        )
        logit += (p * of_product) @ q.T
        of_products = (largest(p) * of_product.abs()) @ largest(q)
        size, error = size + of_products, error + rounding(of_products, p.shape[1])
        return self.biases.added_to_grid(logit, size, error, user, item)

    def user_vectors(self, user: Tensor) -> Tensor:
        """Codes (B,) -> embeddings of both halves (B, n_factors + width)."""
        return torch.cat([self.user_factors(user), self.tower.user_factors(user)], -1)

    def item_vectors(self, item: Tensor) -> Tensor:
        """Codes (B,) -> embeddings of both halves (B, n_factors + width)."""
        return torch.cat([self.item_factors(item), self.tower.item_factors(item)], -1)
