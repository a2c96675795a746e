"""Whatever goes wrong as one line on stderr, with exit code 2."""

import errno
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

FAILED = 2  # 1 is for what a command finds: an error in a plan, a difference between two
LONGEST = 1000  # characters of a message
EXPECTED = (TypeError, ValueError, ArithmeticError, ImportError, MemoryError, RecursionError)


class Failure(click.ClickException):
    """Something that is to be said in one line."""

    exit_code = FAILED


class OneLineGroup(click.Group):
    """A group of commands whose errors are one line each, where click's own are several, or tracebacks."""

    def main(self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command; what it returns is the exit code."""
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            self._leave(error)
        except click.Abort:
            self._leave(Failure("interrupted"))
        if standalone_mode:
            sys.exit(code or 0)
        return code

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command up to the last byte of what it prints."""
        with failures(), one_line_warnings():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result

    @staticmethod
    def _leave(error: click.ClickException) -> NoReturn:
        context = getattr(error, "ctx", None)
        command = "lehr" if context is None else context.command_path
        hint = f" ({command} --help says more)" if isinstance(error, click.UsageError) else ""
        click.echo(f"{command}: {one_line(error.format_message())}{hint}", err=True)
        sys.exit(error.exit_code)


def one_line(message: str) -> str:
    r"""A message without its line breaks.

    >>> one_line("not well-formed:\n  expected ']',\n  given '}'")
    "not well-formed: expected ']', given '}'"
    """
    text = " ".join(message.split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Show warnings without the place in the code that they come from, which is no place of the user's."""

    def show(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        click.echo(f"lehr: warning: {one_line(str(message))}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def failures() -> Iterator[None]:
    """Turn what a user can bring about into a :class:`Failure`.

    With ``LEHR_TRACEBACK`` in the environment it stays what it is, for whoever wants to know where it comes from.
    """
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except KeyboardInterrupt:
        raise Failure("interrupted") from None
    except Exception as error:
        if os.environ.get("LEHR_TRACEBACK"):
            raise
        _let_go_of_stdout()
        raise Failure(described(error)) from error


def described(error: Exception) -> str:
    """What an error is called on the command line, where the config of an entry is made of its arguments.

    >>> described(ValueError("config['gamma'] must be finite, given inf"))
    'gamma must be finite, given inf'
    """
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:
            return "the output was closed before all of it was written"
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{error.strerror or error}"
    if not isinstance(error, EXPECTED):
        return (
            f"an error of lehr's own, please report it: {type(error).__name__}: {error} (LEHR_TRACEBACK=1 says where)"
        )
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}"
    return re.sub(r"^config(?:\['(\w+)'\]|: )", lambda match: match[1] or "", str(error))


def _let_go_of_stdout() -> None:
    """Send what cannot be written nowhere, so that Python does not fail once more when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
