"""Checks of how long schedules are: their ends, their cycles, and the unit that they count in."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lehr.handlers.core import inspection
from lehr.handlers.plans.plan import counted
from lehr.handlers.schedulers.torch.lengths import begins_anew, length_of
from lehr.handlers.schedules import Concatenation, Cyclic, Cyclical, Restarts, Schedule
from lehr.handlers.schedules.arguments import MOST
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.named_phases import segments_of

from .checked_run import Review, Written, shown
from .findings import Finding


def ends(review: Review) -> Iterator[Finding]:
    """Schedules that end after training does, or before, or that count in another unit than their events."""
    for written in review.written():
        length, events = length_of(written.schedule), written.num_events
        if not length:
            yield from _vanishing(review, written)
            yield from _last_phase_not_begun(written)
            yield from _does_not_move(written)
        if not length or not len(written.ticks) or inspection.reads_metric(written.part.original):
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


def _last_phase_not_begun(written: Written) -> Iterator[Finding]:
    """One without an end, whose last phase the run does not come to."""
    segments = segments_of(written.schedule)
    if written.schedule.ahead and len(segments) > 1 and 0.95 * segments[-1].first_event > written.num_events > 0:
        begin = segments[-1].first_event
        yield Finding(
            "end-not-reached",
            "warning",
            written.where(),
            f"its last phase, {segments[-1].name!r}, begins at event {begin:g}, and the run has {written.num_events} "
            "of them",
            "make what comes before shorter, or the run longer",
            {"length": float(begin), "events": written.num_events},
        )


def _does_not_move(written: Written) -> Iterator[Finding]:
    """One without an end that would move if there were more events, and does not in this run."""
    schedule, values = written.schedule, written.by_event
    if not schedule.ahead or len(values) < 2 or (values != values[0]).any():
        return
    later = np.array([schedule(min(written.num_events * times, MOST)) for times in (10, 100, 1000)])
    if (later != later.flat[0]).any() or later.flat[0] not in values[0]:
        yield Finding(
            "end-not-reached",
            "warning",
            written.where(),
            f"it does not move: all its {len(values)} events have {shown(values[0])}, and it would change later",
            "make its steps shorter, or attach it to an event that comes more often",
            {"events": written.num_events},
        )


def _vanishing(review: Review, written: Written) -> Iterator[Finding]:
    """One without an end that falls to nothing by iterations, and would not by epochs."""
    values, epochs = written.by_event, review.plan.max_epochs
    by_epoch = any(wire.event.name.startswith("EPOCH") for wire in written.part.writing)
    if by_epoch or len(values) < 4 * epochs or review.plan.epoch_length < 2:
        return
    sizes = np.abs(values).max(axis=1)
    gone = np.flatnonzero(sizes < 1e-8 * sizes.max())
    # One that is set to 0, or comes to its end at the end, is meant to.
    if len(gone) and epochs <= gone[0] < 0.5 * len(values) and sizes[gone[0]] and sizes[gone].max() < sizes[epochs - 1]:
        yield Finding(
            "unit-mismatch",
            "warning",
            written.where(),
            f"it has {len(values)} events, which are iterations, and is down from {shown(values[0])} to "
            f"{shown(values[gone[0]])} after {gone[0]} of them; with one for each of the {epochs} epochs it would be "
            f"{shown(values[epochs - 1])} at the end, so its durations look like epochs",
            "attach it to EPOCH_STARTED, or give durations in iterations (epoch_length=... converts them)",
            {"events": written.num_events, "vanishes_after": int(gone[0])},
        )


def _unit_meant(review: Review, written: Written, length: float) -> str | None:
    """The unit that the durations of a schedule are probably in, where its events are of the other one."""
    epochs, iterations, events = review.plan.max_epochs, review.plan.num_iterations, written.num_events
    kinds = {wire.event.name.split("_")[0] for wire in written.part.writing}
    if review.plan.epoch_length < 2:
        return None
    of_such_a_run = length <= 2 * iterations  # where it is longer, they are nobody's iterations either
    if kinds == {"EPOCH"} and of_such_a_run and length >= 2 * events and length**2 > epochs * iterations:
        return "iterations"
    values = written.by_event[: int(length) + 1]
    if len(values) and (values[-1] > values[0]).all():
        return None  # a warm-up is short
    about = (1.0, 1.0) if repeats(written.schedule) else (0.5, 1.5)
    few = about[0] * epochs <= length <= about[1] * epochs and length >= 3
    if "EPOCH" not in kinds and few and 2 * length <= events and length**2 < epochs * events:
        return "epochs"
    return None


def _unfinished(written: Written, length: float, numbers: dict[str, Any]) -> Iterator[Finding]:
    """The end value is not reached, and not nearly."""
    schedule, events = written.schedule, written.num_events
    last = end = written.by_event[-1] if len(written.by_event) else np.empty(0)
    if schedule.ahead:  # else nobody can say what it comes to
        last, end = np.atleast_1d(schedule(events - 1)), np.atleast_1d(schedule(int(np.ceil(length))))
    if schedule.ahead and not repeats(schedule):
        way = np.abs(np.atleast_2d(schedule(np.linspace(0, length, 101).round())).T - end[:, np.newaxis]).max()
        if np.abs(last - end).max() <= 0.01 * way:
            return
    share = events / length
    reached = "" if repeats(schedule) or not schedule.ahead else f": its last value is {shown(last)}, not {shown(end)}"
    yield Finding(
        "end-not-reached",
        "warning" if share < 0.95 else "info",
        written.where(),
        f"it takes {length:g} events, and the run has {events} of them, {share:.0%}{reached}",
        f"make it {counted(events, 'event')} long, or the run longer",
        {**numbers, "last_value": last.tolist(), **({"end_value": end.tolist()} if schedule.ahead else {})},
    )


def _repeated(review: Review, written: Written, length: float, numbers: dict[str, Any]) -> Iterator[Finding]:
    events = written.num_events
    if repeats(written.schedule):
        values = written.by_event
        begun = [0, *_beginnings(values, review.jump_ratio)]
        last = len(values) - begun[-1]
        cut_short = len(begun) > 1 and last < 0.1 * (begun[-1] - begun[-2])
        message = f"its first cycle takes {length:g} events, and the run has {events} of them"
        if cut_short:
            message += (
                f": the last {'one begins' if last == 1 else f'{last} begin'} a cycle anew, with "
                f"{shown(values[-last])} after {shown(values[-last - 1])}"
            )
        yield Finding(
            "repeats",
            "warning" if cut_short else "info",
            written.where(),
            message,
            "make the cycle longer, or the run shorter, so that it ends with a cycle"
            if cut_short
            else "nothing, if that is meant",
            numbers,
        )
        return
    after = np.abs(written.by_event[int(np.ceil(length)) - written.part.first_event :])
    if len(after) and (after.max(axis=0) > review.jump_ratio * np.maximum(after[0], 0.01 * after.max())).any():
        yield Finding(
            "repeats",
            "warning" if events < 2 * length else "info",
            written.where(),
            f"it comes to its end after {length:g} of {events} events, and then it goes back, from {shown(after[0])} "
            f"up to {shown(after.max(axis=0))}",
            f"make it {events} events long, or the run shorter; nothing, if it is meant to swing",
            {**numbers, "highest": float(after.max())},
        )
        return
    zeros = _zeros_at_the_end(written.table)
    if written.key == "lr" and zeros > max(1, 0.01 * len(written.table)):
        yield Finding(
            "repeats",
            "warning",
            written.where(),
            f"it ends after {length:g} of {events} events, and its end value, 0, is that of the last {zeros} "
            "iterations, in which nothing is learnt",
            f"make it {events} events long, or the end value more than 0",
            {**numbers, "iterations": zeros},
        )
    elif written.key == "lr":
        yield from _held_next_to_nothing(written, length, numbers)


def _held_next_to_nothing(written: Written, length: float, numbers: dict[str, Any]) -> Iterator[Finding]:
    """A decay that is over long before the run is, with an end value that hardly anything is learnt with."""
    table, way = written.table, written.by_event[: int(length)]
    sizes, end = np.abs(table[~np.isnan(table).any(axis=1)]), table[-1]
    held = len(table) - 1 - int(np.flatnonzero((table != end).any(axis=1))[-1]) if (table != end).any() else 0
    by_steps = np.mean((way[1:] != way[:-1]).any(axis=1)) < 0.25 if len(way) > 1 else True  # one that ends as it goes
    if held > 0.1 * len(table) and not by_steps and (np.abs(end) < 1e-3 * sizes.max(axis=0)).all():
        yield Finding(
            "repeats",
            "warning",
            written.where(),
            f"it ends after {length:g} of {written.num_events} events, and its end value, {shown(end)}, is that of the "
            f"last {held} iterations: less than a thousandth of its highest, {shown(sizes.max(axis=0))}",
            f"make it {written.num_events} events long, or the end value larger",
            {**numbers, "iterations": held},
        )


def _beginnings(values: Array, jump_ratio: float) -> list[int]:
    """Where cycles begin anew: the value jumps against the way that it went, as it does not at the end of a decay."""
    steps, sizes = np.diff(values, axis=0), np.abs(values)
    low, high = np.minimum(sizes[1:-1], sizes[2:]), np.maximum(sizes[1:-1], sizes[2:])
    anew = (high > jump_ratio * low) & (steps[1:] * steps[:-1] < 0)
    found: list[int] = (np.flatnonzero(anew.any(axis=1)) + 2).tolist()
    return found


def repeats(schedule: Schedule) -> bool:
    """Whether a schedule begins anew when it has come to its end."""
    if isinstance(schedule, Concatenation):
        return repeats(schedule.schedules[-1])
    if isinstance(schedule, Restarts):
        return schedule.num_cycles is None and not isinstance(schedule.periods, tuple)
    return isinstance(schedule, Cyclical | Cyclic) or begins_anew(schedule) or any(map(repeats, schedule.parts))


def _zeros_at_the_end(table: Array) -> int:
    different = np.flatnonzero((table != 0).any(axis=1))
    return len(table) - 1 - int(different[-1]) if len(different) else len(table)
