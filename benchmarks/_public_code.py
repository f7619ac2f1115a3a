"""What the public code of inverse gradient does, where it departs from the paper.

Written from a description of that code, as a procedure and two backbones of our own;
not for use elsewhere. Every departure is a switch, so that its effect can be measured:

* no gradient is ever set to zero in the supervised pass (`zero_grad`), so gradients add
  up over the epoch; the optimiser is new at its start. A new Adam divides by their
  size, so in effect every parameter ever touched moves by γ, with full momentum;
* the gradients of the two clones are not set to zero either, through all epochs: the
  probe follows the sum over all earlier batches, and the last step mixes gradients of
  the dual loss with those of the training-test loss (`zero_clones`);
* probe and last step are the first steps of a new Adam, that is, signs of gradients;
* one pass over training-train, then one over training-test; the unlabeled pairs are
  uniform unobserved items of the user of each training-test row;
* ties go to inverse.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sklearn_invlearn import InverseGradientRecommender
from sklearn_invlearn.losses import inverse_dual
from sklearn_invlearn.training import (
    DIRECTIONS,
    InverseGradientNet,
    PairNet,
    Pairs,
    TrainingData,
)


class PublicGMF(nn.Module):
    """GMF without user or item bias, with one in the head; dense gradients."""

    def __init__(self, n_users: int, n_items: int, *, n_factors: int = 32) -> None:
        super().__init__()
        self.user_factors = _table(n_users, n_factors)
        self.item_factors = _table(n_items, n_factors)
        self.head = _head(n_factors)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        product = self.user_factors(user) * self.item_factors(item)
        return self.head(product).squeeze(-1)


class PublicNeuMF(nn.Module):
    """GMF beside a perceptron 256-128-64-32, joined by one linear layer."""

    def __init__(self, n_users: int, n_items: int, *, n_factors: int = 32) -> None:
        super().__init__()
        self.user_factors = _table(n_users, n_factors)
        self.item_factors = _table(n_items, n_factors)
        self.user_vectors = _table(n_users, 4 * n_factors)
        self.item_vectors = _table(n_items, 4 * n_factors)
        widths = [8 * n_factors, 4 * n_factors, 2 * n_factors, n_factors]
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(widths):
            layer = nn.Linear(wide, narrow)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        self.tower = nn.Sequential(*layers)
        self.head = _head(2 * n_factors)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        product = self.user_factors(user) * self.item_factors(item)
        both = torch.cat([self.user_vectors(user), self.item_vectors(item)], dim=-1)
        return self.head(torch.cat([product, self.tower(both)], dim=-1)).squeeze(-1)


def _table(n_rows: int, n_factors: int) -> nn.Embedding:
    table = nn.Embedding(n_rows, n_factors)
    nn.init.normal_(table.weight, std=0.01)
    return table


def _head(n_inputs: int) -> nn.Linear:
    head = nn.Linear(n_inputs, 1)
    nn.init.kaiming_uniform_(head.weight, a=1, nonlinearity="sigmoid")
    nn.init.zeros_(head.bias)
    return head


class PublicCodeNet(InverseGradientNet):
    """An epoch of the public code; its trace is recorded as that of the estimator.

    Parameters
    ----------
    alpha : float
        Learning rate of the probe's optimiser.
    zero_grad : bool
        Whether the supervised pass sets gradients to zero, as it should.
    zero_clones : bool
        Whether the clones' gradients are set to zero, as they should be.
    """

    def __init__(
        self,
        module: Any,
        *,
        alpha: float,
        zero_grad: bool = False,
        zero_clones: bool = False,
        **kwargs: Any,
    ) -> None:
        self.zero_grad = zero_grad
        self.zero_clones = zero_clones
        super().__init__(module, alpha=alpha, **kwargs)

    def initialize(self) -> PublicCodeNet:
        super().initialize()
        self.clones_ = {k: copy.deepcopy(self.module_) for k in ("direct", "inverse")}
        self.renew_optimizer()
        return self

    def renew_optimizer(self) -> None:
        # In a list: skorch keeps an eye on optimisers that are attributes.
        self.adam_ = [torch.optim.Adam(self.module_.parameters(), lr=self.lr)]

    def training_steps(self, data: TrainingData) -> Iterator[Tensor]:
        assert data.held_out is not None
        assert data.unlabeled is not None
        for batch in self.labelled_batches(data):
            if self.zero_grad:
                self.module_.zero_grad()
            loss = self.loss_at(self.module_, batch)
            loss.backward()
            self.adam_[0].step()
            yield loss.detach()
        trace = []
        for _ in range(data.held_out.n_batches_per_pass):
            held_out = next(data.held_out)
            unlabeled = data.unlabeled.draw(held_out)
            trace.append(self.unlabeled_step(unlabeled, held_out))
        self.record_trace(torch.stack(trace))

    def unlabeled_step(self, unlabeled: Pairs, held_out: Pairs) -> Tensor:
        self.module_.zero_grad()
        for direction, clone in self.clones_.items():
            clone.load_state_dict(self.module_.state_dict())
            if self.zero_clones:
                clone.zero_grad()
            dual = inverse_dual(clone(unlabeled.user, unlabeled.item)).mean()
            (dual if direction == "direct" else -dual).backward()
            torch.optim.Adam(clone.parameters(), lr=self.alpha).step()
        models = {**self.clones_, "pass": self.module_}
        loss = {
            name: self.candidate_loss(models[name], held_out) for name in DIRECTIONS
        }
        chosen = "pass"
        if loss["direct"] < loss["inverse"] and loss["direct"] < loss["pass"]:
            chosen = "direct"
        elif loss["inverse"] < loss["pass"]:
            chosen = "inverse"
        if self.zero_clones and chosen != "pass":
            models[chosen].zero_grad()
        loss[chosen].backward()
        if chosen == "pass":
            self.adam_[0].step()
        else:
            torch.optim.Adam(models[chosen].parameters(), lr=self.lr).step()
            self.module_.load_state_dict(models[chosen].state_dict())
        self.renew_optimizer()
        losses = [loss[name].detach() for name in DIRECTIONS]
        choice = losses[0].new_tensor(DIRECTIONS.index(chosen))
        return torch.stack([*losses, choice])

    def candidate_loss(self, model: nn.Module, held_out: Pairs) -> Tensor:
        """Loss of training-test rows at one of the three points, differentiable."""
        return self.loss_at(model, held_out)

    @staticmethod
    def loss_at(model: nn.Module, batch: Pairs) -> Tensor:
        logit = model(batch.user, batch.item)
        return binary_cross_entropy_with_logits(logit, batch.y)


class PublicCodeRecommender(InverseGradientRecommender):
    """The public code behind `fit`; ``backbone_params`` must not name the switches."""

    zero_grad = False
    zero_clones = False

    def _net(self) -> tuple[type[PairNet], dict[str, Any]]:
        return PublicCodeNet, {
            "alpha": 0.1 * self.gamma if self.alpha is None else self.alpha,
            "zero_grad": self.zero_grad,
            "zero_clones": self.zero_clones,
        }


def public_code(
    backbone: str,
    seed: int,
    *,
    zero_grad: bool = False,
    zero_clones: bool = False,
    estimator: type[PublicCodeRecommender] = PublicCodeRecommender,
) -> PublicCodeRecommender:
    """Return the estimator with the settings of the paper: γ = 1e-4, α = 0.1 γ.

    The weights of the epoch with the best validation loss are kept, of ten epochs.
    """
    est = estimator(
        backbone={"gmf": PublicGMF, "neumf": PublicNeuMF}[backbone],
        gamma=1e-4,
        max_epochs=10,
        n_iter_no_change=10,
        tol=0.0,
        sampling="same_user",
        random_state=seed,
    )
    est.zero_grad, est.zero_clones = zero_grad, zero_clones
    return est
