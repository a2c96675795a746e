"""What a schedule is worth: the learning rate range test."""

from .find_lr import find_lr
from .range_test import LRRangeTest

__all__ = ["LRRangeTest", "find_lr"]
