"""Single passes over the touched rows of a table, compiled by numba.

torch reads and writes the rows of a batch about a dozen times for what is done here
in one go. `_compiled_rows.py` imports this file, if numba is there and when the first
step is taken; nothing else does. The gradient of a row is summed in the order of the
batch, and nothing runs in parallel: the same numbers come out every time.

Arrays that come again and again: `table` (n_rows, n_columns) and, of the same shape,
its moments; `touched` (n,), the looked-up rows, every one once, without row 0 of
unknown ids; `first` (n,), the place in the batch where each comes first, and
`following` (B,), the next place of the same row or -1. The gradient of place i is
``values[i * stride : i * stride + n_columns]``.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numba
import numpy as np


def kernel(function: Any) -> Any:
    """Compile at the first call; kept on disk where numba finds a folder for it."""
    compiled = partial(numba.njit, nogil=True, error_model="numpy")
    try:
        return compiled(cache=True)(function)
    except RuntimeError:  # neither the package nor the user has a folder to write to
        return compiled()(function)


@kernel
def link(codes, latest, touched, first, following):
    """Find `touched`, `first` and `following` of `codes` (B,); return len(touched).

    `latest` (n_rows,) may hold anything; an entry counts only if it points to a place
    of this batch that has the same code.
    """
    for i in range(codes.size - 1, -1, -1):
        code = codes[i]
        later = latest[code]
        is_same = i < later < codes.size and codes[later] == code
        following[i] = later if is_same else -1
        latest[code] = i
    n = 0
    for i in range(codes.size):
        code = codes[i]
        if code != 0 and latest[code] == i:
            touched[n], first[n] = code, i
            n += 1
    return n


@numba.njit(inline="always")
def add_up(total, place, following, values, stride):
    """Write the gradient of the row that comes first at `place` to `total`."""
    n_columns = np.uintp(total.size)  # unsigned, or no loop would become vectors
    start = np.uintp(place * stride)
    for j in range(n_columns):
        total[j] = values[start + j]
    place = following[place]
    while place >= 0:
        start = np.uintp(place * stride)
        for j in range(n_columns):
            total[j] += values[start + j]
        place = following[place]


@kernel
def adam(
    table, exp_avg, exp_avg_sq, touched, first, following, values, stride,
    lr, beta1, beta2, eps, weight_decay, step,
):  # fmt: skip
    """Take step number `step` of Adam (Kingma & Ba, ICLR 2015, Algorithm 1)."""
    number = table.dtype.type
    size = number(lr / (1.0 - beta1**step))
    scale = number(1.0 / math.sqrt(1.0 - beta2**step))
    new1, old2, new2 = number(1.0 - beta1), number(beta2), number(1.0 - beta2)
    eps, weight_decay = number(eps), number(weight_decay)
    total = np.empty_like(table[0])
    for k in range(touched.size):
        row = touched[k]
        add_up(total, first[k], following, values, stride)
        theta, m, v = table[row], exp_avg[row], exp_avg_sq[row]
        for j in range(total.size):
            g = total[j] + weight_decay * theta[j]
            m_j = m[j] + new1 * (g - m[j])
            v_j = old2 * v[j] + new2 * g * g
            m[j] = m_j
            v[j] = v_j
            theta[j] -= size * m_j / (math.sqrt(v_j) * scale + eps)


@kernel
def sgd(table, touched, first, following, values, stride, lr, weight_decay):
    """Take a step of gradient descent."""
    number = table.dtype.type
    lr, weight_decay = number(lr), number(weight_decay)
    total = np.empty_like(table[0])
    for k in range(touched.size):
        add_up(total, first[k], following, values, stride)
        theta = table[touched[k]]
        for j in range(total.size):
            theta[j] -= lr * (total[j] + weight_decay * theta[j])


@kernel
def probe(
    table, touched, first, following, values, stride, alpha, by_sign, theta, step
):  # fmt: skip
    """Copy the touched rows to `theta`, and write the step α∘g to `step`."""
    alpha = table.dtype.type(alpha)
    total = np.empty_like(table[0])
    for k in range(touched.size):
        add_up(total, first[k], following, values, stride)
        row = table[touched[k]]
        for j in range(total.size):
            g = total[j]
            if by_sign:
                g = (g > 0) - (g < 0)
            step[k, j] = alpha * g
            theta[k, j] = row[j]


@kernel
def put(table, touched, values):
    """Write `values` (n, n_columns) to the touched rows."""
    for k in range(touched.size):
        row = table[touched[k]]
        for j in range(row.size):
            row[j] = values[k, j]


@kernel
def put_sum(table, touched, values, sign, step):
    """Write `values` + `sign` · `step` (n, n_columns) to the touched rows."""
    sign = table.dtype.type(sign)
    for k in range(touched.size):
        row = table[touched[k]]
        for j in range(row.size):
            row[j] = values[k, j] + sign * step[k, j]
