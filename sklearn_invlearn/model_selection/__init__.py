"""Splitters for tables of (user, item) pairs, in scikit-learn's splitter interface.

Each can be the `cv` of `GridSearchCV`, `cross_validate` and their like. Nothing here
needs torch.
"""

from ._cold import ColdItemKFold, ColdUserKFold
from ._leave_last import LeaveLastN
from ._time import ExpandingWindowSplit, TimeCutSplit
from ._user_stratified import UserStratifiedKFold

__all__ = [
    "ColdItemKFold",
    "ColdUserKFold",
    "ExpandingWindowSplit",
    "LeaveLastN",
    "TimeCutSplit",
    "UserStratifiedKFold",
]
