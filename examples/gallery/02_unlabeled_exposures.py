"""What are exposures without feedback worth?

The same labels, and more and more of the exposures without a label beside them.
Who was shown what tells users and items apart, although nobody said what they thought
of it. One-hot logistic regression cannot use that; the default recommender can.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn import InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback

data = make_sparse_feedback(
    600, 400, n_exposures=40_000, label_fraction=0.028, random_state=0
)
order = np.random.default_rng(0).permutation(len(data.X_unlab))

sizes = [0, 5_000, 15_000, len(order)]
scores = []
for n in sizes:
    pool = (data.X_unlab[order[:n]],) if n else None
    est = InverseGradientRecommender(random_state=0)
    est.fit(data.X, data.y, X_unlab=pool)
    scores.append(roc_auc_score(data.y_test, est.predict_proba(data.X_test)[:, 1]))

one_hot = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
one_hot.fit(data.X, data.y)
rival = roc_auc_score(data.y_test, one_hot.predict_proba(data.X_test)[:, 1])

figure, ax = plt.subplots(layout="constrained")
ax.plot(sizes, scores, marker="o", label="InverseGradientRecommender()")
ax.axhline(rival, color="gray", linestyle="--", label="logistic regression on ids")
ax.set(
    xlabel=f"exposures without a label, beside {len(data.y):,} with one",
    ylabel="AUC on labels that no model saw",
)
ax.legend()

print(f"labels alone: AUC {scores[0]:.3f} (logistic regression {rival:.3f});")
print(f"with {sizes[-1]:,} exposures without a label: {scores[-1]:.3f}.")
