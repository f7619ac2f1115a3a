"""MovieLens-1M as implicit feedback of which it is known what is a false positive.

Every rating is a click; a rating below 3 makes it a false positive, as in [ADT] for
Amazon-book and Yelp. A trial trains once and is judged after several epochs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from _adt import COMMIT, Method, columns_of, measured, recommended
from skorch.callbacks import Callback

from sklearn_invlearn.training import RecordRows

THRESHOLD = 3
SPLIT_SEED = 12345
CUTOFFS = (3, 20, 50, 100)
COLUMNS = columns_of(CUTOFFS)
R20 = COLUMNS.index("R@20")
CLEAN = "CE, clean clicks only"
FEWER = "CE, as many clicks at random"
EPOCHS = (10, 15, 20, 25)
LATER = (30, 40, 50)  # for variants that are trained for longer
GAMMA = 2e-3  # at the paper's 1e-3, CE still improves after 40 epochs


@dataclass(frozen=True)
class Data:
    """Clicks (n, 2) of some users: to train on, to choose by, to report on.

    Attributes
    ----------
    is_false : ndarray of shape (n_train,), bool
        Which training clicks are false positives; for pictures, and for training on
        clean clicks.
    choose : ndarray
        One half of the held-out clicks, false ones among them: nobody has looked.
    report : ndarray
        The true positives of the other half.
    extra : ndarray
        Some of the true positives in `train`: extra feedback.
    """

    train: np.ndarray
    is_false: np.ndarray
    choose: np.ndarray
    report: np.ndarray
    extra: np.ndarray

    @property
    def items(self) -> np.ndarray:
        return np.unique(self.train[:, 1])


def read_data(path: str, n_users: int) -> Data:
    """Read the ratings of `n_users` users, drawn at random."""
    rng = np.random.default_rng(SPLIT_SEED)
    with np.load(path) as file:
        train, held_out = (
            np.column_stack([file[f"{p}_{c}"] for c in ("user", "item", "rating")])
            for p in ("train", "valid")
        )
    users = np.unique(train[:, 0])
    if len(users) > n_users:
        users = rng.choice(users, n_users, replace=False)
    train, held_out = (
        part[np.isin(part[:, 0], users)].astype(int) for part in (train, held_out)
    )
    choose, report = np.array_split(rng.permutation(held_out), 2)
    is_false = train[:, 2] < THRESHOLD
    return Data(
        train[:, :2],
        is_false,
        choose[:, :2],
        report[report[:, 2] >= THRESHOLD, :2],
        some_of(train[~is_false, :2], rng),
    )


def some_of(clicks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A share of each user's `clicks`, from Beta(1, 4): a fifth, for many less."""
    users, user = np.unique(clicks[:, 0], return_inverse=True)
    share = rng.beta(1, 4, size=len(users))
    return clicks[rng.random(len(clicks)) < share[user]]


# ---- fits ----------------------------------------------------------------------------


class KeepStates(Callback):
    """Keep the weights after some epochs of the main stage."""

    def __init__(self, epochs: Sequence[int]) -> None:
        self.epochs = epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.n_epochs_ = 0
        self.states_: dict[int, dict] = {}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.n_epochs_ += 1
        if self.n_epochs_ in self.epochs:
            self.states_[self.n_epochs_] = deepcopy(net.module_.state_dict())


def clicks_for(method: Method, data: Data) -> np.ndarray:
    """All training clicks; the true ones; or as many, drawn at random."""
    left_out = np.zeros_like(data.is_false)
    if method.name == CLEAN:
        left_out = data.is_false
    elif method.name == FEWER:
        left_out = np.random.default_rng(SPLIT_SEED).permutation(data.is_false)
    return data.train[~left_out]


def fitted(
    method: Method, data: Data, seed: int, params: dict, **extra: Any
) -> tuple[Any, dict[int, dict]]:
    """Fit, and return the weights by epoch.

    They are those after each of EPOCHS (and LATER, if it goes on for so long), or the
    last ones of a fit that is finetuned.
    """
    kept = KeepStates((*EPOCHS, *LATER))
    settings = {"gamma": GAMMA, "max_epochs": EPOCHS[-1], **params}
    settings["callbacks"] = [kept] if extra else [kept, RecordRows()]
    clicks = clicks_for(method, data)
    est = method.make("gmf", seed, **settings)
    est.fit(clicks, np.ones(len(clicks), dtype=int), **extra)
    if method.params.get("extra_feedback") == "finetune":
        return est, {settings["max_epochs"]: est.net_.module_.state_dict()}
    return est, kept.states_


def judged(est: Any, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Metrics of each user on the clicks to choose by, and on those to report on."""
    seen = np.concatenate([data.train, data.choose])
    values = []
    for relevant, masked in ((data.choose, data.train), (data.report, seen)):
        users = np.unique(relevant[:, 0])
        ranked = recommended(est, users, data.items, masked, max(CUTOFFS))
        values.append(measured(ranked, users, relevant, CUTOFFS))
    return values[0], values[1]


def trial(
    method: Method, data: Data, seed: int, params: dict, **extra: Any
) -> dict[str, Any]:
    """Fit, and judge after every kept epoch: arrays (n_epochs, n_users, n_columns)."""
    start = time.perf_counter()
    est, states = fitted(method, data, seed, params, **extra)
    both = []
    for state in states.values():
        est.net_.module_.load_state_dict(state)
        both.append(judged(est, data))
    record = {
        "choose": np.stack([choose for choose, _ in both]),
        "report": np.stack([report for _, report in both]),
        "epochs": list(states),
        "seconds": time.perf_counter() - start,
        "commit": COMMIT,
    }
    if seed == 0 and not extra and method.name not in (CLEAN, FEWER):
        record["loss"] = np.stack(est.history_[:, "row_loss"])
        record["dropped"] = np.stack(est.history_[:, "row_dropped"])
    return record
