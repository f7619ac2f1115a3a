"""Early stopping that keeps the best weights in one copy, written over in place.

skorch's own makes a new deep copy at every best epoch, beside the last one: a second
copy of all tables, and five times the seconds.
"""

from __future__ import annotations

from typing import Any

import torch
from skorch.callbacks import EarlyStopping
from torch import Tensor


class KeepBest(EarlyStopping):
    """Stop when the validation loss no longer falls; go back to the best weights.

    The copy is made at the first best epoch and given up after training.

    Parameters
    ----------
    patience : int
        Epochs without a better loss after which training ends.
    threshold : float
        What a loss has to fall by to be better.
    """

    def __init__(self, patience: int = 5, threshold: float = 1e-4) -> None:
        super().__init__(patience=patience, threshold=threshold, threshold_mode="abs")

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        super().on_train_begin(net, **kwargs)
        self.kept_: dict[str, Tensor] = {}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        super().on_epoch_end(net, **kwargs)
        if not self.misses_:
            self._keep(net.module_)

    @torch.no_grad()
    def _keep(self, module: Any) -> None:
        # An interrupt in between is harmless: the module still is what was to be kept.
        for name, tensor in module.state_dict().items():
            if name in self.kept_:
                self.kept_[name].copy_(tensor)
            else:
                self.kept_[name] = tensor.clone()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.kept_ and self.best_epoch_ != net.history[-1, "epoch"]:
            net.module_.load_state_dict(self.kept_)
        self.kept_ = {}
