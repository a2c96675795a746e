"""Functions of ``lehr audit``, which plan a run from the options, compare the plan with a log, and draw both."""

from collections.abc import Mapping
from typing import Any

import click
import numpy as np

from lehr.handlers.plans import Audit, Log, audit_log
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.metric_driven_parts import metric_parts

from .options import MOST_EVENTS, MOST_SEQUENTIAL_EVENTS
from .progress import Progress
from .scheduler_from_options import make_scheduler, with_stated_length
from .simulated_values import value_chunks

# The plan has up to this many times as many events as the log, because a run may take several steps of its schedule at
# once.
TIMES, MOST_AHEAD = 64, 2_000_000
SEQUENTIAL_TIMES = 2
# If the log does not fit the plan, plans for runs that are longer or shorter by these factors are tried.
OTHER_LENGTHS = (2, 3, 4, 5, 6, 7, 8, 16, 32, 64)


def audit_of_config(
    log: Log, source: str, given: tuple[str, ...], options: Mapping[str, Any], chosen: Mapping[str, Any]
) -> Audit:
    """Compare a log with the plan of a config. If they differ, also compare it with plans for runs of other lengths."""
    name, lengths = options["param_name"], lengths_of(options, log)
    steps = _run_length(source, given, options)
    planned = _planned(log, source, given, options, steps, ahead=True)
    found = audit_log(log, planned, name=name, **lengths, **chosen)
    if not found or all(one.explanations for one in found) or steps is None:
        return found
    others = {}
    last = _last_event(log)
    for other in dict.fromkeys(_other_lengths(steps, last, log.total_steps)):
        try:
            others[f"if the run has {other} steps in place of {steps}"] = _planned(log, source, given, options, other)
        except (TypeError, ValueError):
            continue  # the config has no plan for a run of this length
    different = {words: other for words, other in others.items() if not np.array_equal(other, planned[: len(other)])}
    return audit_log(log, planned, name=name, others=different, **lengths, **chosen)


def _run_length(source: str, given: tuple[str, ...], options: Mapping[str, Any]) -> int | None:
    """Return the number of iterations in the run, or of epochs if each event is an epoch of unknown length."""
    length: int | None = options["epoch_length"]
    if options["max_steps"] is not None and options["max_epochs"] is not None:
        pair = f"{options['max_steps']} and {options['max_epochs']}"
        raise ValueError(f"--max-steps must not be set with --max-epochs, given {pair}")
    if options["max_epochs"] is not None and length is None:
        raise ValueError(f"--epoch-length must be set with --max-epochs, given only {options['max_epochs']} epochs")
    stated = with_stated_length(options, (source, given, options))
    epochs: int | None = stated["max_epochs"]
    steps: int | None = stated["max_steps"]
    if epochs is None:
        return steps
    if length is None:
        return epochs if options["event"] == "epoch" else None
    return epochs * length


def _other_lengths(steps: int, last: int, total: int | None) -> list[int]:
    lengths = [*([total] if total else []), last + 1, last, last + 2]
    for times in OTHER_LENGTHS:
        lengths += [steps * times, -(-steps // times), steps // times]
    return [length for length in lengths if length > 0 and length != steps]


def lengths_of(options: Mapping[str, Any], log: Log) -> dict[str, Any]:
    """Return the number of iterations in an epoch, as an argument of ``audit_log``."""
    counts_epochs = log.counting is not None and log.counting.unit == "epochs"
    if options["event"] == "epoch" and counts_epochs:
        return {"epoch_length": 1}  # each event of the plan is an epoch of the log
    return {"epoch_length": options["epoch_length"]}


def _last_event(log: Log) -> int:
    return max((int(column.steps[-1]) for column in log.columns.values() if len(column.steps)), default=0)


def _planned(
    log: Log,
    source: str,
    given: tuple[str, ...],
    options: Mapping[str, Any],
    steps: int | None,
    ahead: bool = False,
) -> Array:
    """Return the planned values ``(events, groups)`` for the steps of the log, and for later steps if ``ahead``."""
    length, by_epoch = options["epoch_length"], options["event"] == "epoch"
    unit = "steps" if log.counting is None else log.counting.unit
    if by_epoch and unit == "steps" and length is None:
        raise ValueError("--epoch-length must be set with --event epoch, given none")
    total: dict[str, int | None] = {"max_epochs": None, "total_steps": None}
    if steps is not None and (by_epoch or options["in_epochs"]):
        total["max_epochs"] = -(-steps // (length or 1))
    elif steps is not None:
        total["total_steps"] = steps
    scheduler = make_scheduler(source, given, {**options, **total})
    is_pure = scheduler.schedule.is_pure
    last = _last_event(log) * (length or 1 if unit == "epochs" and not by_epoch else 1)
    repeated = length if by_epoch and unit == "steps" else 1
    number = last // repeated + 2
    most = MOST_EVENTS if is_pure else MOST_SEQUENTIAL_EVENTS
    if number > most:
        raise ValueError(f"a log must have at most {most} events, given {number}")
    if ahead:
        times = max(TIMES, length or 0) if is_pure else SEQUENTIAL_TIMES
        number = max(number, min(number * times, MOST_AHEAD if is_pure else 10 * number, MOST_AHEAD // repeated))
        if metric_parts(scheduler.schedule):
            click.echo("lehr: the planned values assume that no metric arrives", err=True)
    parts = []
    with Progress(number) as progress:
        for _, table in value_chunks(scheduler, number):
            parts.append(table)
            progress.advance(len(table))
    return np.repeat(np.concatenate(parts), repeated, axis=0)


def table_of(plan: Log) -> Array:
    """Return the values ``(events, groups)`` of a plan from a file. If an event has no value, it is NaN."""
    first = 0 if plan.counting is None else min(plan.counting.first_steps)
    number = _last_event(plan) - first + 1
    if number > MOST_EVENTS:
        raise ValueError(f"a plan must have at most {MOST_EVENTS} events, given {number}")
    table = np.full((max(number, 1), len(plan.columns)), np.nan)
    for group, column in enumerate(plan.columns.values()):
        table[column.steps[column.steps >= first] - first, group] = column.values[column.steps >= first]
    return table


def draw(found: Audit, output: str, title: str) -> None:
    """Draw the log and the plan of an audit into a file."""
    from matplotlib.figure import Figure  # pyplot would store the figure, and may need a display

    figure = Figure(figsize=(8, 1.5 + 2.5 * len(found.compared)), layout="constrained")
    found.plot(list(figure.subplots(len(found.compared), 1, sharex=True, squeeze=False)[:, 0]))
    figure.suptitle(arguments.shown_text(title, 90).strip("'\""), fontsize="medium", parse_math=False)
    figure.savefig(output, dpi=120)
    click.echo(f"wrote {output}")
