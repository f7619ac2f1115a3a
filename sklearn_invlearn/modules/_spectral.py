"""The spectral-exposure backbone: comes fitted to the labels, with its own prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..spectral import (
    STAGES,
    STRUCTURES,
    Bilinear,
    Labels,
    fit_spectral,
    fold_in,
    penalty,
)
from ..spectral._bilinear import PRECISIONS

_STUDENT_STRENGTH = 30.0
_LARGEST_SHARE = 1 - 2.0**-24  # one heavy row may leave nothing of the others, rounded


class SpectralExposure(nn.Module):
    """logit = intercept + Σ_k w_k · bilinear model k, of embeddings of all exposures.

    Built by :meth:`fitted`. What a procedure does with it afterwards starts at the
    optimum of the penalised loss of the labels, and :meth:`penalty` keeps the same
    prior in force.

    Attributes
    ----------
    out_of_fold : list of (ndarray of int64, ndarray of float64)
        For each fold that the fit has held out: positions of its labels, and their
        logits by models of the others. Empty if not fitted, or below ten labels.
    """

    stages = STAGES
    rows_stand_alone = True  # see `Part`
    strength = 1.0  # of the prior

    def __init__(
        self,
        models: list[Bilinear],
        precisions: list[dict[str, float]],
        intercept: float,
        weights: np.ndarray,
    ) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.precisions = precisions
        self.weights = weights.tolist()
        self.intercept = intercept
        self.out_of_fold: list[tuple[np.ndarray, np.ndarray]] = []

    @classmethod
    def fitted(
        cls,
        n_users: int,
        n_items: int,
        *,
        labels: dict[str, np.ndarray],
        exposed: np.ndarray,
        seed: int,
        report: Callable[[str], None] = lambda stage: None,
    ) -> SpectralExposure:
        """Fit to labels.

        Parameters
        ----------
        labels : dict of ndarray of shape (n,)
            ``user``, ``item`` (int64 codes), ``y`` (0.0, 1.0) and ``weight`` (mean 1).
        exposed : ndarray of shape (2, m), int64
            Codes of all exposures, labelled or not.
        seed : int
            Fixes the result, together with torch's global seed.
        report : callable
            Told each of ``stages`` when it begins, for a progress bar.
        """
        sizes = (n_users, n_items)
        fit = fit_spectral(Labels(**labels), exposed, sizes, seed, report)
        module = cls(fit.models, fit.precisions, fit.intercept, fit.weights)
        module.out_of_fold = fit.out_of_fold
        return module

    def settings(self) -> dict[str, Any]:
        """What stays once the module is fitted, in plain values; see :meth:`blank`."""
        models = [cast(Bilinear, model) for model in self.models]
        return {
            "structures": [model.structure for model in models],
            "ranks": [model.rank for model in models],
            "precisions": self.precisions,
            "weights": self.weights,
            "intercept": float(self.intercept),
        }

    @classmethod
    def blank(
        cls,
        n_users: int,
        n_items: int,
        *,
        structures: list[str],
        ranks: list[int],
        precisions: list[dict[str, float]],
        weights: list[float],
        intercept: float,
    ) -> SpectralExposure:
        """Build a module of other sizes with these :meth:`settings`, weights unset."""
        models = []
        for structure, r in zip(structures, ranks):
            P, Q = np.zeros((2, max(n_users, n_items), r), dtype=np.float32)
            models.append(Bilinear(P[:n_users], Q[:n_items], structure, base_rate=0.5))
        return cls(models, precisions, intercept, np.array(weights))

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        logits = [w * m(user, item) for w, m in zip(self.weights, self.models)]
        return self.intercept + torch.stack(logits).sum(dim=0)

    def user_side(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), vectors (B, d), with the models' weights."""
        sides = [cast(Bilinear, model).user_side(user) for model in self.models]
        bias = sum(w * bias for w, (bias, _) in zip(self.weights, sides))
        vectors = [w * vectors for w, (_, vectors) in zip(self.weights, sides)]
        return self.intercept + cast(Tensor, bias), torch.cat(vectors, dim=-1)

    def item_side(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B,) -> bias (B,), with the models' weights; vectors (B, d)."""
        sides = [cast(Bilinear, model).item_side(item) for model in self.models]
        bias = sum(w * bias for w, (bias, _) in zip(self.weights, sides))
        return cast(Tensor, bias), torch.cat([vectors for _, vectors in sides], dim=-1)

    def penalty(self) -> Tensor:
        """Minus the log density of the prior, to be divided by the number of labels."""
        parts = [
            w * penalty(cast(Bilinear, model), precisions)
            for w, model, precisions in zip(self.weights, self.models, self.precisions)
        ]
        return self.strength * torch.stack(parts).sum()

    def hold(self, users: Tensor, items: Tensor, strength: float) -> None:
        """Centre the prior of what earlier labels have told where it is now.

        For an update, whose labels are to be weighed against all earlier ones. The
        prior of all other rows stays.

        Parameters
        ----------
        users, items : Tensor of shape (n_users,), (n_items,), bool
            Rows of the tables that earlier labels have told.
        strength : float
            Factor of the prior: of :meth:`penalty`, and so of its gradient.
        """
        self.strength = strength
        for model in self.models:
            cast(Bilinear, model).hold(users, items)

    def release(self) -> None:
        """Take :meth:`hold` back."""
        self.strength = 1.0
        for model in self.models:
            cast(Bilinear, model).held = None

    def gaussian_priors(self) -> list[tuple[Tensor, float]]:
        """Parameters and the precisions λ of which :meth:`penalty` is Σ λ‖θ‖²/2.

        Of models with priors around zero, as a student has: all but SVD++.
        """
        return [
            (cast(Bilinear, model).block(name), w * precisions[name])
            for w, model, precisions in zip(self.weights, self.models, self.precisions)
            for name in cast(Bilinear, model).blocks
        ]

    def embed_newcomers(self, exposed: np.ndarray, n_users: int, n_items: int) -> None:
        """Place users from code `n_users` on, and items from `n_items` on.

        Near those who were shown the like; who has no exposure to an earlier user or
        item keeps the place of the unknown one.

        Parameters
        ----------
        exposed : ndarray of shape (2, m), int64
            Codes of exposures.
        """
        for model in self.models:
            fold_in(cast(Bilinear, model), exposed, n_users, n_items)

    def student(self, base_rate: float) -> SpectralExposure | None:
        """Return an unfitted model on the same embeddings, with a strong prior.

        A student of its own annotations needs a prior under which it cannot learn
        single labels by heart: 30 times the precisions a fit starts from.

        Parameters
        ----------
        base_rate : float
            Share of positives to start from.

        Returns
        -------
        student : SpectralExposure or None
            None if no model with embeddings is left.
        """
        models = [cast(Bilinear, model) for model in self.models]
        largest = max(models, key=lambda model: len(model.blocks))
        if "a" not in largest.blocks:
            return None
        P, Q = (t.weight.detach().cpu().numpy() for t in (largest.P, largest.Q))
        structure = next(s for s, b in STRUCTURES.items() if b == largest.blocks)
        precisions = {k: _STUDENT_STRENGTH * PRECISIONS[k] for k in largest.blocks}
        one = Bilinear(P, Q, structure, min(base_rate, _LARGEST_SHARE))
        for mine, its in zip(
            (one.fold_P, one.fold_Q), (largest.fold_P, largest.fold_Q)
        ):
            mine.copy_(its)
        return SpectralExposure([one], [precisions], 0.0, np.ones(1))

    @torch.no_grad()
    def part(self, users: Tensor, items: Tensor) -> SpectralExposure:
        """Return the module of some users and items, whose codes become 0, 1, ..."""
        models = []
        for model in self.models:
            assert isinstance(model, Bilinear)
            P, Q = torch.zeros(2, max(len(users), len(items)), 0)
            if model.rank:
                P, Q = model.P.weight[users], model.Q.weight[items]
            P, Q = P[: len(users)], Q[: len(items)]
            one = Bilinear(P.numpy(), Q.numpy(), model.structure, 0.5)
            one.mu.copy_(model.mu)
            for name in model.blocks:
                rows = _rows_of(name, users, items)
                one.block(name).copy_(model.block(name)[rows])
            models.append(one)
        return SpectralExposure(
            models, self.precisions, self.intercept, np.array(self.weights)
        )

    @torch.no_grad()
    def set_part(self, part: SpectralExposure, users: Tensor, items: Tensor) -> None:
        """Take over a :meth:`part`; for all others, embeddings alone speak."""
        for model, one in zip(self.models, part.models):
            assert isinstance(model, Bilinear)
            assert isinstance(one, Bilinear)
            model.mu.copy_(one.mu)
            for name in model.blocks:
                model.block(name).zero_()
                model.block(name)[_rows_of(name, users, items)] = one.block(name)

    def beside(
        self, student: SpectralExposure, intercept: float, weights: np.ndarray
    ) -> SpectralExposure:
        """intercept + weights[0] · (this module) + weights[1] · `student`."""
        own, other = (float(w) for w in weights)
        return SpectralExposure(
            [cast(Bilinear, m) for m in (*self.models, *student.models)],
            [*self.precisions, *student.precisions],
            intercept + own * self.intercept + other * student.intercept,
            np.array([*(own * w for w in self.weights),
                      *(other * w for w in student.weights)]),
        )  # fmt: skip


def _rows_of(block: str, users: Tensor, items: Tensor) -> Tensor | slice:
    """Rows of a block that belong to users or items; all, of one that both share."""
    if block in ("b_u", "e", "p"):
        return users
    return items if block in ("b_i", "d", "q") else slice(None)
