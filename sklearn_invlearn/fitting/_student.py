"""Whether to learn from the pool: a student, and its weight by held-out labels.

A backbone that comes fitted has learned from the labels what its prior lets it. A
*student* on the same embeddings learns from the labels and from its own annotations of
the pool. It joins the fitted model with the weight that predicts held-out labels best,
often none: then the model stays as it was fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..scoring._scoring import score_pairs
from ..spectral import stacking_weights
from ..spectral._cross_entropy import cross_entropies
from ..training import Pairs, TrainingData, fit_to_convergence, share_of_positives
from ._training_data import EncodedPairs

GATE_DTYPE = np.dtype(
    [("fold", np.int64)]
    + [(f"loss_{name}", np.float64) for name in ("direct", "pass", "inverse")]
    + [("weight", np.float64)]
)
Gate = list[tuple[int, float, float, float, float]]  # rows of GATE_DTYPE

_MIN_ROWS = 1_000
_MIN_RARER = 20
# In the summed loss of the labels held out so far, in nats. Under clean labels a
# student gains a twentieth now and then, where labels are wrong one or several.
_SMALLEST_GAIN = 0.2
_TRIAL_WEIGHT = 0.1  # that the losses of a rejected student are shown at


class GateMixin:
    """What held-out labels said, of recommenders that ask them."""

    _gate: Sequence[tuple] = ()

    @property
    def _asks_held_out_labels(self) -> bool:
        """Whether they decide if the backbone learns from the pool."""
        raise NotImplementedError

    def _run(
        self,
        module: nn.Module,
        pairs: EncodedPairs,
        data: TrainingData,
        seeds: dict[str, int],
        callbacks: list,
    ) -> None:
        goes_on = hasattr(self, "net_")  # with the student it has, or none
        if not goes_on:
            self._gate = []
        if self._asks_held_out_labels and pairs.pool is not None and not goes_on:
            labelled, pool = data.all_labelled.to("cpu"), pairs.pool.to("cpu")
            seed = seeds["held_out"]
            module, self._gate = gated_by_held_out_labels(module, labelled, pool, seed)
        super()._run(module, pairs, data, seeds, callbacks)  # type: ignore[misc]

    @property
    def gate_(self) -> np.ndarray:
        """Held-out losses with a student of the pool and without, fold by fold."""
        check_is_fitted(self, "net_")
        return np.array(list(self._gate), dtype=GATE_DTYPE)


def gated_by_held_out_labels(
    module: Any,
    labelled: Pairs,
    pool: Pairs | None,
    seed: int,
    teach: Callable[..., None] = fit_to_convergence,
) -> tuple[nn.Module, Gate]:
    """Return `module`, joined by a student if held-out labels want it, and the gate.

    Parameters
    ----------
    module : nn.Module
        Fitted to `labelled`; on the CPU, like the pairs. Its ``out_of_fold`` has rows
        that the fit has held out, and their logits; without, nothing is asked.
    labelled : Pairs
        Labelled pairs.
    pool : Pairs or None
        Exposures; without them the student has its stronger prior and labels alone.
    teach : callable
        ``teach(student, labelled, pool, seed=seed)`` trains a student in place.
    seed : int
        Fixes the order of rows.

    Returns
    -------
    module : nn.Module
    gate : list of tuple
        Rows of GATE_DTYPE, one for each fold that was tried. Without an improvement
        in the first one there is no second.
    """
    y = _column(labelled.y)
    rarer = min(y.sum(), len(y) - y.sum())
    too_few = len(y) < _MIN_ROWS or rarer < _MIN_RARER
    if too_few or not hasattr(module, "student") or _student(module, labelled) is None:
        return module, []
    folds = getattr(module, "out_of_fold", None)
    if not folds:
        return module, []
    # Who has no label keeps to the embeddings: tables of all would take long.
    users, items = labelled.user.unique(), labelled.item.unique()
    known = _recoded(labelled, users, items)
    shown = None if pool is None else _recoded(pool, users, items)
    if shown is not None and not len(shown):
        return module, []
    part = module.part(users, items)
    intercept, weights, gate = _cross_validated(part, folds, known, shown, seed, teach)
    if not weights[1]:
        return module, gate
    student, of_part = _student(module, labelled), _student(part, known)
    teach(of_part, known, shown, seed=seed)
    student.set_part(of_part, users, items)
    return module.beside(student, intercept, weights).eval(), gate


def _cross_validated(
    module: Any,
    folds: list[tuple[np.ndarray, np.ndarray]],
    labelled: Pairs,
    pool: Pairs | None,
    seed: int,
    teach: Callable[..., None],
) -> tuple[float, np.ndarray, Gate]:
    """Intercept, weights of model and student, and the gate.

    The student is held out from the same folds as the model was.
    """
    rows, logits = [], []
    for held_out, logit in folds:
        others = np.delete(np.arange(len(labelled)), held_out)
        known, unseen = (labelled[torch.from_numpy(r)] for r in (others, held_out))
        student = _student(module, known)
        teach(student, known, pool, seed=seed)
        rows.append(held_out)
        logits.append(np.column_stack([logit, score_pairs(student, unseen.codes)]))
        intercept, weights = _weights(logits, rows, labelled)
        if not weights[1]:
            break
    return intercept, weights, _losses(logits, rows, labelled, intercept, weights)


def _recoded(pairs: Pairs, users: torch.Tensor, items: torch.Tensor) -> Pairs:
    """Pairs of these users and items, which are sorted, in the codes of a part."""
    inside = torch.isin(pairs.user, users) & torch.isin(pairs.item, items)
    kept = pairs[inside]
    user, item = (
        torch.searchsorted(users, kept.user),
        torch.searchsorted(items, kept.item),
    )
    return Pairs(user, item, kept.y, kept.weight)


def _student(module: Any, labelled: Pairs) -> Any:
    return module.student(share_of_positives(labelled))


def _weights(
    logits: list[np.ndarray], rows: list[np.ndarray], labelled: Pairs
) -> tuple[float, np.ndarray]:
    """Intercept and weights of both, from the folds so far; 0 for an idle student."""
    y, weight = _held_out(rows, labelled)
    both = np.vstack(logits)
    intercept, weights = stacking_weights(both, y, weight)
    shift, slope = stacking_weights(both[:, :1], y, weight)
    ways = intercept + both @ weights, shift + both[:, :1] @ slope
    joined, alone = cross_entropies(np.column_stack(ways), y, weight)
    if alone - joined < _SMALLEST_GAIN:
        return shift, np.r_[slope, 0.0]
    return intercept, weights


def _held_out(rows: list[np.ndarray], labelled: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Labels and weights of the folds so far."""
    tried = np.concatenate(rows)
    return _column(labelled.y)[tried], _row_weights(labelled)[tried]


