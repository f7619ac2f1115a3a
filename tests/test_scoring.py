"""Logits of pairs: of what two sides bring, whole or in blocks."""

import numpy as np
import pytest
import torch

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.scoring import _scoring
from sklearn_invlearn.scoring._replica import in_double_precision
from sklearn_invlearn.scoring._scoring import score_pairs
from sklearn_invlearn.scoring._sides import is_product

BACKBONES = ["spectral", "gmf", "bias", "cdae"]


@pytest.fixture(scope="module", params=BACKBONES)
def fitted(request):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 80, 3000), rng.integers(0, 60, 3000)])
    y = rng.integers(0, 2, 3000)
    est = CrossEntropyRecommender(backbone=request.param, random_state=0, device="cpu")
    module = est.fit(X, y).net_.module_
    assert is_product(module)
    return module, rng.integers(0, (81, 61), (500, 2)).T


def test_a_product_of_sides_is_the_logit(fitted):
    module, codes = fitted
    with torch.no_grad():
        expected = in_double_precision(module)(*torch.from_numpy(codes)).numpy()
    found = score_pairs(module, codes)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("most", [0, 30, 1000])
def test_many_users_or_few_in_blocks_or_at_once(fitted, monkeypatch, most):
    module, codes = fitted
    expected = score_pairs(module, codes)
    monkeypatch.setattr(_scoring, "_MOST_SIDES", most)
    monkeypatch.setattr(_scoring, "_BLOCK_ROWS", 7)
    blocks = score_pairs(module, codes)
    np.testing.assert_allclose(blocks, expected, rtol=1e-12, atol=1e-12)
    alone = [score_pairs(module, codes[:, [k]])[0] for k in range(20)]
    np.testing.assert_allclose(alone, expected[:20], rtol=1e-12, atol=1e-12)


def test_no_pairs(fitted):
    module, codes = fitted
    assert score_pairs(module, codes[:, :0]).shape == (0,)


@pytest.mark.parametrize("codes", [[5, 0, 5, 3], [7], [], [10**6, 2, 2]])
def test_distinct_codes(codes):
    codes = np.array(codes, dtype=np.int64)
    found, position = _scoring._distinct(codes)
    np.testing.assert_array_equal(found, np.unique(codes))
    np.testing.assert_array_equal(found[position], codes)
