"""What do I ship, and does it still say the same?

One file without pickle: tensors, ids and settings. It is read again, its scores are
compared bit by bit, and its size is set beside that of a pickle.
"""

import pickle
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_invlearn import CrossEntropyRecommender, load
from sklearn_invlearn.datasets import make_sparse_feedback

data = make_sparse_feedback(2000, 1000, n_exposures=60_000, random_state=0)
sizes = {}
for n_factors in (8, 32, 128):
    est = CrossEntropyRecommender(
        backbone="gmf", n_factors=n_factors, max_epochs=2, random_state=0
    )
    est.fit(data.X, data.y, X_unlab=(data.X_unlab,))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        est.save(path)
        again = load(path)
        sizes[n_factors] = path.stat().st_size, len(pickle.dumps(est))
before, after = (m.predict_proba(data.X_test) for m in (est, again))
print(f"scores before and after are equal, bit by bit: {np.array_equal(before, after)}")
print(
    f"ids before and after are equal: {np.array_equal(est.user_ids_, again.user_ids_)}"
)

figure, ax = plt.subplots(layout="constrained")
place = np.arange(len(sizes))
for shift, kind, color, hatch in (
    (-0.2, "save", "#0072B2", ""), (0.2, "pickle", "#E69F00", "//"),
):  # fmt: skip
    kilobytes = [s[kind == "pickle"] / 1000 for s in sizes.values()]
    bars = ax.bar(place + shift, kilobytes, 0.4, color=color, hatch=hatch, label=kind)
    ax.bar_label(bars, fmt="%.0f")
ax.set_xticks(place, [str(n) for n in sizes])
ax.set(xlabel="n_factors, with 2,000 users and 1,000 items", ylabel="size, kB")
ax.legend()
