"""Multi-layer perceptron on concatenated embeddings (He et al., WWW 2017, Eq. 10)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._biases import Biases
from ._tables import FactorTable
from ._tower_grid import tower_grid


class Tower(nn.Module):
    """Embeddings of the pair, then `n_layers` layers that halve the width.

    With the published sizes (32 factors, 3 layers): two embeddings of width 128,
    then 256 → 128 → 64 → 32.
    """

    same_in_training = True

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        n_factors: int,
        n_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if n_layers < 1:
            raise ValueError(f"n_layers is {n_layers!r}; at least 1 is needed.")
        width = n_factors * 2 ** (n_layers - 1)
        self.user_factors = FactorTable(n_users, width)
        self.item_factors = FactorTable(n_items, width)
        layers: list[nn.Module] = []
        for level in range(n_layers):
            linear = nn.Linear(2 * width >> level, width >> level)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> hidden (B, n_factors)."""
        return self.layers(torch.cat(self.rows(user, item), dim=-1))

    def rows(self, user: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (n,), (m,) -> embeddings (n, width), (m, width)."""
        return self.user_factors(user), self.item_factors(item)


class MLP(nn.Module):
    """logit = hᵀ tower(p_u, q_i) + biases."""

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
        self.tower = Tower(
            n_users, n_items, n_factors=n_factors, n_layers=n_layers, dropout=dropout
        )
        self.head = nn.Linear(n_factors, 1, bias=False)
        self.biases = Biases(n_users, n_items, user_bias=user_bias, item_bias=item_bias)
        nn.init.xavier_uniform_(self.head.weight)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        hidden = self.tower(user, item)
        return self.head(hidden).squeeze(-1) + self.biases(user, item)

    @torch.no_grad()
    def grid(self, user: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (n,), (m,) -> logit (n, m), bound of its rounding error ()."""
        logit, size, error = tower_grid(
            self.tower.layers, self.head.weight[0], *self.tower.rows(user, item)
        )
        return self.biases.added_to_grid(logit, size, error, user, item)

    def user_vectors(self, user: Tensor) -> Tensor:
        """Codes (B,) -> embeddings (B, width)."""
        return self.tower.user_factors(user)

    def item_vectors(self, item: Tensor) -> Tensor:
        """Codes (B,) -> embeddings (B, width)."""
        return self.tower.item_factors(item)
