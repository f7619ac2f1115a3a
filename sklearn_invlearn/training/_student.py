"""Train a module to convergence on labels and, if given, on its own annotations.

Not an epoch of a procedure but a fit: many steps of Adam at a rate that falls to zero.
"""

from __future__ import annotations

from typing import Any

import torch

from .._scheduled_adam import ScheduledAdam
from ..losses import MeanCrossEntropy
from ._batches import EndlessBatches
from ._inverse_dual import aligned_dual_loss
from ._pairs import Pairs, share_of_positives

_N_STEPS = 200
_N_WARM_UP = 20
_BATCH_SIZE = 1024


def fit_to_convergence(
    module: Any, labelled: Pairs, pool: Pairs | None, *, seed: int
) -> None:
    """Minimise L_labelled + penalty/n, plus the aligned dual loss of `pool`, in place.

    Parameters
    ----------
    module : nn.Module
        With a method ``penalty()``, or without; faster if it is a sum of squares and
        ``gaussian_priors()`` says of which parameters.
    labelled : Pairs
        Labelled pairs, whose share of positives is the prior of the annotations.
    pool : Pairs or None
        Unlabeled pairs; None learns from the labels alone.
    seed : int
        Of the order of the rows.
    """
    decayed, add_penalty = _decays(module, len(labelled))
    trainable = [p for p in module.parameters() if p.requires_grad]
    optimizer = ScheduledAdam(trainable, n_steps=_N_STEPS, n_warm_up=_N_WARM_UP)
    criterion = MeanCrossEntropy()
    prior = share_of_positives(labelled)
    generator = torch.Generator(labelled.user.device).manual_seed(seed)
    batches = EndlessBatches(labelled, _BATCH_SIZE, generator)
    annotated = None if pool is None else EndlessBatches(pool, _BATCH_SIZE, generator)
    module.train()
    for _ in range(_N_STEPS):
        batch = next(batches)
        parts = [batch] if annotated is None else [batch, next(annotated)]
        both = Pairs.joined(parts)  # a gradient of each table, not two
        logit = module(both.user, both.item)
        of_batch, of_pool = logit[: len(batch)], logit[len(batch) :]
        loss = criterion(of_batch, batch.y, batch.weight)
        if add_penalty:
            loss = loss + module.penalty() / len(labelled)
        if annotated is not None:
            loss = loss + aligned_dual_loss(of_pool, prior)
        optimizer.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter, decay in decayed:
                if parameter.grad is not None:
                    parameter.grad.add_(parameter, alpha=decay)
        optimizer.step()
    module.eval()


def _decays(
    module: Any, n_labelled: int
) -> tuple[list[tuple[torch.Tensor, float]], bool]:
    """Parameters and precisions over n of their priors; whether there is another.

    As a term of the loss the penalty would be a third of a step, and as weight decay
    in an optimiser with a group for each precision a tenth.
    """
    if not hasattr(module, "gaussian_priors"):
        return [], hasattr(module, "penalty")
    priors = [(p, precision / n_labelled) for p, precision in module.gaussian_priors()]
    return [(p, decay) for p, decay in priors if p.requires_grad], False
