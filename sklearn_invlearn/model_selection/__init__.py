"""Splitters for tables of (user, item) pairs; how sure a difference is.

Each splitter can be the `cv` of `GridSearchCV`, `cross_validate` and their
like. Importing this needs no torch.
"""

from ._bootstrap import BootstrapDifference, paired_bootstrap
from ._cold import ColdItemKFold, ColdUserKFold
from ._leave_last import LeaveLastN
from ._time import ExpandingWindowSplit, TimeCutSplit
from ._user_stratified import UserStratifiedKFold

__all__ = [
    "BootstrapDifference",
    "ColdItemKFold",
    "ColdUserKFold",
    "ExpandingWindowSplit",
    "LeaveLastN",
    "TimeCutSplit",
    "UserStratifiedKFold",
    "paired_bootstrap",
]
