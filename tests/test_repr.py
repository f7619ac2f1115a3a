"""How estimators and the package describe themselves."""

import inspect
import subprocess
import sys
from dataclasses import is_dataclass

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.fixes import parse_version

import sklearn_invlearn
from sklearn_invlearn import (
    CollidingRecommender,
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    ReweightedLossRecommender,
    TruncatedLossRecommender,
    baselines,
    datasets,
    inspection,
    metrics,
    model_selection,
)

METHODS = [
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
    TruncatedLossRecommender,
    ReweightedLossRecommender,
]
FIT = [getattr(m, name) for m in METHODS for name in ("fit", "predict_proba")]
FUNCTIONS = [
    function
    for module in (datasets, inspection, metrics, model_selection)
    for function in (getattr(module, name) for name in module.__all__)
    if inspect.isfunction(function)
]
CLASSES = [
    thing
    for module in (baselines, model_selection)
    for thing in (getattr(module, name) for name in module.__all__)
    if inspect.isclass(thing) and not is_dataclass(thing)  # results are not built
]
CLASSES.append(CollidingRecommender)
each_method = pytest.mark.parametrize("method", METHODS)


# ---- estimators ------------------------------------------------------------------


@each_method
def test_html_repr(method, data):
    est = method(gamma=0.25, max_epochs=1)
    for fitted in (False, True):
        html = est._repr_html_()
        assert method.__name__ in estimator_html_repr(est)
        assert "0.25" in html
        state = "Fitted" if fitted else "Not fitted"
        assert f"<span>{state}</span>" in html
        if not fitted:
            est.fit(data.X, data.y)


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn before 1.9 has no tooltips for parameters",
)
@each_method
def test_html_repr_explains_every_parameter(method, monkeypatch):
    """Given an address of documentation, tooltips are cut from the docstring."""
    address = "https://example.org/{estimator_module}.{estimator_name}.html"
    monkeypatch.setattr(method, "_doc_link_module", "sklearn_invlearn", raising=False)
    monkeypatch.setattr(method, "_doc_link_template", address, raising=False)
    html = method()._repr_html_()
    page = f"https://example.org/sklearn_invlearn.recommenders.{method.__name__}.html"
    assert page in html
    for name in inspect.signature(method).parameters:
        assert f'style="position-anchor: --doc-link-{name};"' in html


@each_method
def test_text_repr_names_what_is_not_default(method):
    assert repr(method()) == f"{method.__name__}()"
    assert repr(method(gamma=0.5)) == f"{method.__name__}(gamma=0.5)"


@each_method
def test_get_params_round_trip(method):
    params = method().get_params()
    assert set(params) == set(inspect.signature(method).parameters)
    changed = params | {"gamma": 0.125, "backbone": "mlp", "backbone_params": {"a": 1}}
    est = method().set_params(**changed)
    assert est.get_params() == changed
    assert clone(est).get_params() == changed
    with pytest.raises(ValueError, match="Invalid parameter 'alpha_'"):
        est.set_params(alpha_=1)


@each_method
def test_parameters_are_keyword_only_and_checked(method, data):
    for parameter in inspect.signature(method).parameters.values():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is not inspect.Parameter.empty
    assert set(method._parameter_constraints) == set(method().get_params())
    for name in method().get_params():
        est = method(**{name: object()})
        with pytest.raises(ValueError, match=f"The {name!r} parameter of"):
            est.fit(data.X, data.y)


def test_feature_names(data):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = ["who", "what"]
    for frame in (pd.DataFrame(data.X, columns=columns), pl.DataFrame(data.X, columns)):
        est = CrossEntropyRecommender(backbone="gmf", max_epochs=1).fit(frame, data.y)
        assert est.feature_names_in_.tolist() == columns
        assert est.n_features_in_ == 2
        assert np.isfinite(est.decision_function(frame)).all()
        with pytest.raises(ValueError, match="feature names should match"):
            est.predict(frame[["what", "who"]])
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            est.predict(data.X)
    est.fit(data.X, data.y)
    assert not hasattr(est, "feature_names_in_")
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        est.predict(frame)


