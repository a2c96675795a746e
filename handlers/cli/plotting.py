"""``lehr plot``: a picture, in a file or in the terminal."""

import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np

from lehr.engine.plots import draw_values, thinned
from lehr.handlers.schedules.base import Array

from .options import refuse_to_write
from .progress import Progress
from .simulating import simulated, simulation_options
from .terminal_plot import POINTS, terminal_plot
from .values import Column, chunks_of, columns_of

HELP = """A picture of a schedule, in a file or right here.

TYPE is a type that "lehr list" shows, with its arguments as KEY=VALUE, or a .yaml, .yml or .json file. Values are
written as in YAML: step_size=30 milestones=[30,60] 'curve={type: Rex}'.

\b
Examples:
  lehr plot OneCycleScheduler max_value=0.1 total_steps=1000 --num-events 1000
  lehr plot transformers.cosine num_warmup_steps=100 num_training_steps=1000 -o lr.png
  lehr plot torch.OneCycleLR max_lr=0.1 total_steps=500 --initial momentum=0.9 -o plan.svg
"""
KINDS = (".png", ".svg", ".pdf")
POINTS_OF_PICTURE = 100_000

Line = tuple[Column, Array, Array]


@click.command(help=HELP)
@simulation_options
@click.option("--output", "-o", type=click.Path(), help="a .png, .svg or .pdf file, rather than the terminal")
def plot(
    source: str,
    given: tuple[str, ...],
    num_events: int | None,
    metrics: list[float] | None,
    output: str | None,
    **options: Any,
) -> None:
    """Draw the values of a scheduler."""
    check_picture(output)
    scheduler, number, driven = simulated(source, given, num_events, metrics, options)
    most = POINTS if output is None else POINTS_OF_PICTURE
    parts: list[list[tuple[Array, Array]]] = []
    columns: list[Column] = []
    with Progress(number) as progress:
        for start, table in chunks_of(scheduler, number) if driven is None else [(0, driven)]:
            columns = columns_of(scheduler, table.shape[1])
            indices = np.arange(start, start + len(table), dtype=np.float64)
            share = most if number <= most else max(most * len(table) // number, 2)
            shown = [thinned(column, share) for column in table.T]
            parts.append([(indices[at], column[at]) for at, column in zip(shown, table.T, strict=True)])
            progress.advance(len(table))
    lines: list[Line] = []
    for column, pieces in zip(columns, zip(*parts, strict=True), strict=True):
        events, heights = (np.concatenate(ends) for ends in zip(*pieces, strict=True))
        lines.append((column, events, heights))
    title = " ".join([source, *given])
    if output is None:
        _print(lines, title)
    else:
        _draw(lines, title, output)


def check_picture(output: str | None) -> None:
    """Raise if a file is none that a picture can be written to.

    Raises:
        ValueError: its name has none of the endings.
        OSError: it cannot be written.
    """
    if output is None:
        return
    if Path(output).suffix.lower() not in KINDS:
        raise ValueError(f"-o must end in .png, .svg or .pdf, given {output!r}")
    refuse_to_write(output)


def _print(lines: list[Line], title: str) -> None:
    width = max(40, min(shutil.get_terminal_size().columns, 120))
    click.echo(title)
    for names, indices, values in _merged(lines):
        shown = f"{names}: {values.min():.6g} to {values.max():.6g}"
        click.echo(terminal_plot(indices, values, shown, width))


def _merged(lines: list[Line]) -> list[tuple[str, Array, Array]]:
    """The lines, those that are the same as one."""
    merged: list[tuple[list[str], Array, Array]] = []
    for column, indices, values in lines:
        same = next((one for one in merged if np.array_equal(one[2], values)), None)
        if same is None:
            merged.append(([column.heading], indices, values))
        else:
            same[0].append(column.heading)
    return [(_named(names), indices, values) for names, indices, values in merged]


def _named(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} and {len(names) - 1} others"


def _draw(lines: list[Line], title: str, output: str) -> None:
    # Not pyplot: it keeps figures, and may want a display.
    from matplotlib.figure import Figure

    of_param: dict[str, list[Line]] = {}
    for line in lines:
        of_param.setdefault(line[0].param_name, []).append(line)
    figure = Figure(figsize=(8, 1.5 + 2.5 * len(of_param)), layout="constrained")
    panels = figure.subplots(len(of_param), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, some) in zip(panels, of_param.items(), strict=True):
        for column, indices, values in some:
            label = name if column.group is None else f"{name}, group {column.group}"
            draw_values(indices, values[:, None], name, axes, [label])
    for axes in panels[:-1]:
        axes.set_xlabel("")
    figure.suptitle(title if len(title) <= 90 else title[:87] + "...", fontsize="medium", parse_math=False)
    figure.savefig(output, dpi=120)
    click.echo(f"wrote {output}")
