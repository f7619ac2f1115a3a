"""Rows that the tests of comparisons share."""

import pytest

from ._compare_cases import rows_of


@pytest.fixture
def rows(data):
    """Labels that the rule of Shouting explains, of a few users and items."""
    return rows_of(data)
