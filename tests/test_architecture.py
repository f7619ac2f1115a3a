"""The layers of docs/design.md, held against the imports of the code."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_invlearn"
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 400
MAX_BODY = 60


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


def imports_of(path):
    """Modules of the package, and third parties, that a file imports anywhere."""
    parts = path.relative_to(PACKAGE).parent.parts
    internal, external = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            external |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            external.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1]
            tail = node.module.split(".") if node.module else []
            names = [[*base, *tail]]
            if not tail:  # from . import _inputs
                names = [[*base, alias.name] for alias in node.names]
            internal |= {".".join(n) for n in names if n}
    return internal, external


def layers():
    """Rows of the table in docs/design.md: file -> (may import, third parties)."""
    rows = re.findall(r"^\| `([\w/.]+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", DESIGN, re.M)
    return {
        name: (set(re.findall(r"`([\w.]+)`", inside)), set(re.findall(r"`(\w+)`", out)))
        for name, inside, out in rows
    }


LAYERS = layers()
THIRD_PARTIES = {
    "joblib", "matplotlib", "narwhals", "numba", "numpy", "pandas", "polars", "pooch",
    "pyarrow", "rich", "safetensors", "scipy", "skorch", "sklearn", "torch", "tqdm",
}  # fmt: skip


def layer_of(path):
    """The table's row for a file: its own, or that of its folder."""
    relative = path.relative_to(PACKAGE).as_posix()
    if relative in LAYERS:
        return relative
    return f"{path.relative_to(PACKAGE).parts[0]}/"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_match_the_design_page(path):
    layer = layer_of(path)
    assert layer in LAYERS, f"docs/design.md has no row for {layer}"
    allowed_inside, allowed_outside = LAYERS[layer]
    internal, external = imports_of(path)
    own_folder = layer.rstrip("/") if layer.endswith("/") else None
    tops = {name.split(".")[0] for name in internal} - {own_folder}
    assert tops <= allowed_inside, f"{layer} may not import {tops - allowed_inside}"
    used = external & THIRD_PARTIES
    assert used <= allowed_outside, f"{layer} may not import {used - allowed_outside}"


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_the_design_page_lists_no_import_that_is_gone(layer):
    paths = [path for path in SOURCES if layer_of(path) == layer]
    assert paths, f"docs/design.md has a row for {layer}, which does not exist"
    internal, external = map(set.union, *(imports_of(path) for path in paths))
    tops = {name.split(".")[0] for name in internal} - {layer.rstrip("/")}
    inside, outside = LAYERS[layer]
    assert inside <= tops
    assert outside <= external


def test_imports_are_free_of_cycles():
    graph = {module_name(path): imports_of(path)[0] for path in SOURCES}
    del graph[""]  # the package itself imports lazily, from everywhere
    while leaves := {name for name, seen in graph.items() if not seen & set(graph)}:
        graph = {name: seen for name, seen in graph.items() if name not in leaves}
    assert not graph, f"import cycle among {sorted(graph)}"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_files_and_functions_stay_small(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body
            if ast.get_docstring(node):
                body = body[1:]
            n_lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            is_constructor = node.name == "__init__"  # scikit-learn asks for its length
            assert n_lines <= MAX_BODY or is_constructor, (
                f"{node.name}: {n_lines} lines"
            )


def test_half_of_the_files_are_shorter_than_170_lines():
    lengths = sorted(len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES)
    assert lengths[len(lengths) // 2] <= 170
