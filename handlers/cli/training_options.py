"""The options of commands that simulate a training run, and the trainer that the options describe."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .options import (
    MOST_SEQUENTIAL_EVENTS,
    Command,
    add_options,
    max_steps_option,
    number_option,
    scheduler_options,
)

if TYPE_CHECKING:
    from ignite.engine import Engine

EVENTS = {"iteration": "iteration_started", "epoch": "epoch_started"}


class Length(NamedTuple):
    """The length of a training.

    Args:
        steps: the number of iterations in the training.
        epoch_length: the number of iterations in an epoch.
        max_epochs: the number of epochs; None if the last epoch is shorter than the others.
    """

    steps: int
    epoch_length: int
    max_epochs: int | None


def training_options(command: Command, files: str = "") -> Command:
    """Add the options for a training and for the scheduler that is attached to it; see :func:`scheduler_options`."""
    return scheduler_options(
        add_options(
            command,
            [
                number_option("--max-epochs", help="number of epochs"),
                number_option("--epoch-length", help="iterations in an epoch"),
                max_steps_option(words="number of iterations, instead of epochs or in addition"),
                click.option(
                    "--event",
                    default="iteration",
                    show_default=True,
                    type=click.Choice(list(EVENTS)),
                    help="the schedule moves at the start of each iteration, or of each epoch",
                ),
            ],
        ),
        files,
    )


def length_of(options: Mapping[str, Any]) -> Length:
    """Return the length of the training that the options describe. Iterations without epochs form one epoch.

    Raises:
        ValueError: the length is unknown or too high; the options contradict one another.

    Example:
        >>> length_of({"max_epochs": None, "epoch_length": None, "max_steps": 10, "in_epochs": False, "event": ""})
        Length(steps=10, epoch_length=10, max_epochs=1)
    """
    epochs, epoch_length, steps = options["max_epochs"], options["epoch_length"], options["max_steps"]
    if steps is None and None in (epochs, epoch_length):
        missing = [name for name in ("max_epochs", "epoch_length") if options[name] is None]
        names = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise ValueError(f"{names} must be set, or --max-steps, given none")
    if None in (epochs, epoch_length) and options["event"] == "epoch":
        raise ValueError("--max-epochs and --epoch-length must be set with --event epoch, given --max-steps alone")
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
    """Return a trainer that trains nothing, with the scheduler of a plan attached to it."""
    from ignite.engine import Engine, Events

    from .scheduler_from_options import make_optimizer, make_scheduler

    trainer = Engine(lambda engine, batch: None)
    if options["in_epochs"] and options["epoch_length"] is None and options["max_epochs"] is not None:
        options = {**options, "epoch_length": length.epoch_length}
    if options["event"] != "epoch" and (not options["in_epochs"] or length.max_epochs is None):
        options = {**options, "max_epochs": None, "total_steps": length.steps}  # the config counts iterations
    elif options["event"] != "epoch":
        options = {**options, "max_epochs": length.max_epochs}
    make_scheduler(source, given, options, make_optimizer).attach(trainer, Events(EVENTS[options["event"]]))
    return trainer
