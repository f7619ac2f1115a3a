"""Logits of a bilinear model, and their summands, at many pairs.

What a user or an item brings is computed once, not for each of its pairs.
"""

from __future__ import annotations

import numpy as np
import torch

from ._bilinear import Bilinear
from ._codes import distinct
from ._pair_products import pair_products


@torch.no_grad()
def logits_of(model: Bilinear, user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Logits of pairs, shape (n,), float64."""
    users, user = distinct(user)
    items, item = distinct(item)
    of_user, left = (x.numpy() for x in model.user_side(torch.from_numpy(users)))
    of_item, right = (x.numpy() for x in model.item_side(torch.from_numpy(items)))
    z = of_user.take(user) + of_item.take(item)
    return (z + pair_products(left, user, right, item)).astype(np.float64)


@torch.no_grad()
def terms_of(model: Bilinear, user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Summands of the logits of pairs, those of TERMS, shape (n, n_terms), float64."""
    users, user = distinct(user)
    items, item = distinct(item)

    def rows(name: str, codes: np.ndarray) -> np.ndarray:
        return model.block(name).numpy()[codes]

    terms = [
        (model.mu.numpy() + rows("b_u", users)[:, 0]).take(user),
        rows("b_i", items)[:, 0].take(item),
    ]
    if "a" in model.blocks:
        P, Q = rows("P", users), rows("Q", items)
        taste = P * model.g.numpy()
        if "W" in model.blocks:
            taste += P @ model.W.numpy()
        terms.append((P @ model.a.numpy()[0]).take(user))
        terms.append((Q @ model.c.numpy()[0]).take(item))
        terms.append(pair_products(taste, user, Q, item))
    if "W" in model.blocks:
        terms.append(pair_products(rows("e", users), user, Q, item))
        terms.append(pair_products(P, user, rows("d", items), item))
    if "p" in model.blocks:
        terms.append(pair_products(rows("p", users), user, rows("q", items), item))
    return np.column_stack(terms).astype(np.float64)
