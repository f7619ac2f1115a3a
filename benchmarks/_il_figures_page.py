"""The page of `il_figures.py`: the pictures, and what is seen in them as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from _il_pictures import MODELS, ROWS, split
from _trials import Trials
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from sklearn_invlearn.inspection import trace_verdict
from sklearn_invlearn.losses import annotation_proba
from sklearn_invlearn.training import DIRECTIONS

WITHOUT_PROBE = {  # the run with α = 0 that goes with a run
    "last/GMF, as published": "control/GMF, as published, α = 0",
    "last/GMF, tuned": "control/GMF, tuned, α = 0",
    "last/GMF, public code": "control/GMF, public code, α = 0",
    "control/GMF, public code, clones zeroed": "control/GMF, public code, α = 0",
}


def page(
    trials: Trials, y_report: np.ndarray, best: dict[str, Any], origin: str
) -> str:
    found = ", ".join(f"{name} = {value:.2g}" for name, value in best.items())
    return f"""\
# Figures 3 to 6 of the inverse learning paper, on MovieLens-1M

## Figure 3: weights of the dual loss

![Weights w1 after the first and the last epoch](images/il_figure3.png)

{table(weight_rows(trials, y_report))}

Share of the pairs with w1 > .5, and AUC of w1 among rated pairs. "Never rated" are
100,000 random items for the users of random ratings, what the methods train on;
rated pairs are those that no method saw. w0 = 1 - w1.

## Figure 4: few labels

![Weights w1 with few labels](images/il_figure4.png)

{table(few_rows(trials))}

The paper's Micro Video data are not public. In their place a twentieth of the labels
of MovieLens-1M; the other rated pairs are the pool, whose truth is known. Default
parameters.

## Figure 5: directions

![Training-test loss at every unlabeled step](images/il_figure5.png)

{table(trace_rows(trials))}

Direct / pass / inverse: per cent of the steps in each third of the run. "Change":
median over the steps of the larger relative change of the training-test loss by the
probe. "Ties": all three losses equal. "Right": of the moves (direct or inverse), the
share that lowers the loss of 20,000 validation pairs, too; "direct right": the
share if every move had been direct. "Told by positives": AUC with which the share of
positives in the training-test batch, which says nothing of the unlabeled one, tells
direct from inverse (within epochs; .5 is chance).

{table(convergence_rows(trials))}

Beside the same run with α = 0, so that nothing but the probe differs.

## Figure 6: several α

![The same for several α and both kinds of step](images/il_figure6.png)

{table(ratio_rows(trials))}

GMF, γ = 1e-4, as published but for α. "Loss": training-test loss minus that with α = 0
on the same batches, mean over the first and the last epoch; "jitter": standard
deviation of its changes from step to step.

**As published, public code.** As in [Table 2](il_table2.md): γ = 1e-4, α = 0.1 γ unless
said otherwise, ten epochs, no biases. **Tuned.** The setting of that table's tuned row,
with biases and early stopping: {found}. Seed 0 throughout.

