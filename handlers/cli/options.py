"""The options that several commands have, and the optimizer and the scheduler that they describe."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import torch
from torch.optim import Optimizer

from lehr.engine.optimizers import configure_optimizer
from lehr.handlers.config import configure_scheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.arguments import shown

from .parsing import config_of, pairs_of, value_of

MOST_GROUPS = 1000
TUPLES = ("betas", "etas", "step_sizes")  # for these, a list is the value of each param group

Command = TypeVar("Command", bound=Callable[..., Any])


def number_option(*names: str, **more: Any) -> Callable[[Command], Command]:
    """An option that takes a whole number of at least 1, also written as 1e6."""
    return click.option(*names, type=str, callback=_whole_number, metavar="NUMBER", **more)


def _whole_number(ctx: click.Context, option: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else arguments.whole_number(option.opts[0], value_of(value), at_least=1)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error), ctx) from error


def add_options(command: Command, options: list[Callable[[Command], Command]]) -> Command:
    """Add options to a command; its help lists them in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def scheduler_options(command: Command, files: str = "") -> Command:
    """Add the options for :func:`make_scheduler`, except ``--epoch-length``.

    Args:
        command: the command.
        files: the names of its files, where each may have its own ``--dialect`` and ``--section``.
    """
    more = f"; twice for {files}, with - for none" if files else ""
    initial = "initial values of its param groups, such as momentum=0.9, or lr=[0.1,0.01] for two groups; repeatable"
    return add_options(
        command,
        [
            click.option("--optimizer", default="SGD", show_default=True, metavar="NAME", help="name of the optimizer"),
            click.option("--initial", multiple=True, metavar="KEY=VALUE", help=f"{initial}  [default: lr=0.1]"),
            number_option("--groups", default=1, show_default=True, help="number of its param groups"),
            click.option("--param-name", default="lr", show_default=True, metavar="NAME", help="parameter to schedule"),
            click.option("--in-epochs", is_flag=True, help="durations are in epochs, and events are iterations"),
            click.option(
                "--dialect",
                metavar="NAME",
                multiple=bool(files),
                help=f"library of the types without a prefix, such as mmengine{more}",
            ),
            click.option(
                "--section",
                metavar="PATH",
                multiple=bool(files),
                help=f"where the schedulers are in a file, such as train.schedule{more}",
            ),
        ],
    )


def of_each_file(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The options of each of two files.

    Raises:
        ValueError: an option is given more than twice.

    Example:
        >>> [one["dialect"] for one in of_each_file({"dialect": ("-", "hf"), "section": ()})]
        [None, 'hf']
    """
    files: list[dict[str, Any]] = [dict(options), dict(options)]
    for key in ("dialect", "section"):
        given = options[key]
        if len(given) > len(files):
            raise ValueError(f"--{key} must be given once for both files, or once for each, given {len(given)} times")
        for at, one in enumerate(files):
            value = given[min(at, len(given) - 1)] if given else None
            one[key] = None if value == "-" else value
    return files


def make_optimizer(options: Mapping[str, Any]) -> Optimizer:
    """The optimizer of the options, with one parameter in each param group.

    Raises:
        TypeError, ValueError, ImportError: see :func:`configure_optimizer`.
        ValueError: there are too many groups, or a list does not have a value for each group.
    """
    number = options["groups"]
    if number > MOST_GROUPS:
        raise ValueError(f"--groups must be at most {MOST_GROUPS}, given {number}")
    groups: list[dict[str, Any]] = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(number)]
    initial = {"lr": 0.1, **pairs_of("--initial", options["initial"])}
    if "params" in initial:
        raise ValueError(
            f"--initial must not have params, of which each group has one, given {shown(initial['params'])}"
        )
    for key, value in initial.items():
        if isinstance(value, list) and key in TUPLES:
            initial[key] = tuple(value)
        elif isinstance(value, list):
            if len(value) != number:
                raise ValueError(f"--initial {key} must have {number} values, as --groups says, given {shown(value)}")
            for group, own in zip(groups, value, strict=True):
                group[key] = own
            initial[key] = value[0]
    return configure_optimizer(options["optimizer"], groups, **initial)


def make_scheduler(source: str, given: tuple[str, ...], options: Mapping[str, Any]) -> BaseParamScheduler:
    """The scheduler of a type with its arguments, or of a file.

    Raises:
        TypeError, ValueError, ImportError, FileNotFoundError: see :func:`configure_scheduler`.
        ValueError: the options contradict one another.
    """
    in_epochs, epoch_length = options["in_epochs"], options["epoch_length"]
    if in_epochs and epoch_length is None:
        raise ValueError("--epoch-length must be given with --in-epochs, given none")
    if in_epochs and options.get("event") == "epoch":
        raise ValueError("--in-epochs is for --event iteration: with --event epoch, an event is an epoch anyway")
    optimizer, config = make_optimizer(options), config_of(source, given)
    return configure_scheduler(
        optimizer,
        config,
        param_name=options["param_name"],
        epoch_length=epoch_length if in_epochs else None,
        max_epochs=options["max_epochs"],
        total_steps=options.get("total_steps"),
        dialect=options["dialect"],
        section=options["section"],
    )


def output_options(command: Command, what: str) -> Command:
    """Add the options for an output file, which ``what`` describes, and for replacing a file that exists."""
    return add_options(
        command,
        [
            click.option("--output", "-o", type=click.Path(), help=what),
            click.option("--force", is_flag=True, help="replace an output file that exists"),
        ],
    )


def html_option(command: Command) -> Command:
    """Add the option for a page."""
    words = "write an interactive page for a browser to a .html file; needs lehr[html]"
    return click.option("--html", type=click.Path(), metavar="FILE", help=words)(command)


def check_can_write(path: str, force: bool, option: str = "-o") -> None:
    """Check that the file of an option can be written, before a long computation.

    Raises:
        ValueError: the file exists, and ``force`` is false.
        OSError: the folder is missing, or the file cannot be written.
    """
    existed = os.path.exists(path)
    if os.path.isfile(path) and not force:  # a device such as /dev/null is no file
        raise ValueError(f"{option} must be a new file unless --force is given, given {shown(path)}, which exists")
    with open(path, "ab"):
        pass
    if not existed:
        os.unlink(path)
