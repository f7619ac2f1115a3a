"""Which annotations can I trust, and which labels not?

Annotate the pool and abstain where the model is unsure; then rank the labels that a
model trained without them disagrees with. A tenth of the labels were flipped on
purpose, so that both can be checked.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.inspection import audit_labels, precision_recall_at_k

data = make_sparse_feedback(
    200, 100, n_exposures=8_000, label_fraction=0.6, user_bias_scale=2.0,
    false_positive_rate=0.1, false_negative_rate=0.1, random_state=0,
)  # fmt: skip
est = CrossEntropyRecommender(
    backbone="bias", gamma=0.02, max_epochs=20, random_state=0
)

est.fit(data.X, data.y)
for band in (None, (0.3, 0.7)):
    frame = est.annotate(data.X_unlab, return_frame=True, abstain=band)
    said = frame["label"].notna().to_numpy()
    right = frame["label"][said].to_numpy(dtype=int) == data.y_unlab[said]
    print(f"abstain {band}: {said.mean():.0%} annotated, {right.mean():.1%} correctly")

wrong = data.y != data.y_true
audit = audit_labels(est, data.X, data.y, random_state=0)
k = np.arange(10, len(wrong) // 2, 10)
precision, _ = precision_recall_at_k(audit.order, wrong, k)
at_100, _ = precision_recall_at_k(audit.order, wrong, 100)
print(f"wrong among the first 100 suspects: {at_100:.0%}; of all: {wrong.mean():.0%}")

figure, ax = plt.subplots(layout="constrained")
ax.plot(k, precision, color="#0072B2", label="audit_labels")
try:
    from cleanlab.rank import get_label_quality_scores
except ImportError:
    pass  # optional: the same ranking problem, by another package
else:
    # Out-of-fold probabilities are all it needs; each loss is minus their logarithm.
    own = np.exp(-audit.loss)
    proba = np.where(data.y[:, None] == [0, 1], own[:, None], 1 - own[:, None])
    order = np.argsort(get_label_quality_scores(data.y, proba), kind="stable")
    ax.plot(k, precision_recall_at_k(order, wrong, k)[0], color="#D55E00",
            linestyle=":", linewidth=3, label="cleanlab")  # fmt: skip
ax.axhline(wrong.mean(), color="#767676", linestyle="--", label="looking at random")
ax.set(xlabel="labels looked at, most suspicious first",
       ylabel="share of them that is wrong", ylim=(0, None))  # fmt: skip
ax.legend()
