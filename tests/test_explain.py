"""Contributions to a logit: they add up, and are what their names say."""

import numpy as np
import pytest

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.modules import BACKBONES

UNKNOWN = -1
PARTS = ("intercept", "of_user", "of_item", "interaction")


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def est(request, data):
    est = CrossEntropyRecommender(
        backbone=request.param, n_factors=4, gamma=0.05, max_epochs=5, random_state=0
    )
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


def test_contributions_add_up_to_the_logit(est, data):
    X = [*data.X_test.tolist(), (UNKNOWN, 1), (1, UNKNOWN), (UNKNOWN, UNKNOWN)]
    parts = est.explain(X)
    logit = est.decision_function(X)
    assert parts["logit"].tolist() == logit.tolist()
    total = sum(parts[name] for name in PARTS)
    np.testing.assert_allclose(total, logit, rtol=0, atol=1e-14)


def test_each_is_what_its_name_says(est, data):
    X = data.X_test[:30].tolist()
    parts = est.explain(X)
    average = est.decision_function([(UNKNOWN, UNKNOWN)])[0]
    user = est.decision_function([(u, UNKNOWN) for u, _ in X]) - average
    item = est.decision_function([(UNKNOWN, i) for _, i in X]) - average
    np.testing.assert_allclose(parts["intercept"], average)
    np.testing.assert_allclose(parts["of_user"], user, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(parts["of_item"], item, rtol=1e-9, atol=1e-12)


def test_an_unknown_side_contributes_nothing(est):
    parts = est.explain([(UNKNOWN, est.item_ids_[0]), (est.user_ids_[0], UNKNOWN)])
    assert parts["of_user"][0] == 0
    assert parts["of_item"][1] == 0
    np.testing.assert_allclose(parts["interaction"], 0, atol=1e-12)


def test_biases_have_no_interaction(data):
    est = CrossEntropyRecommender(backbone="bias", gamma=0.1, random_state=0)
    parts = est.fit(data.X, data.y).explain(data.X)
    np.testing.assert_allclose(parts["interaction"], 0, atol=1e-6)
    assert np.ptp(parts["of_user"]) > 0.1
    bias = est.net_.module_.biases.user.weight.detach().numpy()[1:, 0]
    positions = [est.user_ids_.tolist().index(u) for u in data.X[:, 0].tolist()]
    expected = (bias - bias.mean())[positions]
    np.testing.assert_allclose(parts["of_user"], expected, atol=1e-6)


def test_in_a_factorisation_contributions_average_to_zero(data):
    """Over all known users and items, as in a two-way analysis of variance."""
    est = CrossEntropyRecommender(backbone="gmf", gamma=0.1, random_state=0)
    est.fit(data.X, data.y)
    users, items = est.user_ids_.tolist(), est.item_ids_.tolist()
    parts = est.explain([(u, i) for u in users for i in items])
    interaction = parts["interaction"].reshape(len(users), len(items))
    assert np.ptp(interaction) > 0.1
    for axis in (0, 1):
        np.testing.assert_allclose(interaction.mean(axis=axis), 0, atol=1e-5)
    assert abs(parts["of_user"].mean()) < 1e-5


def test_frame(est, data):
    pandas = pytest.importorskip("pandas")
    frame = est.explain(data.X_test[:5], return_frame=True)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame) == ["user", "item", *PARTS, "logit"]
    parts = est.explain(data.X_test[:5])
    assert frame["interaction"].tolist() == parts["interaction"].tolist()


def test_unknown_ids_can_be_refused(data):
    est = CrossEntropyRecommender(backbone="gmf", handle_unknown="error", max_epochs=1)
    est.fit(data.X, data.y)
    with pytest.raises(ValueError, match="1 rows with a user id"):
        est.explain([(UNKNOWN, data.X[0, 1])])
    assert len(est.explain(data.X)) == len(data.X)
