"""Can neighbours speak for users with little reliable feedback?

Clicks are many, and many of them were regretted. For a tenth of the pairs we know
reliably who was content. Training warms up on these, goes on with the clicks, and
colliding inference mixes a user's score with those of the users who were nearest after
the warm-up. How much is a parameter: 1 is the user alone, 0 the neighbours alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import CollidingRecommender, TruncatedLossRecommender
from sklearn_invlearn.datasets import make_sparse_feedback

data = make_sparse_feedback(
    300, 150, n_exposures=15_000, label_fraction=0.9, false_positive_rate=0.4,
    random_state=0,
)  # fmt: skip
clicks = data.X[data.y == 1]
rng = np.random.default_rng(0)
reliable = rng.random(len(data.y)) < 0.1
X_extra, y_extra = data.X[reliable], data.y_true[reliable].astype(int)

base = TruncatedLossRecommender(
    extra_feedback="warmup", gamma=0.01, max_epochs=3, batch_size=256, random_state=0
)
mixings = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
scores = []
for mixing in mixings:
    est = CollidingRecommender(
        recommender=base, mixing=mixing, n_neighbors=20, max_extra_ratio=0.3
    )
    est.fit(clicks, np.ones(len(clicks)), X_extra=(X_extra,), y_extra=(y_extra,))
    scores.append(roc_auc_score(data.y_test, est.decision_function(data.X_test)))

n_mixed = (est.extra_ratio_ < 0.3).sum()
figure, ax = plt.subplots(layout="constrained")
ax.plot(mixings, scores, marker="o")
ax.set(
    xlabel="mixing: weight of the user's own score",
    ylabel="AUC on true labels",
    title=f"each of {n_mixed} users mixed with 20 neighbours",
)

best = mixings[int(np.argmax(scores))]
print(f"AUC of the user alone {scores[-1]:.3f}; highest {max(scores):.3f} at {best:g}.")
print("Chosen on the rows it is shown on: a picture of the effect, not a result.")
