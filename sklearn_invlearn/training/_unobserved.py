"""Draw pairs that were never observed, exactly and without rejection.

Write a pair as one number, key = user · n_items + item, and sort the observed keys
k_0 < k_1 < …. Before k_j there are k_j - j unobserved pairs, a non-decreasing
sequence; so the unobserved pair of rank r has key r + #{j : k_j - j ≤ r}, one binary
search. A uniform rank is a uniform unobserved pair. The cost does not depend
on how dense the observations are, and no draw has to be thrown away.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._pairs import Pairs
from ._sorted_search import count_up_to


class UnobservedPairs:
    """Sampler of the pairs of known users and items that are not in `observed`.

    Parameters
    ----------
    observed : Pairs
        Pairs never to be drawn; those with an unknown id (code 0) are ignored.
    n_users, n_items : int
        Table sizes; codes 1 … n - 1 are the known ids.
    """

    def __init__(self, observed: Pairs, n_users: int, n_items: int) -> None:
        self.n_known_users = n_users - 1
        self.n_known_items = n_items - 1
        known = (observed.user > 0) & (observed.item > 0)
        key = (observed.user - 1).mul_(self.n_known_items).add_(observed.item).sub_(1)
        self._keys = torch.unique(key if known.all() else key[known])  # sorted
        ranks = torch.arange(len(self._keys), device=self._keys.device)
        self._unobserved_before = self._keys - ranks
        # Unobserved pairs of all users before user u, shape (n_known_users + 1,).
        starts = self.n_known_items * torch.arange(
            self.n_known_users + 1, device=self._keys.device
        )
        self._offset = starts - torch.searchsorted(self._keys, starts)

    def __len__(self) -> int:
        return self.n_known_users * self.n_known_items - len(self._keys)

    def draw(self, n: int, generator: torch.Generator) -> Pairs:
        """Draw `n` pairs, uniformly and with replacement; none if there are none."""
        n = n if len(self) else 0
        rank = torch.randint(
            max(len(self), 1), (n,), generator=generator, device=self._keys.device
        )
        return self._pair_of_rank(rank)

    def draw_for_users(self, user: Tensor, generator: torch.Generator) -> Pairs:
        """Draw one pair for each code in `user` (n,), the item uniformly.

        For the unknown user and for users without an unobserved item a pair of any
        user is drawn; none at all if there are none. Always n pairs, so that
        nothing has to be counted on the device.
        """
        n = len(user) if len(self) else 0
        # 53 random bits: enough for any number of items, and never rounded up to 1.
        uniform = torch.rand(
            n, generator=generator, device=user.device, dtype=torch.float64
        )
        row = (user[:n] - 1).clamp(min=0)
        first = self._offset[row]
        n_unobserved = self._offset[row + 1] - first
        has_one = (user[:n] > 0) & (n_unobserved > 0)
        first = torch.where(has_one, first, 0)
        n_unobserved = torch.where(has_one, n_unobserved, len(self))
        return self._pair_of_rank(first + (uniform * n_unobserved).long())

    def _pair_of_rank(self, rank: Tensor) -> Pairs:
        key = count_up_to(self._unobserved_before, rank).add_(rank)
        user = torch.div(key, self.n_known_items, rounding_mode="floor")
        item = key.sub_(user * self.n_known_items).add_(1)
        return Pairs(user.add_(1), item)
