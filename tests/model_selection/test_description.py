"""Text that tells apart what a run depends on."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.stats import loguniform, uniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import LRScheduler

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.baselines import OneHotLogisticRegression
from sklearn_invlearn.model_selection._description import describe


def made(source, name="thing", **names):
    """What `source` defines, as a cell of a notebook that is run again would."""
    space = {"__name__": "__main__", "torch": torch, **names}
    exec(source, space)
    return space[name]


CODE = """
import torch
LEVEL = {level}
def helper(x):
    return x * {factor}
class Base:
    pass
class thing(Base):
    width = {width}
    log = []
    def __init__(self, n_users, n_items, *, rate={rate}):
        self.rate = rate
    @property
    def size(self):
        return {size}
    @classmethod
    def made(cls):
        return lambda x: helper(x) + LEVEL + {inner}
"""
VALUES = {"level": 1, "factor": 2, "width": 3, "rate": 4, "size": 5, "inner": 6}


@pytest.mark.parametrize("part", VALUES)
def test_a_class_of_other_code_is_another(part):
    one, again = made(CODE.format(**VALUES)), made(CODE.format(**VALUES))
    other = made(CODE.format(**VALUES | {part: 77}))
    assert one.__qualname__ == other.__qualname__
    assert describe(one) == describe(again) != describe(other)
    assert describe([one, one]) == describe([again, again])
    estimator = CrossEntropyRecommender(backbone=one)
    assert describe(estimator) == describe(CrossEntropyRecommender(backbone=again))
    assert describe(estimator) != describe(CrossEntropyRecommender(backbone=other))
    assert describe(one(1, 2)) == describe(again(1, 2)) != describe(other(1, 2))


def test_what_a_run_may_change_is_not_looked_into():
    one = made(CODE.format(**VALUES))
    before = describe(one)
    one.log.append("a fit")
    assert describe(one) == before


HELPERS = """
from functools import cache, cached_property, lru_cache, partial, partialmethod
import numpy as np
def score(x):
    return x * {factor}
cached = lru_cache(maxsize=4)(score)
part = partial(max, {factor})
each = np.vectorize(score)
class Scorer:
    @cached_property
    def weight(self):
        return {factor}
    @cache
    def bias(self):
        return 0
    def _scaled(self, factor):
        return factor
    doubled = partialmethod(_scaled, {factor})
"""
USES = {
    "an attribute of a module": "helpers.score(x)",
    "a module in a package": "package.helpers.score(x)",
    "lru_cache": "helpers.cached(x)",
    "partial": "helpers.part(x)",
    "vectorize": "helpers.each(x)",
    "cached_property and partialmethod": "helpers.Scorer().weight",
}


@pytest.mark.parametrize("use", USES)
def test_helpers_in_other_modules(use):
    def thing(factor):
        helpers, package = ModuleType("helpers"), ModuleType("package")
        exec(HELPERS.format(factor=factor), vars(helpers))
        package.helpers, helpers.package = helpers, package  # as imports may
        code = f"def thing(x):\n    return {USES[use]}"
        return made(code, helpers=helpers, package=package)

    assert describe(thing(2)) == describe(thing(2)) != describe(thing(3))


@pytest.mark.parametrize("part", ["weight", "doubled", "bias"])
def test_what_a_class_is_decorated_with(part):
    values = {"weight": 2, "doubled": 2, "bias": 2}
    code = (
        "from functools import cache, cached_property, partialmethod\n"
        "class thing:\n"
        "    weight = cached_property(lambda self: {weight})\n"
        "    doubled = partialmethod(print, {doubled})\n"
        "    bias = cache(lambda self: {bias})\n"
    )
    one, again = (made(code.format(**values)) for _ in range(2))
    other = made(code.format(**values | {part: 3}))
    assert describe(one) == describe(again) != describe(other)


def frozen(y):
    model = OneHotLogisticRegression().fit([["ann", 1], ["bob", 1], ["eve", 2]], y)
    return CalibratedClassifierCV(FrozenEstimator(model))


def test_a_model_that_stays_fitted():
    one, again, other = map(frozen, ([0, 1, 1], [0, 1, 1], [1, 0, 0]))
    assert describe(one) == describe(again) != describe(other)


def test_sparse_tables_are_their_values():
    assert describe(csr_array([[1, 0]])) != describe(csr_array([[2, 0]]))


def test_functions():
    def of(factor):
        return lambda y, s, u: factor * s.mean()

    assert describe(of(1)) == describe(of(1)) != describe(of(2))
    plus, minus = (lambda y, s, u: +s[0]), (lambda y, s, u: -s[0])
    assert describe(plus) != describe(minus)
    assert describe(partial(of(1), u=0)) == describe(partial(of(1), u=0))
    assert describe(partial(of(1), u=0)) != describe(partial(of(1), u=1))
    assert describe(partial(of(1), u=0)) != describe(partial(of(2), u=0))

    def endless(n):
        return endless(n - 1) if n else 0

    assert describe(endless) == describe(endless)
    assert describe(torch.optim.SGD) == "torch.optim.sgd.SGD"
    assert describe(np.mean) != describe(np.median)
    assert describe(len) == "builtins.len"


class Scorer:
    def __init__(self, k):
        self.k = k
        self.itself = self

    def __call__(self, y, s, u):
        return self.k


def test_objects():
    assert describe(Scorer(1)) == describe(Scorer(1)) != describe(Scorer(2))
    assert describe(Scorer(1).__call__) != describe(Scorer(2).__call__)
    assert describe(LRScheduler("StepLR", step_size=1)) == describe(
        LRScheduler("StepLR", step_size=1)
    )
    assert describe(LRScheduler("StepLR", step_size=1)) != describe(
        LRScheduler("StepLR", step_size=2)
    )
    assert describe(loguniform(1, 2)) == describe(loguniform(1, 2))
    assert describe(loguniform(1, 2)) != describe(loguniform(1, 3))
    assert describe(uniform(1, 2)) != describe(loguniform(1, 2))
    long = np.zeros(5000)
    assert describe(torch.tensor(long)) == describe(torch.tensor(long))
    other = long.copy()
    other[2500] = 1
    assert describe(torch.tensor(long)) != describe(torch.tensor(other))
    assert describe({"a", "b"}) == describe({"b", "a"})
    assert describe(torch.device("cpu")) == describe(torch.device("cpu"))

    class Closed:
        def __array__(self, *args, **kwargs):
            raise TypeError("on another device")

    for unlike in (np.random.RandomState(0), Closed()):  # nothing says what it is
        assert describe(unlike) != describe(unlike)


def test_the_same_text_in_another_process():
    code = (
        "from tests.model_selection.test_description import *\n"
        "parts = [made(CODE.format(**VALUES)), Scorer(1), {'b', 'a', 'c'}, "
        "test_objects, frozen([0, 1, 1]), "
        "InverseGradientRecommender(callbacks=[LRScheduler()])]\n"
        "print(describe(parts))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (0, 1)
    }
    assert len(texts) == 1
    assert InverseGradientRecommender.__name__ in texts.pop()
