"""Schedules that a metric or a person drives, event by event, and the limits of what may be given."""

from dataclasses import dataclass

import numpy as np
import pytest
from cases import for_each
from optimizers import make_optimizer, values_of

from lehr.handlers import ParamScheduler
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    CumulativeProduct,
    Phases,
    Plateau,
    Reduced,
    Schedule,
)
from lehr.handlers.schedules.arguments import within_limits
from lehr.handlers.schedules.schedule_length import end_of
from lehr.handlers.schedules.value_reduced_on_plateau import improves


@for_each(
    ("mode", "threshold_mode", "not_enough", "enough"),
    [("min", "rel", 3.7, 3.5), ("min", "abs", 3.95, 3.85), ("max", "rel", 4.3, 4.5), ("max", "abs", 4.05, 4.15)],
)
def test_a_metric_must_be_better_by_the_threshold(mode, threshold_mode, not_enough, enough):
    assert not improves(4.0, 4.0, mode, 0.1, threshold_mode)
    assert not improves(not_enough, 4.0, mode, 0.1, threshold_mode)
    assert improves(enough, 4.0, mode, 0.1, threshold_mode)
    assert improves(-1e9, None, mode, 0.1, threshold_mode)


@dataclass(frozen=True)
class Table(Schedule):
    """Raises an error past its last event."""

    def values(self, indices):
        return np.array([0.5, 0.25, 0.125])[indices.astype(int)]


def test_a_phase_may_have_no_value_at_later_events():
    phases = Phases([Constant(1.0), Table()], flat=Plateau(patience=0))
    phases.observe(1.0)
    assert [phases.value(event) for event in range(3)] == [1.0, 1.0, 1.0]
    phases.observe(2.0)
    assert [phases.value(event) for event in (3, 4, 5)] == [0.5, 0.25, 0.125]
    state = phases.state_dict()
    for _ in range(3):
        phases.observe(9.0)  # no phase is left to begin
    assert phases.state_dict() == state


def test_a_schedule_without_groups_has_one_ratio():
    schedule = Reduced(Anneal(1.0, 0.0, 10), Plateau(factor=0.5, patience=0))
    assert schedule.value(0) == 1.0
    for metric in (1.0, 2.0):
        schedule.observe(metric)
    assert schedule.value(1) == 0.45
    assert schedule.state_dict()["ratios"] == [0.5]


def test_a_concatenation_ends_with_its_last_schedule():
    assert end_of(Concatenation([Anneal(1.0, 0.0, 5), Anneal(1.0, 0.0, 7)], [4])) == 11
    assert end_of(Concatenation([Anneal(1.0, 0.0, 5), Constant(1.0)], [4])) is None


def test_values_are_counted_as_often_as_they_are_there():
    pair = [1, 2]
    for value, number in (([0] * 6, 6), ([pair, pair, {"a": pair}], 10)):
        within_limits("config", value, values=number)
        with pytest.raises(ValueError, match=f"config must have at most {number - 1} values in it, given more"):
            within_limits("config", value, values=number - 1)
    within_limits("config", [[[]]], depth=3)
    with pytest.raises(ValueError, match="config must be nested at most 2 deep, given more"):
        within_limits("config", [[[]]], depth=2)


@dataclass(frozen=True, repr=False)
class HalvedProduct(CumulativeProduct):
    """Overrides the value, which may become NaN."""

    def value(self, index):
        return float("nan") if index == 2 else super().value(index) / 2


@dataclass(frozen=True, repr=False)
class HalvedCheckedProduct(CumulativeProduct):
    """Overrides the checked value."""

    def checked(self, index):
        return super().checked(index) / 2


@pytest.mark.parametrize("cls", [HalvedProduct, HalvedCheckedProduct])
def test_a_scheduler_reads_what_a_subclass_of_a_product_overrides(cls):
    optimizer = make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=cls(lambda event: 0.5))
    for value in [0.5, 0.25]:
        scheduler(None)
        assert values_of(optimizer) == [value]
    if cls is HalvedProduct:
        with pytest.raises(ValueError, match="the value of HalvedProduct.* at event 2 must be finite, given nan"):
            scheduler(None)
