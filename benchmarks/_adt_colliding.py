"""Colliding inference for every number of neighbours and every λ, from one fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from _adt import COMMIT, Method, measured
from _adt_movielens import CUTOFFS, GAMMA, Data

from sklearn_invlearn import CollidingRecommender

N_NEIGHBORS = (1, 5, 20, 100)
MIXINGS = tuple(round(0.1 * k, 1) for k in range(11))  # λ; 1 is warm-up alone
THRESHOLDS = (0.1, 0.2, 0.3)
N_CHECKED = 500


def colliding_trial(
    method: Method, data: Data, seed: int, params: dict[str, Any]
) -> dict[str, Any]:
    """Fit once, and mix the logits of users below the largest threshold.

    Arrays ``choose`` and ``report`` have the shape (n_neighbors, n_mixings, n_users,
    n_columns), ``choose_ratio`` and ``report_ratio`` (n_users,).
    """
    inner = method.make("gmf", seed, gamma=GAMMA, **params)
    est = CollidingRecommender(
        recommender=inner,
        n_neighbors=max(N_NEIGHBORS),
        mixing=0.5,
        max_extra_ratio=max(THRESHOLDS),
    )
    ones = np.ones(len(data.train), dtype=int)
    est.fit(data.train, ones, X_extra=(data.extra,), y_extra=(ones[: len(data.extra)],))
    users, items = est.user_ids_, data.items
    pairs = np.column_stack([np.repeat(users, len(items)), np.tile(items, len(users))])
    logit = est.recommender_.decision_function(pairs).reshape(len(users), len(items))
    mixed = np.flatnonzero(est.neighbors_[:, 0] >= 0)
    mixed = mixed[np.argsort(users[mixed])]
    others = neighborhood_means(logit, est.neighbors_[mixed])
    check(est, users[mixed], items, 0.5 * (logit[mixed] + others[max(N_NEIGHBORS)]))
    record: dict[str, Any] = {"commit": COMMIT}
    seen = np.concatenate([data.train, data.choose])
    for part, relevant, masked in (
        ("choose", data.choose, data.train),
        ("report", data.report, seen),
    ):
        rows = mixed[np.isin(users[mixed], relevant[:, 0])]
        kept = np.isin(mixed, rows)
        record[part] = np.array(
            [
                [
                    metrics(
                        mixing * logit[rows] + (1 - mixing) * others[k][kept],
                        users[rows],
                        items,
                        relevant,
                        masked,
                    )
                    for mixing in MIXINGS
                ]
                for k in N_NEIGHBORS
            ]
        )
        record[f"{part}_ratio"] = est.extra_ratio_[rows]
    return record


def neighborhood_means(
    logit: np.ndarray, neighbors: np.ndarray
) -> dict[int, np.ndarray]:
    """Mean logits (n_mixed, n_items) of the first k neighbours, by k."""
    total = np.zeros((len(neighbors), logit.shape[1]))
    means = {}
    for k, position in enumerate(neighbors.T, start=1):
        total += logit[position]
        if k in N_NEIGHBORS:
            means[k] = total / k
    return means


def check(est: Any, users: np.ndarray, items: np.ndarray, logit: np.ndarray) -> None:
    """Make sure that mixing by hand is what the recommender does."""
    rng = np.random.default_rng(0)
    row = rng.integers(len(users), size=N_CHECKED)
    column = rng.integers(len(items), size=N_CHECKED)
    pairs = np.column_stack([users[row], items[column]])
    np.testing.assert_allclose(est.decision_function(pairs), logit[row, column])


def metrics(
    scores: np.ndarray,
    users: np.ndarray,
    items: np.ndarray,
    relevant: np.ndarray,
    masked: np.ndarray,
) -> np.ndarray:
    """Metrics of sorted `users` (n_users, n_columns), items `masked` left out."""
    masked = masked[np.isin(masked[:, 0], users) & np.isin(masked[:, 1], items)]
    rows = np.searchsorted(users, masked[:, 0])
    scores[rows, np.searchsorted(items, masked[:, 1])] = -np.inf
    n_best = max(CUTOFFS)
    some = np.argpartition(-scores, n_best - 1, axis=1)[:, :n_best]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1)
    ranked = items[np.take_along_axis(some, order, axis=1)]
    return measured(ranked, users, relevant[np.isin(relevant[:, 0], users)], CUTOFFS)