{origin}"""


def table(rows: list[dict[str, str]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def percent(share: float) -> str:
    return f"{share:.0%}"


# ---- weights ---------------------------------------------------------------------


def weight_rows(trials: Trials, y_report: np.ndarray) -> list[dict[str, str]]:
    rows = []
    for model in MODELS:
        for when, moment in ROWS.items():
            key = f"{when}/{model}"
            pool = trials.array(key, "w1_pool")
            rated = judged_weights(trials.array(key, "w1_report"), y_report)
            rows.append(
                {
                    "model": model,
                    "": moment.removeprefix("after the "),
                    "never rated": percent((pool > 0.5).mean()),
                    "their mean w1": f"{pool.mean():.3f}",
                    **rated,
                }
            )
    share = float(y_report.mean())
    w1 = float(annotation_proba(torch.logit(torch.tensor(share))))
    return [
        *rows,
        {
            "model": f"constant, p = {share:.3f}",
            "": "–",
            "never rated": "100%",
            "their mean w1": f"{w1:.3f}",
            "truly positive": "100%",
            "truly negative": "100%",
            "AUC": "0.500",
        },
    ]


def few_rows(trials: Trials) -> list[dict[str, str]]:
    rows = []
    for model in ("GMF", "NeuMF"):
        for when, moment in ROWS.items():
            key = f"few, {when}/{model}"
            w1, y = (trials.array(key, name) for name in ("w1_pool", "y_pool"))
            rows.append(
                {
                    "model": model,
                    "": moment.removeprefix("after the "),
                    "mean w1": f"{w1.mean():.3f}",
                    **judged_weights(w1, y),
                }
            )
    return rows


def judged_weights(w1: np.ndarray, y: np.ndarray) -> dict[str, str]:
    shares = {name: percent((w > 0.5).mean()) for name, w in split(w1, y).items()}
    return {**shares, "AUC": f"{roc_auc_score(y, w1):.3f}"}


# ---- directions ------------------------------------------------------------------


def trace_rows(trials: Trials) -> list[dict[str, str]]:
    keys = [f"last/{model}" for model in MODELS]
    keys += [k for k in trials.done if k.startswith("control/") and "α" not in k]
    return [trace_row(trials, key) for key in keys]


def trace_row(trials: Trials, key: str) -> dict[str, str]:
    trace = trials.array(key, "trace")
    thirds = np.array_split(trace["direction"], 3)
    losses = [trace[f"loss_{name}"] for name in DIRECTIONS]
    return {
        "run": key.split("/")[1],
        "first third": shares(thirds[0]),
        "middle": shares(thirds[1]),
        "last third": shares(thirds[2]),
        "change": f"{trace_verdict(trace).change:.0e}",
        "ties": percent(np.mean(np.ptp(losses, axis=0) == 0)),
        **right(trials, key),
        "told by positives": told_by_positives(trials, trace),
    }


def shares(direction: np.ndarray) -> str:
    return " / ".join(f"{100 * (direction == name).mean():.0f}" for name in DIRECTIONS)


def right(trials: Trials, key: str) -> dict[str, str]:
    """Moves that the judge approves of, and what always going direct would give."""
    direction = trials.array(key, "trace")["direction"]
    moved = direction != "pass"
    try:
        judged = trials.array(key, "judged")
    except FileNotFoundError:  # a judge of NeuMF costs as much as its training
        return {"right": "–", "direct right": "–"}
    if not moved.any():
        return {"right": "–", "direct right": "–"}
    stay = judged[:, DIRECTIONS.index("pass")]
    gain = {name: judged[:, k] < stay for k, name in enumerate(DIRECTIONS)}
    taken = np.where(direction == "direct", gain["direct"], gain["inverse"])
    return {
        "right": percent(taken[moved].mean()),
        "direct right": percent(gain["direct"][moved].mean()),
    }


def told_by_positives(trials: Trials, trace: np.ndarray) -> str:
    """AUC of the batch's share of positives for direct against inverse, by epoch."""
    share = trials.array("batches", "positives")[: len(trace)]
    direct = trace["direction"] == "direct"
    found = []
    for epoch in np.unique(trace["epoch"]):
        rows = (trace["epoch"] == epoch) & (trace["direction"] != "pass")
        if 0 < direct[rows].sum() < rows.sum():
            found.append(roc_auc_score(direct[rows], share[rows]))
    return f"{np.mean(found):.2f}" if found else "–"


def chosen_loss(trace: np.ndarray) -> np.ndarray:
    """Training-test loss where the step has gone, shape (n_steps,)."""
    taken = [trace["direction"] == name for name in DIRECTIONS]
    return np.select(taken, [trace[f"loss_{name}"] for name in DIRECTIONS])


def convergence_rows(trials: Trials) -> list[dict[str, str]]:
    rows = []
    for key, control in WITHOUT_PROBE.items():
        row = {"run": key.split("/")[1]}
        for name, of in (("with the probe", key), ("α = 0", control)):
            record = trials.done[of]
            row[f"validation loss, {name}"] = f"{min(record['valid_loss']):.4f}"
            row[f"AUC, {name}"] = f"{record['AUC']:.4f}"
            row[f"epochs, {name}"] = str(record["epochs"])
        rows.append(row)
    return rows


def ratio_rows(trials: Trials) -> list[dict[str, str]]:
    base_key = WITHOUT_PROBE["last/GMF, as published"]
    base = trials.array(base_key, "trace")
    rows = []
    for key in [key for key in trials.done if key.startswith("ratio/")]:
        _, probe, ratio = key.split("/")
        trace = trials.array(key, "trace")
        difference = chosen_loss(trace) - chosen_loss(base)
        first, last = (
            difference[trace["epoch"] == e].mean() for e in (1, trace["epoch"].max())
        )
        rows.append(
            {
                "step": {"sgd": "α·g", "sign": "α·sign(g)"}[probe],
                "α/γ": ratio,
                "direct / pass / inverse": shares(trace["direction"]),
                "change": f"{trace_verdict(trace).change:.0e}",
                **right(trials, key),
                "told by positives": told_by_positives(trials, trace),
                "loss, first epoch": f"{first:+.4f}",
                "last": f"{last:+.4f}",
                "jitter": f"{np.diff(difference).std():.0e}",
                "AUC": f"{trials.done[key]['AUC']:.4f}",
            }
        )
    return rows
