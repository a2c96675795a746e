"""``lehr simulate``: prints values as a table, or writes them as CSV."""

import csv
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import click

from .options import check_can_write, number_option, output_options, simulation_options
from .progress import Progress

if TYPE_CHECKING:
    from lehr.handlers.schedules.base import Array

    from .simulated_values import Simulation

HELP = """Print the values of a schedule.

TYPE is a type that "lehr list" shows, with its arguments as KEY=VALUE, or a .yaml, .yml or .json file. Values are
written as in YAML: step_size=30 milestones=[30,60] 'curve={type: Rex}'. The table shows some events, evenly spaced.
The CSV file has all events, with the same numbers as training, to the last bit.

\b
Examples:
  lehr simulate torch.StepLR step_size=30 gamma=0.5 --num-events 100
  lehr simulate CosineDecayScheduler duration=1000 --initial lr=0.4 --csv -o lr.csv
  lehr simulate torch.ReduceLROnPlateau patience=1 --metrics 3,2,2,2,2,1
"""
MOST_ROWS = 100_000


@click.command(help=HELP)
@simulation_options
@click.option("--csv", "as_csv", is_flag=True, help="all events as CSV, instead of a table of some")
@partial(output_options, what="write the CSV to a file, instead of stdout")
@number_option("--rows", default=20, show_default=True, help="number of events in the table")
def simulate(
    source: str, given: tuple[str, ...], as_csv: bool, output: str | None, force: bool, rows: int, **options: Any
) -> None:
    """Print the values of a schedule, or write them to a file."""
    from .simulated_values import simulate_events

    if output is not None:
        check_can_write(output, force)
    simulation = simulate_events(source, given, options)
    if not as_csv and output is None:
        if min(rows, simulation.num_events) > MOST_ROWS:
            raise ValueError(f"--rows must be at most {MOST_ROWS}, given {rows}; --csv writes all events")
        _print_table(simulation, rows)
        return
    with ExitStack() as stack:
        file: TextIO = sys.stdout
        if output is not None:
            file = stack.enter_context(open(output, "w", newline="", encoding="utf-8"))
        # On a terminal, the rows themselves show the progress.
        progress = stack.enter_context(Progress(simulation.num_events, wanted=not file.isatty()))
        _write_csv(simulation, file, progress)
    if output is not None:
        click.echo(f"wrote {output}")


def _write_csv(simulation: "Simulation", file: TextIO, progress: Progress) -> None:
    from .simulated_values import heading_of, labels_of

    for start, table in simulation.chunks:
        if start == 0:
            headings = map(heading_of, labels_of(simulation.scheduler, table.shape[1]))
            csv.writer(file, lineterminator="\n").writerow(["event_index", *headings])
        rows = enumerate(table.tolist(), start)
        file.write("".join(f"{event},{','.join(map(repr, row))}\n" for event, row in rows))
        progress.advance(len(table))


def _print_table(simulation: "Simulation", rows: int) -> None:
    import numpy as np

    from .simulated_values import heading_of, labels_of

    scheduler, number = simulation.scheduler, simulation.num_events
    events = np.unique(np.linspace(0, number - 1, min(rows, number)).round().astype(int))
    parts = []
    if scheduler.schedule.is_pure:  # each event can be computed without the events before it
        parts = [scheduler.simulate(1, event) for event in events.tolist()]
    else:
        with Progress(number) as progress:
            for start, table in simulation.chunks:
                parts.append(table[events[(events >= start) & (events < start + len(table))] - start])
                progress.advance(len(table))
    table = np.concatenate(parts)
    headings = map(heading_of, labels_of(scheduler, table.shape[1]))
    click.echo("\n".join(table_lines(["event", *headings], events.tolist(), table)))
    if len(events) < number:
        click.echo(f"({len(events)} of {number} events; --rows shows more, --csv all)")


def table_lines(headings: Sequence[str], events: Sequence[int], table: "Array") -> list[str]:
    r"""Return the lines of a table with aligned columns.

    >>> import numpy as np
    >>> print("\n".join(table_lines(["event", "lr"], [0, 10], np.array([[0.1], [0.05]]))))
    event    lr
        0   0.1
       10  0.05
    """
    rows = zip(events, table.tolist(), strict=True)
    cells = [headings, *([str(event), *(f"{value:.6g}" for value in row)] for event, row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
