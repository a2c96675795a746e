"""Finds wrapped schedulers of torch that a faster scheduler of lehr with the same values can replace."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from lehr.handlers.plans.simulation.simulated_scheduler import WrittenSchedule
from lehr.handlers.schedulers.torch.lehr_equivalents import Call, ConcatCall, equal_schedulers
from lehr.handlers.schedulers.torch.lr_scheduler import LRScheduler
from lehr.handlers.schedulers.torch.torch_schedule import TorchSteps

from .checked_run import CheckedRun
from .findings import Finding

FEWEST_EVENTS = 1000  # in fewer events, all steps of torch together take about a millisecond
LARGEST_DIFFERENCE = 1e-9  # values may differ by this fraction of the largest value of their group
EVENTS_AT_ONCE = 2**16


def wrapped_with_a_formula(checked: CheckedRun) -> Iterator[Finding]:
    """Find wrapped schedulers of torch whose values a scheduler of lehr computes by a formula."""
    for written in checked.run.written_schedules:
        wrapping, events = written.scheduler.original, len(written.event_values)
        if (
            type(wrapping) is not LRScheduler
            or type(written.schedule) is not TorchSteps  # a resumed or shifted schedule
            or wrapping.param_group_index is not None
            or checked.run.settings.start
            or written.scheduler.clock is not None
            or events < FEWEST_EVENTS
        ):
            continue
        calls = equal_schedulers(wrapping.lr_scheduler)
        difference = _difference(calls[0], wrapping, written) if calls else np.inf
        if difference <= LARGEST_DIFFERENCE:
            name = type(wrapping.lr_scheduler).__name__
            message = (
                f"torch's {name} takes a step at each of {events} events; a formula has the same values in less time, "
                f"with differences of at most {max(difference, 1e-16):.0e} of the largest value"
            )
            suggestion = (
                f"use {' and '.join(map(str, calls))} in a new run: it cannot load the state of the wrapped scheduler"
            )
            numbers = {"events": events, "difference": difference}
            yield Finding("faster-scheduler", "info", written.description, message, suggestion, numbers)


def _difference(call: Call | ConcatCall, wrapping: LRScheduler, written: WrittenSchedule) -> float:
    """Return the largest difference between the two schedulers, as a fraction of the param group's largest value."""
    values, differences = written.event_values, np.zeros(written.event_values.shape[1])
    try:
        initial = [{"lr": float(group["initial_lr"])} for group in wrapping.optimizer_param_groups]
        scheduler = call.made(SimpleNamespace(param_groups=initial))
        for first in range(0, len(values), EVENTS_AT_ONCE):
            part = values[first : first + EVENTS_AT_ONCE]
            own = scheduler.simulate(len(part), start=written.scheduler.first_event + first)
            np.maximum(differences, np.abs(own - part).max(axis=0), out=differences)
    except (TypeError, ValueError, KeyError):  # arguments that lehr refuses, such as total_iters=0
        return np.inf
    largest = np.abs(values).max(axis=0)
    return float(np.max(np.divide(differences, largest, out=np.zeros_like(largest), where=largest > 0)))
