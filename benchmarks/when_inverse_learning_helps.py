"""When do unlabeled pairs and the dual loss help? Noise, selection, pools, backbones.

MovieLens-1M. For each regime the spectral backbone is fitted once, and every procedure
starts from that fit. Differences to it come with an interval from a paired bootstrap
over users. What is done is kept in a file of JSON lines, and not done again.

    python benchmarks/when_inverse_learning_helps.py --ratings ml1m.npz --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _protocol import Part, provenance
from _regimes import Ratings, Setting, make, names, read_ratings
from _students import STUDENTS
from _trials import write_page
from _when_page import page
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score
from tqdm import tqdm

from sklearn_invlearn import (
    CrossEntropyRecommender,
    InverseDualLossRecommender,
    InverseGradientRecommender,
)
from sklearn_invlearn.fitting._student import gated_by_held_out_labels
from sklearn_invlearn.model_selection import paired_bootstrap
from sklearn_invlearn.scoring._scoring import score_pairs
from sklearn_invlearn.training import Pairs, fit_to_convergence

N_BOOT = 500
FEW, MORE = 0.05, 0.2
NOISY = ("clean, at random", "20 % of both flipped", "40 % of both flipped")
WITH_STUDENTS = (*NOISY, "only ratings 1 and 5")

Result = dict[str, Any]


def cases(seeds: list[int]) -> Iterator[tuple[int, float, str]]:
    """Seed, fraction and regime of every case, in order of interest."""
    first = (*NOISY, "30 % of both flipped", "10 % of both flipped")
    rest = [name for name in names() if name not in first]
    for seed in seeds:
        yield from ((seed, FEW, name) for name in (*first, *rest))
        yield from ((seed, MORE, name) for name in NOISY)


def already_fitted(module: Any) -> type:
    """A backbone that is a copy of `module`, so that it is fitted once for all."""
    copy = classmethod(lambda cls, **_: deepcopy(module))
    return type("AlreadyFitted", (), {"fitted": copy})


def procedures(backbone: Any) -> dict[str, Any]:
    """Estimators that start from `backbone`."""
    idl, ig = InverseDualLossRecommender, InverseGradientRecommender
    return {
        "IDL, the paper's": idl(backbone=backbone, alpha=1e-3),
        "IDL, aligned": idl(backbone=backbone, alpha=1e-3, prior_alignment=True),
        "IG, the paper's": ig(backbone=backbone, alpha=1e-4),
        "IG, sign probe": ig(backbone=backbone, alpha=1e-3, probe="sign"),
        "IDL, default": idl(backbone=backbone),
        "IG, default": ig(backbone=backbone),
    }


def deep() -> dict[str, Any]:
    """The same on a backbone that starts from random weights."""
    params = {"backbone": "neumf"}
    idl, ig = InverseDualLossRecommender, InverseGradientRecommender
    return {
        "NeuMF, CE": CrossEntropyRecommender(**params),
        "NeuMF, IDL": idl(**params),
        "NeuMF, IDL, aligned": idl(prior_alignment=True, **params),
        "NeuMF, IG": ig(**params),
        "NeuMF, IG, sign probe": ig(alpha=1e-3, probe="sign", **params),
    }


class Case:
    """All methods on one regime, fraction and seed."""

    def __init__(
        self, ratings: Ratings, report: Part, key: tuple, *, brief: bool
    ) -> None:
        self.seed, self.fraction, self.name = key
        self.brief = brief
        self.report = report
        self.setting: Setting = make(self.name, ratings, self.fraction, self.seed)

    def run(self) -> Iterator[Result]:
        """Yield a result for each method; the one it is compared with comes first."""
        start = time.process_time()
        base = self.fit(CrossEntropyRecommender(backbone="spectral"))
        reference = self.proba(base)
        yield self.result("CE", reference, reference, time.process_time() - start)
        module = base.net_.module_
        for method, estimator in procedures(already_fitted(module)).items():
            if method == "IDL, default" and not self.in_detail:
                continue  # the same gate as that of IG
            yield self.timed(method, lambda e=estimator: self.fitted(e), reference)
        for method, teach, with_pool in self.students():
            student = partial(self.taught, base, teach, with_pool)
            yield self.timed(method, student, reference)
        if self.name in NOISY and self.fraction == FEW and not self.brief:
            models = deep()
            reference, _ = self.fitted(models["NeuMF, CE"])
            for method, estimator in models.items():
                yield self.timed(method, lambda e=estimator: self.fitted(e), reference)

    @property
    def in_detail(self) -> bool:
        """Whether to run what takes long."""
        first = self.seed == 0 and self.fraction == FEW and not self.brief
        return first and self.name in WITH_STUDENTS

    def students(self) -> list[tuple[str, Callable[..., None], bool]]:
        students = [("student without pool", fit_to_convergence, False)]
        if self.in_detail:
            students += [(name, teach, True) for name, teach in STUDENTS.items()]
        return students

    def fit(self, estimator: Any) -> Any:
        estimator.set_params(random_state=self.seed, device="cpu")
        labelled, pool = self.setting.labelled, self.setting.pool
        return estimator.fit(labelled.X, labelled.y, X_unlab=(pool,))

    def proba(self, estimator: Any) -> np.ndarray:
        return estimator.predict_proba(self.report.X)[:, 1]

    def fitted(self, estimator: Any) -> tuple[np.ndarray, Any]:
        self.fit(estimator)
        return self.proba(estimator), getattr(estimator, "gate_", ())

    def taught(
        self, base: Any, teach: Callable[..., None], with_pool: bool
    ) -> tuple[np.ndarray, Any]:
        """The fit `base` with a student of another kind, by the same gate."""

        def codes(X: np.ndarray) -> np.ndarray:
            return base._encoder.lookup([X[:, 0], X[:, 1]])

        cpu, labelled = torch.device("cpu"), self.setting.labelled
        pairs = Pairs.from_codes(codes(labelled.X), labelled.y, device=cpu)
        pool = Pairs.from_codes(codes(self.setting.pool), device=cpu)
        module, gate = gated_by_held_out_labels(
            deepcopy(base.net_.module_),
            pairs,
            pool if with_pool else None,
            seed=self.seed,
            teach=teach,
        )
        return expit(score_pairs(module, codes(self.report.X))), gate

    def timed(self, method: str, run: Callable, reference: np.ndarray) -> Result:
        start = time.process_time()
        torch.manual_seed(self.seed)
        proba, gate = run()
        seconds = time.process_time() - start
        weight = float(gate[0][-1]) if len(gate) else 0.0
        return self.result(method, proba, reference, seconds, weight)

    def result(
        self,
        method: str,
        proba: np.ndarray,
        reference: np.ndarray,
        seconds: float,
        weight: float = 0.0,
    ) -> Result:
        y, users = self.report.y, self.report.X[:, 0]
        # The same users are drawn for every seed: replicates can be averaged.
        draws = paired_bootstrap(
            y, proba, reference, users, n_boot=N_BOOT, random_state=0
        )
        return {
            "seed": self.seed,
            "fraction": self.fraction,
            "regime": self.name,
            "method": method,
            "AUC": float(roc_auc_score(y, proba)),
            "log loss": float(log_loss(y, proba)),
            "difference": draws.difference,
            "replicates": [round(d, 6) for d in draws.replicates.tolist()],
            "weight": weight,
            "seconds": seconds,
        }


def read_results(path: Path) -> list[Result]:
    """Results of cases that were finished; a case is written at once."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main(argv: list[str] | None = None) -> None:
    """Run what is missing; the page is written again after each case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ratings", required=True, help=".npz, see README.md")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--brief", action="store_true", help="without NeuMF and without other students"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("build/when_inverse_learning_helps.jsonl")
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("docs/results/when_inverse_learning_helps.md"),
    )
    args = parser.parse_args(argv)
    origin = provenance(__file__, args.ratings)
    ratings, report = read_ratings(args.ratings)
    for path in (args.results, args.output):
        path.parent.mkdir(parents=True, exist_ok=True)
    results = read_results(args.results)
    done = {(r["seed"], r["fraction"], r["regime"]) for r in results}
    todo = [key for key in cases(args.seeds) if key not in done]
    for key in tqdm(todo, unit="case"):
        found = list(Case(ratings, report, key, brief=args.brief).run())
        with args.results.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in found)
        results += found
        write_page(args.output, page(results, origin))
    write_page(args.output, page(results, origin))
    print(f"Written: {args.output}")


if __name__ == "__main__":
    main()
