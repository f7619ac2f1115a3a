"""A bilinear logit as a product of what each side brings."""

import numpy as np
import pytest
import torch

from sklearn_invlearn.spectral._bilinear import STRUCTURES, Bilinear


@pytest.mark.parametrize("structure", STRUCTURES)
def test_sides_make_up_the_logit(structure):
    rng = np.random.default_rng(0)
    P, Q = (rng.normal(size=(n, 3)).astype(np.float32) for n in (5, 4))
    module = Bilinear(P, Q, structure, 0.3).double()
    with torch.no_grad():
        for name in module.blocks:
            module.block(name).normal_()
        user, item = torch.arange(5).repeat_interleave(4), torch.arange(4).repeat(5)
        (bias_u, u), (bias_i, i) = module.user_side(user), module.item_side(item)
        logit = bias_u + bias_i + (u * i).sum(-1)
        torch.testing.assert_close(logit, module(user, item))
