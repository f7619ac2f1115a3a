"""Other ways to teach a student, for the comparison: none is part of the package.

Each is ``teach(student, labelled, pool, seed=seed)``, in place, with the number of
steps and the learning rate of the package's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, jvp
from torch.nn import functional as F

from sklearn_invlearn.losses import align_to_prior, annotation_proba, cross_entropy
from sklearn_invlearn.training import EndlessBatches, Pairs, share_of_positives

N_STEPS, N_WARM_UP, BATCH_SIZE, LEARNING_RATE = 200, 20, 1024, 0.03

Teacher = Callable[..., None]


def steps(parameters: Any) -> Iterator[Callable[[Tensor], None]]:
    """Yield, for each step, a function that descends on a loss."""
    optimizer = torch.optim.Adam(parameters, lr=1.0, betas=(0.9, 0.99), fused=True)

    def descend(loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for t in range(N_STEPS):
        share = min(1, (t + 1) / N_WARM_UP) * (1 + math.cos(math.pi * t / N_STEPS)) / 2
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * share
        yield descend


def batches(pairs: Pairs, seed: int) -> EndlessBatches:
    return EndlessBatches(pairs, BATCH_SIZE, torch.Generator().manual_seed(seed))


def supervised(student: Any, batch: Pairs, n_labelled: int) -> Tensor:
    loss = cross_entropy(student(batch.user, batch.item), batch.y).mean()
    return loss + student.penalty() / n_labelled


def dual_loss_of_the_paper(student: Any, labelled: Pairs, pool: Pairs, *, seed: int):
    """w1 as it is, not aligned to the prior."""
    rows, unlabeled = batches(labelled, seed), batches(pool, seed + 1)
    for descend in steps(student.parameters()):
        u = next(unlabeled)
        logit = student(u.user, u.item)
        dual = cross_entropy(logit, annotation_proba(logit.detach())).mean()
        descend(supervised(student, next(rows), len(labelled)) + dual)


def averaged_teacher(student: Any, labelled: Pairs, pool: Pairs, *, seed: int):
    """Annotations by the exponential moving average of the student's weights.

    Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """
    prior, teacher = share_of_positives(labelled), deepcopy(student)
    rows, unlabeled = batches(labelled, seed), batches(pool, seed + 1)
    for descend in steps(student.parameters()):
        u = next(unlabeled)
        with torch.no_grad():
            w1 = align_to_prior(annotation_proba(teacher(u.user, u.item)), prior)
        dual = cross_entropy(student(u.user, u.item), w1).mean()
        descend(supervised(student, next(rows), len(labelled)) + dual)
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), student.parameters()):
                slow.lerp_(fast, 0.02)


def flip_rates(student: Any, labelled: Pairs, pool: Pairs, *, seed: int):
    """No pool: a likelihood with learned rates of flipped labels, P(y = 1 | z) =
    (1 - ρ1) σ(z) + ρ0 (1 - σ(z)); Natarajan et al., NeurIPS 2013.
    """
    rho = torch.tensor([-1.0, -1.0], requires_grad=True)  # ρ = σ(·) / 2 ≈ .13
    rows = batches(labelled, seed)
    for descend in steps([*student.parameters(), rho]):
        batch = next(rows)
        proba = torch.sigmoid(student(batch.user, batch.item))
        r0, r1 = torch.sigmoid(rho) / 2
        observed = ((1 - r1) * proba + r0 * (1 - proba)).clamp(1e-6, 1 - 1e-6)
        loss = F.binary_cross_entropy(observed, batch.y)
        descend(loss + student.penalty() / len(labelled))


def gated(unit: str, inverse: bool) -> Teacher:
    """A batch, user or sample follows its dual loss if that lowers a held-out loss.

    ⟨∇ℓ_u, ∇L_test⟩ = (σ(z_u) - w1_u) · (J_u ∇L_test), and the last factor for all rows
    of a batch is one Jacobian-vector product. Where it is negative the row is left out
    (Ren et al., ICML 2018), or its weights w1 and w0 change places: a bounded inverse.
    """

    def teach(student: Any, labelled: Pairs, pool: Pairs, *, seed: int) -> None:
        prior = share_of_positives(labelled)
        order = torch.randperm(
            len(labelled), generator=torch.Generator().manual_seed(seed)
        )
        n_test = len(labelled) // 10
        train, test = labelled[order[n_test:]], labelled[order[:n_test]]
        rows, held_out = batches(train, seed), batches(test, seed)
        unlabeled = batches(pool, seed + 1)
        theta = {k: p for k, p in student.named_parameters() if p.requires_grad}
        for descend in steps(student.parameters()):
            u, t = next(unlabeled), next(held_out)
            held_out_loss = cross_entropy(student(t.user, t.item), t.y).mean()
            slope = torch.autograd.grad(
                held_out_loss, list(theta.values()), materialize_grads=True
            )
            now = {k: p.detach() for k, p in theta.items()}
            codes = (u.user, u.item)
            logit, along = jvp(
                lambda values, codes=codes: functional_call(student, values, codes),
                (now,),
                (dict(zip(theta, slope)),),
            )
            w1 = align_to_prior(annotation_proba(logit), prior)
            agreement = (torch.sigmoid(logit) - w1) * along
            agrees = pooled(agreement, u.user, unit) >= 0
            target = torch.where(agrees, w1, 1 - w1) if inverse else w1
            weight = torch.ones_like(w1) if inverse else agrees.float()
            dual = (weight * cross_entropy(student(u.user, u.item), target)).mean()
            descend(supervised(student, next(rows), len(labelled)) + dual)

    return teach


def pooled(values: Tensor, user: Tensor, unit: str) -> Tensor:
    """Sum over the batch or each user, or each sample by itself; shape (B,)."""
    if unit == "sample":
        return values
    if unit == "batch":
        return values.sum().expand_as(values)
    sums = torch.zeros(int(user.max()) + 1).index_add_(0, user, values)
    return sums[user]


STUDENTS: dict[str, Teacher] = {
    "w1 not aligned": dual_loss_of_the_paper,
    "averaged teacher": averaged_teacher,
    "batch gate, bounded inverse": gated("batch", inverse=True),
    "user gate, bounded inverse": gated("user", inverse=True),
    "sample gate, left out": gated("sample", inverse=False),
    "no pool, learned flip rates": flip_rates,
}
