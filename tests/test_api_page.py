"""docs/api.md names what is public, and nothing else."""

import inspect
import re
from pathlib import Path

import sklearn_invlearn
from sklearn_invlearn import (
    baselines,
    datasets,
    inspection,
    losses,
    metrics,
    model_selection,
    modules,
    spectral,
    training,
)

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")


def public_names():
    names = {
        name
        for name in sklearn_invlearn.__all__
        if not inspect.ismodule(getattr(sklearn_invlearn, name))
    }
    subpackages = (baselines, metrics, datasets, inspection, model_selection)
    return names.union(*(package.__all__ for package in subpackages))


def test_tables_list_exactly_the_public_names():
    first_cells = re.findall(r"^\| (`.*?) \|", PAGE, re.M)
    listed = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert listed == public_names()


def test_what_to_build_on_is_listed():
    names = {
        name
        for name, value in vars(losses).items()
        if getattr(value, "__module__", None) == losses.__name__
    }
    names = names.union(modules.__all__, training.__all__, spectral.__all__)
    text = PAGE.split("## To build on", 1)[1]
    assert names <= set(re.findall(r"`(?:\w+\.)?(\w+)`", text))


def test_methods_and_attributes_exist():
    from sklearn_invlearn import InverseGradientRecommender

    text = PAGE.split("All have", 1)[1].split("##", 1)[0]
    named = set(re.findall(r"`(\w+)[`(]", text)) - {"X_unlab", "X_extra"}
    assert {"fit", "annotate", "trace_", "net_"} <= named
    documented = InverseGradientRecommender.__doc__
    for name in named:
        if name.endswith("_"):
            assert name in documented
        else:
            assert callable(getattr(InverseGradientRecommender, name))
