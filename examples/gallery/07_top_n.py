"""What do I recommend, and is it better than what is popular?

Rankings come for known users, new ones, and any list of candidates. Here they are
compared with the most liked items among the labelled pairs, by the share of a user's
liked test items that is found in the first N.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_invlearn import InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback

data = make_sparse_feedback(400, 200, n_exposures=20_000, random_state=0)
est = InverseGradientRecommender(random_state=0)
est.fit(data.X, data.y, X_unlab=(data.X_unlab,))

items, scores = est.recommend([3, "a new user"], n_items=5)
few, _ = est.recommend(3, n_items=3, candidates=[4, 8, 15, 16, 23, 42])
alike, similarity = est.similar_items(items[0][0], n_items=3)
print(f"user 3: {list(map(int, items[0]))}; of six candidates {list(map(int, few))}")
print(f"a new user: {list(map(int, items[1]))}")
print(f"like item {items[0][0]}: {list(map(int, alike))}")

liked = data.X_test[data.y_test == 1]
shown = np.vstack([data.X, data.X_unlab])  # recommend what has not been shown
popular = np.argsort(-np.bincount(data.X[data.y == 1, 1], minlength=200), kind="stable")
seen = np.zeros((400, 200), dtype=bool)
seen[shown[:, 0], shown[:, 1]] = True
users = np.unique(liked[:, 0])
users = users[(~seen[users]).sum(axis=1) >= 50]  # the others have seen too much
ranked, _ = est.recommend(users, n_items=50, exclude_seen=shown)
by_popularity = np.array([popular[~seen[u, popular]][:50] for u in users])
truth = np.zeros((400, 200), dtype=bool)
truth[liked[:, 0], liked[:, 1]] = True

sizes = np.arange(1, 51)
figure, ax = plt.subplots(layout="constrained")
for name, lists, style in [
    ("InverseGradientRecommender()", ranked.astype(int), {"color": "#0072B2"}),
    ("most liked items", by_popularity, {"color": "#D55E00", "linestyle": "--"}),
]:
    hits = truth[users[:, None], lists].cumsum(axis=1)
    recall = (hits / truth[users].sum(axis=1, keepdims=True)).mean(axis=0)
    ax.plot(sizes, recall, label=name, **style)
    print(f"{name:<29} recall@10 {recall[9]:.3f}, recall@50 {recall[49]:.3f}")
ax.set(xlabel="N, length of the list", ylabel="recall@N, mean over users")
ax.legend()
