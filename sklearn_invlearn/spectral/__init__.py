"""A model of all exposures that learns its own regularisation from few labels.

Spectral embeddings of who was shown what carry structure that labels need not pay
for. :func:`fit_spectral` builds them and fits nested models on top of them to the
labels: the full one with precisions by marginal likelihood, convex ones with a
strength of regularisation chosen on held-out labels. It then weights them by how
well they predict labels they have not seen.
"""

from ._bilinear import STRUCTURES, Bilinear
from ._embeddings import Embeddings, exposure_matrix, spectral_embeddings
from ._evidence import update_precisions
from ._fold_in import fold_in
from ._labels import Labels
from ._mixture import STAGES, SpectralFit, fit_spectral
from ._stacking import stacking_weights
from ._training import penalty

__all__ = [
    "STAGES",
    "STRUCTURES",
    "Bilinear",
    "Embeddings",
    "Labels",
    "SpectralFit",
    "exposure_matrix",
    "fit_spectral",
    "fold_in",
    "penalty",
    "spectral_embeddings",
    "stacking_weights",
    "update_precisions",
]
