"""Name the stage of a training in its history."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback
from skorch.history import History


class MarkStage(Callback):
    """Write the name of a stage into each row of the history.

    Rows of before that have none, of a fit in one stage, are marked "main": a column
    of the history is there in all rows or cannot be read at all.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        # Copies: an update that fails must not have changed the rows of its model.
        net.history_ = History({"stage": "main"} | row for row in net.history)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        net.history.record("stage", self.name)
