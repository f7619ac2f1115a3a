"""Splitters for tables of (user, item) pairs; honest comparisons.

Each splitter can be the `cv` of `GridSearchCV`, `cross_validate` and their
like. Importing this needs no torch.
"""

from ._bootstrap import BootstrapDifference, paired_bootstrap
from ._cold import ColdItemKFold, ColdUserKFold
from ._compare import compare_recommenders
from ._comparison import Comparison
from ._leave_last import LeaveLastN
from ._time import ExpandingWindowSplit, TimeCutSplit
from ._user_stratified import UserStratifiedKFold

__all__ = [
    "BootstrapDifference",
    "ColdItemKFold",
    "ColdUserKFold",
    "Comparison",
    "ExpandingWindowSplit",
    "LeaveLastN",
    "TimeCutSplit",
    "UserStratifiedKFold",
    "compare_recommenders",
    "paired_bootstrap",
]
