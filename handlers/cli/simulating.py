"""``lehr simulate``: numbers, as a table to read or as CSV."""

import csv
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TextIO

import click
import numpy as np

from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules.base import Array

from .options import Setup, count_option, read_metrics, refuse_to_write, scheduler_options
from .progress import Progress
from .values import CHUNK, Column, chunks_of, columns_of, driven_by, is_driven, number_of_events

HELP = """The values of a schedule as numbers.

TYPE is a type that "lehr list" shows, with its arguments as KEY=VALUE, or a .yaml, .yml or .json file. Values are
written as in YAML: step_size=30 milestones=[30,60] 'curve={type: Rex}'. The table shows some of the events, evenly
spaced; the CSV has all of them, and its numbers are those that training writes, to the last bit.

\b
Examples:
  lehr simulate torch.StepLR step_size=30 gamma=0.5 --num-events 100
  lehr simulate CosineDecayScheduler duration=1000 --initial lr=0.4 --csv -o lr.csv
  lehr simulate torch.ReduceLROnPlateau patience=1 --metrics 3,2,2,2,2,1
"""
NOT_MOVED = "no metric moves this schedule here: --metrics 3,2,2,1 shows what those would do"


def simulation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a command that simulates takes."""
    for decorate in (
        scheduler_options(of_training=False),
        click.option(
            "--metrics",
            callback=read_metrics,
            metavar="NUMBERS",
            help="the metric of each event; with --in-epochs, of each epoch",
        ),
        count_option("--num-events", "-n", help="how many events  [default: as many as it lasts]"),
        click.argument("given", nargs=-1, metavar="[KEY=VALUE]..."),
        click.argument("source", metavar="TYPE|FILE"),
    ):
        command = decorate(command)
    return command


def simulated(
    source: str, given: tuple[str, ...], num_events: int | None, metrics: list[float] | None, options: dict[str, Any]
) -> tuple[BaseParamScheduler, int, Array | None]:
    """The scheduler that the options ask for, how many of its events, and its values under metrics, if there are."""
    if options["epoch_length"] is not None and not options["in_epochs"]:
        raise ValueError(f"--epoch-length is for --in-epochs, given {options['epoch_length']} without it")
    setup = Setup.of(options)
    scheduler = setup.make_scheduler(source, given)
    if metrics is not None:
        num_events = num_events or len(metrics) * (setup.epoch_length or 1)
    number = number_of_events(scheduler, num_events, is_live=metrics is not None)
    if metrics is not None:
        with Progress(number) as progress:
            return scheduler, number, driven_by(scheduler, metrics, setup.epoch_length, number, progress)
    if is_driven(scheduler):
        click.echo(f"lehr: {NOT_MOVED}", err=True)
    return scheduler, number, None


@click.command(help=HELP)
@simulation_options
@click.option("--csv", "as_csv", is_flag=True, help="all events as CSV, rather than a table of some")
@click.option("--output", "-o", type=click.Path(), help="write the CSV to a file, rather than to stdout")
@count_option("--rows", default=20, show_default=True, help="how many events the table shows")
def simulate(
    source: str,
    given: tuple[str, ...],
    num_events: int | None,
    metrics: list[float] | None,
    as_csv: bool,
    output: str | None,
    rows: int,
    **options: Any,
) -> None:
    """Print values, or write them to a file."""
    if output is not None:
        refuse_to_write(output)
    scheduler, number, driven = simulated(source, given, num_events, metrics, options)
    if not as_csv and output is None:
        _print_table(scheduler, number, rows, driven)
        return
    with ExitStack() as stack:
        file: TextIO = sys.stdout
        if output is not None:
            file = stack.enter_context(open(output, "w", newline="", encoding="utf-8"))
        # On a terminal, the rows that run by are progress enough.
        progress = stack.enter_context(Progress(number, wanted=not file.isatty()))
        _write_csv(scheduler, number, driven, file, progress)
    if output is not None:
        click.echo(f"wrote {output}")


def _write_csv(
    scheduler: BaseParamScheduler, number: int, driven: Array | None, file: TextIO, progress: Progress
) -> None:
    begun = False
    for start, table in chunks_of(scheduler, number) if driven is None else [(0, driven)]:
        if not begun:
            headings = csv.writer(file, lineterminator="\n")
            headings.writerow(["event_index", *(column.heading for column in columns_of(scheduler, table.shape[1]))])
            begun = True
        size = max(CHUNK // 16 // table.shape[1], 1)
        for at in range(0, len(table), size):
            part = table[at : at + size]
            rows = enumerate(part.tolist(), start=start + at)
            file.write("".join(f"{event},{','.join(map(repr, row))}\n" for event, row in rows))
            progress.advance(len(part))


def _print_table(scheduler: BaseParamScheduler, number: int, rows: int, driven: Array | None) -> None:
    events = np.unique(np.linspace(0, number - 1, min(rows, number)).round().astype(int)).tolist()
    if driven is None and not scheduler.schedule.is_pure:
        driven = scheduler.simulate(number)
    # Of a schedule that may be asked ahead of time, only those that are shown, however many there are.
    table = np.concatenate([scheduler.simulate(1, event) for event in events]) if driven is None else driven[events]
    for line in table_lines(events, columns_of(scheduler, table.shape[1]), table):
        click.echo(line)
    if len(events) < number:
        click.echo(f"({len(events)} of {number} events; --rows shows more, --csv all)")


def table_lines(events: Sequence[int], columns: Sequence[Column], table: Array) -> list[str]:
    r"""A table for people.

    >>> print("\n".join(table_lines([0, 10], [Column("lr", None)], np.array([[0.1], [0.05]]))))
    event    lr
        0   0.1
       10  0.05
    """
    heads = ["event", *(column.heading for column in columns)]
    cells = [
        [str(event), *(f"{value:.6g}" for value in row)] for event, row in zip(events, table.tolist(), strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [heads, *cells]]
