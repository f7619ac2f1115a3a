"""Who needs neighbours, by counts of feedback, and who they are."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from ..fitting._build import backbone_class, comes_fitted
from ..fitting._id_kinds import frames_to_the_caller
from ..fitting._torch_state import torch_seed, torch_settings
from ..ids._columns import id_columns
from ..modules import user_vectors
from ..scoring._neighbors import nearest_by_product


def positives_per_user(
    recommender: Any, X: Any, y: Any, sample_weight: Any
) -> np.ndarray:
    """Count the positive rows of each known user, shape (n_users,)."""
    counted = np.asarray(y).ravel() == recommender.classes_[1]
    if sample_weight is not None:
        counted = counted & (np.asarray(sample_weight) > 0)
    encoder = recommender._encoder
    code = encoder.users.lookup(id_columns(X)[0])[counted]
    return np.bincount(code, minlength=encoder.n_users)[1:]


def extra_ratio(counts: np.ndarray) -> np.ndarray:
    """Extra positives of each user by implicit ones, from counts (2, n_users)."""
    return counts[1] / np.maximum(counts[0], 1)


def require_user_vectors(recommender: Any) -> None:
    """Raise, before anything is trained, if the backbone has no vectors of users."""
    recommender._validate_params()
    if comes_fitted(recommender.backbone):
        names = ("user_vectors", "user_side")
        backbone = backbone_class(recommender.backbone)
        if any(hasattr(backbone, name) for name in names):
            return
        module = backbone.__new__(backbone)
    else:
        with torch_settings(None), torch_seed(0, torch.device("cpu")):
            module = recommender._blank_module(2, 2, None)
    user_vectors(module, torch.tensor([1]))  # says what is missing


def with_neighbors(
    recommender: Any, counts: np.ndarray, neighbors: np.ndarray, max_extra_ratio: float
) -> np.ndarray:
    """Give neighbours to users with few extra positives who have none yet.

    Parameters
    ----------
    recommender : estimator
        Knows the vectors of its users after warm-up, in order of their codes.
    counts : ndarray of shape (2, n_users), int64
        Positive rows of each user in the implicit and in the extra feedback.
    neighbors : ndarray of shape (n_users, k), int64
        Positions of users; -1 for who has none. It is changed, and returned.
    max_extra_ratio : float
        Who has less of extra feedback is to have neighbours.
    """
    if not neighbors.shape[1]:
        return neighbors
    if not hasattr(recommender, "warm_user_vectors_"):  # it comes fitted, see below
        warnings.warn(
            f"backbone={recommender.backbone!r} has found no structure in the "
            "exposures, and has no vectors of users: nobody has neighbours, and the "
            "scores are those of the recommender. Take backbone='gmf', or more data.",
            UserWarning,
            stacklevel=frames_to_the_caller(),
        )
        return neighbors[:, :0]
    vectors = recommender.warm_user_vectors_
    few, without = extra_ratio(counts) < max_extra_ratio, neighbors[:, 0] < 0
    mixed = np.flatnonzero((few & without)[: len(vectors)])
    with torch_settings(recommender.n_threads):
        neighbors[mixed] = nearest_by_product(vectors, mixed, neighbors.shape[1])
    return neighbors


def tensor_beside(module: torch.nn.Module, neighbors: np.ndarray) -> torch.Tensor:
    """Return neighbours (n_users, k) as a tensor on the device of a module.

    A worker of joblib holds a large array as a memory map that cannot be written to,
    which torch warns of: such an array is copied.
    """
    writable = np.require(neighbors, requirements="W")
    return torch.from_numpy(writable).to(next(module.parameters()).device)
