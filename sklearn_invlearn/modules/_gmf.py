"""Generalised matrix factorisation (He et al., WWW 2017, Eq. 9)."""

from __future__ import annotations

from torch import Tensor, nn

from ._biases import Biases
from ._tables import FactorTable


class GMF(nn.Module):
    """logit = hᵀ(p_u ⊙ q_i) + biases."""

    same_in_training = True

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        n_factors: int = 32,
        user_bias: bool = True,
        item_bias: bool = True,
    ) -> None:
        super().__init__()
        self.user_factors = FactorTable(n_users, n_factors)
        self.item_factors = FactorTable(n_items, n_factors)
        self.head = nn.Linear(n_factors, 1, bias=False)
        self.biases = Biases(n_users, n_items, user_bias=user_bias, item_bias=item_bias)
        nn.init.xavier_uniform_(self.head.weight)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        product = self.user_factors(user) * self.item_factors(item)  # (B, n_factors)
        return self.head(product).squeeze(-1) + self.biases(user, item)

    def user_side(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors h ⊙ p_u (B, n_factors)."""
        return self.biases.of_user(user), self.head.weight * self.user_factors(user)

    def item_side(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors q_i (B, n_factors)."""
        return self.biases.of_item(item), self.item_factors(item)

    def user_vectors(self, user: Tensor) -> Tensor:
        """Codes (B,) -> embeddings p_u (B, n_factors)."""
        return self.user_factors(user)
