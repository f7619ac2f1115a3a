"""Rows of the tables of `il_table2.py`, beside what the paper reports."""

from __future__ import annotations

import numpy as np
from _protocol import Data
from _trials import Trials
from tabulate import tabulate

from sklearn_invlearn.model_selection import paired_bootstrap

FIRST_SEED = 0
PAPER = {  # AUC, GAUC, NDCG
    ("None", "gmf"): (0.7671, 0.6919, 0.9285),
    ("NS", "gmf"): (0.7639, 0.7200, 0.9400),
    ("T-CE", "gmf"): (0.7612, 0.7163, 0.9349),
    ("R-CE", "gmf"): (0.7632, 0.7192, 0.9391),
    ("IDL", "gmf"): (0.7304, 0.6400, 0.8996),
    ("IG", "gmf"): (0.8318, 0.7642, 0.9521),
    ("None", "neumf"): (0.7524, 0.6856, 0.9214),
    ("NS", "neumf"): (0.7495, 0.7088, 0.9298),
    ("T-CE", "neumf"): (0.7587, 0.7158, 0.9351),
    ("R-CE", "neumf"): (0.7521, 0.7117, 0.9349),
    ("IDL", "neumf"): (0.7962, 0.6984, 0.9212),
    ("IG", "neumf"): (0.8253, 0.7569, 0.9449),
}
KINDS = {
    "published": "as published",
    "overfitted": "γ = 0.01, last epoch",
    "tuned": "equally tuned",
}
IN_PAPER = "paper: AUC / GAUC / NDCG"
PUBLIC_CODE = {"gmf": 0.8331, "neumf": 0.8248}  # AUC on the paper's test pairs


def block(trials: Trials, data: Data, kind: str, backbone: str) -> str:
    """One table: a row for each method of a kind, over its seeds."""
    order = [method for method, of in PAPER if of == backbone]
    names = {
        key.split("/")[1]
        for key in trials.done
        if key.startswith(f"{kind}/") and key.split("/")[2] == backbone
    }
    names = sorted(names, key=lambda n: (order.index(n) if n in order else 99, n))
    rows = []
    for name in names:
        keys = [k for k in trials.done if k.startswith(f"{kind}/{name}/{backbone}/")]
        rows.append(
            {
                "method": name,
                **means([trials.done[key] for key in keys]),
                "against None": against(trials, data, kind, name, backbone),
                IN_PAPER: " / ".join(f"{x:.4f}" for x in PAPER[name, backbone])
                if (name, backbone) in PAPER
                else "–",
                "public code": f"{PUBLIC_CODE[backbone]:.4f}"
                if name == "IG, public code"
                else "–",
            }
        )
    for key in trials.done:
        if key.startswith("trivial/"):
            nothing = dict.fromkeys(("against None", IN_PAPER, "public code"), "–")
            rows.append(
                {"method": key.split("/")[1], **means([trials.done[key]]), **nothing}
            )
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def means(records: list[dict]) -> dict[str, str]:
    def mean(name: str) -> float:
        return float(np.mean([r[name] for r in records]))

    spread = ""
    if len(records) > 1:
        spread = f" ± {np.std([r['AUC'] for r in records], ddof=1):.4f}"
    return {
        "seeds": str(len(records)),
        "AUC": f"{mean('AUC'):.4f}{spread}",
        "GAUC": f"{mean('GAUC'):.4f}",
        "NDCG@10": f"{mean('NDCG@10'):.4f}",
        "log loss": f"{mean('log loss'):.4f}",
    }


def against(trials: Trials, data: Data, kind: str, name: str, backbone: str) -> str:
    """Difference of the AUC to "None" with its 95 % interval, first seed of both."""
    if name == "None":
        return "–"
    ours, base = (
        trials.array(f"{kind}/{method}/{backbone}/{FIRST_SEED}", "proba")
        for method in (name, "None")
    )
    found = paired_bootstrap(
        data.report.y, ours, base, data.report.X[:, 0], random_state=0
    )
    return f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
