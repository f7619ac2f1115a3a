"""Sparse, reliable feedback beside the labelled rows: `X_extra`, `y_extra`."""

import pytest

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender

SIZES = {"backbone": "gmf", "n_factors": 4, "gamma": 0.05, "max_epochs": 2}


def test_estimators_that_would_not_use_it_refuse_it(data):
    extra = {"X_extra": (data.X_test,), "y_extra": (data.y_test,)}
    for method in (CrossEntropyRecommender, InverseGradientRecommender):
        with pytest.raises(ValueError, match="would not use X_extra"):
            method(**SIZES).fit(data.X, data.y, **extra)
