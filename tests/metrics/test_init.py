import ast
import sys
from pathlib import Path

import pytest

from sklearn_invlearn import metrics

FILES = sorted(Path(metrics.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("name", metrics.__all__)
def test_public_names_exist(name):
    assert hasattr(metrics, name)


def test_all_is_complete_and_sorted():
    public = [n for n, v in vars(metrics).items() if callable(v) and n[0] != "_"]
    assert sorted(public) == metrics.__all__


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports(path):
    """Metrics work without torch and without the rest of the package."""
    allowed = {"numpy", "scipy", "sklearn", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module.split(".")[0] in allowed
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1
