"""Feedback with known truth: few labels, and a large log of exposures without."""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from .._intervals import Interval
from ._exposure_policy import draw_exposures, share_exposures
from ._label_model import calibrate_intercept, flip_labels, select_labelled
from ._tastes import draw_world, liking_score


@validate_params(
    {
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_items": [Interval(Integral, 1, None, closed="left")],
        "n_exposures": [Interval(Integral, 1, None, closed="left")],
        "label_fraction": [Interval(Real, 0, 1, closed="right")],
        "test_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "exposure_affinity": [Interval(Real, 0, None, closed="left")],
        "preference_strength": [Interval(Real, 0, None, closed="left")],
        "taste_correlation": [Interval(Real, 0, 1, closed="both")],
        "taste_consensus": [Interval(Real, 0, 1, closed="both")],
        "activity_scale": [Interval(Real, 0, None, closed="left")],
        "popularity_scale": [Interval(Real, 0, None, closed="left")],
        "user_bias_scale": [Interval(Real, 0, None, closed="left")],
        "item_bias_scale": [Interval(Real, 0, None, closed="left")],
        "positive_rate": [Interval(Real, 0, 1, closed="neither")],
        "false_positive_rate": [Interval(Real, 0, 1, closed="both")],
        "false_negative_rate": [Interval(Real, 0, 1, closed="both")],
        "label_selection": [StrOptions({"random", "popular", "active"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_sparse_feedback(
    n_users: int = 600,
    n_items: int = 300,
    *,
    n_exposures: int = 30_000,
    label_fraction: float = 0.05,
    test_fraction: float = 0.2,
    n_factors: int = 6,
    exposure_affinity: float = 1.0,
    preference_strength: float = 1.5,
    taste_correlation: float = 1.0,
    taste_consensus: float = 0.2,
    activity_scale: float = 0.7,
    popularity_scale: float = 0.7,
    user_bias_scale: float = 0.7,
    item_bias_scale: float = 0.7,
    positive_rate: float = 0.6,
    false_positive_rate: float = 0.0,
    false_negative_rate: float = 0.0,
    label_selection: str = "random",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Generate a log of exposures of which few carry a label, with known truth.

    The story, in order:

    1. *Tastes.* Every user and item gets a Gaussian vector of `n_factors` numbers,
       scaled such that the taste ``user_factors[u] @ item_factors[i]`` has mean 0
       and variance 1 over pairs, and a Gaussian bias.
    2. *Exposure.* The user's activity sets how many items are shown; which ones is
       drawn without repetition with log odds ``item_popularity[i] +
       exposure_affinity * taste_e[u, i]``, where ``taste_e`` correlates with the
       taste by `taste_correlation`.
    3. *Truth.* A shown pair is liked with probability ``expit(intercept +
       user_bias[u] + item_bias[i] + preference_strength * taste[u, i])``. The
       intercept makes `positive_rate` the mean of it over the exposures.
    4. *Split.* A random `test_fraction` of the exposures is set aside, with true
       labels. Of the remaining training exposures `label_fraction` get a label.
    5. *Noise.* These labels, and only these, are flipped at the two false rates.
       The other training exposures are the unlabeled pool.

    Low-rank structure is thus set separately for exposures
    (``exposure_affinity > 0``) and for labels (``preference_strength > 0``): in
    either, in both or in neither.

    Parameters
    ----------
    n_users : int, default=600
        Number of users; their ids are 0 to ``n_users - 1``.
    n_items : int, default=300
        Number of items; their ids are 0 to ``n_items - 1``.
    n_exposures : int, default=30_000
        Number of distinct pairs shown, training and test together, at most
        ``n_users * n_items``.
    label_fraction : float, default=0.05
        Share of the training exposures that get a label, in (0, 1].
    test_fraction : float, default=0.2
        Share of all exposures set aside for testing, in [0, 1).
    n_factors : int, default=6
        Length of the taste vectors.
    exposure_affinity : float, default=1.0
        Strength of taste in the choice of the items shown, in log odds per
        standard deviation of taste. 0: popularity alone decides.
    preference_strength : float, default=1.5
        Strength of taste in the labels, in log odds per standard deviation of
        taste. 0: the biases alone decide.
    taste_correlation : float, default=1.0
        Correlation over pairs of the taste that the exposures follow with the
        taste that the labels follow, in [0, 1]. 0: the exposures carry structure
        that says nothing about the labels.
    taste_consensus : float, default=0.2
        Share of the variance of taste that all users agree on, in [0, 1]. With
        ``exposure_affinity > 0`` it makes often shown items better liked.
    activity_scale : float, default=0.7
        Standard deviation of the log activity of the users.
    popularity_scale : float, default=0.7
        Standard deviation of the log popularity of the items that has nothing to
        do with taste.
    user_bias_scale : float, default=0.7
        Standard deviation of the users' biases, in log odds.
    item_bias_scale : float, default=0.7
        Standard deviation of the items' biases, in log odds.
    positive_rate : float, default=0.6
        Mean true probability over all exposures, in (0, 1).
    false_positive_rate : float, default=0.0
        Probability that a label whose truth is 0 is recorded as 1.
    false_negative_rate : float, default=0.0
        Probability that a label whose truth is 1 is recorded as 0.
    label_selection : {"random", "popular", "active"}, default="random"
        Which training exposures get a label: any; those of the most often shown
        fifth of the items; or those of the most active fifth of the users. The
        fifth grows where it has too few exposures.
    random_state : int, RandomState instance or None, default=None
        Seed. None takes fresh entropy from the system; NumPy's global generator is
        never used. For one seed, parameters of a later step of the story leave the
        earlier steps unchanged, and with random selection a larger `label_fraction`
        adds labelled rows.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these attributes, where ids, pairs and labels are int64, all else
        float64, and the three sets of pairs have no pair in common:

        X, y : ndarray of shape (n_labelled, 2) and (n_labelled,)
            Pairs (user, item) with a label, and the label as recorded.
        y_true, proba : ndarray of shape (n_labelled,)
            True label and true probability of these pairs.
        X_unlab : ndarray of shape (n_unlab, 2)
            The pool: shown in training, feedback unknown.
        y_unlab, proba_unlab : ndarray of shape (n_unlab,)
            Its true labels and probabilities, for judging annotations.
        X_test, y_test, proba_test : ndarray of shape (n_test, 2) or (n_test,)
            Pairs for testing, their true labels and probabilities.
        user_factors, item_factors : ndarray of shape (n_users or n_items, n_factors)
            Taste vectors that the labels follow.
        exposure_user_factors, exposure_item_factors : ndarray of the same shapes
            Taste vectors that the exposures follow.
        user_bias, item_bias : ndarray of shape (n_users,) or (n_items,)
            Biases in log odds.
        user_activity, item_popularity : ndarray of shape (n_users,) or (n_items,)
            Logarithms of activity and popularity.
        intercept : float
            The calibrated intercept in log odds.
        DESCR : str
            Description of this draw.

    Raises
    ------
    ValueError
        If there are fewer pairs than `n_exposures`, or if `label_fraction` or
        `test_fraction` leave no labelled row.

    Notes
    -----
    Both classes appear in `y` if it has two rows or more and the recorded labels of
    the training exposures have both: where chance selects one class only, one row
    is replaced. Pairs are ordered at random.

    Memory is bounded by blocks of users, time grows with ``n_users * n_items``.

    Examples
    --------
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> data = make_sparse_feedback(random_state=0)
    >>> data.X.shape, data.X_unlab.shape, data.X_test.shape
    ((1200, 2), (22800, 2), (6000, 2))
    >>> noisy = make_sparse_feedback(false_negative_rate=0.3, random_state=0)
    >>> bool((noisy.X == data.X).all()), bool((noisy.y <= data.y).all())
    (True, True)
    """
    # Those of numpy may be too narrow for a product.
    n_users, n_items, n_exposures = int(n_users), int(n_items), int(n_exposures)
    sizes = _part_sizes(n_users * n_items, n_exposures, label_fraction, test_fraction)
    n_labelled, n_test = sizes
    # A stream for each step, so that one step's parameters leave the others' draws.
    rng = _generator(random_state).spawn(5)
    world = draw_world(
        rng[0],
        (n_users, n_items, n_factors),
        taste_consensus=taste_consensus,
        taste_correlation=taste_correlation,
        scales=(user_bias_scale, item_bias_scale, activity_scale, popularity_scale),
    )
    pairs = draw_exposures(
        rng[1],
        share_exposures(n_exposures, world.user_activity, limit=n_items),
        world.item_popularity,
        exposure_affinity * world.exposure_user_factors,
        world.exposure_item_factors,
    )
    score = liking_score(world, pairs, preference_strength)
    intercept = calibrate_intercept(score, positive_rate)
    proba = expit(intercept + score)
    y = (rng[2].random(n_exposures) < proba).astype(np.int64)
    observed = flip_labels(rng[3], y, false_positive_rate, false_negative_rate)

    test, train = np.split(rng[4].permutation(n_exposures), [n_test])
    labelled = select_labelled(
        pairs[train], observed[train], n_labelled, label_selection
    )
    data = Bunch(**world, intercept=intercept)
    parts = {"": train[labelled], "_unlab": train[~labelled], "_test": test}
    for part, rows in parts.items():
        data[f"X{part}"], data[f"y{part}"] = pairs[rows], y[rows]
        data[f"proba{part}"] = proba[rows]
    data.y_true, data.y = data.y, observed[parts[""]]
    data.DESCR = _describe(data, false_positive_rate, false_negative_rate)
    return data


def _part_sizes(
    n_pairs: int, n_exposures: int, label_fraction: float, test_fraction: float
) -> tuple[int, int]:
    """Return the numbers of labelled and of test rows, or say why there are none."""
    if n_exposures > n_pairs:
        raise ValueError(
            f"n_exposures={n_exposures} is more than the {n_pairs} pairs of a user and "
            "an item, and a pair is shown once at most. Lower n_exposures, or raise "
            "n_users or n_items."
        )
    n_test = round(test_fraction * n_exposures)
    n_train = n_exposures - n_test
    n_labelled = round(label_fraction * n_train)
    if n_labelled == 0:
        raise ValueError(
            f"label_fraction={label_fraction} of {n_train} training exposures is no "
            f"labelled row: {n_test} of n_exposures={n_exposures} are for testing. "
            "Raise label_fraction or n_exposures, or lower test_fraction."
        )
    return n_labelled, n_test


def _generator(random_state: int | np.random.RandomState | None) -> np.random.Generator:
    """Return a generator that can spawn streams, without touching global state."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31 - 1, size=4))
    return np.random.default_rng(random_state)


def _describe(data: Bunch, false_positive: float, false_negative: float) -> str:
    n_labelled, n_unlab, n_test = len(data.y), len(data.y_unlab), len(data.y_test)
    return f"""\
Synthetic sparse feedback with known truth
------------------------------------------
{len(data.user_bias)} users (column 0 of X) and {len(data.item_bias)} items (column 1).
{n_labelled} exposures carry a label, {n_unlab} are the unlabeled pool,
{n_test} are for testing; y_test, y_unlab and y_true are free of noise.
In y, P(1 | truth 0) = {false_positive:g} and P(0 | truth 1) = {false_negative:g}.
Generated by sklearn_invlearn.datasets.make_sparse_feedback.
"""
