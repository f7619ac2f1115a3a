"""Is alpha too large or too small?

Inverse gradient tries a step of size alpha along the model's own opinion on unlabeled
pairs, and held-out labels say whether to take it (direct), to go the other way
(inverse) or to stay (pass). A step that is too small changes next to nothing; one that
is too large is never worth taking. The training-test rows of the picture are trained on
as well, so its curve is not held out.
"""

import textwrap

import matplotlib.pyplot as plt

from sklearn_invlearn import InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.inspection import DirectionDisplay

data = make_sparse_feedback(random_state=0)

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", sharey=True)
for ax, alpha in zip(axes, (0.01, 1.0, 100.0), strict=True):
    est = InverseGradientRecommender(
        backbone="gmf", gamma=0.01, alpha=alpha, max_epochs=15, batch_size=64,
        random_state=0,
    )  # fmt: skip
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    display = DirectionDisplay.from_estimator(est, ax=ax)
    shares = ", ".join(f"{k} {v:.0%}" for k, v in display.shares_.items())
    print(f"alpha = {alpha:g}: {shares}")
    print(textwrap.indent(textwrap.fill(str(display.verdict_), 76), "    "))
