"""``lehr check`` and ``lehr diff``: check a plan, or compare two, for a training of given length."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .options import (
    MOST_SEQUENTIAL_EVENTS,
    Command,
    add_options,
    html_option,
    max_steps_option,
    number_option,
    of_each_file,
    output_options,
    scheduler_options,
)
from .plot_command import check_picture_file
from .progress import Progress

if TYPE_CHECKING:
    from ignite.engine import Engine

CHECK_HELP = """Look for mistakes in a plan, for a training of given length.

PLAN is a .yaml, .yml or .json file, or a type that "lehr list" shows, with its arguments as KEY=VALUE. A file that says
how long the run is, as max_steps or num_train_epochs of transformers, needs no --max-steps and no --max-epochs. The
exit code is 1 if there is an error (with --fail-on warning, also a warning), 2 if the plan cannot be read, and 0
otherwise.

\b
Examples:
  lehr check OneCycleScheduler max_value=0.1 total_steps=1000 --max-epochs 8 --epoch-length 100
  lehr check torch.CosineAnnealingLR T_max=90 --max-epochs 90 --epoch-length 100 --event epoch
  lehr check transformers.cosine num_warmup_steps=50 --max-steps 1000


  echo '{type: LinearScheduler, duration: 5, begin: 2}' > plan.yaml
  lehr check plan.yaml --in-epochs --max-epochs 8 --epoch-length 100
"""
DIFF_HELP = """Compare the values of two plans, for a training of given length.

A and B are .yaml, .yml or .json files, perhaps of two libraries, or types that "lehr list" shows and that need no
arguments. --dialect and --section are for both, or given twice: for A, then for B. The exit code is 0 if the plans are
equal, 1 if they differ, and 2 if they cannot be compared, as in diff(1).

\b
Examples:
  echo '{type: torch.StepLR, step_size: 30}' > old.yaml
  echo '{type: torch.StepLR, step_size: 20}' > new.yaml
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --event epoch
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --in-epochs -o diff.png

\b
  echo '{scheduler: {type: WarmupLR, params: {warmup_num_steps: 99}}}' > ds.yaml
  echo '{lr_scheduler_type: constant_with_warmup, warmup_steps: 99}' > hf.yaml
  lehr diff ds.yaml hf.yaml --max-steps 10000
