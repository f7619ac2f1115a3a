"""Pickles and copies."""

import copy
import io
import pickle

import joblib
import pytest
import torch
from numpy.testing import assert_array_equal

from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.files import _pickling

SIZES = {"backbone": "gmf", "n_factors": 256, "max_epochs": 2, "random_state": 0}


@pytest.fixture
def est(data):
    return CrossEntropyRecommender(**SIZES).fit(data.X, data.y)


def test_a_pickle_has_the_weights_once(est, data):
    n_bytes = sum(4 * p.numel() for p in est.net_.module_.parameters())
    content = pickle.dumps(est)
    assert n_bytes < len(content) < 1.5 * n_bytes
    assert est.net_.optimizer_.state  # the original keeps its memory
    again = pickle.loads(content)
    assert not again.net_.optimizer_.state
    assert_array_equal(again.predict_proba(data.X), est.predict_proba(data.X))
    again.partial_fit([[999, 1]], [1])
    assert again.user_ids_[-1] == 999
    assert vars(again).keys() == vars(est).keys()


class Looks:
    """Pickled among the attributes of the net; looks at the net as it is then."""

    def __init__(self, net):
        self.net, self.seen = net, []

    def __reduce__(self):
        self.seen.append(len(self.net.optimizer_.state))
        return list, ()


def test_others_see_the_optimisers_memory_while_it_is_left_out(est):
    # It was taken off for as long as pickling took: who trained or pickled at the same
    # time lost it for good.
    net = est.net_
    n_entries = len(net.optimizer_.state)
    net.looks_ = looks = Looks(net)
    assert not pickle.loads(pickle.dumps(net)).optimizer_.state
    assert looks.seen == [n_entries]


def test_joblib(est, data):
    file = io.BytesIO()
    joblib.dump(est, file)
    file.seek(0)
    again = joblib.load(file)
    assert_array_equal(again.predict_proba(data.X), est.predict_proba(data.X))


def test_a_deep_copy_goes_on_like_the_original(est, data):
    other = copy.deepcopy(est)
    weight = other.net_.module_.head.weight
    assert weight is not est.net_.module_.head.weight
    assert any(p is weight for p in other.net_.optimizer_.param_groups[0]["params"])
    for one in (est, other):
        one.partial_fit([["eve", 1], [3, 4]], [1, 0], n_epochs=3)
    assert_array_equal(other.decision_function(data.X), est.decision_function(data.X))
    memory = [one.net_.optimizer_.state[one.net_.module_.item_factors.weight]
              for one in (est, other)]  # fmt: skip
    assert torch.equal(memory[0]["exp_avg"], memory[1]["exp_avg"])


def test_a_pickle_of_another_release_warns(est, monkeypatch):
    content = pickle.dumps(est)
    monkeypatch.setattr(_pickling, "__version__", "99.0")
    with pytest.warns(UserWarning, match=r"pickled by sklearn_invlearn .* is 99\.0"):
        pickle.loads(content)
