"""The options that commands share, and the optimizer and scheduler that they ask for."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import torch
from torch.optim import Optimizer

from lehr.engine.optimizers import configure_optimizer
from lehr.handlers.config import configure_scheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import arguments

from .reading import config_of, pairs_of, value_of

MOST_GROUPS = 1000
# In a param group these are lists themselves, and not one value for each group.
LISTS = ("betas", "etas", "step_sizes")

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def count_option(*names: str, **more: Any) -> Callable[[Decorated], Decorated]:
    """An option that is a whole number of at least 1, which may be written as 1e6."""
    return click.option(*names, type=str, callback=_count, metavar="NUMBER", **more)


def _count(ctx: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return arguments.whole_number(option.opts[0], value_of(value), at_least=1)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error), ctx) from error


def read_metrics(ctx: click.Context, option: click.Parameter, value: str | None) -> list[float] | None:
    """Numbers with commas between them, as an option has them; None where it is not given."""
    if value is None:
        return None
    message = f"--metrics must be numbers such as 3,2,2,1, given {arguments.shown(value)}"
    try:
        given = [float(one) for one in value_of(f"[{value}]")]
    except (TypeError, ValueError) as error:
        raise click.UsageError(message, ctx) from error
    if not given:
        raise click.UsageError(message, ctx)
    return given


@dataclass(frozen=True)
class Setup:
    """What a schedule is for.

    Args:
        optimizer: the name of the optimizer.
        initial: what it is made with; a list has one value for each param group.
        groups: how many param groups it has.
        param_name: the parameter that is scheduled where the config does not say.
        epoch_length: events in an epoch, where durations are in epochs; None where they are in events.
    """

    optimizer: str
    initial: dict[str, Any]
    groups: int
    param_name: str
    epoch_length: int | None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Setup":
        """That of the options that :func:`scheduler_options` adds.

        Raises:
            ValueError: they contradict one another.
        """
        if options["in_epochs"] and options["epoch_length"] is None:
            raise ValueError("--epoch-length must be given with --in-epochs, given none")
        if options["in_epochs"] and options.get("event") == "epoch":
            raise ValueError("--in-epochs is for --event iteration: with --event epoch, an event is an epoch anyway")
        initial = {"lr": 0.1, **pairs_of("--initial", options["initial"])}
        epoch_length = options["epoch_length"] if options["in_epochs"] else None
        if options["groups"] > MOST_GROUPS:
            raise ValueError(f"--groups must be at most {MOST_GROUPS}, given {options['groups']}")
        return cls(options["optimizer"], initial, options["groups"], options["param_name"], epoch_length)

    def make_optimizer(self) -> Optimizer:
        """The optimizer, with a parameter in each group.

        Raises:
            TypeError, ValueError, ImportError: as :func:`configure_optimizer`; a list has not one value for each group.
        """
        groups: list[dict[str, Any]] = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(self.groups)]
        shared = dict(self.initial)
        for key, value in self.initial.items():
            if isinstance(value, list) and key not in LISTS:
                if len(value) != self.groups:
                    raise ValueError(f"--initial {key} must have {self.groups} values, as --groups says, given {value}")
                shared[key] = value[0]
                for group, own in zip(groups, value, strict=True):
                    group[key] = own
            elif isinstance(value, list):
                shared[key] = tuple(value)
        return configure_optimizer(self.optimizer, groups, **shared)

    def make_scheduler(self, source: str, given: tuple[str, ...] = ()) -> BaseParamScheduler:
        """The scheduler of a type and its arguments, or of a file.

        Raises:
            TypeError, ValueError, ImportError, FileNotFoundError: as :func:`configure_scheduler`.
        """
        config: Any = config_of(source, given)
        optimizer = self.make_optimizer()
        return configure_scheduler(optimizer, config, param_name=self.param_name, epoch_length=self.epoch_length)


def scheduler_options(of_training: bool) -> Callable[[Decorated], Decorated]:
    """Add the options that say what a schedule is for.

    Args:
        of_training: whether the command runs epochs, whose length must be given, rather than a number of events.
    """
    length = "events in an epoch" if of_training else "events in an epoch, for --in-epochs"
    options = [
        click.option(
            "--optimizer", default="SGD", show_default=True, metavar="NAME", help="the optimizer, by its name"
        ),
        click.option(
            "--initial",
            multiple=True,
            metavar="KEY=VALUE",
            help="what its param groups hold beforehand, such as momentum=0.9, or lr=[0.1,0.01] for two groups; "
            "as often as you like  [default: lr=0.1]",
        ),
        count_option("--groups", default=1, show_default=True, help="how many param groups it has"),
        click.option("--param-name", default="lr", show_default=True, metavar="NAME", help="what is scheduled"),
        count_option("--epoch-length", required=of_training, help=length),
        click.option("--in-epochs", is_flag=True, help="durations are in epochs, and events are iterations"),
    ]
    if of_training:
        options += [
            count_option("--max-epochs", required=True, help="how many epochs"),
            click.option(
                "--event",
                default="iteration",
                show_default=True,
                type=click.Choice(["iteration", "epoch"]),
                help="what the scheduler is attached to the beginning of",
            ),
        ]

    def decorated(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def refuse_to_write(path: str) -> None:
    """Raise if a file cannot be written, before there is anything to write to it.

    Raises:
        OSError: its folder is not there, or nothing may be written there.
    """
    there = os.path.exists(path)
    with open(path, "ab"):
        pass
    if not there:
        os.unlink(path)
