"""Checks that schedulers write before the first training step, and that values do not jump within one event."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lehr.engine import OptimizerEvents
from lehr.engine.times_fired import begins_late, is_completion
from lehr.handlers.core.for_plans_and_cli import reads_metric, shared_locations
from lehr.handlers.plans.plan import counted
from lehr.handlers.plans.simulation.simulated_scheduler import SimulatedScheduler, WrittenSchedule
from lehr.handlers.schedules import Restarts, Schedule, Shift
from lehr.handlers.schedules.base import Array

from .checked_run import CheckedRun, values_text
from .findings import Finding
from .lengths import repeats
from .values import largest_ratio

LARGEST_RATIO = 1000.0  # if the ratio of two values in a row is larger, the value jumps


def late_events(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers whose first event comes late, so that the run begins with the optimizer's own value."""
    run = checked.run
    for written in run.written_schedules if not run.settings.start else ():
        scheduler, begins = written.scheduler, written.event_iterations
        first_event = int(begins[0]) if len(begins) else 0
        follows_first = isinstance(written.schedule, Shift) and written.schedule.by == 1  # event 0 writes f(1)
        after_step = all(handler.event == OptimizerEvents.STEP_COMPLETED for handler in scheduler.writing_handlers)
        after_step = after_step and len(begins) > 0  # the plan has the values after the step of an iteration
        num_late = first_event + after_step
        is_first = not any(_writes_before(scheduler, other, num_late) for other in run.schedulers)
        if any(begins_late(handler.filtered_event) for handler in scheduler.writing_handlers):
            continue
        comes_late = after_step or run.settings.accumulation.of_scheduler(scheduler.original) <= first_event < len(
            written.values
        )
        if not comes_late or reads_metric(scheduler.original) or follows_first or not is_first:
            continue
        own = written.values[first_event - 1] if first_event else written.before[written.columns]
        first = written.values[first_event]
        completes = all(is_completion(handler.event) for handler in scheduler.writing_handlers)
        differs = not np.allclose(own, first, rtol=1e-6, atol=0)
        never_changes = (written.event_values[:, written.distinct] == written.event_values[0, written.distinct]).all()
        if (not differs and never_changes) or not (completes or largest_ratio(own, first) > checked.jump_ratio):
            continue
        iterations = counted(num_late, "iteration")
        if np.isnan(own).any():
            message = f"the first {iterations} have no value: the first event comes after them"
        elif differs:
            message = (
                f"the first {iterations} train with the value from before, {values_text(own)}: the first event, with "
                f"{values_text(first)}, comes after them"
            )
        else:
            message = f"each value comes one event late: the first {iterations} train before the first event"
        suggestion = (
            "attach it to STEP_STARTED, which comes before the step"
            if after_step
            else "attach it to ITERATION_STARTED or EPOCH_STARTED, whose first event comes before training"
        )
        numbers = {"iterations": num_late, "own_value": own.tolist(), "first_value": first.tolist()}
        yield Finding("late-event", "warning" if differs else "info", written.description, message, suggestion, numbers)


def _writes_before(scheduler: SimulatedScheduler, other: SimulatedScheduler, iteration: int) -> bool:
    begins = other.event_iterations
    is_earlier = other is not scheduler and len(begins) > 0 and begins[0] < iteration
    return is_earlier and bool(shared_locations(scheduler.locations, other.locations))


def event_jumps(checked: CheckedRun) -> Iterator[Finding]:
    """Find values that change a thousandfold within one event, and much less before and after it."""
    for written in checked.run.written_schedules:
        values = written.event_values
        if len(values) < 2 or _starts_again(written.schedule):
            continue
        jumps = _jumps_in(np.abs(values[:, written.distinct]))
        for phase in written.phases[1:]:
            at = written.scheduler.position(phase.first_event)
            jumps = jumps[(jumps != at) | (at < 2)]  # phase_jumps reports these jumps
        if len(jumps):
            yield _largest_jump(checked, written, values, jumps)


def _jumps_in(sizes: Array) -> NDArray[np.int64]:
    """Return the indices of the values after a jump.

    A large step up is a jump if the step before it is much smaller, and the step after it is much smaller or goes down.
    A large step down is a jump if the step after it is much smaller, and the step before it is much smaller or goes up.
    """
    low, high = np.minimum(sizes[:-1], sizes[1:]), np.maximum(sizes[:-1], sizes[1:])
    is_large = (low > 0) & (high >= (1 - 1e-9) * LARGEST_RATIO * low)
    if not is_large.any():
        return np.empty(0, dtype=np.int64)
    steps = np.diff(sizes, axis=0)
    padded = np.pad(steps, ((1, 1), (0, 0)))
    before, after = padded[:-2], padded[2:]
    small_before, small_after = (np.abs(steps) > 10 * np.abs(other) for other in (before, after))
    up, down = small_before & (small_after | (after < 0)), small_after & (small_before | (before > 0))
    matters = high >= 0.01 * sizes.max(axis=0)
    is_jump = is_large & np.where(steps > 0, up, down) & matters
    return np.flatnonzero(is_jump.any(axis=1)) + 1


def _largest_jump(checked: CheckedRun, written: WrittenSchedule, values: Array, jumps: NDArray[np.int64]) -> Finding:
    ratios = [largest_ratio(values[at - 1], values[at]) for at in jumps]
    at = int(jumps[int(np.argmax(ratios))])
    before, after, event = values[at - 1], values[at], written.scheduler.index_of(at)
    iteration = int(written.event_iterations[at])
    message = (
        f"the value goes from {values_text(before)} to {values_text(after)} within one event, at event {event}, "
        f"{checked.iteration_text(iteration)}"
    )
    numbers = {
        "event": event, "iteration": iteration, "ratio": max(ratios), "before": before.tolist(), "after": after.tolist()
    }  # fmt: skip
    severity = "warning" if (np.abs(after) > np.abs(before)).any() else "info"
    return Finding("jump", severity, written.description, message, "go there over several events", numbers)


def _starts_again(schedule: Schedule) -> bool:
    """Return whether a schedule has cycles, which begin with a jump."""
    return isinstance(schedule, Restarts) or repeats(schedule) or any(map(_starts_again, schedule.parts))
