"""Whether a value past the end of a schedule is one to warn of."""

from dataclasses import dataclass

import numpy as np
import pytest

from lehr.handlers.core.run_warnings import value_past_end
from lehr.handlers.schedules import Anneal, LinearInterpolation, Plateau, Product, Schedule


@dataclass(frozen=True)
class Rising(Schedule):
    """1 for 10 events, then 0 but for one event."""

    again: int

    @property
    def length(self):
        return 10.0

    def values(self, indices):
        return np.where((indices < 10) | (indices == self.again), 1.0, 0.0)


def test_the_highest_value_before_is_told():
    decay = Anneal(1.0, 0.0, 10)
    assert value_past_end(decay, 9) is None
    assert value_past_end(decay, 10) == value_past_end(decay, 25) == (0.0, 1.0)
    peak = LinearInterpolation([(0, 0.0), (49, 0.0), (50, 1.0), (51, 0.0), (100, 0.0)])
    assert value_past_end(peak, 100) == (0.0, 1.0)
    assert value_past_end(Anneal(1.0, 2e-3, 10), 10) is None
    assert value_past_end(Anneal(1.0, 5e-4, 10), 10) == (5e-4, 1.0)


@pytest.mark.parametrize("event", [10, 14])
def test_a_schedule_that_rises_again_within_twice_its_length_is_none_to_warn_of(event):
    assert value_past_end(Rising(event), event) is None
    assert value_past_end(Rising(event + 19), event) is None
    assert value_past_end(Rising(event + 21), event) == (0.0, 1.0)


def test_what_a_metric_drives_is_unknown():
    assert value_past_end(Product([Anneal(1.0, 0.0, 10), Plateau()]), 12) is None
