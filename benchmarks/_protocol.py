"""What the benchmarks share: the split, the metrics, and where a number came from."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_invlearn.datasets import load_ratings
from sklearn_invlearn.metrics import gauc_score, ndcg_score

SPLIT_SEED = 12345
THRESHOLD = 3
_LEFT_OUT = {"--ratings", "--data", "--output", "--results", "--write", "--beside"}

METRICS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "AUC": lambda y, proba, users: float(roc_auc_score(y, proba)),
    "GAUC": gauc_score,
    "NDCG@10": lambda y, proba, users: ndcg_score(y, proba, users, k=10),
    "log loss": lambda y, proba, users: float(log_loss(y, proba)),
}


@dataclass(frozen=True)
class Part:
    """Labelled pairs (n, 2) and their labels (n,)."""

    X: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Data:
    """The three parts of the protocol."""

    train: Part
    choose: Part
    report: Part


def read_data(path: str) -> Data:
    """Read the ratings and halve the validation part."""
    ratings = load_ratings(path, threshold=THRESHOLD)
    if ratings.X_valid is None:
        raise SystemExit(f"{path} has no arrays valid_user, valid_item, valid_rating.")
    rows = np.random.default_rng(SPLIT_SEED).permutation(len(ratings.y_valid))
    choose, report = (
        Part(ratings.X_valid[half], ratings.y_valid[half])
        for half in np.array_split(rows, 2)
    )
    return Data(Part(ratings.X, ratings.y), choose, report)


def evaluate(estimator: Any, part: Part) -> dict[str, float]:
    """Return every metric of the tables on the pairs of `part`."""
    proba = estimator.predict_proba(part.X)[:, 1]
    return {name: f(part.y, proba, part.X[:, 0]) for name, f in METRICS.items()}


def make_logistic(C: float) -> Any:
    """Return logistic regression on a column for each user and each item."""
    # At scikit-learn's default tolerance of 1e-4 it stops short of the optimum.
    return make_pipeline(
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegression(C=C, tol=1e-5, max_iter=1000),
    )


def log(what: str, auc: float, seconds: float) -> None:
    """Print a line of progress."""
    print(f"{what:45} AUC {auc:.4f} {seconds:6.1f} s", flush=True)


def provenance(script: str, ratings: str | None) -> str:
    """Return command, commit, machine and versions as Markdown."""
    # Names of files only: folders say nothing to other readers.
    data = "" if ratings is None else f" --ratings {Path(ratings).name}"
    command = (
        f"OMP_NUM_THREADS=1 python benchmarks/{Path(script).name}{data}{_options()}"
    )
    architecture = platform.machine().replace("_", "-")
    packages = ("numpy", "scipy", "scikit-learn", "torch", "skorch")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"""\
**Command.** `{command}`, at commit {current_commit()}.

**Machine.** {os.cpu_count()}-core {architecture} CPU, one thread ({platform.system()}).
Python {platform.python_version()}, {versions}.
"""


def _options() -> str:
    """Options of this run, but for files: what else decides the numbers."""
    words, kept = iter(sys.argv[1:]), [""]
    for word in words:
        if word in _LEFT_OUT:
            next(words, None)
        else:
            kept.append(f'"{word}"' if " " in word else word)
    return " ".join(kept)


def current_commit() -> str:
    """Return the short hash of the commit, and whether the package differs from it."""
    here = Path(__file__).resolve().parent.parent

    def git(*args: str) -> str:
        done = subprocess.run(
            ["git", *args], cwd=here, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "sklearn_invlearn")
    return f"{commit} (with uncommitted changes)" if changed else commit
