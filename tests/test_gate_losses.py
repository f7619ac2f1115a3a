"""Losses that the gate of a student is judged by, against the formula."""

import math

import numpy as np
import torch

from sklearn_invlearn.fitting._student import GATE_DTYPE, _losses
from sklearn_invlearn.spectral import stacking_weights
from sklearn_invlearn.training import Pairs


def test_losses_of_the_gate_by_hand():
    rng = np.random.default_rng(1)
    y, weight = rng.integers(2, size=60), rng.random(60) + 0.5
    weight /= weight.mean()
    z = rng.normal(size=(60, 2))
    rows = [np.arange(0, 25), np.arange(25, 60)]
    labelled = Pairs.from_codes(
        np.zeros((2, 60), int), y, weight, device=torch.device("cpu")
    )
    y, weight = labelled.y.double().numpy(), labelled.weight.double().numpy()
    gate = _losses([z[r] for r in rows], rows, labelled, 0.3, np.array([0.7, 0.4]))
    gate = np.array(gate, dtype=GATE_DTYPE)
    shift, slope = stacking_weights(z[:, :1], y, weight)
    for k, r in enumerate(rows):
        mean = sum(z[i, 1] for i in r) / len(r)
        total = np.zeros(3)
        for i in r:
            stay = shift + slope[0] * z[i, 0]
            direct = 0.3 + 0.7 * z[i, 0] + 0.4 * z[i, 1]
            for j, logit in enumerate((direct, stay, stay - 0.4 * (z[i, 1] - mean))):
                p = 1 / (1 + math.exp(-logit))
                total[j] -= weight[i] * math.log(p if y[i] else 1 - p)
        total /= sum(weight[i] for i in r)
        losses = [gate[k][f"loss_{name}"] for name in ("direct", "pass", "inverse")]
        np.testing.assert_allclose(losses, total)
        assert gate[k]["fold"] == k + 1
        assert gate[k]["weight"] == 0.4
