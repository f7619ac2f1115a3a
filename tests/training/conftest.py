"""Both ways of updating rows: compiled, and by torch alone."""

import pytest

from sklearn_invlearn.training import _compiled_rows


@pytest.fixture
def rows_by_torch(monkeypatch):
    """As without numba, or on a GPU."""
    monkeypatch.setattr(_compiled_rows, "kernels", lambda: None)


@pytest.fixture(params=["compiled", "torch"])
def each_way(request):
    """Run a test twice; once if numba is not there."""
    if request.param == "torch":
        request.getfixturevalue("rows_by_torch")
    elif _compiled_rows.kernels() is None:
        pytest.skip("needs numba")
