"""How the public code of inverse gradient gets its rows: one by one, in Python.

For the seconds alone: :class:`PublicCodeNet` has drawn the same rows as tensors. What
is known of that code is that items are drawn anew once per epoch, one for each row of
training-test, of those the same user has never rated; and that rows come from a dataset
of PyTorch, through its loader. That both are plain Python is taken for granted.
"""

from __future__ import annotations

import random

import torch
from torch.utils.data import DataLoader, TensorDataset

from sklearn_invlearn.training import Pairs


class PublicCodeRows:
    """The rows of an epoch: training-train, training-test, and unlabeled ones.

    Parameters
    ----------
    train, test : Pairs
        Labelled pairs of both parts.
    n_items : int
        Rows of the item table.
    batch_size : int
    """

    def __init__(
        self, train: Pairs, test: Pairs, n_items: int, batch_size: int
    ) -> None:
        self.n_items = n_items
        self.batch_size = batch_size
        self.labelled = [
            TensorDataset(part.user, part.item, part.y) for part in (train, test)
        ]
        self.users = test.user.tolist()
        self.rated: dict[int, set[int]] = {}
        for part in (train, test):
            for user, item in zip(part.user.tolist(), part.item.tolist()):
                self.rated.setdefault(user, set()).add(item)

    def read_once(self) -> None:
        """Draw the unlabeled items of an epoch; pass once over all rows."""
        items = [self._draw(user) for user in self.users]
        unlabeled = TensorDataset(torch.tensor(self.users), torch.tensor(items))
        for rows in (*self.labelled, unlabeled):
            for _ in DataLoader(rows, self.batch_size, shuffle=True):
                pass

    def _draw(self, user: int) -> int:
        item = random.randrange(1, self.n_items)
        while item in self.rated[user]:
            item = random.randrange(1, self.n_items)
        return item
