"""A backbone and a procedure of one's own, as docs/design describes them."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.datasets import make_sparse_feedback
from sklearn_invlearn.training import PairNet


class Distance(nn.Module):
    """A backbone: logit = a - |p_u - q_i|², no base class needed."""

    def __init__(self, n_users, n_items, n_factors, spread=0.1):
        super().__init__()
        self.user = nn.Embedding(n_users, n_factors)
        self.item = nn.Embedding(n_items, n_factors)
        self.offset = nn.Parameter(torch.zeros(()))
        nn.init.normal_(self.user.weight, std=spread)
        nn.init.normal_(self.item.weight, std=spread)

    def forward(self, user, item):
        squared = (self.user(user) - self.item(item)).square()
        return self.offset - squared.sum(dim=-1)


class LabelSmoothingNet(PairNet):
    """A procedure: one method."""

    def training_steps(self, data):
        for batch in self.labelled_batches(data):
            logit = self.module_(batch.user, batch.item)
            loss = self.criterion_(logit, 0.05 + 0.9 * batch.y, batch.weight)
            yield self.descend(batch, loss)


class LabelSmoothingRecommender(CrossEntropyRecommender):
    """Its estimator: names the net."""

    def _net(self):
        return LabelSmoothingNet, {}


@pytest.fixture(scope="module")
def data():
    return make_sparse_feedback(
        n_users=60, n_items=40, n_exposures=1500, label_fraction=0.5, random_state=0
    )


@pytest.mark.parametrize(
    "recommender", [CrossEntropyRecommender, InverseGradientRecommender]
)
def test_own_backbone(recommender, data):
    est = recommender(
        backbone=Distance,
        n_factors=3,
        backbone_params={"spread": 0.3},
        gamma=0.03,
        random_state=0,
    ).fit(data.X, data.y)
    module = est.net_.module_
    assert isinstance(module, Distance)
    assert module.user.embedding_dim == 3
    assert est.score(data.X, data.y) > 0.8
    # The unknown user is the average of the known ones here, too.
    torch.testing.assert_close(module.user.weight[0], module.user.weight[1:].mean(0))
    assert np.isfinite(est.decision_function([[-1, data.X[0, 1]]])).all()


def test_own_procedure(data):
    est = LabelSmoothingRecommender(backbone="gmf", gamma=0.05, random_state=0).fit(
        data.X, data.y
    )
    plain = CrossEntropyRecommender(backbone="gmf", gamma=0.05, random_state=0).fit(
        data.X, data.y
    )
    assert type(est.net_) is LabelSmoothingNet
    assert est.score(data.X, data.y) > 0.8
    smoothed, sharp = (np.abs(e.decision_function(data.X)) for e in (est, plain))
    assert smoothed.mean() < sharp.mean()


@pytest.mark.parametrize(
    ("backbone", "error", "message"),
    [
        ("gmff", ValueError, "'backbone' parameter"),
        (nn.Linear(1, 1), ValueError, "'backbone' parameter"),
        (nn.Linear, TypeError, "n_users"),
    ],
)
def test_what_is_not_a_backbone_is_refused(backbone, error, message, data):
    with pytest.raises(error, match=message):
        CrossEntropyRecommender(backbone=backbone).fit(data.X, data.y)


@pytest.mark.parametrize(
    ("backbone", "params", "message"),
    [
        ("gmf", {"depth": 3}, r"GMF cannot be built: .*'depth'.*here \['depth'\]"),
        (torch.nn.Linear, None, r"Linear cannot be built: .*takes .*in_features"),
    ],
)
def test_a_backbone_that_cannot_be_built_says_why(data, backbone, params, message):
    est = CrossEntropyRecommender(backbone=backbone, backbone_params=params)
    with pytest.raises(TypeError, match=message):
        est.fit(data.X, data.y)
