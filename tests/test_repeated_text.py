"""Text ids that repeat get the codes that a dictionary gives, row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_invlearn.ids import _repeated_text
from sklearn_invlearn.ids._encoding import IdIndex

texts = st.lists(st.text(st.characters(codec="utf-8"), max_size=4), min_size=1)
texts = st.lists(st.sampled_from(["a", "b", "ab", "ba", ""]), min_size=1) | texts
dtypes = st.sampled_from(["U", ">U9", "<U70"])


@pytest.fixture(autouse=True, params=[1, 3, 16_384])
def small_columns_too(request, monkeypatch):
    monkeypatch.setattr(_repeated_text, "_MANY", 0)
    monkeypatch.setattr(_repeated_text, "_PIECE", request.param)


def by_dictionary(column, index):
    """Codes of all rows, one after the other."""
    return [index.setdefault(value, len(index) + 1) for value in column.tolist()]


@given(texts, texts, dtypes)
def test_codes_are_those_of_a_dictionary(known, more, dtype):
    index, expected = IdIndex(), {}
    for values in (known, more):
        column = np.array(values, dtype=dtype)
        assert index.extend(column).tolist() == by_dictionary(column, expected)
        wide = np.stack([column[::-1], column], axis=1)[:, 0]  # not contiguous
        assert index.lookup(wide).tolist() == by_dictionary(wide, expected)
    assert list(expected) == index.exact_ids


@given(texts, texts)
def test_unknown_texts_have_the_code_zero(known, asked):
    index = IdIndex()
    column, asked = np.array(known), np.array(asked)
    index.extend(column)
    expected = [code if v in index else 0 for v, code in zip(
        asked.tolist(), (index._codes.get(v) for v in asked.tolist()))]  # fmt: skip
    assert index.lookup(asked).tolist() == expected


@given(st.lists(st.binary(max_size=3), min_size=1))
def test_bytes(values):
    column = np.array(values)
    index = IdIndex()
    assert index.extend(column).tolist() == by_dictionary(column, {})


@given(texts)
def test_first_rows(values):
    column = np.array(values)
    first = _repeated_text.first_rows(column)
    stripped = column.tolist()  # numpy drops a NUL at the end
    assert first.tolist() == [stripped.index(value) for value in stripped]


@pytest.mark.parametrize("hashes", [[0, 0, 0], [5, 9, 5]])
def test_texts_that_share_a_hash_go_to_the_dictionary(monkeypatch, hashes):
    shared = np.array(hashes, dtype=np.uint64)
    monkeypatch.setattr(_repeated_text, "_hashes", lambda column: shared)
    column = np.array(["a", "b", "c"])
    assert _repeated_text.first_rows(column) is None
    assert IdIndex().extend(column).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "column",
    [np.array([1, 2]), np.array(["a", 1], dtype=object), np.array(["a"], dtype="U65")],
    ids=["numbers", "objects", "long texts"],
)
def test_what_is_left_to_the_dictionary(column):
    assert _repeated_text.first_rows(column) is None


def test_few_rows_are_left_to_the_dictionary(monkeypatch):
    monkeypatch.setattr(_repeated_text, "_MANY", 3)
    assert _repeated_text.first_rows(np.array(["a", "b"])) is None
    assert _repeated_text.first_rows(np.array(["a", "b", "a"])) is not None
