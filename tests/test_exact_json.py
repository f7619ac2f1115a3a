"""Values in files come back of the same type, and equal."""

import json
import math
import uuid
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_invlearn.files._exact_json import (
    NotExact,
    decode,
    encode,
    from_bytes,
    to_bytes,
)


def round_trip(value):
    arrays = {}
    return from_bytes(to_bytes(value, arrays), arrays)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.integers(-128, 127).map(np.int8)
    | st.integers(0, 2**64 - 1).map(np.uint64)
    | st.floats(allow_nan=False, allow_infinity=False, width=32).map(np.float32)
    | st.booleans().map(np.bool_)
    | st.text(st.characters(exclude_characters="\0")).map(np.str_)
    | st.binary().map(np.bytes_)
    | st.integers(-(2**62), 2**62).map(lambda v: np.datetime64(v, "ns"))
    | st.integers(-(2**31), 2**31).map(lambda v: np.timedelta64(v, "s"))
)
PAIR_OF_LONE_SURROGATES = "\ud800\udc00"  # not the same as one character beyond U+FFFF

values = st.recursive(
    scalars,
    lambda part: (
        st.lists(part)
        | st.lists(part).map(tuple)
        | st.dictionaries(st.text() | st.integers(), part)
    ),
    max_leaves=8,
)


def same(left, right):
    if isinstance(left, (list, tuple)):
        return type(left) is type(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if type(left) is not type(right):
        return False
    if isinstance(left, np.generic) and left.dtype != right.dtype:
        return False
    return left == right or (left != left and right != right)


@given(values)
@example(PAIR_OF_LONE_SURROGATES)
def test_comes_back_the_same(value):
    assert same(round_trip(value), value)


def test_signed_zero_and_infinities():
    assert math.copysign(1, round_trip(-0.0)) == -1
    assert round_trip([math.inf, -math.inf]) == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3)[:, ::-1],
        np.array([True, False]),
        np.array([0.1, np.nan], dtype=np.float32),
        np.array(["a", "Größe"]),
        np.array(["a", 1, (2, b"x")], dtype=object)[:2],
        np.empty((0, 3)),
        np.array(["2024-05-01", "NaT"], dtype="datetime64[ns]"),
        np.array([[1], [-(2**40)]], dtype="timedelta64[s]"),
    ],
)
def test_arrays(array):
    back = round_trip(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_other_types():
    matrix = sparse.csr_array(np.eye(3, dtype=bool))
    back = round_trip(matrix)
    assert type(back) is sparse.csr_array
    assert (back != matrix).nnz == 0
    assert back.dtype == bool
    assert round_trip(torch.device("cuda:1")) == torch.device("cuda:1")
    assert round_trip(torch.optim.RMSprop) is torch.optim.RMSprop
    random = np.random.RandomState(3)
    random.normal()
    expected = np.random.RandomState(3)
    expected.normal()
    assert (round_trip(random).normal(size=3) == expected.normal(size=3)).all()
    values = Decimal("1.10"), uuid.UUID(int=5), date(2024, 2, 29)
    assert round_trip(values) == values


class Text(str):
    """Equal to its text, and something else all the same."""


@pytest.mark.parametrize(
    "value",
    [
        Text("a"),
        frozenset([1]),
        1 + 2j,
        datetime(2024, 1, 1),
        object(),
        np.longdouble(1) / 3,
        np.array([1 + 2j]),
        [("fine", {"deep": object()})],
        torch.nn.Linear,
        json.dumps,
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_cannot_be_kept_exactly_is_refused(value):
    with pytest.raises(NotExact, match="of type"):
        encode(value, {})


@pytest.mark.parametrize(
    "value",
    [
        {"torch.optim": "lr_scheduler"},
        {"torch.optim": "Adam.step"},
        {"call": "os"},
    ],
)
def test_a_file_cannot_name_what_it_likes(value):
    with pytest.raises(ValueError, match=r"no optimizer|unknown type"):
        decode(value, {})
