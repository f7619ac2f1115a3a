"""Kinds of labels and pools: noisy labels, selected ones, other pools, label shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from _protocol import SPLIT_SEED, THRESHOLD, Part

FLIPS = {
    "clean, at random": (0.0, 0.0),
    "10 % of both flipped": (0.1, 0.1),
    "20 % of both flipped": (0.2, 0.2),
    "30 % of both flipped": (0.3, 0.3),
    "40 % of both flipped": (0.4, 0.4),
    "20 % of positives flipped": (0.2, 0.0),
    "40 % of positives flipped": (0.4, 0.0),
    "20 % of negatives flipped": (0.0, 0.2),
    "40 % of negatives flipped": (0.0, 0.4),
}
_LABELLED_BY_RATING = np.array([0.0, 0.15, 0.2, 0.3, 0.6, 1.0])


@dataclass(frozen=True)
class Setting:
    """Labelled pairs with labels as observed, their true labels, and the pool."""

    labelled: Part
    pool: np.ndarray
    true_of_pool: np.ndarray


@dataclass(frozen=True)
class Ratings:
    """Training pairs with ratings; pairs the model will be used on."""

    X: np.ndarray
    rating: np.ndarray
    to_score: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """True labels."""
        return (self.rating >= THRESHOLD).astype(int)


def read_ratings(path: str) -> tuple[Ratings, Part]:
    """Return ratings, and the pairs to report on, which no choice used."""
    arrays = np.load(path)

    def pairs(part: str) -> np.ndarray:
        columns = [arrays[f"{part}_user"], arrays[f"{part}_item"]]
        return np.column_stack(columns).astype(np.int64)

    X_valid = pairs("valid")
    y_valid = (arrays["valid_rating"] >= THRESHOLD).astype(int)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(y_valid))
    report = np.array_split(order, 2)[1]
    ratings = Ratings(pairs("train"), arrays["train_rating"], X_valid)
    return ratings, Part(X_valid[report], y_valid[report])


def names() -> list[str]:
    """All regimes."""
    return [
        *FLIPS,
        "only ratings 1 and 5",
        "only the most popular tenth of items",
        "only the most active tenth of users",
        "self-selected: liked items first",
        "label shift: half of the labels positive",
        "pool: with the pairs to be scored",
        "pool: uniform random pairs",
    ]


def make(name: str, ratings: Ratings, fraction: float, seed: int) -> Setting:
    """Label `fraction` of all training rows, in the manner of `name`."""
    order = np.random.default_rng(seed).permutation(len(ratings.X))
    n = int(len(order) * fraction)
    y = ratings.y.copy()
    if name in FLIPS:
        rate = np.where(y == 1, *FLIPS[name])
        y = np.where(np.random.default_rng(1000 + seed).random(len(y)) < rate, 1 - y, y)
    labelled = order[_eligible(name, ratings, seed)[order]][:n]
    if name.startswith("label shift"):
        positive = ratings.y[order] == 1
        labelled = np.concatenate(
            [order[positive][: n // 2], order[~positive][: n // 2]]
        )
    rest = np.setdiff1d(order, labelled)
    pool, true_of_pool = ratings.X[rest], ratings.y[rest]
    if name == "pool: with the pairs to be scored":
        pool = np.vstack([pool, ratings.to_score])
    elif name == "pool: uniform random pairs":
        rng = np.random.default_rng(2000 + seed)
        pool = np.column_stack(
            [rng.choice(np.unique(column), len(pool)) for column in ratings.X.T]
        )
    return Setting(Part(ratings.X[labelled], y[labelled]), pool, true_of_pool)


def _eligible(name: str, ratings: Ratings, seed: int) -> np.ndarray:
    if name == "only ratings 1 and 5":
        return np.isin(ratings.rating, (1, 5))
    if name.startswith("only the most popular"):
        return most_frequent(ratings.X[:, 1])
    if name.startswith("only the most active"):
        return most_frequent(ratings.X[:, 0])
    if name.startswith("self-selected"):
        chance = np.random.default_rng(3000 + seed).random(len(ratings.X))
        return chance < _LABELLED_BY_RATING[ratings.rating]
    return np.ones(len(ratings.X), dtype=bool)


def most_frequent(ids: np.ndarray) -> np.ndarray:
    """Which rows belong to the tenth of ids with the most rows."""
    known, counts = np.unique(ids, return_counts=True)
    return np.isin(ids, known[np.argsort(-counts)[: len(known) // 10]])
