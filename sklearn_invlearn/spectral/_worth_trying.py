"""Which candidates are worth a weight, and at which strengths: one fold says."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ._candidates import FEWEST_ROWS, STRENGTHS, fit_path
from ._convex import ROUGHLY
from ._embeddings import Embeddings
from ._labels import Labels, loss_of
from ._logits import logits_of
from ._stacking import stacking_weights

_ENOUGH_TO_TELL = 100_000  # rows that show whether strong regularisation is better
_PERHAPS_WRONG = 3.0  # strength that biases want where labels may be wrong
# Labels for each user or each item from which factors alone may help: where the
# vectors of one side are known, a few labels tell those of the other.
_ROWS_PER_ID = 10
# Fewer do to ask, where the full model finds little beyond biases.
_ROWS_PER_ID_FEW, _LITTLE = 3, 0.01
_FACTORISATIONS = ("svdpp", "factors", "relevance", "posterior")
# Users or items for each of which there may be a covariance: a kilobyte.
_MOST_COVARIANCES = 500_000
_AS_WELL_KNOWN = 0.8
_LEAST_GAIN = 2.0  # nats of held-out loss that a factorisation has to add
_LEAST_SHARE = 0.001  # of the loss that one beside another has to add at least


def worth_trying(
    exposures: sparse.csr_array,
    embeddings: Embeddings,
    known: Labels,
    held_out: Labels,
    full: np.ndarray,
    seed: int,
) -> tuple[dict[str, tuple[float, ...]], dict[str, np.ndarray]]:
    """Strengths of each structure on the way to the best one; some have none.

    Each way ends where the held-out loss rises. That of "crossed" has to start below
    the loss of the full model: it is there for labels that are wrong so often that
    what the full model learns from single ones is noise. Biases are the first to show
    that: on MovieLens-1M they want a strength of 1 with right labels, 3 with a tenth
    of them wrong and 10 from a fifth on, where "crossed" begins to win. It is asked
    roughly, and has to be fitted again; of the others the second result has the
    held-out logits (n, n_strengths). A factorisation has to add to the full model,
    whose free tables on embeddings that say nothing are only noise, and whose
    embeddings leave out what "svdpp" learns from. Beside that one, "factors" has to add
    from its weakest prior on, which sharp tastes want. With many labels "posterior" is
    asked instead of it, and that and "relevance" have to add from the first prior on.

    `exposures` are all there are, `full` the logits (n,) of the full model.
    """
    tried: dict[str, tuple[float, ...]] = {}
    logits: dict[str, np.ndarray] = {}
    loss_of_full = loss_of(full, held_out)
    speak = _speak_for(exposures, known, held_out)
    many = len(known) >= _ENOUGH_TO_TELL
    for structure, strengths in STRENGTHS.items():
        best, rows, how = np.inf, known, {}
        beside = [full]
        if structure == "crossed":
            best, how = loss_of_full, {"tolerance": ROUGHLY}
            n_rows = min(len(known), _ENOUGH_TO_TELL)  # from all over, if sorted
            rows = known[np.linspace(0, len(known) - 1, n_rows).astype(int)]
            perhaps_wrong = max(tried.get("biases", (0.0,))) >= _PERHAPS_WRONG
            if len(known) < FEWEST_ROWS or not perhaps_wrong:
                continue
        if structure in _FACTORISATIONS:
            if not speak or not _is_for(structure, known):
                continue
            gain = 1 - loss_of_full / loss_of(logits["biases"][:, -1], held_out)
            per_id = _ROWS_PER_ID_FEW if gain < _LITTLE else _ROWS_PER_ID
            if len(known) < max(FEWEST_ROWS, per_id * min(known.n_ids)):
                continue
            beside += [logits[k][:, -1] for k in _FACTORISATIONS if k in tried]
        in_doubt = structure in _FACTORISATIONS and (
            many or (structure == "factors" and len(beside) > 1)
        )
        columns: list[np.ndarray] = []
        path = fit_path(embeddings, structure, rows, strengths, seed=seed, **how)
        for model, _ in path:
            z = logits_of(model, held_out.user, held_out.item)
            loss = loss_of(z, held_out)
            if loss >= best or (in_doubt and not _adds([z], beside, held_out)):
                break
            best = loss
            columns.append(z)
        joins = structure not in _FACTORISATIONS or _adds(columns, beside, held_out)
        if columns and joins:
            tried[structure] = strengths[: len(columns)]
            if not how:
                logits[structure] = np.column_stack(columns)
    return tried, logits


def _is_for(structure: str, known: Labels) -> bool:
    """Whether a factorisation is for labels as many, of as many ids, as these."""
    fits = max(known.n_ids) <= _MOST_COVARIANCES
    if structure == "factors":
        return len(known) < _ENOUGH_TO_TELL or not fits
    return structure == "svdpp" or fits


def _adds(path: list[np.ndarray], beside: list[np.ndarray], rows: Labels) -> bool:
    """Whether the last logits of a path predict better with those beside than these."""
    losses = []
    for columns in (beside, [*beside, *path[-1:]]):
        logit = np.column_stack(columns)
        intercept, weights = stacking_weights(logit, rows.y, rows.weight)
        losses.append(loss_of(intercept + logit @ weights, rows))
    n_others = len(beside) - 1
    least = max(_LEAST_GAIN, n_others * _LEAST_SHARE * losses[0])
    return losses[0] - losses[1] > least


def _speak_for(exposures: sparse.csr_array, known: Labels, held_out: Labels) -> bool:
    """Whether held-out labels are of ids as well known as those of all exposures.

    Not where labels are of popular items alone: there a factorisation predicts
    held-out labels best, and other items worse than embeddings do (.009 of AUC).
    """
    users, items = (np.zeros(n, dtype=bool) for n in exposures.shape)
    users[known.user] = items[known.item] = True
    pairs = exposures.tocoo().coords
    there, here = (
        float(np.mean(users[user] & items[item]))
        for user, item in (pairs, (held_out.user, held_out.item))
    )
    return there >= _AS_WELL_KNOWN * here
