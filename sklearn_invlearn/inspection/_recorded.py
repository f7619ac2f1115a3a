"""What the callback ``RecordRows`` has written about each row of `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted


def recorded(estimator: Any, name: str) -> np.ndarray:
    """Stack what ``RecordRows`` has written in the last fit: (n_epochs, n_rows)."""
    check_is_fitted(estimator)
    # Callbacks see the main stage only, not the one of extra feedback.
    epochs = [e for e in estimator.history_ if e.get("stage", "main") == "main"]
    rows = [epoch.get(name) for epoch in epochs]
    if not rows or any(row is None for row in rows):
        raise ValueError(
            f"The history of this {type(estimator).__name__} has no {name!r}: fit it "
            "with callbacks=[sklearn_invlearn.training.RecordRows()]."
        )
    if getattr(estimator, "warm_start", False):
        # The history goes on, while rows are those of one fit. A fit that has stopped
        # early is told from the one before it by its number of rows alone.
        rows = rows[-estimator._n_epochs() :]
        rows = [row for row in rows if len(row) == len(rows[-1])]
    return np.stack(rows)
