"""Metrics that arrive after ``step()``, also if the run was saved between the step and its metric."""

import copy
import functools
from dataclasses import dataclass, field
from typing import Any

import pytest
from cases import for_each
from optimizers import make_optimizer, values_of
from torch_loops import LOSSES, begun, held, in_one_optimizer

from lehr.handlers import MetricScheduler, ParamScheduler, ReduceOnPlateauScheduler, as_torch_scheduler
from lehr.handlers.core.for_other_trainers import metric_driven_parts
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Phases,
    Plateau,
    Product,
    Reduced,
    StatefulSchedule,
    Stretch,
    Window,
)


@functools.cache
def driven():
    return [name for name in in_one_optimizer() if metric_driven_parts(begun(name)[1].scheduler)]


@dataclass(frozen=True)
class HalvedAtEachReading(StatefulSchedule):
    """A user's schedule that changes whenever an event is read."""

    readings: list[Any] = field(default_factory=list, compare=False)

    def value(self, index):
        self.readings.append(index)
        return 0.5 ** len(self.readings)

    def state_dict(self):
        return {"readings": list(self.readings)}

    def load_state_dict(self, state_dict):
        self.readings[:] = state_dict["readings"]


def plateau(**kwargs):
    return Plateau(factor=0.5, patience=0, **kwargs)


def reduced():
    return Reduced(Anneal(0.1, 1.0, 8), plateau(min_value=0.3))


def phases():
    return Phases([Constant(0.1), Anneal(1.0, 0.0, 4)], flat=plateau())


def test_a_value_that_was_loaded_is_written_again_as_it_was():
    made = [as_torch_scheduler(ParamScheduler(make_optimizer(), "lr", schedule=HalvedAtEachReading())) for _ in "ab"]
    for _ in range(3):
        made[0].scheduler.optimizer.step()
        made[0].step()
    made[1].load_state_dict(made[0].state_dict())
    assert values_of(made[1].scheduler.optimizer) == values_of(made[0].scheduler.optimizer)


COMPOSED = {
    "reduced": reduced,
    "reduced after a warm-up": lambda: Concatenation([Constant(0.1), reduced()], [2]),
    "reduced, each event three times": lambda: Stretch(reduced(), 3),
    "reduced in a window": lambda: Window(reduced(), begin=1, end=7, interval=2),
    "phases": phases,
    "phases after a warm-up": lambda: Concatenation([Constant(0.1), phases()], [2]),
    "a user's schedule beside a plateau": lambda: Product([HalvedAtEachReading(), plateau()]),
}


def of_name(name):
    if name not in COMPOSED:
        return begun(name)
    optimizer = make_optimizer(lr=0.1)
    return optimizer, as_torch_scheduler(MetricScheduler(optimizer, "lr", "loss", COMPOSED[name]()))


def run(name, stop=None, losses=LOSSES):
    """Return the values and states at each step of a run; before metric ``stop``, the run is saved and resumed."""
    optimizer, scheduler = of_name(name)
    rows = []
    for at, loss in enumerate(losses):
        rows.append(held(optimizer))
        optimizer.step()
        scheduler.step()
        if at == stop:
            states = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
            optimizer, scheduler = of_name(name)
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])
        scheduler.revise(loss)
        rows.append((held(optimizer), scheduler.state_dict()))
    return rows


@pytest.mark.filterwarnings("ignore:a scheduler that a metric drives has received no")
@for_each("name", lambda: [*driven(), *COMPOSED])
def test_a_run_that_is_saved_between_a_step_and_its_metric_resumes_exactly(name):
    wanted = run(name)
    for stop in (0, 2, 3, 6, 9):
        assert run(name, stop) == wanted


@pytest.mark.filterwarnings("ignore:a scheduler that a metric drives has received no")
@for_each("name", driven)
def test_a_state_that_is_saved_after_a_late_metric_has_the_revised_value(name):
    for stop in (3, 6):
        optimizer, scheduler = of_name(name)
        for state in (None, run(name, stop, LOSSES[: stop + 1])[-1][1]):
            if state:  # loads the scheduler, but not the optimizer
                scheduler.load_state_dict(state)
        assert held(optimizer) == run(name, losses=LOSSES[: stop + 1])[-1][0]


def test_a_step_copies_no_state_of_a_plateau(monkeypatch):
    optimizer = make_optimizer(lr=0.1)
    scheduler = as_torch_scheduler(ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=100))
    calls, state_dict = [], Plateau.state_dict
    monkeypatch.setattr(Plateau, "state_dict", lambda self: calls.append(self) or state_dict(self))
    for loss in LOSSES:
        optimizer.step()
        scheduler.step(loss)
    assert not calls


def test_a_damaged_progress_of_the_last_event_loads_nothing():
    _, scheduler = of_name("reduced")
    scheduler.optimizer.step()
    scheduler.step(1.0)
    state = scheduler.state_dict()
    assert state["before"] == [{"event_index": 0}]
    for before in (None, [1], [{}, {}], [{"event_index": "x"}], [{"event_index": -2}], [{"other": 1}]):
        with pytest.raises((TypeError, ValueError)):
            scheduler.load_state_dict({**state, "before": before})
        assert scheduler.state_dict() == state


def test_a_state_of_the_first_version_loads():
    """The first version did not save ``before``."""
    optimizer = make_optimizer(lr=0.5)
    scheduler = as_torch_scheduler(ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0, factor=0.5))
    for metric in (1.0, 1.0, 1.0):
        optimizer.step()
        scheduler.step(metric)
    recorded = {name: value for name, value in scheduler.state_dict().items() if name != "before"}
    assert set(recorded) == {"last_epoch", "_step_count", "_last_lr", "num_processes", "scheduler"}
    resumed_optimizer = make_optimizer(lr=0.5)
    resumed = as_torch_scheduler(ReduceOnPlateauScheduler(resumed_optimizer, "lr", "loss", patience=0, factor=0.5))
    resumed_optimizer.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(recorded)
    for one, its in ((scheduler, optimizer), (resumed, resumed_optimizer)):
        its.step()
        one.step(1.0)
    assert resumed_optimizer.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == 0.0625
