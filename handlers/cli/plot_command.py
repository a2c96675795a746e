"""``lehr plot``: draws values into a file, a page or the terminal."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from .options import check_can_write, html_option, output_options, simulation_options

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


@click.command(help=HELP)
@simulation_options
@partial(output_options, what="a .png, .svg or .pdf file, instead of the terminal")
@html_option
def plot(
    source: str, given: tuple[str, ...], output: str | None, force: bool, html: str | None, **options: Any
) -> None:
    """Draw the values of a scheduler."""
    from .drawing import draw_simulation
    from .simulated_values import simulate_events

    check_picture_file(output, force)
    if html is not None:
        from .html_page import check_page_file, write_page_of_events

        check_page_file(html, force)
    of_simulation = options if html is None or options["in_epochs"] else {**options, "epoch_length": None}
    simulation, title = simulate_events(source, given, of_simulation), " ".join([source, *given])
    if html is not None:
        write_page_of_events(html, simulation, title, options)
        simulation = simulate_events(source, given, of_simulation) if output is not None else simulation
    if html is None or output is not None:
        draw_simulation(simulation, title, output)


def check_picture_file(output: str | None, force: bool, option: str = "-o") -> None:
    """Check that a picture can be written to a file. If ``output`` is None, do nothing.

    Raises:
        ValueError: the suffix of the file is unknown; the file exists, and ``force`` is false.
        OSError: the file cannot be written.
    """
    if output is not None:
        if Path(output).suffix.lower() not in SUFFIXES:
            from lehr.handlers.schedules.arguments import shown

            raise ValueError(f"{option} must end in .png, .svg or .pdf, given {shown(output)}")
        check_can_write(output, force, option)
