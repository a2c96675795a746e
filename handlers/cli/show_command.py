"""``lehr show``: prints a description of a config's schedule, and draws its values."""

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .list_command import TITLES
from .options import html_option, output_options, simulation_options
from .plot_command import check_picture_file

if TYPE_CHECKING:
    from lehr.handlers.config.config_description import ConfigDescription

HELP = """Show the schedule of a config: in words, and as a picture in the terminal, a file or a page for a browser.

FILE is a config of any library that "lehr list" shows, or a training config that contains one. TYPE is a type with its
arguments as KEY=VALUE. The words name the library, the phases of the schedule with their events and values, the length
of the run, and the keys of the file that have no effect. Values start from those of --optimizer and --initial.

\b
Examples:
  echo '{lr_scheduler_type: cosine, warmup_steps: 9, max_steps: 99, bf16: true}' > args.yaml
  lehr show args.yaml
  lehr show args.yaml --initial lr=3e-4 -o plan.png
  lehr show torch.OneCycleLR max_lr=0.1 total_steps=500 --initial momentum=0.9
"""


@click.command(help=HELP)
@simulation_options
@partial(output_options, what="a .png, .svg or .pdf file, instead of the terminal")
@html_option
def show(
    source: str, given: tuple[str, ...], output: str | None, force: bool, html: str | None, **options: Any
) -> None:
    """Print a description of a schedule, and draw its values."""
    from lehr.handlers.config.config_description import described

    from .drawing import draw_simulation
    from .parsing import config_of
    from .scheduler_from_options import make_scheduler
    from .simulated_values import simulate_events

    check_picture_file(output, force)
    if html is not None:
        from .html_page import check_page_file, write_page_of_events

        check_page_file(html, force)
    of_page_alone = html is not None and not options["in_epochs"]
    of_simulation = {**options, "epoch_length": None} if of_page_alone else options
    of_simulation["in_epochs"] = of_simulation["in_epochs"] or of_simulation["epoch_length"] is not None
    found = described(
        make_scheduler(source, given, of_simulation),
        config_of(source, given),
        dialect=options["dialect"],
        section=options["section"],
    )
    title = " ".join([source, *given])
    click.echo("\n".join(lines_of(title, found)))
    if of_simulation["num_events"] is None and of_simulation["metrics"] is None:
        of_simulation = {**of_simulation, "num_events": found.num_events}
    if html is not None:
        write_page_of_events(html, simulate_events(source, given, of_simulation), title, options)
    if html is None or output is not None:
        draw_simulation(simulate_events(source, given, of_simulation), title, output)


def lines_of(title: str, found: "ConfigDescription") -> list[str]:
    """Return the lines of a description."""
    prefixes = dict.fromkeys(one.rpartition(".")[0] for one in found.types)
    lines = [f"{title}: {', '.join(found.types)} ({'; '.join(TITLES.get(one, one) for one in prefixes)})"]
    if found.section:
        lines.append(f"in its section {found.section}")
    for label, phases in found.lines.items():
        lines += [f"{label}:", *(f"  {one}" for one in phases)]
    lines.append(f"run: {found.run_in_words()}")
    if found.ignored:
        lines.append(f"ignored: {', '.join(found.ignored)}")
    return [*lines, ""]
