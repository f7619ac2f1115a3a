"""From codes to a trained module: pairs, batches, nets.

A procedure is a :class:`PairNet` whose ``training_steps`` says what one epoch
does; everything else (epochs, history, callbacks, validation) is shared.
"""

from ._batches import EndlessBatches, epoch_batches
from ._data import TrainingData
from ._inverse_dual import InverseDualLossNet
from ._inverse_gradient import InverseGradientNet
from ._keep_best import KeepBest
from ._mark_stage import MarkStage
from ._multi_task import MultiTaskNet
from ._negative_reweighting import NegativeReweightingNet
from ._negative_sampling import NegativeSamplingNet, with_negatives
from ._net import PairNet
from ._optimizer_state import optimizer_state, put_rows_back, set_optimizer_state
from ._pairs import Pairs, share_of_positives
from ._probe import DIRECTIONS
from ._record_rows import RecordRows
from ._rowwise_adam import RowwiseAdam
from ._rowwise_sgd import RowwiseSGD
from ._student import fit_to_convergence
from ._truncated_loss import TruncatedLossNet
from ._unlabeled import (
    PoolSource,
    SameUserSource,
    UniformSource,
    UnlabeledSource,
)
from ._unobserved import UnobservedPairs

__all__ = [
    "DIRECTIONS",
    "EndlessBatches",
    "InverseDualLossNet",
    "InverseGradientNet",
    "KeepBest",
    "MarkStage",
    "MultiTaskNet",
    "NegativeReweightingNet",
    "NegativeSamplingNet",
    "PairNet",
    "Pairs",
    "PoolSource",
    "RecordRows",
    "RowwiseAdam",
    "RowwiseSGD",
    "SameUserSource",
    "TrainingData",
    "TruncatedLossNet",
    "UniformSource",
    "UnlabeledSource",
    "UnobservedPairs",
    "epoch_batches",
    "fit_to_convergence",
    "optimizer_state",
    "put_rows_back",
    "set_optimizer_state",
    "share_of_positives",
    "with_negatives",
]
