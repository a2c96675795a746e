"""``lehr check`` and ``lehr diff``: what a plan comes to in a training of given length."""

from collections.abc import Mapping
from typing import Any

import click
from ignite.engine import Engine, Events

from lehr.handlers.plans import check_plan, diff_plans, dry_run

from .options import Setup, scheduler_options
from .plotting import check_picture
from .progress import Progress
from .values import MOST_LIVE

CHECK_HELP = """Look for mistakes in a plan, for a training of so many epochs.

PLAN is a .yaml, .yml or .json file, or a type that "lehr list" shows, with its arguments as KEY=VALUE. The exit code is
1 if an error is found, 2 if the plan cannot be looked at, and 0 otherwise, with warnings too.

\b
Examples:
  lehr check OneCycleScheduler max_value=0.1 total_steps=1000 --max-epochs 8 --epoch-length 100
  lehr check torch.CosineAnnealingLR T_max=90 --max-epochs 90 --epoch-length 100 --event epoch


  echo '{type: LinearScheduler, duration: 5, begin: 2}' > plan.yaml
  lehr check plan.yaml --in-epochs --max-epochs 8 --epoch-length 100
"""
DIFF_HELP = """Compare what two plans do in a training of so many epochs.

A and B are .yaml, .yml or .json files, or types that "lehr list" shows and that need no arguments. The exit code is 0
if the plans are the same, 1 if they differ, and 2 if they cannot be compared, as diff(1) has it.

\b
Examples:
  echo '{type: torch.StepLR, step_size: 30}' > old.yaml
  echo '{type: torch.StepLR, step_size: 20}' > new.yaml
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --event epoch
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --in-epochs -o diff.png
"""
EVENTS = {"iteration": Events.ITERATION_STARTED, "epoch": Events.EPOCH_STARTED}


def trainer_of(source: str, given: tuple[str, ...], options: Mapping[str, Any]) -> Engine:
    """A trainer that trains nothing, with the scheduler of a plan attached to it."""
    iterations = options["max_epochs"] * options["epoch_length"]
    if iterations > MOST_LIVE:
        raise ValueError(f"--max-epochs times --epoch-length must be at most {MOST_LIVE}, given {iterations}")
    scheduler = Setup.of(options).make_scheduler(source, given)
    trainer = Engine(lambda engine, batch: None)
    scheduler.attach(trainer, EVENTS[options["event"]])
    return trainer


def progress_of(options: Mapping[str, Any], times: int = 1) -> Progress:
    """A bar for so many rehearsals of the whole training."""
    return Progress(times * options["max_epochs"] * options["epoch_length"])


@click.command(help=CHECK_HELP)
@click.argument("source", metavar="PLAN")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@scheduler_options(of_training=True)
def check(source: str, given: tuple[str, ...], **options: Any) -> int:
    """Print what is found in a plan."""
    trainer = trainer_of(source, given, options)
    with progress_of(options) as progress:
        findings = check_plan(trainer, options["max_epochs"], options["epoch_length"], progress=progress.advance)
    click.echo(str(findings))
    return int(any(finding.severity == "error" for finding in findings))


@click.command(help=DIFF_HELP)
@click.argument("a")
@click.argument("b")
@scheduler_options(of_training=True)
@click.option("--output", "-o", type=click.Path(), help="a .png, .svg or .pdf file to draw both into")
def diff(a: str, b: str, output: str | None, **options: Any) -> int:
    """Print how two plans differ."""
    check_picture(output)
    trainers = [trainer_of(source, (), options) for source in (a, b)]
    with progress_of(options, times=2) as progress:
        one, other = (
            dry_run(trainer, options["max_epochs"], options["epoch_length"], progress=progress.advance)
            for trainer in trainers
        )
    difference = diff_plans(one, other)
    click.echo(str(difference))
    if output is not None:
        from matplotlib.figure import Figure  # not pyplot: it keeps figures, and may want a display

        names = [name for name in one if name in other]
        figure = Figure(figsize=(8, 1.2 + 2.2 * len(names)), layout="constrained")
        panels = figure.subplots(max(len(names), 1), 1, sharex=True, squeeze=False)[: len(names), 0]
        difference.plot(list(panels), (a, b))
        figure.savefig(output, dpi=120)
        click.echo(f"wrote {output}")
    return int(bool(difference))
