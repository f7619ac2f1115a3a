"""Area under the ROC curve inside each user, averaged over users."""

from __future__ import annotations

from numbers import Real
from typing import Any

from sklearn.utils._param_validation import StrOptions, validate_params

from ._grouped import TieBlocks, mean_over_users, values_of_mixed_users
from ._inputs import FloatArray, IntArray


@validate_params(
    {
        "average": [StrOptions({"macro", "weighted"})],
        "pos_label": [Real, str, "boolean", None],
        "undefined": [StrOptions({"raise"}), Real],
    },
    prefer_skip_nested_validation=True,
)
def gauc_score(
    y_true: Any,
    y_score: Any,
    users: Any,
    *,
    average: str = "macro",
    pos_label: Any = None,
    undefined: float | str = "raise",
) -> float:
    r"""Group AUC: the ROC AUC of each user's own pairs, averaged over users.

    The AUC over all pairs also rewards telling active users from others, which does
    not help to choose an item for a user. The group AUC compares only pairs of one
    user [1]_:

    .. math::
        \mathrm{GAUC} = \frac{\sum_u w_u \mathrm{AUC}_u}{\sum_u w_u},
        \qquad
        \mathrm{AUC}_u = \frac{1}{P_u N_u} \sum_{i \in +, j \in -}
        \big([s_i > s_j] + \tfrac12 [s_i = s_j]\big),

    with the :math:`P_u` positive and :math:`N_u` negative pairs of user u. Users with
    one class only have no AUC and are left out.

    Parameters
    ----------
    y_true : array-like of shape (n_pairs,)
        Binary labels; any two values.
    y_score : array-like of shape (n_pairs,), numeric
        Scores of the pairs, higher for more likely positives. Only their order
        matters.
    users : array-like of shape (n_pairs,)
        Id of the user of each pair. Any hashable ids: integers, strings, objects, a
        pandas or polars Series.
    average : {"macro", "weighted"}, default="macro"
        "macro" is the plain mean over users (:math:`w_u = 1`). "weighted" weights a
        user by the impressions, that is the number of the user's pairs, as in [1]_.
    pos_label : int, float, bool or str, default=None
        The positive label; None takes the larger one.
    undefined : "raise" or float, default="raise"
        What to do if no user has both classes: raise an error, or return this number.

    Returns
    -------
    float
        In [0, 1]; 0.5 for scores without information.

    Raises
    ------
    ValueError
        For more than two labels, unequal lengths, no pairs, missing ids or labels,
        NaN scores, or if no user has both classes and `undefined` is "raise".
    TypeError
        For ids which are not hashable.

    See Also
    --------
    sklearn.metrics.roc_auc_score : The AUC over all pairs.
    gauc_scorer, weighted_gauc_scorer : Ready for the `scoring` parameter of searches.

    Notes
    -----
    The counts are summed as integers: the AUC of a user does not depend on the order of
    the pairs, not even in its last digit.

    References
    ----------
    .. [1] G. Zhou et al., "Deep Interest Network for Click-Through Rate Prediction",
       KDD 2018, section 6.2. :doi:`10.1145/3219819.3219823`

    Examples
    --------
    >>> from sklearn_invlearn.metrics import gauc_score
    >>> users = ["ann", "ann", "ann", "bob", "bob", "eve"]
    >>> y_true = [1, 0, 0, 1, 0, 1]
    >>> y_score = [0.6, 0.1, 0.6, 0.7, 0.2, 0.5]
    >>> gauc_score(y_true, y_score, users)
    0.875
    >>> gauc_score(y_true, y_score, users, average="weighted")
    0.85
    """
    aucs, n_pairs = values_of_mixed_users(
        y_true, y_score, users, pos_label, user_aucs, lambda blocks: blocks.n_pairs
    )
    weights = n_pairs if average == "weighted" else None
    return mean_over_users(aucs, undefined, weights=weights)


def user_aucs(blocks: TieBlocks) -> FloatArray:
    """Return the AUC of each user, all of whom have both classes, shape (U,)."""
    misses = blocks.size - blocks.hits
    n_negative = blocks.per_user(misses)
    # Twice the won comparisons, so that a tie is the integer 1.
    negatives_above = _sum_above(misses, blocks)
    below = blocks.per_block(n_negative) - negatives_above - misses
    doubled_wins = blocks.per_user(blocks.hits * (2 * below + misses))
    return doubled_wins / (2 * n_negative * blocks.n_positive)


def _sum_above(counts: IntArray, blocks: TieBlocks) -> IntArray:
    """Sum (B,) counts over the blocks of the same user above each block."""
    before = counts.cumsum() - counts
    return before - blocks.per_block(before[blocks.first])