"""
EVENTS = {"iteration": "iteration_started", "epoch": "epoch_started"}


class Length(NamedTuple):
    """The length of a training.

    Args:
        steps: its iterations.
        epoch_length: iterations of an epoch.
        max_epochs: its epochs; None if the last one may be shorter.
    """

    steps: int
    epoch_length: int
    max_epochs: int | None


def training_options(command: Command, files: str = "") -> Command:
    """Add the options of a training, and of the scheduler that is attached to it; see :func:`scheduler_options`."""
    return scheduler_options(
        add_options(
            command,
            [
                number_option("--max-epochs", help="number of epochs"),
                number_option("--epoch-length", help="iterations in an epoch"),
                max_steps_option(words="number of iterations, instead of epochs or beside them"),
                click.option(
                    "--event",
                    default="iteration",
                    show_default=True,
                    type=click.Choice(list(EVENTS)),
                    help="the scheduler is attached to the start of each",
                ),
            ],
        ),
        files,
    )


def length_of(options: Mapping[str, Any]) -> Length:
    """The length of the training that the options describe. Iterations without epochs are one epoch.

    Raises:
        ValueError: it is unknown, too long, or the options contradict one another.

    Example:
        >>> length_of({"max_epochs": None, "epoch_length": None, "max_steps": 10, "in_epochs": False, "event": ""})
        Length(steps=10, epoch_length=10, max_epochs=1)
    """
    epochs, epoch_length, steps = options["max_epochs"], options["epoch_length"], options["max_steps"]
    if steps is None and None in (epochs, epoch_length):
        missing = [name for name in ("max_epochs", "epoch_length") if options[name] is None]
        names = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise ValueError(f"{names} must be given, or --max-steps, given none")
    if None in (epochs, epoch_length) and options["event"] == "epoch":
        raise ValueError("--max-epochs and --epoch-length must be given with --event epoch, given --max-steps alone")
    if steps is not None and epochs is not None:
        if epoch_length is None and steps % epochs == 0:
            epoch_length = steps // epochs
        if epoch_length is None or epochs * epoch_length != steps:
            whole = f"{epochs}" if epoch_length is None else f"{epochs} times --epoch-length, {epoch_length}"
            rule = "a multiple of" if epoch_length is None else ""
            raise ValueError(f"--max-steps must be {rule} --max-epochs, {whole}, given {steps}".replace("  ", " "))
    if steps is None:
        steps = epochs * epoch_length
    if steps > MOST_SEQUENTIAL_EVENTS:
        name = "--max-epochs times --epoch-length" if options["max_steps"] is None else "--max-steps"
        raise ValueError(f"{name} must be at most {MOST_SEQUENTIAL_EVENTS}, given {steps}")
    if epoch_length is None:
        return Length(steps, steps, 1)
    whole_epochs, rest = divmod(steps, epoch_length)
    return Length(steps, epoch_length, None if rest else whole_epochs)


def trainer_of(source: str, given: tuple[str, ...], options: Mapping[str, Any], length: Length) -> "Engine":
    """A trainer that trains nothing, with the scheduler of a plan attached to it."""
    from ignite.engine import Engine, Events

    from .making import make_scheduler

    trainer = Engine(lambda engine, batch: None)
    if options["in_epochs"] and options["epoch_length"] is None and options["max_epochs"] is not None:
        options = {**options, "epoch_length": length.epoch_length}
    if options["event"] != "epoch" and (not options["in_epochs"] or length.max_epochs is None):
        options = {**options, "max_epochs": None, "total_steps": length.steps}  # what the config counts are iterations
    elif options["event"] != "epoch":
        options = {**options, "max_epochs": length.max_epochs}
    make_scheduler(source, given, options).attach(trainer, Events(EVENTS[options["event"]]))
    return trainer


@click.command(help=CHECK_HELP)
@click.argument("source", metavar="PLAN")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@training_options
@html_option
@click.option("--force", is_flag=True, help="replace an output file that exists")
@click.option(
    "--fail-on",
    default="error",
    show_default=True,
    type=click.Choice(["error", "warning", "info"]),
    help="exit with 1 if there is a finding of this severity, or a higher one",
)
def check(source: str, given: tuple[str, ...], html: str | None, force: bool, fail_on: str, **options: Any) -> int:
    """Print the findings in a plan."""
    from lehr.handlers.plans import check_plan, dry_run
    from lehr.handlers.plans.checks.findings import SEVERITIES

    from .html_page import check_page_file, write_page
    from .making import with_stated_length

    check_page_file(html, force)
    stated = with_stated_length(options, (source, given, options))
    length = length_of(stated)
    trainer = trainer_of(source, given, stated, length)
    epochs: dict[str, Any] = {} if length.max_epochs else {"max_iters": length.steps}
    with Progress(length.steps) as progress:
        findings = check_plan(trainer, length.max_epochs, length.epoch_length, **epochs, progress=progress.advance)
    click.echo(str(findings))
    if html is not None:
        title = " ".join([source, *given])
        with Progress(length.steps) as progress:
            plan = dry_run(trainer, length.max_epochs, length.epoch_length, **epochs, progress=progress.advance)
        write_page(html, plan, findings=findings, title=title)
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return int(any(finding.severity in failing for finding in findings))


@click.command(help=DIFF_HELP)
@click.argument("a")
@click.argument("b")
@partial(training_options, files="A and B")
@partial(output_options, what="a .png, .svg or .pdf file to draw both into")
@html_option
def diff(a: str, b: str, output: str | None, force: bool, html: str | None, **options: Any) -> int:
    """Print how two plans differ."""
    from lehr.handlers.plans import diff_plans, dry_run

    from .html_page import check_page_file, write_page
    from .making import with_stated_length

    check_picture_file(output, force)
    check_page_file(html, force)
    one, other = of_each_file(options)
    stated = with_stated_length(options, (a, (), one), (b, (), other))
    length = length_of(stated)
    lengths = {key: stated[key] for key in ("max_epochs", "max_steps")}
    trainers = [trainer_of(a, (), {**one, **lengths}, length), trainer_of(b, (), {**other, **lengths}, length)]
    epochs: dict[str, Any] = {} if length.max_epochs else {"max_iters": length.steps}
    with Progress(2 * length.steps) as progress:
        plan, other_plan = (
            dry_run(trainer, length.max_epochs, length.epoch_length, **epochs, progress=progress.advance)
            for trainer in trainers
        )
    difference = diff_plans(plan, other_plan)
    click.echo(str(difference))
    if output is not None:
        from matplotlib.figure import Figure  # not pyplot, which stores figures and may need a display

        panels = sum(name in other_plan for name in plan)
        figure = Figure(figsize=(8, 1.2 + 2.2 * panels), layout="constrained")
        axes = figure.subplots(max(panels, 1), 1, sharex=True, squeeze=False)[:panels, 0]
        difference.plot(list(axes), (a, b))
        figure.savefig(output, dpi=120)
        click.echo(f"wrote {output}")
    if html is not None:
        write_page(html, plan, other=other_plan, labels=(a, b))
    return int(bool(difference))
