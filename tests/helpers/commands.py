"""Calling the command ``lehr`` in this process."""

from typing import Any

from click.testing import CliRunner, Result

from lehr.handlers.cli.commands import lehr as command


def invoked(*args: Any, code: int = 0) -> Result:
    """The result of a call of the command, which must end with this exit code."""
    result = CliRunner().invoke(command, [*map(str, args)])
    assert result.exit_code == code, (args, result.output, result.exception)
    return result


def printed(*args: Any, code: int = 0) -> str:
    """What a call prints: its errors where the exit code is 2, that of wrong usage."""
    result = invoked(*args, code=code)
    return result.stderr if code == 2 else result.stdout