def _losses(
    logits: list[np.ndarray],
    rows: list[np.ndarray],
    labelled: Pairs,
    intercept: float,
    weights: np.ndarray,
) -> Gate:
    """Held-out loss of each fold with the student, without it, and against it."""
    shift, slope = stacking_weights(
        np.vstack(logits)[:, :1], *_held_out(rows, labelled)
    )
    chosen = weights[1] > 0
    step = float(weights[1]) if chosen else _TRIAL_WEIGHT
    gate = []
    for k, (z, test) in enumerate(zip(logits, rows)):
        stay = shift + slope[0] * z[:, 0]
        away = step * (z[:, 1] - z[:, 1].mean())
        direct = intercept + z @ weights if chosen else stay + away
        with_student, without, against = (
            _mean_loss(logit, labelled, test) for logit in (direct, stay, stay - away)
        )
        weight = step if chosen else 0.0
        gate.append((k + 1, with_student, without, against, weight))
    return gate


def _mean_loss(logit: np.ndarray, labelled: Pairs, rows: np.ndarray) -> float:
    y, weight = _column(labelled.y)[rows], _row_weights(labelled)[rows]
    return float(cross_entropies(logit[:, None], y, weight)[0] / weight.sum())


def _column(values: Any) -> np.ndarray:
    return values.numpy().astype(np.float64)


def _row_weights(labelled: Pairs) -> np.ndarray:
    return (
        np.ones(len(labelled)) if labelled.weight is None else _column(labelled.weight)
    )
