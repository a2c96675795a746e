"""The options that several commands have.

The help, and errors in the options, must appear at once. So the modules of the commands import NumPy, torch and the
other folders of lehr only inside the functions that need them.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

MOST_EVENTS, MOST_SEQUENTIAL_EVENTS = 10**8, 10**7

Command = TypeVar("Command", bound=Callable[..., Any])


def number_option(*names: str, **more: Any) -> Callable[[Command], Command]:
    """Return an option for a whole number of at least 1. A user may write a large number as ``1e6``."""
    return click.option(*names, type=str, callback=_whole_number, metavar="NUMBER", **more)


def _whole_number(ctx: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    from lehr.handlers.schedules import arguments

    from .parsing import value_of

    try:
        return arguments.whole_number(option.opts[0], value_of(value), at_least=1)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error), ctx) from error


def max_steps_option(name: str = "max_steps", words: str = "iterations of the run") -> Callable[[Command], Command]:
    """Return the option for the number of iterations in the run. It has all names that trainers use for this number.

    Args:
        name: the argument of the command that gets the number.
        words: the help of the option.
    """
    return number_option("--max-steps", "--total-steps", "--steps", name, help=words)


def add_options(command: Command, options: list[Callable[[Command], Command]]) -> Command:
    """Add options to a command. The help of the command lists the options in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def scheduler_options(command: Command, files: str = "") -> Command:
    """Add the options for ``make_scheduler``, except ``--epoch-length``.

    Args:
        command: the command.
        files: the names of the command's files, if each file may have its own ``--dialect`` and ``--section``.
    """
    more = f"; give it twice for {files}, - for none" if files else ""
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


def simulation_options(command: Command) -> Command:
    """Add the arguments and options of a command that calls ``simulate_events``."""
    command = number_option("--epoch-length", help="iterations in an epoch, where durations count epochs")(command)
    return add_options(
        scheduler_options(command),
        [
            click.argument("source", metavar="TYPE|FILE"),
            click.argument("given", nargs=-1, metavar="[KEY=VALUE]..."),
            number_option("--num-events", "-n", help="number of events  [default: the length of the schedule]"),
            number_option("--max-epochs", help="epochs of the run, where the config needs them"),
            max_steps_option("total_steps"),
            click.option(
                "--metrics",
                callback=_numbers,
                metavar="NUMBERS",
                help="the metric of each event; with --in-epochs, of each epoch",
            ),
        ],
    )


def _numbers(ctx: click.Context, option: click.Parameter, value: str | None) -> list[float] | None:
    if value is None:
        return None
    from lehr.handlers.schedules.arguments import shown

    from .parsing import value_of

    try:
        numbers = [float(one) for one in value_of(f"[{value}]")]
    except (TypeError, ValueError):
        numbers = []
    if not numbers:
        raise click.UsageError(f"--metrics must be numbers such as 3,2,2,1, given {shown(value)}", ctx)
    return numbers


def of_each_file(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the options for each of two files.

    Raises:
        ValueError: an option occurs more than twice.

    Example:
        >>> [one["dialect"] for one in of_each_file({"dialect": ("-", "hf"), "section": ()})]
        [None, 'hf']
    """
    files: list[dict[str, Any]] = [dict(options), dict(options)]
    for key in ("dialect", "section"):
        given = options[key]
        if len(given) > len(files):
            raise ValueError(f"--{key} must be used once for both files, or once for each, given {len(given)} times")
        for at, one in enumerate(files):
            value = given[min(at, len(given) - 1)] if given else None
            one[key] = None if value == "-" else value
    return files


def output_options(command: Command, what: str) -> Command:
    """Add the option ``--output`` with the help ``what``, and the option ``--force``."""
    return add_options(
        command,
        [
            click.option("--output", "-o", type=click.Path(), help=what),
            click.option("--force", is_flag=True, help="replace an output file that exists"),
        ],
    )


def html_option(command: Command) -> Command:
    """Add the option that writes an HTML page."""
    words = "write an interactive page for a browser to a .html file; needs lehr[html]"
    return click.option("--html", type=click.Path(), metavar="FILE", help=words)(command)


def check_can_write(path: str, force: bool, option: str = "-o") -> None:
    """Before a long computation, check that the file of an option can be written.

    Raises:
        ValueError: the file exists, and ``force`` is false.
        OSError: the folder is missing, or the file cannot be written.
    """
    existed = os.path.exists(path)
    if os.path.isfile(path) and not force:  # isfile is False for a device such as /dev/null
        from lehr.handlers.schedules.arguments import shown

        raise ValueError(f"{option} must be a new file unless --force is set, given {shown(path)}, which exists")
    with open(path, "ab"):
        pass
    if not existed:
        os.unlink(path)
