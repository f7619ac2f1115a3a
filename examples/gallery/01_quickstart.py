"""How do I start?

Fit on labelled pairs and on the pool, ask for probabilities of new pairs, and compare
with what costs nothing: one-hot logistic regression on the same ids, and the positive
share of each item.
"""

import matplotlib.pyplot as plt
from sklearn.metrics import log_loss, roc_auc_score

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.baselines import ItemPositiveShare, OneHotLogisticRegression
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.metrics import gauc_score

data = make_sparse_feedback(random_state=0)
pool = (data.X_unlab,)
est = InverseGradientRecommender(random_state=0).fit(data.X, data.y, X_unlab=pool)
bias = CrossEntropyRecommender(
    backbone="bias", gamma=0.02, max_epochs=20, random_state=0
)
models = {
    "InverseGradientRecommender()": est,
    "biases only": bias.fit(data.X, data.y),
    "one-hot logistic regression": OneHotLogisticRegression().fit(data.X, data.y),
    "positive share of the item": ItemPositiveShare().fit(data.X, data.y),
}

gauc = {}
for name, model in models.items():
    proba = model.predict_proba(data.X_test)[:, 1]
    gauc[name] = gauc_score(data.y_test, proba, data.X_test[:, 0])
    auc, loss = roc_auc_score(data.y_test, proba), log_loss(data.y_test, proba)
    print(f"{name:<28} AUC {auc:.3f}  GAUC {gauc[name]:.3f}  log loss {loss:.3f}")

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
colors = ["#0072B2"] + ["#767676"] * 3
bars = ax.barh(list(gauc), list(gauc.values()), color=colors)
ax.bar_label(bars, fmt="%.3f", padding=3)
ax.invert_yaxis()
ax.set(xlabel="GAUC on labels that no model saw (0.5: chance)", xlim=(0.5, 0.8))
