"""Tables of parameters with one row per user or item.

Row 0 belongs to unknown ids. It gets no gradient; after training it is filled
with the mean of all other rows, so that an unknown user is scored as the average
user and what is known of the item decides (and the other way round).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EMBEDDING_STD = 0.01  # He et al., Neural Collaborative Filtering, WWW 2017


class FactorTable(nn.Embedding):
    """Embedding of `n_rows` × `n_factors`, drawn from N(0, 0.01²), row 0 zero.

    Attributes
    ----------
    unknown_row : int
        0. An optimiser that updates rows leaves it alone.
    sparse : bool
        Whether the gradient is sparse: one row per lookup, row 0 included. Set for
        such optimisers; otherwise the gradient is dense, with zeros in row 0.
    same_in_training : bool
        True here and in the backbones without dropout: training mode changes nothing.
    """

    unknown_row = 0
    same_in_training = True

    def __init__(self, n_rows: int, n_factors: int) -> None:
        super().__init__(n_rows, n_factors, padding_idx=0)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=EMBEDDING_STD)
        self._fill_padding_idx_with_zero()

    def forward(self, input: Tensor) -> Tensor:
        """Codes (B,) -> rows (B, n_factors)."""
        if self.sparse:
            # With padding_idx, torch would count the unknown ids on the host.
            return F.embedding(input, self.weight, sparse=True)
        return super().forward(input)


class BiasTable(FactorTable):
    """One number per row, zero at the start; the output has no factor axis."""

    same_in_training = True

    def __init__(self, n_rows: int) -> None:
        super().__init__(n_rows, 1)

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Codes (B,) -> numbers (B,)."""
        return super().forward(input).squeeze(-1)


@torch.no_grad()
def fill_unknown_rows(module: nn.Module, n_users: int, n_items: int) -> None:
    """Set row 0 of every table of users or items to the mean of its other rows.

    A table is an ``nn.Embedding`` with as many rows as there are users or items;
    so this serves a user's own module as well.
    """
    for table in _tables(module, n_users, n_items):
        table.weight[0] = table.weight[1:].mean(dim=0)


@contextmanager
def unknown_rows_filled(
    module: nn.Module, n_users: int, n_items: int
) -> Iterator[None]:
    """Fill the rows of unknown ids for the length of a block, and put them back."""
    tables = _tables(module, n_users, n_items)
    before = [table.weight[0].detach().clone() for table in tables]
    try:
        fill_unknown_rows(module, n_users, n_items)
        yield
    finally:
        with torch.no_grad():
            for table, row in zip(tables, before):
                table.weight[0] = row


def _tables(module: nn.Module, n_users: int, n_items: int) -> list[nn.Embedding]:
    return [
        table
        for table in module.modules()
        if isinstance(table, nn.Embedding)
        and table.num_embeddings in (n_users, n_items)
    ]
