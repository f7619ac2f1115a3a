"""Do I have to fit again every day?

Labels come in day by day. `partial_fit` learns from the new ones alone and gives new
users and items rows; the alternatives are to keep the model of the first day, or to fit
on everything again.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.datasets import make_sparse_feedback

data = make_sparse_feedback(
    200, 100, n_exposures=8_000, label_fraction=0.8, user_bias_scale=1.5, random_state=0
)
days = np.array_split(np.arange(len(data.y)), 8)
est = CrossEntropyRecommender(
    backbone="bias", gamma=0.02, max_epochs=20, random_state=0
)


def auc(model):
    return roc_auc_score(data.y_test, model.predict_proba(data.X_test)[:, 1])


first = clone(est).fit(data.X[days[0]], data.y[days[0]])
updated = clone(est).fit(data.X[days[0]], data.y[days[0]])
scores = {"first day's model": [], "partial_fit each day": [], "fit again each day": []}
for k, day in enumerate(days):
    if k:
        updated.partial_fit(data.X[day], data.y[day], n_epochs=5)
    so_far = np.concatenate(days[: k + 1])
    again = clone(est).fit(data.X[so_far], data.y[so_far])
    for row, model in zip(scores.values(), (first, updated, again), strict=True):
        row.append(auc(model))

figure, ax = plt.subplots(layout="constrained")
styles = [("#767676", ":"), ("#0072B2", "-"), ("#D55E00", "--")]
for (name, row), (color, line) in zip(scores.items(), styles, strict=True):
    ax.plot(np.arange(1, 9), row, color=color, linestyle=line, marker="o", label=name)
    print(f"{name:<21} AUC on day 8: {row[-1]:.3f}")
ax.set(xlabel="day", ylabel="AUC on labels that no model saw")
ax.legend()
