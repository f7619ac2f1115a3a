"""What the public code of [ADT] does, where that is not what the paper says.

Written from a description of that code; not for use elsewhere.

* A negative is drawn for each click before an epoch, among all items but the user's
  training items (so validation and test items are drawn, too).
* T-CE leaves out ⌈ε·|batch|⌉ clicks; ε is a line over the first ε_N steps.
* Every 100 steps the same truncated or reweighted loss is summed over the validation
  clicks and sampled negatives; the model with the smallest sum is reported. In the logs
  of Adressa that is within the first two of ten epochs.
* Tables have a row for every user and item of all three parts. Those without a training
  click keep the random vectors they began with, and are ranked by them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _public_code import PublicGMF, PublicNeuMF
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

MODULES = {"gmf": PublicGMF, "neumf": PublicNeuMF}
BATCH = 1_024
EPOCHS = 10
EVALUATE_EVERY = 100
PATIENCE = 3  # evaluations; the public code runs all epochs whatever happens


@dataclass(frozen=True)
class Logged:
    """A run of the public code: its loss, and what its log ends with."""

    backbone: str
    name: str
    loss: Callable[[Tensor, Tensor, int], Tensor]
    best_step: int
    figures: tuple[float, float, float, float]  # R@3, R@20, N@3, N@20


def plain(logit: Tensor, y: Tensor, _step: int) -> Tensor:
    return binary_cross_entropy_with_logits(logit, y)


def truncated(max_drop_rate: float, n_drop_steps: int) -> Callable[..., Tensor]:
    def loss(logit: Tensor, y: Tensor, step: int) -> Tensor:
        each = binary_cross_entropy_with_logits(logit, y, reduction="none")
        rate = max_drop_rate * min(step / max(n_drop_steps - 1, 1), 1.0)
        n_kept = len(y) - math.ceil(rate * len(y))
        # Clicks are sorted by loss, negatives stand before all of them.
        order = torch.argsort(torch.where(y == 1, each.detach(), -1.0))
        return each[order[:n_kept]].mean()

    return loss


def reweighted(beta: float) -> Callable[..., Tensor]:
    def loss(logit: Tensor, y: Tensor, _step: int) -> Tensor:
        each = binary_cross_entropy_with_logits(logit, y, reduction="none")
        right = torch.sigmoid(torch.where(y == 1, logit, -logit)).detach()
        return (right**beta * each).mean()

    return loss


LOGGED = (
    Logged("gmf", "CE", plain, 800, (0.0880, 0.2141, 0.0780, 0.1237)),
    Logged(
        "gmf", "T-CE", truncated(0.05, 30_000), 900, (0.0892, 0.2170, 0.0790, 0.1254)
    ),
    Logged("gmf", "R-CE", reweighted(0.2), 1400, (0.0891, 0.2142, 0.0765, 0.1229)),
    Logged("neumf", "CE", plain, 100, (0.1416, 0.3159, 0.1267, 0.1886)),
    Logged(
        "neumf", "T-CE", truncated(0.2, 1_000), 200, (0.1418, 0.3106, 0.1227, 0.1840)
    ),
    Logged("neumf", "R-CE", reweighted(0.25), 100, (0.1414, 0.3185, 0.1266, 0.1896)),
)


class Sampler:
    """Clicks and one negative for each, shuffled, as tensors."""

    def __init__(self, train: np.ndarray, n_items: int, seed: int) -> None:
        self.n_items = n_items
        self.observed = np.unique(train[:, 0] * n_items + train[:, 1])
        self.rng = np.random.default_rng(seed)

    def epoch(self, clicks: np.ndarray) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Batches of users, items and labels."""
        user = clicks[:, 0]
        item = self.rng.integers(self.n_items, size=len(user))
        while len(again := np.flatnonzero(self._is_observed(user, item))):
            item[again] = self.rng.integers(self.n_items, size=len(again))
        order = torch.from_numpy(self.rng.permutation(2 * len(user)))
        users = torch.from_numpy(np.tile(user, 2))[order]
        items = torch.from_numpy(np.concatenate([clicks[:, 1], item]))[order]
        labels = (order < len(user)).float()
        parts = (part.split(BATCH) for part in (users, items, labels))
        return list(zip(*parts, strict=True))

    def _is_observed(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        return np.isin(user * self.n_items + item, self.observed)


def trained(
    logged: Logged,
    train: np.ndarray,
    valid: np.ndarray,
    sizes: tuple[int, int],
    seed: int,
) -> tuple[nn.Module, int]:
    """Train as the public code does; return the reported model and its step."""
    torch.manual_seed(seed)
    module = MODULES[logged.backbone](*sizes)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)
    sampler = Sampler(train, sizes[1], seed)
    best: tuple[float, int, Any] = (math.inf, 0, module)
    step = 0
    for _ in range(EPOCHS):
        for user, item, y in sampler.epoch(train):
            optimizer.zero_grad()
            logged.loss(module(user, item), y, step).backward()
            optimizer.step()
            if step and step % EVALUATE_EVERY == 0:
                total = validation_loss(module, logged, sampler.epoch(valid), step)
                if total < best[0]:
                    best = total, step, copy.deepcopy(module)
                elif step >= best[1] + PATIENCE * EVALUATE_EVERY:
                    return best[2], best[1]
            step += 1
    return best[2], best[1]


@torch.no_grad()
def validation_loss(
    module: nn.Module, logged: Logged, batches: list, step: int
) -> float:
    return sum(
        float(logged.loss(module(user, item), y, step)) for user, item, y in batches
    )


@torch.no_grad()
def all_scores(module: Any, users: np.ndarray) -> np.ndarray:
    """Logits of `users` and all items, (n_users, n_items)."""
    side = module.user_factors(torch.from_numpy(users))
    catalogue = module.item_factors.weight
    if isinstance(module, PublicGMF):
        return ((side * module.head.weight) @ catalogue.T).numpy()
    # What the first layer makes of a user and of an item adds up.
    first, *rest = module.tower
    of_user, of_item = first.weight.chunk(2, dim=1)
    user_part = module.user_vectors(torch.from_numpy(users)) @ of_user.T + first.bias
    item_part = module.item_vectors.weight @ of_item.T
    rows = []
    for own, hidden in zip(side, user_part, strict=True):
        hidden = hidden + item_part
        for layer in rest:
            hidden = layer(hidden)
        both = torch.cat([own * catalogue, hidden], dim=1)
        rows.append(module.head(both).squeeze(1))
    return torch.stack(rows).numpy()
