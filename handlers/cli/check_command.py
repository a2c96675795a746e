"""``lehr check`` and ``lehr diff``: check a plan, or compare two, for a training of given length."""

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any

import click
from ignite.engine import Engine, Events

from lehr.handlers.plans import check_plan, diff_plans, dry_run

from .html_page import check_page_file, write_page
from .options import Command, add_options, html_option, make_scheduler, number_option, output_options, scheduler_options
from .plot_command import check_picture_file
from .progress import Progress
from .simulation import MOST_SEQUENTIAL_EVENTS

CHECK_HELP = """Look for mistakes in a plan, for a training of given length.

PLAN is a .yaml, .yml or .json file, or a type that "lehr list" shows, with its arguments as KEY=VALUE. The exit code is
1 if there is an error, 2 if the plan cannot be read, and 0 otherwise, also with warnings.

\b
Examples:
  lehr check OneCycleScheduler max_value=0.1 total_steps=1000 --max-epochs 8 --epoch-length 100
  lehr check torch.CosineAnnealingLR T_max=90 --max-epochs 90 --epoch-length 100 --event epoch


  echo '{type: LinearScheduler, duration: 5, begin: 2}' > plan.yaml
  lehr check plan.yaml --in-epochs --max-epochs 8 --epoch-length 100
"""
DIFF_HELP = """Compare the values of two plans, for a training of given length.

A and B are .yaml, .yml or .json files, or types that "lehr list" shows and that need no arguments. The exit code is 0
if the plans are equal, 1 if they differ, and 2 if they cannot be compared, as in diff(1).

\b
Examples:
  echo '{type: torch.StepLR, step_size: 30}' > old.yaml
  echo '{type: torch.StepLR, step_size: 20}' > new.yaml
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --event epoch
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --in-epochs -o diff.png
"""
EVENTS = {"iteration": Events.ITERATION_STARTED, "epoch": Events.EPOCH_STARTED}


def training_options(command: Command) -> Command:
    """Add the options of a training, and of the scheduler that is attached to it."""
    return scheduler_options(
        add_options(
            command,
            [
                number_option("--max-epochs", required=True, help="number of epochs"),
                number_option("--epoch-length", required=True, help="events in an epoch"),
                click.option(
                    "--event",
                    default="iteration",
                    show_default=True,
                    type=click.Choice(list(EVENTS)),
                    help="the scheduler is attached to the start of each",
                ),
            ],
        )
    )


def trainer_of(source: str, given: tuple[str, ...], options: Mapping[str, Any]) -> Engine:
    """A trainer that trains nothing, with the scheduler of a plan attached to it."""
    iterations = options["max_epochs"] * options["epoch_length"]
    if iterations > MOST_SEQUENTIAL_EVENTS:
        rule = f"must be at most {MOST_SEQUENTIAL_EVENTS}"
        raise ValueError(f"--max-epochs times --epoch-length {rule}, given {iterations}")
    trainer = Engine(lambda engine, batch: None)
    if not options["in_epochs"] and options["event"] != "epoch":  # what the config counts are iterations
        options = {**options, "max_epochs": None, "total_steps": iterations}
    event = EVENTS[options["event"]]
    make_scheduler(source, given, options).attach(trainer, event)
    return trainer


@click.command(help=CHECK_HELP)
@click.argument("source", metavar="PLAN")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@training_options
@html_option
@click.option("--force", is_flag=True, help="replace an output file that exists")
def check(source: str, given: tuple[str, ...], html: str | None, force: bool, **options: Any) -> int:
    """Print the findings in a plan."""
    check_page_file(html, force)
    trainer, lengths = trainer_of(source, given, options), (options["max_epochs"], options["epoch_length"])
    with Progress(prod(lengths)) as progress:
        findings = check_plan(trainer, *lengths, progress=progress.advance)
    click.echo(str(findings))
    if html is not None:
        title = " ".join([source, *given])
        with Progress(prod(lengths)) as progress:
            plan = dry_run(trainer, *lengths, progress=progress.advance)
        write_page(html, plan, findings=findings, title=title)
    return int(any(finding.severity == "error" for finding in findings))


@click.command(help=DIFF_HELP)
@click.argument("a")
@click.argument("b")
@training_options
@partial(output_options, what="a .png, .svg or .pdf file to draw both into")
@html_option
def diff(a: str, b: str, output: str | None, force: bool, html: str | None, **options: Any) -> int:
    """Print how two plans differ."""
    check_picture_file(output, force)
    check_page_file(html, force)
    lengths = options["max_epochs"], options["epoch_length"]
    trainers = [trainer_of(source, (), options) for source in (a, b)]
    with Progress(2 * prod(lengths)) as progress:
        one, other = (dry_run(trainer, *lengths, progress=progress.advance) for trainer in trainers)
    difference = diff_plans(one, other)
    click.echo(str(difference))
    if output is not None:
        from matplotlib.figure import Figure  # not pyplot, which stores figures and may need a display

        panels = sum(name in other for name in one)
        figure = Figure(figsize=(8, 1.2 + 2.2 * panels), layout="constrained")
        axes = figure.subplots(max(panels, 1), 1, sharex=True, squeeze=False)[:panels, 0]
        difference.plot(list(axes), (a, b))
        figure.savefig(output, dpi=120)
        click.echo(f"wrote {output}")
    if html is not None:
        write_page(html, one, other=other, labels=(a, b))
    return int(bool(difference))
