"""Random labelled pairs and the literal expectation over orders inside ties."""

from itertools import permutations

import numpy as np
from hypothesis import strategies as st

USERS = ("ann", "bob", 7)


@st.composite
def labelled_pairs(draw):
    """Return ``(y_true, y_score, users)``; few scores, so that ties are common."""
    rows = [
        (draw(st.integers(0, 1)), draw(st.integers(-2, 2)), user)
        for user in USERS
        for _ in range(draw(st.integers(0, 5)))
    ]
    # One user with both classes, so that every metric is defined.
    rows += [(1, draw(st.integers(-1, 1)), "eve"), (0, draw(st.integers(-1, 1)), "eve")]
    rows = draw(st.permutations(rows))
    y_true, y_score, users = zip(*rows)
    return list(y_true), list(y_score), list(users)


def mean_over_mixed_users(y_true, y_score, users, value_of_labels, weighted=False):
    """Average a value of ranked labels over tie orders, then over mixed users."""
    values, weights = [], []
    for user in dict.fromkeys(users):
        labels = [y for y, u in zip(y_true, users) if u == user]
        scores = [s for s, u in zip(y_score, users) if u == user]
        if len(set(labels)) == 2:
            values.append(expectation(labels, scores, value_of_labels))
            weights.append(len(labels) if weighted else 1)
    return np.average(values, weights=weights)


def expectation(labels, scores, value_of_labels):
    """Average over all orders of the pairs; sorting is stable and keeps ties so."""
    values = []
    for order in permutations(range(len(labels))):
        ranked = sorted(order, key=lambda row: -scores[row])
        values.append(value_of_labels([labels[row] for row in ranked]))
    return np.mean(values)


def random_pairs(n_pairs, n_users, n_scores, seed=0):
    """Return larger arrays ``(y_true, y_score, users)``."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, n_pairs)
    return y_true, rng.integers(0, n_scores, n_pairs), rng.integers(0, n_users, n_pairs)