@each_method
def test_tags(method):
    tags = get_tags(method())
    assert is_classifier(method())
    assert tags.input_tags.categorical
    assert tags.input_tags.string
    assert tags.input_tags.two_d_array
    assert not tags.input_tags.sparse
    assert not tags.input_tags.allow_nan
    assert not tags.classifier_tags.multi_class
    assert tags.target_tags.required
    assert tags.classifier_tags.poor_score  # see BaseRecommender.__sklearn_tags__
    samples = method in (TruncatedLossRecommender, ReweightedLossRecommender)
    gmf = method(backbone="gmf")
    assert get_tags(gmf).classifier_tags.poor_score is samples
    assert get_tags(
        CrossEntropyRecommender(backbone="gmf", negatives="sampled")
    ).classifier_tags.poor_score


# ---- docstrings ------------------------------------------------------------------


def documented_parameters(thing):
    docscrape = pytest.importorskip("numpydoc.docscrape")
    parse = docscrape.ClassDoc if inspect.isclass(thing) else docscrape.FunctionDoc
    documented = {}
    for entry in parse(thing)["Parameters"]:
        documented |= dict.fromkeys(entry.name.split(", "), entry)
    return documented


def signature_of(thing):
    parameters = dict(inspect.signature(thing).parameters)
    parameters.pop("self", None)
    return {
        f"**{name}" if p.kind is p.VAR_KEYWORD else name: p
        for name, p in parameters.items()
    }


@pytest.mark.parametrize(
    "thing", METHODS + FIT + FUNCTIONS + CLASSES, ids=lambda f: f.__qualname__
)
def test_every_parameter_is_documented_with_its_default(thing):
    documented, signature = documented_parameters(thing), signature_of(thing)
    assert list(documented) == list(signature)
    for name, parameter in signature.items():
        entry = documented[name]
        assert "".join(entry.desc).strip(), name
        stated = entry.type.partition("default=")[2]
        if parameter.default is inspect.Parameter.empty:
            assert stated == "", name
        else:
            value = eval(stated.strip("`"), {"nan": np.nan, "np": np})
            assert value is parameter.default or value == parameter.default, name
            assert type(value) is type(parameter.default), name


@pytest.mark.parametrize(
    "thing", METHODS + FUNCTIONS + CLASSES, ids=lambda f: f.__qualname__
)
def test_docstrings_are_well_formed(thing):
    validate = pytest.importorskip("numpydoc.validate").validate
    # Sections stand only where they say something; what is returned has a name.
    allowed = {"ES01", "SA01", "RT02"}
    result = validate(f"{thing.__module__}.{thing.__qualname__}")
    errors = [error for error in result["errors"] if error[0] not in allowed]
    assert errors == []


@each_method
def test_documented_attributes_exist_after_fit(method, data):
    docscrape = pytest.importorskip("numpydoc.docscrape")
    pd = pytest.importorskip("pandas")
    est = method(max_epochs=1).fit(pd.DataFrame(data.X, columns=["u", "i"]), data.y)
    names = [
        n for e in docscrape.ClassDoc(method)["Attributes"] for n in e.name.split(", ")
    ]
    assert {"classes_", "net_", "history_", "n_iter_", "feature_names_in_"} <= set(
        names
    )
    for name in names:
        assert getattr(est, name) is not None
    public = {n for n in vars(est) if n.endswith("_") and not n.startswith("_")}
    assert public <= set(names)


# ---- the package -----------------------------------------------------------------


def test_dir_and_unknown_names():
    assert set(sklearn_invlearn.__all__) <= set(dir(sklearn_invlearn))
    for name in sklearn_invlearn.__all__:
        assert getattr(sklearn_invlearn, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Recommender'"):
        sklearn_invlearn.Recommender  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "loads_torch"),
    [
        ("import sklearn_invlearn", False),
        ("import sklearn_invlearn.metrics, sklearn_invlearn.datasets", False),
        ("import sklearn_invlearn.model_selection", False),
        ("import sklearn_invlearn.baselines", False),
        ("from sklearn_invlearn import metrics, datasets; dir(metrics)", False),
        ("from sklearn_invlearn import CrossEntropyRecommender", True),
    ],
)
def test_torch_is_imported_only_where_it_is_needed(statement, loads_torch):
    code = f"import sys; {statement}; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr == ""
    assert run.stdout.strip() == str(loads_torch)
