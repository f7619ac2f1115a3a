"""The page of `when_inverse_learning_helps.py`: tables, and what to make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tabulate import tabulate

Result = dict[str, Any]

MAIN = (
    "IDL, the paper's",
    "IDL, aligned",
    "IG, the paper's",
    "IG, sign probe",
    "IG, default",
    "student without pool",
)
DEEP = (
    "NeuMF, IDL",
    "NeuMF, IDL, aligned",
    "NeuMF, IG",
    "NeuMF, IG, sign probe",
)


def page(results: list[Result], origin: str) -> str:
    """Return the results as Markdown."""
    methods = list(dict.fromkeys(r["method"] for r in results))
    students = [m for m in methods if m not in MAIN and "NeuMF" not in m and m != "CE"]
    seeds = sorted({r["seed"] for r in results})
    return f"""\
# When inverse learning helps

{USERS}
## Procedures, from the same fit

MovieLens-1M; AUC of the spectral backbone fitted by cross entropy alone ("CE"), mean
± standard deviation over seeds; then what each procedure adds, with a 95 % interval.

{_table(results, "CE", MAIN)}
## Weight of the student, and log loss

How many of the fits by default took in a student ({len(seeds)} seeds), with what mean
weight, what that did to the log loss against the true labels, and what it cost.

{_gates(results)}
{_students(results, students)}{_deep(results)}{PROTOCOL}
Seeds {", ".join(map(str, seeds))}.

{origin}"""


def _students(results: list[Result], students: list[str]) -> str:
    table = _table(results, "CE", ("IDL, default", *students), only="w1 not aligned")
    return (
        f"""\
## Other students

Taught in other ways, joined by the same gate; the first column is the default of
`InverseDualLossRecommender`. Seed 0 alone.

{table}
"""
        if students
        else ""
    )


def _deep(results: list[Result]) -> str:
    table = _table(results, "NeuMF, CE", DEEP, only="NeuMF, IDL")
    return (
        f"""\
## A deep backbone

NeuMF with default parameters, which starts from random weights and stops early.

{table}
"""
        if _groups(results, "NeuMF, CE")
        else ""
    )


def _groups(results: list[Result], method: str) -> dict[tuple, list[Result]]:
    """Results of a method by share of labels and regime."""
    groups: dict[tuple, list[Result]] = {}
    for r in results:
        if r["method"] == method:
            groups.setdefault((r["fraction"], r["regime"]), []).append(r)
    return groups


def _table(
    results: list[Result], base: str, methods: tuple, only: str | None = None
) -> str:
    """Differences to `base`; `only` the regimes in which that method was run."""
    groups = {method: _groups(results, method) for method in methods}
    rows = []
    for key, found in _groups(results, base).items():
        if only is not None and key not in _groups(results, only):
            continue
        aucs = [r["AUC"] for r in found]
        spread = f" ± {np.std(aucs, ddof=1):.4f}" if len(aucs) > 1 else ""
        row = {
            "labels": f"{key[0]:.0%}, {key[1]}",
            "seeds": len(found),
            base: f"{np.mean(aucs):.4f}{spread}",
        }
        for method in methods:
            row[method] = _difference(groups[method].get(key, []))
        rows.append(row)
    return tabulate(rows, "keys", tablefmt="github", disable_numparse=True) + "\n"


def _difference(found: list[Result]) -> str:
    """Mean over seeds; the interval is that of the mean."""
    if not found:
        return "–"
    mean = np.mean([r["difference"] for r in found])
    replicates = np.mean([r["replicates"] for r in found], axis=0)
    low, high = np.quantile(replicates, (0.025, 0.975))
    sure = low > 0 or high < 0
    text = f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
    return f"**{text}**" if sure and abs(mean) >= 0.001 else text


def _gates(results: list[Result]) -> str:
    ours, plain = _groups(results, "IG, default"), _groups(results, "CE")
    rows = []
    for key, found in ours.items():
        weights = np.array([r["weight"] for r in found])
        losses = [np.mean([r["log loss"] for r in rs[key]]) for rs in (plain, ours)]
        rows.append(
            {
                "labels": f"{key[0]:.0%}, {key[1]}",
                "student taken in": f"{(weights > 0).sum()} of {len(weights)}",
                "weight": f"{weights.mean():.2f}",
                "log loss CE": f"{losses[0]:.4f}",
                "log loss IG, default": f"{losses[1]:.4f}",
                "seconds more": f"{np.mean([r['seconds'] for r in found]):.0f}",
            }
        )
    return tabulate(rows, "keys", tablefmt="github", disable_numparse=True) + "\n"


USERS = """\
## What to expect

**Do nothing, read `gate_`.** With the default backbone and a pool, `fit` asks held-out
labels whether a student of the pool should join the model. `est.gate_["weight"]` is 0 if
not, and the model is then the one that was fitted to the labels; `trace_` shows the
same as epoch 0.

| your labels | what to expect of the default |
|---|---|
| clean, chosen at random | the gate says no, and the model is exactly that of cross entropy. The pool has done its work in the embeddings |
| 10 to 30 % wrong, both sides | the fit to the labels copes by itself: held-out labels bring in strongly regularised models. The student joins on one seed of three or on all, and costs .0001 to .0006 of AUC |
| 40 % wrong, both sides | .012 with 5 % of all labels, and with 20 % .005, or .002 where the fit itself is better since (last table), and here it is the dual loss of the pool: a student without the pool adds nothing, or costs .001 |
| wrong on one side | within .0003 of the fit; the student joins on one seed of three, or on none |
| not a random sample: extreme ratings, popular items, active users, liked ones first, half of them positive | the gate says no, and the model is exactly that of cross entropy. It judges by labels like yours, and cannot see what you did not sample |
| any, with pairs to be scored in the pool | nothing from the gate, .0015 from embeddings that know these exposures |
| any, with random pairs for a pool | nothing from the gate, and embeddings of noise: .043 less than with exposures. Give exposures, or no pool |
| a deep backbone (NeuMF) | no gate. The dual loss costs one to two hundredths with clean labels; the inverse gradient with the paper's step changes little |

**What not to expect.** The dual loss as in the paper, without the gate, costs .001 to .002 of AUC with clean labels and
.001 to .04 with wrong ones. It does lower the log loss against the true labels where both sides are
flipped (.450 to .401 at 20 %, .603 to .496 at 40 %) or positives are, as it sharpens probabilities that wrong labels have flattened. The inverse
gradient with the paper's step changes next to nothing. With 30,000 labels of which 40 % are wrong, the gain of the gate is
hardly above the noise of the held-out loss: with fewer labels it may stay shut. Probabilities are those of labels as
observed; wrong labels make them less extreme than the truth.

**If you know that labels are bad,** compare `InverseDualLossRecommender()` with
`CrossEntropyRecommender()` on a few hundred labels that you trust.

"""  # noqa: E501 - rows of a Markdown table

PROTOCOL = """\
**Protocol.** Label = rating ≥ 3. Labelled rows are a share of all 600,125 training
rows, chosen as the first column says; the other training rows are the pool. Labels are
flipped at random in the training part alone, held-out rows of the gate included; tests
use true labels. Measured on the 100,021 pairs of the second half of the validation
part, which no choice used. The student's constants were chosen on the first half, with
seed 0, at 5 % and 20 %, clean and with 20 and 40 % flipped. Intervals: paired bootstrap
over users (500 draws, the same for all seeds) of the mean difference over seeds; bold
where they leave out zero and the difference is .001 or more.
"""
