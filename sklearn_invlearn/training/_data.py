"""What a procedure may draw from, in one place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from ._batches import EndlessBatches
from ._pairs import Pairs
from ._unlabeled import UnlabeledSource


@dataclass(frozen=True)
class TrainingData:
    """Everything a training procedure may draw from.

    Attributes
    ----------
    labelled : Pairs
        The rows of the supervised steps; train(D^l) of the inverse gradient.
    valid : Pairs or None
        Fixed rows for early stopping; never trained on, never weighted.
    unlabeled : UnlabeledSource or None
        Batches without labels, D^u.
    held_out : EndlessBatches or None
        test(D^l), the rows that choose the direction of the inverse gradient.
    extra : Pairs or None
        Sparse, reliable feedback beside the labelled rows ([ADT] Section 3.4).
    n_rows : int
        Rows handed to ``fit``, used or not; ``labelled.row`` counts among them.
    n_earlier : int
        Labelled rows that earlier calls have trained on, and that are not here.
    as_predicting : callable
        ``as_predicting(module)`` is a context in which the module is what it would
        be if training ended now; `valid` is judged inside, and callbacks score.
    """

    labelled: Pairs
    valid: Pairs | None = None
    unlabeled: UnlabeledSource | None = None
    held_out: EndlessBatches | None = None
    extra: Pairs | None = None
    n_rows: int = 0
    n_earlier: int = 0
    as_predicting: Callable[[Any], AbstractContextManager[None]] = nullcontext

    def __len__(self) -> int:
        return len(self.labelled)

    @property
    def all_labelled(self) -> Pairs:
        """Labelled rows of both kinds: those of the supervised steps and held out.

        In the order in which ``fit`` was given them, so that what comes fitted is the
        same model whether or not a procedure holds rows out.
        """
        if self.held_out is None:
            return self.labelled
        both = Pairs.joined([self.labelled, self.held_out.pairs])
        return both if both.row is None else both[both.row.argsort()]
