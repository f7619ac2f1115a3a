"""What a recommender has to beat: small models of the labelled pairs alone.

They take (user, item) pairs of raw ids, like the recommenders, and need no torch.
The third trivial baseline, biases trained by gradient steps, is
``CrossEntropyRecommender(backbone="bias")``.
"""

from ._one_hot import OneHotLogisticRegression
from ._popularity import ItemPositiveShare

__all__ = ["ItemPositiveShare", "OneHotLogisticRegression"]
