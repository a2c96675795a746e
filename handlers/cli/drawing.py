"""Draws the values of a simulation into a file or in the terminal."""

import shutil

import click
import numpy as np

from lehr.engine.plots import draw_values, thinned
from lehr.handlers.schedules.base import Array

from .progress import Progress
from .simulated_values import Simulation, heading_of, labels_of
from .terminal_plot import MOST_POINTS, terminal_plot

MOST_POINTS_OF_FILE = 100_000

Line = tuple[str, Array]  # a label, and points (2, n): event indices and values


def draw_simulation(simulation: Simulation, title: str, output: str | None) -> None:
    """Draw the values of a simulation into the file ``output``, or in the terminal if ``output`` is None."""
    if output is not None:
        _draw(_lines_of(simulation, MOST_POINTS_OF_FILE), title, output)
    else:
        _print(_lines_of(simulation, MOST_POINTS), title)


def _lines_of(simulation: Simulation, most: int) -> list[Line]:
    """Return a line for each column. It has at most about ``most`` points, with the first and the last event."""
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
    """Print a picture for each line. Equal lines share one picture."""
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
    """Draw the lines into a file, with a panel for each parameter."""
    from matplotlib.figure import Figure  # pyplot would store the figure, and may need a display

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
