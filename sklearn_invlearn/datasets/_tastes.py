"""What belongs to a user or an item alone: taste vectors, biases, activity."""

import numpy as np
from sklearn.utils import Bunch


def draw_world(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    *,
    taste_consensus: float,
    taste_correlation: float,
    scales: tuple[float, float, float, float],
) -> Bunch:
    """Draw the users and items.

    Parameters
    ----------
    rng : Generator
    shape : (n_users, n_items, n_factors)
    taste_consensus, taste_correlation : float in [0, 1]
        See :func:`~sklearn_invlearn.datasets.make_sparse_feedback`.
    scales : four floats
        Standard deviations of user bias, item bias, activity and popularity.
    """
    n_users, n_items, _ = shape
    taste_rng, own_rng, bias_rng, policy_rng = rng.spawn(4)
    users, items = _draw_factors(taste_rng, shape, taste_consensus)
    own_users, own_items = _draw_factors(own_rng, shape, taste_consensus)
    # The root on both sides makes taste_correlation that of their products.
    shared, own = np.sqrt(taste_correlation), np.sqrt(1 - taste_correlation)
    return Bunch(
        user_factors=users,
        item_factors=items,
        exposure_user_factors=shared * users + own * own_users,
        exposure_item_factors=shared * items + own * own_items,
        user_bias=scales[0] * bias_rng.standard_normal(n_users),
        item_bias=scales[1] * bias_rng.standard_normal(n_items),
        user_activity=scales[2] * policy_rng.standard_normal(n_users),
        item_popularity=scales[3] * policy_rng.standard_normal(n_items),
    )


def _draw_factors(
    rng: np.random.Generator, shape: tuple[int, int, int], consensus: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw vectors whose products have variance 1, `consensus` of it common."""
    n_users, n_items, n_factors = shape
    common = rng.standard_normal(n_factors)
    common *= np.sqrt(n_factors) / np.linalg.norm(common)
    users = rng.standard_normal((n_users, n_factors))
    users = np.sqrt(consensus) * common + np.sqrt(1 - consensus) * users
    items = rng.standard_normal((n_items, n_factors))
    return users / n_factors**0.25, items / n_factors**0.25


def liking_score(
    world: Bunch, pairs: np.ndarray, preference_strength: float
) -> np.ndarray:
    """Log odds of liking without the intercept, shape (n_pairs,)."""
    user, item = pairs.T
    taste = np.einsum("nf,nf->n", world.user_factors[user], world.item_factors[item])
    return world.user_bias[user] + world.item_bias[item] + preference_strength * taste
