"""Writes the HTML pages of ``lehr plot``, ``lehr show``, ``lehr check`` and ``lehr diff``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from lehr.handlers.plans import Plan, check_plan, dry_run
from lehr.handlers.plans.pages.page import plotly_to_html
from lehr.handlers.plans.plan import PlanColumn
from lehr.handlers.schedules.arguments import shown

from .options import MOST_SEQUENTIAL_EVENTS, check_can_write
from .progress import Progress
from .simulated_values import Simulation, labels_of

SUFFIXES = (".html", ".htm")


def check_page_file(path: str | None, force: bool) -> None:
    """Check that a page can be written to a file. If the path is None, do nothing.

    Raises:
        ImportError: plotly is not installed.
        ValueError: the suffix of the file is unknown; the file exists, and ``force`` is false.
        OSError: the file cannot be written.
    """
    if path is not None:
        if Path(path).suffix.lower() not in SUFFIXES:
            raise ValueError(f"--html must end in .html, given {shown(path)}")
        plotly_to_html()
        check_can_write(path, force, "--html")


def write_page(path: str, plan: Plan, **contents: Any) -> None:
    """Write the page of a plan, and print the path of the file."""
    plan.to_html(path, **contents)
    click.echo(f"wrote {path}")


def write_page_of_events(path: str, simulation: Simulation, title: str, options: Mapping[str, Any]) -> None:
    """Write the page of a scheduler's first events, with the findings of ``check_plan`` for a run of these events.

    If the options contain metrics, the page has the values that ``lehr simulate`` prints, but no findings.

    Args:
        path: the file.
        simulation: the scheduler and the number of its events.
        title: the title of the page.
        options: the options of the command. ``epoch_length`` is the number of events in an epoch, or None if the run is
            one epoch.

    Raises:
        ValueError: there are too many events.
    """
    scheduler, number = simulation.scheduler, simulation.num_events
    if number > MOST_SEQUENTIAL_EVENTS:
        raise ValueError(f"--num-events must be at most {MOST_SEQUENTIAL_EVENTS} for --html, given {number}")
    epoch_length = options["epoch_length"] or number
    if options["metrics"] is not None:
        with Progress(number) as progress:
            tables = []
            for _, table in simulation.chunks:
                tables.append(table)
                progress.advance(len(table))
        write_page(path, _plan_of(simulation, np.concatenate(tables), epoch_length), title=title)
        return
    with Progress(2 * number) as progress:
        plan = dry_run(scheduler, None, epoch_length, max_iters=number, progress=progress.advance)
        findings = check_plan(scheduler, None, epoch_length, max_iters=number, progress=progress.advance)
    write_page(path, plan, findings=findings, title=title)


def _plan_of(simulation: Simulation, table: "np.ndarray[Any, np.dtype[np.float64]]", epoch_length: int) -> Plan:
    """Return a plan in which each simulated event is an iteration."""
    places: dict[str, list[tuple[int, str]]] = {}
    for column, label in enumerate(labels_of(simulation.scheduler, table.shape[1])):
        name, _, group = label.partition(", group ")
        places.setdefault(name, []).append((column, f"group {group or 0}"))
    columns = {
        name: PlanColumn(
            table[:, [column for column, _ in some]],
            tuple(label for _, label in some),
            event_iterations=np.arange(len(table)),
        )
        for name, some in places.items()
    }
    plan = Plan(columns, max_epochs=-(-len(table) // epoch_length), epoch_length=epoch_length)
    plan.num_iterations = len(table)
    return plan
