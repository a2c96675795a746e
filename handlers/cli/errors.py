"""Prints each error and warning of a command as one line on stderr. An error ends the command with exit code 2."""

import errno
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from lehr.shortened_text import shortened

EXIT_CODE = 2  # exit code 1 is for a command that worked and found an error in a plan, or a difference
USER_ERRORS = (TypeError, ValueError, ArithmeticError, ImportError, MemoryError, RecursionError)


class CommandError(click.ClickException):
    """An error whose message has one line."""

    exit_code = EXIT_CODE


class OneLineErrors(click.Group):
    """A group of commands that prints each error as one line, instead of click's several lines or a traceback."""

    def main(self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command, and exit with the exit code that it returns."""
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            _exit_with(error)
        except click.Abort:
            _exit_with(CommandError("interrupted"))
        if standalone_mode:
            sys.exit(code or 0)
        return code

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, flush its output, and return its exit code."""
        with command_errors(), one_line_warnings():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


def _exit_with(error: click.ClickException) -> NoReturn:
    context = getattr(error, "ctx", None)
    command = "lehr" if context is None else context.command_path
    hint = f" ({command} --help says more)" if isinstance(error, click.UsageError) else ""
    click.echo(one_line(f"{command}: {error.format_message()}{hint}"), err=True)
    sys.exit(error.exit_code)


def one_line(message: str) -> str:
    r"""Return a message without its line breaks, shortened if it is long.

    >>> one_line("not well-formed:\n  expected ']',\n  given '}'")
    "not well-formed: expected ']', given '}'"
    """
    return shortened(" ".join(message.split()))


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Print each warning without the line of code that caused it, which is never the user's code."""

    def show(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        click.echo(f"lehr: warning: {one_line(str(message))}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def command_errors() -> Iterator[None]:
    """Turn every exception into a :class:`CommandError`, unless ``LEHR_TRACEBACK`` is set in the environment."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except KeyboardInterrupt:
        raise CommandError("interrupted") from None
    except Exception as error:
        if os.environ.get("LEHR_TRACEBACK"):
            raise
        _discard_output()
        raise CommandError(message_of(error)) from error


def message_of(error: Exception) -> str:
    """Return the message of an exception. It names arguments of the command instead of keys of a config.

    >>> message_of(ValueError("config['gamma'] must be finite, given inf"))
    'gamma must be finite, given inf'
    """
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:
            return "the output was closed before all of it was written"
        return f"{'' if error.filename is None else f'{error.filename}: '}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}"
    if not isinstance(error, USER_ERRORS):
        name = type(error).__name__
        return f"this is a bug of lehr, please report it: {name}: {error} (LEHR_TRACEBACK=1 shows the traceback)"
    return re.sub(r"^config(?:\['(\w+)'\]|: )", lambda match: match[1] or "", str(error))


def _discard_output() -> None:
    """Discard output that cannot be written, so that Python does not raise the error again when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
