"""What the benchmarks of [ADT] share: methods, full rankings, and what they measure.

[ADT]: Wang et al., "Learning Robust Recommender from Noisy Implicit Feedback",
arXiv:2112.01160.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _protocol import current_commit
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterSampler

from sklearn_invlearn import (
    CrossEntropyRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)

COMMIT = current_commit()  # of the code that runs, whatever is committed meanwhile
BLOCK_USERS = 2_048
SEARCH_SEED = 0
N_RESAMPLES = 2_000
SHARED = {
    "user_bias": False,
    "item_bias": False,
    "gamma": 1e-3,
    "batch_size": 1024,
    "early_stopping": False,
    "device": "cpu",
}


@dataclass(frozen=True)
class Method:
    """A row of a table: its estimator, and what its trials choose from."""

    name: str
    estimator: Any
    params: dict[str, Any] = field(default_factory=dict)
    searched: dict[str, Any] = field(default_factory=dict)

    def trials(self, n_trials: int, epochs: Sequence[int]) -> list[dict[str, Any]]:
        """Draw the parameters of each trial; fewer if there are fewer to draw."""
        grid = {"max_epochs": list(epochs), **self.searched}
        n_points = int(np.prod([len(values) for values in grid.values()]))
        n_drawn = min(n_trials, n_points)
        return list(ParameterSampler(grid, n_drawn, random_state=SEARCH_SEED))

    def make(self, backbone: str, seed: int, **params: Any) -> Any:
        """Return the estimator; the hidden layer of CDAE has the paper's width."""
        width = {"n_factors": 200} if backbone == "cdae" else {}
        settings = {"backbone": backbone, **SHARED, **width, **self.params, **params}
        return self.estimator(**settings, random_state=seed)


METHODS = (
    Method(
        "CE", CrossEntropyRecommender, {"negatives": "sampled", "resample": "epoch"}
    ),
    Method(
        "T-CE",
        TruncatedLossRecommender,
        {"resample": "epoch"},
        {
            "max_drop_rate": [0.05, 0.1, 0.2],
            "n_drop_steps": [1_000, 5_000, 10_000, 20_000, 30_000],
        },
    ),
    Method(
        "R-CE",
        ReweightedLossRecommender,
        {"resample": "epoch"},
        {"beta": [0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0]},
    ),
)


# ---- rankings ------------------------------------------------------------------------


def recommended(
    est: Any, users: np.ndarray, items: np.ndarray, masked: np.ndarray, n_best: int
) -> np.ndarray:
    """Best items (n_users, n_best) without pairs `masked`; -1 where there are none."""
    ranked = []
    for block in blocks_of(users):
        shown = masked[np.isin(masked[:, 0], block)]
        ids, _ = est.recommend(
            block,
            n_best,
            exclude_seen=shown if len(shown) else True,
            candidates=items,
        )
        ranked.append(np.where(ids == None, -1, ids).astype(int))  # noqa: E711 - by element
    return np.concatenate(ranked)


def ranked_by(scores: np.ndarray, n_best: int) -> np.ndarray:
    """Best columns of each row of `scores`, ties by column; -inf is left out."""
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :n_best]
    best = np.take_along_axis(scores, ranked, axis=1)
    return np.where(np.isneginf(best), -1, ranked)


def by_popularity(
    train: np.ndarray, users: np.ndarray, n_items: int, masked: np.ndarray, n_best: int
) -> np.ndarray:
    """The same as `recommended` for the number of training clicks of an item."""
    count = np.bincount(train[:, 1], minlength=n_items).astype(float)
    ranked = []
    for block in blocks_of(users):
        scores = np.repeat(count[np.newaxis], len(block), axis=0)
        shown = masked[np.isin(masked[:, 0], block)]
        scores[np.searchsorted(block, shown[:, 0]), shown[:, 1]] = -np.inf
        ranked.append(ranked_by(scores, n_best))
    return np.concatenate(ranked)


def blocks_of(users: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(users), BLOCK_USERS):
        yield users[start : start + BLOCK_USERS]


def measured(
    ranked: np.ndarray, users: np.ndarray, relevant: np.ndarray, cutoffs: Sequence[int]
) -> np.ndarray:
    """Recall at each cutoff, then NDCG, of each user: (n_users, 2 · n_cutoffs).

    Parameters
    ----------
    ranked : ndarray of shape (n_users, max(cutoffs)), int64
        Items, best first; -1 where there are no more.
    users : ndarray of shape (n_users,), sorted
        Each with a relevant item.
    relevant : ndarray of shape (n, 2)
        Distinct pairs of these users and an item.
    cutoffs : sequence of int
    """
    width = 1 + max(int(ranked.max()), int(relevant[:, 1].max()))
    key = np.searchsorted(users, relevant[:, 0]) * width + relevant[:, 1]
    shown = np.arange(len(users))[:, np.newaxis] * width + ranked
    hit = np.isin(shown, key) & (ranked >= 0)
    n_relevant = np.bincount(key // width, minlength=len(users))
    discount = 1 / np.log2(np.arange(2, 2 + ranked.shape[1]))
    ideal = np.append(0.0, np.cumsum(discount))
    recall = [hit[:, :k].sum(axis=1) / n_relevant for k in cutoffs]
    ndcg = [
        hit[:, :k] @ discount[:k] / ideal[np.minimum(n_relevant, k)] for k in cutoffs
    ]
    return np.column_stack(recall + ndcg)


def columns_of(cutoffs: Sequence[int]) -> list[str]:
    """Names of the columns of `measured`."""
    return [f"{name}@{k}" for name in ("R", "N") for k in cutoffs]


# ---- true and false positives --------------------------------------------------------


def told_apart(loss: np.ndarray, is_false: np.ndarray, items: np.ndarray) -> str:
    """Say how well loss (n_epochs, n_rows) and popularity tell false positives."""
    shown = [e for e in (1, 2, 5, 10, 25) if e <= len(loss)]
    by_loss = [f"{roc_auc_score(is_false, loss[e - 1]):.3f}" for e in shown]
    by_count = roc_auc_score(is_false, -np.bincount(items)[items])
    return f"""\
The loss of CE tells false positives from true ones with an AUC of {", ".join(by_loss)}
after {", ".join(map(str, shown))} epochs; that the item has few clicks tells it with
{by_count:.3f}."""


# ---- rows of a table -----------------------------------------------------------------


def with_spread(values: list[np.ndarray], column: int) -> str:
    """Mean over seeds of a column's mean over users, ± standard deviation."""
    means = np.array([v[:, column].mean() for v in values])
    spread = f" ± {means.std(ddof=1):.4f}" if len(means) > 1 else ""
    return f"{means.mean():.4f}{spread}"


def interval(ours: np.ndarray, base: np.ndarray) -> str:
    """Mean difference of two (n_users,), and its middle 95 % over resampled users."""
    difference = ours - base
    rng = np.random.default_rng(0)
    n = len(difference)
    means = [difference[rng.integers(n, size=n)].mean() for _ in range(N_RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
