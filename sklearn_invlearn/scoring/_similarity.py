"""Which rows of a trained module are alike, by the scores they lead to."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import nn

from ._replica import in_double_precision
from ._sides import Side, is_product, side_of
from ._top_n import best_products

_BLOCK_CELLS = 4_194_304  # similarities at once: 32 MiB


def most_similar(
    module: nn.Module,
    side: str,
    codes: np.ndarray,
    n_known: int,
    n_other: int,
    n_best: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Rank all known rows of a side by their cosine with the rows of `codes`.

    Parameters
    ----------
    side : {"user", "item"}
        Whose rows.
    codes : ndarray of shape (n,), int64
        Codes from 1 to `n_known`.
    n_known, n_other : int
        Number of known ids on this side and on the other.
    n_best : int
        Length of each list.

    Returns
    -------
    position : ndarray of shape (n, n_best), int64
        Codes minus 1; -1 where there are fewer rows that are similar at all.
    similarity : ndarray of shape (n, n_best), float64
        NaN where there are fewer.
    """
    vectors = unit_vectors(module, side, n_known, n_other)
    everyone = Side(np.zeros(n_known), vectors)
    has_direction = np.asarray(vectors.any(axis=1))
    blank = np.flatnonzero(~has_direction)
    position = np.full((len(codes), n_best), -1)
    similarity = np.full((len(codes), n_best), np.nan)
    n_rows = max(1, _BLOCK_CELLS // n_known)
    for start in range(0, len(codes), n_rows):
        own = codes[start : start + n_rows] - 1
        block = slice(start, start + len(own))
        excluded = _itself_and(own, blank, n_known)
        best = best_products(everyone[own], everyone, n_best, excluded)
        position[block], similarity[block] = best
    nothing = ~has_direction[codes - 1]
    position[nothing], similarity[nothing] = -1, np.nan
    return position, np.clip(similarity, -1.0, 1.0)


def _itself_and(own: np.ndarray, blank: np.ndarray, n_known: int) -> sparse.csr_array:
    """Pairs to leave out: every row itself, and rows without a direction."""
    rows = np.concatenate(
        [np.arange(len(own)), np.repeat(np.arange(len(own)), len(blank))]
    )
    columns = np.concatenate([own, np.tile(blank, len(own))])
    ones = np.ones(len(rows), dtype=bool)
    return sparse.csr_array((ones, (rows, columns)), (len(own), n_known))


def unit_vectors(
    module: nn.Module, side: str, n_known: int, n_other: int
) -> np.ndarray:
    """Vectors (n_known, d) of length 1, or 0, whose products are the similarities.

    For a logit that is a product of v and u: v times the root of the covariance
    of all u. The cosine of two such vectors is the correlation of the products over
    all u. It does not depend on how a factor of the logit is shared between the sides.
    """
    codes = np.arange(1, n_known + 1)
    if is_product(module):
        vectors = side_of(module, f"{side}_side", codes).vectors
        opposite = "item_side" if side == "user" else "user_side"
        others = side_of(module, opposite, np.arange(1, n_other + 1)).vectors
        vectors = vectors @ _root_of_covariance(others)
    elif hasattr(module, f"{side}_vectors"):
        vectors = _vectors(module, f"{side}_vectors", codes)
    else:
        vectors = np.empty((n_known, 0))
    if not vectors.shape[1]:
        raise ValueError(
            f"The backbone {type(module).__name__} has no vectors of {side}s that "
            "could be alike. Use another one, such as 'gmf' or 'spectral'; a class of "
            f"your own needs a method {side}_vectors(codes)."
        )
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    largest = length.max(initial=0.0)
    # Below rounding of the longest there is no direction, only noise.
    real = length > len(vectors.T) * np.finfo(np.float64).eps * largest
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=real)


def _root_of_covariance(vectors: np.ndarray) -> np.ndarray:
    """Matrix R (d, d) with R Rᵀ the covariance of `vectors` (n, d)."""
    centred = vectors - vectors.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred / len(vectors))
    return directions * np.sqrt(np.maximum(values, 0.0))


@torch.no_grad()
def _vectors(module: nn.Module, method: str, codes: np.ndarray) -> np.ndarray:
    device = next(module.parameters()).device
    vectors = in_double_precision(module, method)
    return vectors(torch.tensor(codes, device=device)).double().cpu().numpy()
