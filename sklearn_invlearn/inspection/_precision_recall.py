"""How many of the first k rows of a ranking are wrong labels."""

from __future__ import annotations

from typing import Any

import numpy as np


def precision_recall_at_k(order: Any, wrong: Any, k: Any) -> tuple[Any, Any]:
    """Return precision and recall of the first k rows of a ranking.

    Parameters
    ----------
    order : array-like of shape (n,), int
        Positions of all rows, the most suspicious first; ``order`` of a `LabelAudit`.

    wrong : array-like of shape (n,), bool
        Which labels are known to be wrong, in the order of the rows.

    k : int or array-like of int
        Lengths of the list, from 1 to n.

    Returns
    -------
    precision, recall : float, or ndarray of shape (len(k),)
        Share of the first k that are wrong, and share of the wrong ones among the
        first k.

    Raises
    ------
    ValueError
        If `order` is no permutation of the rows, no label is wrong, or a `k` is not
        from 1 to n.

    See Also
    --------
    audit_labels : Makes the ranking.

    Examples
    --------
    >>> from sklearn_invlearn.inspection import precision_recall_at_k
    >>> wrong = [False, True, False, True]
    >>> precision_recall_at_k([3, 0, 1, 2], wrong, 1)
    (1.0, 0.5)
    >>> precision_recall_at_k([3, 0, 1, 2], wrong, [2, 3])[1]
    array([0.5, 1. ])
    """
    order, flags, lengths = np.asarray(order), np.asarray(wrong), np.asarray(k)
    if not np.array_equal(np.sort(order), np.arange(len(flags))):
        raise ValueError(
            f"order must hold the positions 0 to {len(flags) - 1} of all rows once "
            "each. For a ranking by scores pass np.argsort(-scores)."
        )
    if flags.dtype != bool or not flags.any():
        raise ValueError("wrong must be booleans, at least one of them True.")
    if (
        lengths.dtype.kind not in "iu"
        or lengths.min() < 1
        or lengths.max() > len(flags)
    ):
        raise ValueError(f"k must be integers from 1 to {len(flags)}, got {k!r}.")
    found = np.cumsum(flags[order])[lengths - 1]
    precision, recall = found / lengths, found / flags.sum()
    if lengths.ndim:
        return precision, recall
    return float(precision), float(recall)
