"""Is my method really better?

All methods get the same rows, seeds and number of trials; trivial baselines are always
among them; and every difference comes with an interval over users. Where it holds
zero, the method has not been shown to be better. Two trials without weight decay are
little for GMF: read its rows as GMF untuned, not as the best it can do.
"""

import matplotlib.pyplot as plt
from scipy.stats import loguniform

from sklearn_invlearn import CrossEntropyRecommender, InverseDualLossRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.model_selection import compare_recommenders

data = make_sparse_feedback(
    300, 150, n_exposures=12_000, label_fraction=0.2, random_state=0
)
shared = {"backbone": "gmf", "max_epochs": 10, "batch_size": 128}
gamma = {"gamma": loguniform(3e-3, 3e-2)}
found = compare_recommenders(
    {
        "GMF": CrossEntropyRecommender(**shared),
        "GMF, dual loss": InverseDualLossRecommender(**shared),
        "spectral": CrossEntropyRecommender(),
    },
    data.X,
    data.y,
    X_unlab=data.X_unlab,
    X_test=data.X_test,
    y_test=data.y_test,
    param_distributions={
        "GMF": gamma,
        "GMF, dual loss": {**gamma, "alpha": loguniform(1e-4, 1e-2)},
    },
    n_trials=2,
    seeds=[0, 1],
    n_boot=200,
    progress=False,
)
found.plot()
plt.gcf().set_layout_engine("constrained")

for name in found.methods:
    first = found.metrics[0]
    text = f"{name:<28} {first} {found.means[name, first]:.3f}"
    if name != found.reference:
        gap = found.differences[name, first]
        text += f", {gap.difference:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    print(text)
