"""Comparisons with other libraries."""

from pathlib import Path

import pytest

# Drawn arguments may give values that an optimizer must not have; both libraries then write them.
ILLEGAL_VALUES = pytest.mark.filterwarnings("ignore:.* goes on without further warnings:UserWarning")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(ILLEGAL_VALUES)
