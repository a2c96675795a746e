"""``lehr plot``: draws values into a file, a page or the terminal."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from lehr.engine.plots import draw_values, thinned
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.base import Array

from .html_page import check_page_file, write_page_of_events
from .options import check_can_write, html_option, output_options
from .progress import Progress
from .simulation import Simulation, heading_of, labels_of, simulate_events, simulation_options
from .terminal_plot import MOST_POINTS, terminal_plot

HELP = """Draw the values of a schedule, in a file, a page for a browser, or the terminal.

TYPE is a type that "lehr list" shows, with its arguments as KEY=VALUE, or a .yaml, .yml or .json file. Values are
written as in YAML: step_size=30 milestones=[30,60] 'curve={type: Rex}'.

\b
Examples:
  lehr plot OneCycleScheduler max_value=0.1 total_steps=1000 --num-events 1000
  lehr plot transformers.cosine num_warmup_steps=100 num_training_steps=1000 -o lr.png
  lehr plot torch.OneCycleLR max_lr=0.1 total_steps=500 --initial momentum=0.9 -o plan.svg
  lehr plot CosineDecayScheduler duration=900 --epoch-length 100 --html plan.html
"""
SUFFIXES = (".png", ".svg", ".pdf")
MOST_POINTS_OF_FILE = 100_000

Line = tuple[str, Array]  # a label, and points (2, n): event indices and values


@click.command(help=HELP)
@simulation_options
@partial(output_options, what="a .png, .svg or .pdf file, instead of the terminal")
@html_option
def plot(
    source: str, given: tuple[str, ...], output: str | None, force: bool, html: str | None, **options: Any
) -> None:
    """Draw the values of a scheduler."""
    check_picture_file(output, force)
    check_page_file(html, force)
    of_simulation = options if html is None or options["in_epochs"] else {**options, "epoch_length": None}
    simulation, title = simulate_events(source, given, of_simulation), " ".join([source, *given])
    if html is not None:
        write_page_of_events(html, simulation, title, options)
        simulation = simulate_events(source, given, of_simulation) if output is not None else simulation
    if html is None or output is not None:
        draw_simulation(simulation, title, output)


def draw_simulation(simulation: Simulation, title: str, output: str | None) -> None:
    """Draw values into a file, or into the terminal without one."""
    if output is not None:
        _draw(_lines_of(simulation, MOST_POINTS_OF_FILE), title, output)
    else:
        _print(_lines_of(simulation, MOST_POINTS), title)


def check_picture_file(output: str | None, force: bool) -> None:
    """Check that a picture can be written to a file, if one is given.

    Raises:
        ValueError: the suffix of the file is unknown; the file exists, and ``force`` is false.
        OSError: the file cannot be written.
    """
    if output is not None:
        if Path(output).suffix.lower() not in SUFFIXES:
            raise ValueError(f"-o must end in .png, .svg or .pdf, given {shown(output)}")
        check_can_write(output, force)


def _lines_of(simulation: Simulation, most: int) -> list[Line]:
    """A line for each column, of at most ``most`` points and both ends."""
    parts: list[list[Array]] = []
    with Progress(simulation.num_events) as progress:
        for start, table in simulation.chunks:
            parts = parts or [[] for _ in table.T]
            share = max(most * len(table) // simulation.num_events, 2) if simulation.num_events > most else most
            for part, column in zip(parts, table.T, strict=True):
                shown = thinned(column, share)
                part.append(np.stack([start + shown, column[shown]]))
            progress.advance(len(table))
    lines = [np.concatenate(part, axis=1) for part in parts]
    lines = [line[:, thinned(line[1], most)] for line in lines]
    return list(zip(labels_of(simulation.scheduler, len(lines)), lines, strict=True))


def _print(lines: list[Line], title: str) -> None:
    """Print a picture for each line. Equal lines share one."""
    width = max(40, min(shutil.get_terminal_size().columns, 120))
    click.echo(title)
    pictures: list[tuple[list[str], Array]] = []
    for label, line in lines:
        headings = next((others for others, other in pictures if np.array_equal(other[1], line[1])), None)
        if headings is None:
            pictures.append(([heading_of(label)], line))
        else:
            headings.append(heading_of(label))
    for headings, (indices, values) in pictures:
        names = ", ".join(headings) if len(headings) <= 4 else f"{headings[0]} and {len(headings) - 1} others"
        click.echo(terminal_plot(indices, values, f"{names}: {values.min():.6g} to {values.max():.6g}", width))


def _draw(lines: list[Line], title: str, output: str) -> None:
    """Draw all lines into a file, in a panel for each parameter."""
    from matplotlib.figure import Figure  # not pyplot, which stores figures and may need a display

    panels: dict[str, list[Line]] = {}
    for label, line in lines:
        panels.setdefault(label.partition(", group ")[0], []).append((label, line))
    figure = Figure(figsize=(8, 1.5 + 2.5 * len(panels)), layout="constrained")
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, lines) in zip(all_axes, panels.items(), strict=True):
        for label, (indices, values) in lines:
            draw_values(indices, values[:, None], name, axes, [label])
        if axes is not all_axes[-1]:
            axes.set_xlabel("")
    figure.suptitle(title if len(title) <= 90 else title[:87] + "...", fontsize="medium", parse_math=False)
    figure.savefig(output, dpi=120)
    click.echo(f"wrote {output}")
