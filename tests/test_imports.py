"""What an import loads, each in a Python of its own."""

import subprocess
import sys
import textwrap

import pytest

NO_TORCH = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "skorch"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def test_the_package_alone_loads_nothing_heavy():
    heavy = ("numba", "numpy", "scipy", "sklearn", "skorch", "torch", "tqdm")
    loaded = run(
        "import sys, sklearn_invlearn\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


@pytest.mark.parametrize(
    "code",
    [
        """
        from sklearn_invlearn.metrics import gauc_score, gauc_scorer, ndcg_score
        assert gauc_score([0, 1, 1, 0], [0.1, 0.2, 0.3, 0.4], [1, 1, 2, 2]) == 0.5
        assert ndcg_score([0, 1], [0.1, 0.2], [1, 1]) == 1.0
        """,
        """
        from sklearn_invlearn.datasets import make_sparse_feedback
        assert len(make_sparse_feedback(9, 9, n_exposures=40, random_state=0).X)
        """,
    ],
    ids=["metrics", "datasets"],
)
def test_metrics_and_datasets_work_without_torch(code):
    run(NO_TORCH + textwrap.dedent(code))
