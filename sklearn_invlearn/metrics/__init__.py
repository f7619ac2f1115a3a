"""Metrics per user, and scorers to select models by them.

Scores of labelled pairs ``(y_true, y_score, users)``: `gauc_score`, `mrr_score`,
`ndcg_score`, `recall_score`. Scores of the ranking of all items
``(relevant, y_score)``: `full_ranking_recall_score`, `full_ranking_ndcg_score`.
Ties are resolved by expectation, so that the order of the rows never matters. For the
AUC, log-loss and Brier score over all pairs use `sklearn.metrics`. Calibration:
`ece_score`.

Nothing here needs torch.
"""

from ._by_group import activity_groups, score_by_group
from ._ece import ece_score
from ._full_ranking import full_ranking_ndcg_score, full_ranking_recall_score
from ._full_ranking_scorer import make_full_ranking_scorer
from ._gauc import gauc_score
from ._mrr import mrr_score
from ._ndcg import ndcg_score
from ._recall import recall_score
from ._scorers import (
    gauc_scorer,
    make_user_scorer,
    mrr_scorer,
    ndcg_scorer,
    recall_scorer,
    weighted_gauc_scorer,
)

__all__ = [
    "activity_groups",
    "ece_score",
    "full_ranking_ndcg_score",
    "full_ranking_recall_score",
    "gauc_score",
    "gauc_scorer",
    "make_full_ranking_scorer",
    "make_user_scorer",
    "mrr_score",
    "mrr_scorer",
    "ndcg_score",
    "ndcg_scorer",
    "recall_score",
    "recall_scorer",
    "score_by_group",
    "weighted_gauc_scorer",
]
