"""Checks of how long schedules are: their ends, their cycles, and the unit that they count in."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..schedules import Concatenation, Cyclic, Cyclical, Restarts, Schedule
from ..schedules.base import Array
from .findings import Finding
from .review import Review, Written, ratio_of, shown


def ends(review: Review) -> Iterator[Finding]:
    """Schedules that end after training does, or before, or that count in another unit than their events."""
    for written in review.written():
        length, events = written.schedule.length, written.num_events
        if not length or not len(written.ticks) or written.part.original._wants_metric:
            continue
        numbers = {"length": float(length), "events": events}
        unit = _unit_meant(review, written, length)
        if unit:
            meant, here = ("iterations", "epochs") if unit == "iterations" else ("epochs", "iterations")
            yield Finding(
                "unit-mismatch",
                "warning",
                written.where(),
                f"it takes {length:g} events, and has {events}, which are {here}: there are {review.plan.max_epochs} "
                f"epochs and {review.plan.num_iterations} iterations, so its durations look like {meant}",
                f"attach it to {'ITERATION_STARTED' if meant == 'iterations' else 'EPOCH_STARTED'}, or give durations "
                f"in {here}" + ("" if meant == "iterations" else " (epoch_length=... converts them)"),
                numbers,
            )
        elif events < length:
            yield from _unfinished(written, length, numbers)
        elif events > length:
            yield from _repeated(review, written, length, numbers)


def _unit_meant(review: Review, written: Written, length: float) -> str | None:
    """The unit that the durations of a schedule are probably in, where its events are of the other one."""
    epochs, iterations, events = review.plan.max_epochs, review.plan.num_iterations, written.num_events
    kinds = {wire.event.name.split("_")[0] for wire in written.part.writing}
    if review.plan.epoch_length < 2:
        return None
    if kinds == {"EPOCH"} and length >= 2 * events and length**2 > epochs * iterations:
        return "iterations"
    few = epochs / 2 <= length <= 1.5 * epochs and length >= 3
    if "EPOCH" not in kinds and few and 2 * length <= events and length**2 < epochs * events:
        return "epochs"
    return None


def _unfinished(written: Written, length: float, numbers: dict[str, Any]) -> Iterator[Finding]:
    """The end value is not reached, and not nearly."""
    schedule, events = written.schedule, written.num_events
    if not schedule.ahead:
        return
    last, end = np.atleast_1d(schedule(events - 1)), np.atleast_1d(schedule(int(np.ceil(length))))
    if not repeats(schedule):
        way = np.abs(np.atleast_2d(schedule(np.linspace(0, length, 101).round())).T - end[:, np.newaxis]).max()
        if np.abs(last - end).max() <= 0.01 * way:
            return
    share = events / length
    reached = "" if repeats(schedule) else f": its last value is {shown(last)}, not {shown(end)}"
    yield Finding(
        "end-not-reached",
        "warning" if share < 0.95 else "info",
        written.where(),
        f"it takes {length:g} events, and the run has {events} of them, {share:.0%}{reached}",
        f"make it {events} events long, or the run longer",
        {**numbers, "last_value": last.tolist(), "end_value": end.tolist()},
    )


def _repeated(review: Review, written: Written, length: float, numbers: dict[str, Any]) -> Iterator[Finding]:
    events = written.num_events
    if repeats(written.schedule):
        values = written.by_event[-max(int(0.1 * length), 1) - 1 :]
        jumps = [at for at in range(1, len(values)) if ratio_of(values[at - 1], values[at]) > review.jump_ratio]
        message = f"its first cycle takes {length:g} events, and the run has {events} of them"
        if jumps:
            message += (
                f": the last {len(values) - jumps[-1]} begin a cycle anew, with {shown(values[jumps[-1]])} "
                f"after {shown(values[jumps[-1] - 1])}"
            )
        yield Finding(
            "repeats",
            "warning" if jumps else "info",
            written.where(),
            message,
            "make the cycle longer, or the run shorter, so that it ends with a cycle"
            if jumps
            else "none if it is meant",
            numbers,
        )
        return
    zeros = _zeros_at_the_end(written.table)
    if written.key == "lr" and zeros > max(1, 0.01 * len(written.table)):
        yield Finding(
            "repeats",
            "warning",
            written.where(),
            f"it ends after {length:g} of {events} events, and its end value, 0, is that of the last {zeros} "
            f"iterations, which change nothing",
            f"make it {events} events long, or the end value more than 0",
            {**numbers, "iterations": zeros},
        )


def repeats(schedule: Schedule) -> bool:
    """Whether a schedule begins anew when it has come to its end."""
    if isinstance(schedule, Concatenation):
        return repeats(schedule.schedules[-1])
    if isinstance(schedule, Restarts):
        return schedule.num_cycles is None and not isinstance(schedule.periods, tuple)
    return isinstance(schedule, Cyclical | Cyclic) or any(map(repeats, schedule.parts))


def _zeros_at_the_end(table: Array) -> int:
    different = np.flatnonzero((table != 0).any(axis=1))
    return len(table) - 1 - int(different[-1]) if len(different) else len(table)
