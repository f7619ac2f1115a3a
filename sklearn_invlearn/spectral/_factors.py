"""How strong a prior the free factors p and q want: held-out labels say.

Evidence cannot tell: where the mode of p and q is zero it stays there, and where it is
not, the product of two modes is taken for better known than it is. What they want
differs from data to data, by a factor of two either way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ._bilinear import PRECISIONS, Bilinear
from ._labels import Labels
from ._stacking import cross_entropies
from ._training import fit_bilinear

USUAL = PRECISIONS["p"]
_WEAKER, _STRONGER = (5.5, 4.0, 3.0), (10.0, 14.0, 20.0)
_ROWS_PER_ID = 10  # labels per user and item from which factors learn enough to ask
# Share of the held-out loss. The final fit takes more steps, in which a weaker prior
# lets p and q learn more by heart: a gain of .001 here was a loss there.
_LEAST_GAIN = 0.005
_N_STEPS = 300


def precision_of_factors(
    full: Bilinear,
    learned: dict[str, float],
    known: Labels,
    held_out: Labels,
    seed: int,
) -> float:
    """Precision of p and q under which they predict `held_out` best.

    They are fitted anew for every precision, beside a bias for each user and item, to
    what the other terms of `full` leave over: much faster than the full model.

    Parameters
    ----------
    full : Bilinear
        Fitted to `known` with the usual precision of p and q.
    learned : dict of str to float
        Its precisions.
    known, held_out : Labels
        Rows to fit to and to judge by.
    seed : int
        Order of the rows.
    """
    users, user = np.unique(np.r_[known.user, held_out.user], return_inverse=True)
    items, item = np.unique(np.r_[known.item, held_out.item], return_inverse=True)
    if len(known) < _ROWS_PER_ID * (len(users) + len(items)):
        return USUAL
    cut = [len(known)]
    known, held_out = (
        replace(rows, user=u, item=i, offset=_without_factors(full, rows))
        for rows, u, i in zip(
            (known, held_out), np.split(user, cut), np.split(item, cut)
        )
    )
    P, Q = (np.zeros((len(ids), 0), dtype=np.float32) for ids in (users, items))

    def loss(precision: float) -> float:
        beside = Bilinear(P, Q, "full", base_rate=0.5)
        precisions = learned | dict.fromkeys("pq", precision)
        fit_bilinear(beside, known, precisions, n_steps=_N_STEPS, seed=seed)
        z = held_out.offset + _terms(beside, held_out).sum(axis=1)
        return float(cross_entropies(z[:, None], held_out.y, held_out.weight)[0])

    return _while_it_pays(loss)


def _while_it_pays(loss: Callable[[float], float]) -> float:
    """Go from the usual precision to weaker ones, or else to stronger ones."""
    best, lowest = USUAL, loss(USUAL)
    for way in (_WEAKER, _STRONGER):
        for precision in way:
            now = loss(precision)
            if now >= (1 - _LEAST_GAIN) * lowest:
                break
            best, lowest = precision, now
        if best != USUAL:
            break
    return best


def _without_factors(full: Bilinear, rows: Labels) -> np.ndarray:
    """Logit (n,) of all terms but the last, which is that of p and q."""
    return _terms(full, rows)[:, :-1].sum(axis=1)


def _terms(model: Bilinear, rows: Labels) -> np.ndarray:
    pairs = torch.from_numpy(rows.user), torch.from_numpy(rows.item)
    with torch.no_grad():
        return model.terms(*pairs).numpy().astype(np.float64)
