"""Do truncated and reweighted loss find false positives?

A third of the true negatives is recorded as positive. The truncated loss (T-CE) leaves
out the positives that are hardest to fit, the reweighted loss (R-CE) lets them count
less. Both bet that a model fits true positives first. On the left a line is the mean,
its band the middle half of the rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from sklearn_invlearn import (
    CrossEntropyRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
)
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.inspection import DropsDisplay, LossPathDisplay
from sklearn_invlearn.training import RecordRows

data = make_sparse_feedback(
    300, 150, n_exposures=12_000, label_fraction=0.8, false_positive_rate=0.33,
    user_bias_scale=1.5, random_state=0,
)  # fmt: skip
is_false = data.y != data.y_true
shared = {"backbone": "gmf", "gamma": 0.01, "max_epochs": 10, "batch_size": 256,
          "callbacks": [RecordRows()], "random_state": 0}  # fmt: skip
models = {
    "cross entropy": CrossEntropyRecommender(**shared),
    "T-CE": TruncatedLossRecommender(**shared),
    "R-CE": ReweightedLossRecommender(**shared),
}
aucs = {}
for name, model in models.items():
    model.fit(data.X, data.y)
    auc = roc_auc_score(data.y_test, model.predict_proba(data.X_test)[:, 1])
    aucs[name] = auc
    print(f"{name:<14} AUC on true labels {auc:.3f}")

better = [name for name in aucs if aucs[name] > aucs["cross entropy"]]
print(f"better than cross entropy, untuned, on one draw: {better or 'none'}")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
positive = data.y == 1
names = np.where(is_false, "false positive", "true positive").astype(object)
names[~positive] = "negative"
LossPathDisplay.from_estimator(models["cross entropy"], names, ax=left)
left.set_title("cross entropy: loss by kind of label")
drops = DropsDisplay.from_estimator(models["T-CE"], data.y, is_false, ax=right)
right.set_title("T-CE: what it drops")
print(
    f"false among the dropped, last epoch: {drops.precision_[-1]:.0%}; "
    f"among all positives: {drops.random_precision_:.0%}"
)
