"""Who is shown what: numbers of exposures per user, then items without repetition.

Shapes: ``user_factors`` (n_users, n_factors), ``item_factors`` (n_items, n_factors),
``popularity`` (n_items,) on the log scale, ``counts`` (n_users,).
"""

import numpy as np

# Scores held in memory at once: 2**22 float32 and the sort's indices, about 50 MB.
_BLOCK_SCORES = 2**22


def share_exposures(n_exposures: int, activity: np.ndarray, limit: int) -> np.ndarray:
    """Whole numbers proportional to ``exp(activity)``, each at most ``limit``.

    They add up to ``n_exposures`` exactly; what the cap takes from the most
    active users goes to the others in proportion.
    """
    # The least active get next to nothing, but not 0, which has no share of a rest.
    weight = np.exp(np.maximum(activity - activity.max(), -600))
    order = np.argsort(-weight, kind="stable")
    tail = np.cumsum(weight[order][::-1])[::-1]
    # With the k most active users at the cap, the others share what remains.
    n_capped = np.arange(len(weight))
    rate = (n_exposures - limit * n_capped) / tail
    fits = rate * weight[order] <= limit
    quota = np.full(len(weight), float(limit))
    if fits.any():
        first = int(np.argmax(fits))
        quota[order[first:]] = rate[first] * weight[order[first:]]

    # The tolerance keeps 49.999999999 from losing a whole exposure.
    counts = np.floor(quota + 1e-9).astype(np.int64)
    missing = n_exposures - int(counts.sum())
    by_remainder = np.argsort(counts - quota, kind="stable")
    counts[by_remainder[:missing]] += 1
    return counts


def draw_exposures(
    rng: np.random.Generator,
    counts: np.ndarray,
    popularity: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
) -> np.ndarray:
    """Draw ``counts[u]`` distinct items for every user.

    Items are drawn one after another with probability proportional to
    ``exp(popularity[i] + user_factors[u] @ item_factors[i])`` among those not yet
    drawn: the items with the smallest arrival times of independent exponential
    clocks of these rates (the Gumbel top-k trick).

    Returns
    -------
    ndarray of shape (counts.sum(), 2), int64
        Pairs (user, item), without repetition.
    """
    n_items = len(popularity)
    user_factors = user_factors.astype(np.float32)
    item_factors = item_factors.astype(np.float32)
    popularity = popularity.astype(np.float32)
    # Users of like counts share a block, so that none sorts far more than it needs.
    order = np.argsort(counts, kind="stable")
    items = []
    block = max(1, _BLOCK_SCORES // n_items)
    for start in range(0, len(order), block):
        users = order[start : start + block]
        log_rate = user_factors[users] @ item_factors.T + popularity
        clock = rng.standard_exponential(log_rate.shape, dtype=np.float32)
        with np.errstate(divide="ignore"):  # a clock of exactly 0 rings first
            arrival = np.log(clock, out=clock) - log_rate
        items.append(_first_arrivals(arrival, counts[users]))
    return np.column_stack([np.repeat(order, counts[order]), np.concatenate(items)])


def _first_arrivals(arrival: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Columns of the ``counts[r]`` smallest entries of every row r, row by row."""
    n_users, n_items = arrival.shape
    most = int(counts.max(initial=0))
    if most < n_items:
        first = np.argpartition(arrival, most, axis=1)[:, :most]
    else:
        first = np.broadcast_to(np.arange(n_items), (n_users, n_items))
    inner = np.argsort(np.take_along_axis(arrival, first, axis=1), axis=1)
    first = np.take_along_axis(first, inner, axis=1)
    return first[np.arange(most) < counts[:, None]]
