"""GMF as a textbook has it in torch: two embeddings, fused Adam, a plain loop."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sklearn_invlearn.training import Pairs


class PlainGMF(nn.Module):
    """logit = hᵀ(p_u ⊙ q_i) + μ, with dense gradients."""

    def __init__(self, n_users: int, n_items: int, n_factors: int = 32) -> None:
        super().__init__()
        self.user = nn.Embedding(n_users, n_factors)
        self.item = nn.Embedding(n_items, n_factors)
        self.head = nn.Linear(n_factors, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        return self.head(self.user(user) * self.item(item)).squeeze(-1)


class PlainLoop:
    """Epoch after epoch of cross entropy."""

    def __init__(self, pairs: Pairs, sizes: tuple[int, int], batch_size: int) -> None:
        self.pairs, self.batch_size = pairs, batch_size
        self.module = PlainGMF(*sizes)
        self.optimizer = torch.optim.Adam(self.module.parameters(), fused=True)
        self.criterion = nn.BCEWithLogitsLoss()

    def epoch(self) -> None:
        """Pass over all pairs once."""
        for rows in torch.randperm(len(self.pairs)).split(self.batch_size):
            batch = self.pairs[rows]
            self.optimizer.zero_grad()
            self.criterion(self.module(batch.user, batch.item), batch.y).backward()
            self.optimizer.step()
