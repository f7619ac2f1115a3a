"""Expected calibration error."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._inputs import FloatArray, as_column, check_labels, check_score


@validate_params(
    {
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"uniform", "quantile"})],
        "pos_label": [Real, str, "boolean", None],
    },
    prefer_skip_nested_validation=True,
)
def ece_score(
    y_true: Any,
    y_proba: Any,
    *,
    n_bins: int = 10,
    strategy: str = "uniform",
    pos_label: Any = None,
) -> float:
    r"""Expected calibration error of the probability of the positive label.

    The pairs are put into bins by their probability, and the mean probability of each
    bin is compared with its share of positives [1]_:

    .. math::
        \mathrm{ECE} = \sum_b \frac{n_b}{n} \,
        \Big| \frac{1}{n_b} \sum_{i \in b} y_i - \frac{1}{n_b} \sum_{i \in b} p_i \Big|.

    Parameters
    ----------
    y_true : array-like of shape (n_pairs,)
        Binary labels; any two values.
    y_proba : array-like of shape (n_pairs,), numeric
        Probabilities of the positive label, in [0, 1]; column 1 of `predict_proba`.
    n_bins : int, default=10
        Number of bins; empty ones count nothing.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of about equal numbers of pairs. Pairs of equal
        probability are always in one bin. The names are those of
        `sklearn.calibration.calibration_curve`, and so are the bins.
    pos_label : int, float, bool or str, default=None
        The positive label; None takes the larger one, or 1 or True if `y_true` has
        one label only.

    Returns
    -------
    float
        In [0, 1]; 0 for perfect calibration.

    Raises
    ------
    ValueError
        For more than two labels, unequal lengths, no pairs, missing labels, a single
        label that is not 0 or 1, or values that are no probabilities.

    See Also
    --------
    sklearn.metrics.brier_score_loss : A proper score: calibration and resolution.
    sklearn.calibration.CalibrationDisplay : The same bins as a picture.

    Notes
    -----
    The error is biased upwards: with few pairs in a bin their share of positives is
    far from its expectation by chance. Compare models on the same pairs and with the
    same bins, and do not select by it: the same number for everybody, the share of
    positives, has an error near 0.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On Calibration of Modern Neural
       Networks", ICML 2017, Eq. 3. :arxiv:`1706.04599`

    Examples
    --------
    >>> from sklearn_invlearn.metrics import ece_score
    >>> y_true = [0, 0, 0, 1, 1, 1]
    >>> y_proba = [0.1, 0.1, 0.4, 0.4, 0.9, 0.9]  # differences of .1, .1 and .1
    >>> round(ece_score(y_true, y_proba), 6)
    0.1
    >>> round(ece_score(y_true, y_proba, n_bins=2, strategy="quantile"), 6)
    0.033333
    """
    y_array = as_column(y_true, "y_true")
    proba = _check_proba(as_column(y_proba, "y_proba"))
    if len(y_array) != len(proba):
        raise ValueError(
            f"y_true and y_proba must have one entry per pair, but have {len(y_array)} "
            f"and {len(proba)} entries."
        )
    if not len(proba):
        raise ValueError(
            "There are no pairs to evaluate: y_true and y_proba are empty."
        )
    positive = check_labels(y_array, pos_label, by_name=True)
    bins = _bins(proba, n_bins, strategy)
    gap = np.bincount(bins, positive) - np.bincount(bins, proba)
    return float(np.abs(gap).sum() / len(proba))


def _bins(proba: FloatArray, n_bins: int, strategy: str) -> NDArray[np.intp]:
    """Return the bin of each pair (n,), that of scikit-learn's calibration curve."""
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    if strategy == "quantile":
        edges = np.percentile(proba, edges * 100)  # rounds as scikit-learn does
    return np.searchsorted(edges[1:-1], proba)


def _check_proba(proba: NDArray[Any]) -> FloatArray:
    proba = check_score(proba, "y_proba").astype(np.float64)
    if len(proba) and not (proba.min() >= 0 and proba.max() <= 1):
        raise ValueError(
            f"y_proba must be probabilities, but runs from {proba.min():g} to "
            f"{proba.max():g}. If these are logits of decision_function, pass column 1 "
            "of predict_proba."
        )
    return proba
