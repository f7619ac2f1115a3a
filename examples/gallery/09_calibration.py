"""Can I take the probabilities at their word?

Of the pairs scored 0.8, are 80 % liked? A model trained for too long is too sure of
itself. scikit-learn's own tools measure that and repair it, pool included. What they
cannot repair is a poor ranking: then all probabilities end near the average.
"""

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.metrics import brier_score_loss

from sklearn_invlearn import InverseDualLossRecommender, InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.metrics import ece_score

data = make_sparse_feedback(
    300, 150, n_exposures=12_000, label_fraction=0.3, random_state=0
)
pool = (data.X_unlab,)
gmf = InverseDualLossRecommender(
    backbone="gmf", gamma=0.02, max_epochs=15, batch_size=128, random_state=0
)
models = {
    "GMF": gmf.fit(data.X, data.y, X_unlab=pool),
    "GMF, calibrated": CalibratedClassifierCV(gmf, cv=3).fit(
        data.X, data.y, X_unlab=pool
    ),
    "spectral": InverseGradientRecommender(random_state=0).fit(
        data.X, data.y, X_unlab=pool
    ),
}
styles = [("#D55E00", "s"), ("#0072B2", "o"), ("#009E73", "^")]
figure, ax = plt.subplots(figsize=(6, 5.5), layout="constrained")
for (name, model), (color, marker) in zip(models.items(), styles, strict=True):
    proba = model.predict_proba(data.X_test)[:, 1]
    ece = ece_score(data.y_test, proba, n_bins=10, strategy="quantile")
    brier = brier_score_loss(data.y_test, proba)
    print(f"{name:<16} ECE {ece:.3f}  Brier {brier:.3f}")
    CalibrationDisplay.from_predictions(
        data.y_test, proba, n_bins=10, strategy="quantile", name=name, ax=ax,
        color=color, marker=marker,
    )  # fmt: skip
ax.set(xlabel="predicted probability, mean of a bin", ylabel="share of liked pairs")
