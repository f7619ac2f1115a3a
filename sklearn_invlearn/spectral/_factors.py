"""How strong a prior the free factors p and q want: held-out labels say.

Evidence cannot tell: where the mode of p and q is zero it stays there, and where it is
not, the product of two modes is taken for better known than it is. What they want
differs from data to data, by a factor of two either way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ._bilinear import Bilinear
from ._codes import distinct
from ._labels import Labels, loss_of
from ._logits import logits_of, terms_of
from ._training import fit_bilinear

_WEAKER, _STRONGER = (0.75, 0.55, 0.4), (1.35, 1.85, 2.5)  # times what they have
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
        Fitted to `known`.
    learned : dict of str to float
        Its precisions; the search starts from those of p and q.
    known, held_out : Labels
        Rows to fit to and to judge by.
    seed : int
        Order of the rows.
    """
    if len(known) < _ROWS_PER_ID * sum(known.n_ids):
        return learned["p"]
    users, user = distinct(np.r_[known.user, held_out.user])
    items, item = distinct(np.r_[known.item, held_out.item])
    cut = [len(known)]
    known, held_out = (
        replace(rows, user=u, item=i, offset=_without_factors(full, rows))
        for rows, u, i in zip(
            (known, held_out), np.split(user, cut), np.split(item, cut)
        )
    )
    P, Q = (np.zeros((len(ids), 0), dtype=np.float32) for ids in (users, items))

    def loss(precision: float) -> float:
        beside = Bilinear(P, Q, "factors", base_rate=0.5)
        precisions = learned | dict.fromkeys("pq", precision)
        fit_bilinear(beside, known, precisions, n_steps=_N_STEPS, seed=seed)
        z = held_out.offset + logits_of(beside, held_out.user, held_out.item)
        return loss_of(z, held_out)

    return _while_it_pays(loss, learned["p"])


def _while_it_pays(loss: Callable[[float], float], start: float) -> float:
    """Go from a precision to weaker ones, or else to stronger ones.

    Where it leaves p and q at zero, so does a slightly weaker one, and the loss is the
    same: only a rise ends that way.
    """
    best, lowest = start, loss(start)
    for times in _WEAKER:
        precision = times * start
        now = loss(precision)
        if now > lowest:
            break
        if now < (1 - _LEAST_GAIN) * lowest:
            best, lowest = precision, now
    if best != start:
        return best
    for times in _STRONGER:
        precision = times * start
        now = loss(precision)
        if now >= (1 - _LEAST_GAIN) * lowest:
            break
        best, lowest = precision, now
    return best


def _without_factors(full: Bilinear, rows: Labels) -> np.ndarray:
    """Logit (n,) of all terms but the last, which is that of p and q."""
    return terms_of(full, rows.user, rows.item)[:, :-1].sum(axis=1)
