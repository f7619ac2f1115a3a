"""Speed of what surrounds training: ids, samples, metrics, scores, searches."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _timing import Row, compared, in_turns, wall_seconds
from scipy import sparse
from sklearn.model_selection import GridSearchCV

from sklearn_invlearn import CrossEntropyRecommender, InverseGradientRecommender
from sklearn_invlearn.ids._encoding import IdIndex
from sklearn_invlearn.metrics import gauc_score, ndcg_score
from sklearn_invlearn.training import Pairs, UnobservedPairs


def linear(n_largest: int, rounds: int) -> Iterator[Row]:
    """Work at n, 2n and 4n rows: seconds, and how they grow."""
    sizes = [n_largest // 4, n_largest // 2, n_largest]
    works: dict[str, Callable[[int], Callable[[], object]]] = {
        "Encode string ids (a tenth distinct)": _encoding,
        "Draw unobserved pairs, 1 M users": _sampling,
        "GAUC": lambda n: _metric(n, gauc_score),
        "NDCG@10": lambda n: _metric(n, lambda *rows: ndcg_score(*rows, k=10)),
    }
    for what, prepare in works.items():
        work = [prepare(n) for n in sizes]
        times = in_turns(*work, rounds=min(rounds, 3))
        listed = ", ".join(f"{t:.2f} s" for t in times)
        rows = ", ".join(f"{n / 1e6:g} M" for n in sizes)
        growth = f"{times[2] / times[0]:.1f} × for 4 × the rows"
        yield Row(what, listed, f"at {rows} rows", growth, "seconds, linear")


def _encoding(n: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    ids = np.char.add("user-", rng.integers(0, n // 10, n).astype("U8"))
    return lambda: IdIndex().extend(ids)


def _sampling(n: int) -> Callable[[], object]:
    rng = torch.Generator().manual_seed(0)
    n_users, n_items = 1_000_001, 100_001
    observed = Pairs(
        torch.randint(1, n_users, (n,), generator=rng),
        torch.randint(1, n_items, (n,), generator=rng),
    )
    return lambda: UnobservedPairs(observed, n_users, n_items).draw(n, rng)


def _metric(n: int, score: Callable[..., object]) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    y, users = rng.integers(0, 2, n), rng.integers(0, n // 50, n)
    scores = rng.random(n)
    return lambda: score(y, scores, users)


def predictions(X: np.ndarray, y: np.ndarray, rounds: int) -> Iterator[Row]:
    """Scores per second, and rankings of all items for all users."""
    est = CrossEntropyRecommender(
        backbone="gmf", max_epochs=3, early_stopping=False, random_state=0
    ).fit(X, y)
    n = 3_000_000
    pairs = X[np.random.default_rng(0).integers(0, len(X), n)]
    few, others = X[:30_000], X[30_000:]
    default = CrossEntropyRecommender(random_state=0)
    default.fit(few, y[:30_000], X_unlab=(others,))
    for name, model, aim in (
        ("GMF, 32 factors", est, "≥ 3 M pairs/s"),
        ("default, 30,000 labels", default, ""),
    ):
        (seconds,) = in_turns(lambda m=model: m.predict_proba(pairs), rounds=rounds)
        speed = f"{n / seconds / 1e6:.1f} M pairs/s"
        yield Row(f"`predict_proba`, {name}, double precision", speed, "", "", aim)
    users = est.user_ids_
    yield _towers(X, y, users)
    peer = _implicit_ranking(est)
    if peer is None:
        yield Row("`recommend`", "", "", "`implicit` is not installed", "")
        return
    ours, other = in_turns(lambda: est.recommend(users, 10), peer, rounds=rounds)
    yield compared(
        f"`recommend` 10 of {len(est.item_ids_):,} items to {len(users):,} users",
        ("ours", ours),
        ("`implicit`, one thread", other),
        "≤ 1.5 ×",
    )


def _towers(X: np.ndarray, y: np.ndarray, users: np.ndarray) -> Row:
    """NeuMF, whose logit is no product: its first layer once per user and item."""
    est = CrossEntropyRecommender(
        backbone="neumf", max_epochs=1, early_stopping=False, random_state=0
    ).fit(X[:50_000], y[:50_000])
    some = users[:100]
    codes = np.stack([np.repeat(some, len(est.item_ids_)), np.tile(est.item_ids_, 100)])
    ours, other = in_turns(
        lambda: est.recommend(some, 10),
        lambda: est.predict_proba(codes.T),
        rounds=2,
    )
    return compared(
        f"`recommend` 10 of {len(est.item_ids_):,} items to 100 users, NeuMF",
        ("ours", ours),
        ("`predict_proba` of all these pairs", other),
        "",
    )


def _implicit_ranking(est: Any) -> Callable[[], object] | None:
    """Return implicit's batch ranking of the same users, items and width."""
    try:
        from implicit.cpu.bpr import BayesianPersonalizedRanking
    except ImportError:
        return None
    seen = sparse.csr_matrix(est.seen_items(est.user_ids_).astype(np.float32))
    model = BayesianPersonalizedRanking(factors=32, iterations=1, num_threads=1)
    model.fit(seen, show_progress=False)
    model.num_threads = 1
    users = np.arange(seen.shape[0])
    return lambda: model.recommend(users, seen, N=10, filter_already_liked_items=True)


def imports(rounds: int) -> Iterator[Row]:
    """Importing the package against importing scikit-learn, in a new Python each."""
    root = Path(__file__).resolve().parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}

    def load(name: str) -> float:
        code = f"import time; s = time.process_time(); import {name}; " + (
            "print(time.process_time() - s)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        return float(done.stdout)

    found = [[load(n) for n in ("sklearn_invlearn", "sklearn")] for _ in range(rounds)]
    ours, other = np.median(found, axis=0)
    yield compared(
        "`import sklearn_invlearn`",
        ("ours", float(ours)),
        ("`import sklearn`", float(other)),
        "≤ 1.1 ×",
        digits=3,
    )


def search(X: np.ndarray, y: np.ndarray) -> Iterator[Row]:
    """A search with one and with two workers, a pool of a million pairs."""
    rng = np.random.default_rng(0)
    pool = X[rng.integers(0, len(X), 1_000_000)]
    est = InverseGradientRecommender(
        backbone="gmf", max_epochs=4, early_stopping=False, random_state=0
    )

    def run(n_jobs: int) -> None:
        grid = {"gamma": [1e-4, 3e-4, 1e-3, 3e-3]}
        GridSearchCV(est, grid, cv=2, n_jobs=n_jobs, refit=False).fit(
            X, y, X_unlab=(pool,)
        )

    run(2)  # starts the workers
    two, one = in_turns(lambda: run(2), lambda: run(1), rounds=2, seconds=wall_seconds)
    yield compared(
        "Search of 8 fits on two cores, on the clock",
        ("n_jobs=2", two),
        ("n_jobs=1", one),
        "≥ 1.7 × faster",
        times_faster=True,
    )
