"""Which step sizes rank best for each user?

A grid over the two step sizes, judged by GAUC: the AUC among the pairs of one user,
averaged over users. That is what a ranking needs, and no offset of a user changes it.
A flat curve is an answer too: with a dozen steps on the pool alpha hardly matters.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV

from sklearn_invlearn import InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.inspection import SensitivityDisplay
from sklearn_invlearn.metrics import gauc_score, gauc_scorer

data = make_sparse_feedback(
    200, 100, n_exposures=8_000, label_fraction=0.3, random_state=0
)
est = InverseGradientRecommender(
    backbone="gmf", max_epochs=6, batch_size=128, random_state=0
)
grid = {"gamma": [0.003, 0.01, 0.03], "alpha": [0.01, 0.3, 10.0]}
search = GridSearchCV(est, grid, scoring=gauc_scorer, cv=3)
search.fit(data.X, data.y, X_unlab=(data.X_unlab,))

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, param in zip(axes, grid, strict=True):
    SensitivityDisplay.from_search(search, param, ax=ax)
    ax.set_xscale("log")
    ax.set_xticks(grid[param], [f"{value:g}" for value in grid[param]])
    ax.minorticks_off()
    ax.set_ylabel("GAUC, mean and deviation of 3 folds")
axes[1].set_ylabel("")
figure.suptitle("best of the other parameter for each value")

results = search.cv_results_
proba = search.predict_proba(data.X_test)[:, 1]
print(f"chosen: {search.best_params_}")
print(
    f"GAUC over folds: best {search.best_score_:.3f}, worst of the grid "
    f"{results['mean_test_score'].min():.3f}, deviation between folds "
    f"{results['std_test_score'][search.best_index_]:.3f}"
)
best = {p["alpha"]: 0.0 for p in results["params"]}
for p, score in zip(results["params"], results["mean_test_score"], strict=True):
    best[p["alpha"]] = max(best[p["alpha"]], score)
gap = max(best.values()) - min(best.values())
print(f"from the worst alpha to the best, with the best gamma of each: {gap:.4f}")
print(f"on test pairs: {gauc_score(data.y_test, proba, data.X_test[:, 0]):.3f}")
