"""Collaborative denoising auto-encoder (Wu et al., WSDM 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._biases import Biases
from ._tables import FactorTable


class CDAE(nn.Module):
    r"""logit = h_uᵀ w_i + biases, with h_u = σ(Σ_j c_uj v_j + p_u + b).

    The sum runs over the items j of the user's history, the observed positives: as
    in Wu et al. ("Collaborative Denoising Auto-Encoders for Top-N Recommender
    Systems", WSDM 2016, doi:10.1145/2835776.2835837, Section 3.1) it is a sum and no
    mean, and v and w are tables of their own. In training every c_uj is 0 with
    probability `corruption` and 1 / (1 - corruption) otherwise, drawn anew for every
    user in every batch; in evaluation all are 1. So the score of a pair, and the
    three probes of an inverse gradient, have nothing random in them. A user without
    history (an unknown one, say) has the empty sum.

    **The target in the input.** A positive that is trained on is part of the
    history that scores it; a pair to be predicted is not. The paper's answer is the
    corruption: half of the time the target has to be told from the other items.
    `leave_target_out` removes the target always, in training and in prediction, so
    that both see the same kind of input: c_ui = 0 for the pair (u, i).

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables, code 0 (unknown) included.
    history : Tensor of shape (2, n), int64, default=None
        Codes of users and items of the observed positives; see `set_history`.
    n_factors : int, default=200
        Width of the hidden layer.
    corruption : float, default=0.5
        Probability that an item of the history is hidden in a training step.
    leave_target_out : bool, default=False
        Whether the item to be scored is left out of the history.
    user_bias, item_bias : bool, default=True
        Whether there are biases. The paper has an item bias alone.
    """

    history_keys: Tensor

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        history: Tensor | None = None,
        n_factors: int = 200,
        corruption: float = 0.5,
        leave_target_out: bool = False,
        user_bias: bool = True,
        item_bias: bool = True,
    ) -> None:
        super().__init__()
        if not 0.0 <= corruption < 1.0:
            raise ValueError(
                f"corruption is {corruption!r}, but a probability in [0, 1) is needed; "
                "at 1 nothing of the history would be left."
            )
        self.corruption = corruption
        self.leave_target_out = leave_target_out
        self.item_input = FactorTable(n_items, n_factors)
        self.item_output = FactorTable(n_items, n_factors)
        self.user_factors = FactorTable(n_users, n_factors)
        self.hidden_bias = nn.Parameter(torch.zeros(n_factors))
        self.biases = Biases(n_users, n_items, user_bias=user_bias, item_bias=item_bias)
        self.register_buffer("history_keys", torch.empty(0, dtype=torch.int64))
        if history is not None:
            self.set_history(history)

    def set_history(self, history: Tensor) -> None:
        """Replace the history by pairs (2, n); pairs that come twice count once.

        To be called once more after rows were added to the tables: a pair is kept as
        the number user · n_items + item, sorted, one number per observed positive.
        """
        user, item = history.to(self.history_keys.device)
        self.history_keys = torch.unique(user * self.n_items + item)

    @property
    def history(self) -> Tensor:
        """Observed positives (2, n) int64, as given to `set_history`."""
        keys = self.history_keys
        return torch.stack([keys // self.n_items, keys % self.n_items])

    @property
    def n_items(self) -> int:
        """Rows of the item tables."""
        return self.item_output.num_embeddings

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Codes (B,), (B,) -> logit (B,)."""
        vectors = self._hidden(user, item if self.leave_target_out else None)
        product = vectors * self.item_output(item)  # (B, n_factors)
        return product.sum(-1) + self.biases(user, item)

    def _hidden(self, user: Tensor, left_out: Tensor | None) -> Tensor:
        """Codes (B,), and those of items to leave out or None -> h_u (B, n_factors)."""
        # A history is summed once per user, however many pairs the batch has of her.
        distinct, row = torch.unique(user, return_inverse=True)
        start = torch.searchsorted(self.history_keys, distinct * self.n_items)
        end = torch.searchsorted(self.history_keys, (distinct + 1) * self.n_items)
        length = end - start
        place = length.cumsum(0) - length  # where each history begins in the batch's
        shift = torch.repeat_interleave(start - place, length)
        keys = self.history_keys[torch.arange(len(shift), device=shift.device) + shift]
        # Every item is looked up once: its gradient is one row, not one per user.
        items, code = _distinct(keys % self.n_items, self.n_items)
        rows = self.item_input(items)
        ones = rows.new_ones(len(keys))
        kept = F.dropout(ones, self.corruption, self.training)  # c_uj
        sums = F.embedding_bag(code, rows, place, mode="sum", per_sample_weights=kept)
        total = (sums + self.user_factors(distinct) + self.hidden_bias)[row]
        if left_out is not None:
            own = _values_at(keys, kept, user * self.n_items + left_out)  # c_ui
            total = total - own.unsqueeze(-1) * self.item_input(left_out)
        return torch.sigmoid(total)

    def user_vectors(self, user: Tensor) -> Tensor:
        """Codes (B,) -> h_u of whole histories (B, n_factors)."""
        return self._hidden(user, None)

    def item_vectors(self, item: Tensor) -> Tensor:
        """Codes (B,) -> w_i (B, n_factors)."""
        return self.item_output(item)

    @property
    def user_side(self) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Codes (B,) -> bias (B,), vectors (B, n_factors); see the contract.

        With `leave_target_out` there is none: the logit is then no product of two
        sides.
        """
        self._require_product()
        return lambda user: (self.biases.of_user(user), self.user_vectors(user))

    @property
    def item_side(self) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Codes (B,) -> bias (B,), vectors (B, n_factors); see the contract."""
        self._require_product()
        return lambda item: (self.biases.of_item(item), self.item_vectors(item))

    def _require_product(self) -> None:
        if self.leave_target_out:
            raise AttributeError("the logit is no product where the target is left out")

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        """Make room for the history to be loaded, however long it is."""
        keys = state_dict.get(f"{prefix}history_keys")
        if keys is not None:
            self.history_keys = torch.empty_like(keys, device=self.history_keys.device)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _distinct(codes: Tensor, n_codes: int) -> tuple[Tensor, Tensor]:
    """Distinct codes, sorted, and the position of each of `codes` (n,) among them."""
    present = torch.zeros(n_codes, dtype=torch.bool, device=codes.device)
    present[codes] = True
    return present.nonzero().squeeze(1), (present.cumsum(0) - 1)[codes]


def _values_at(keys: Tensor, values: Tensor, wanted: Tensor) -> Tensor:
    """Values (n,) of the wanted keys (B,), 0 for those not among `keys` (n, sorted)."""
    position = torch.searchsorted(keys, wanted)
    keys, values = F.pad(keys, (0, 1), value=-1), F.pad(values, (0, 1))
    found = keys[position] == wanted
    return torch.where(found, values[position], 0.0)
