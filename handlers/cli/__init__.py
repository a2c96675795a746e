"""The command ``lehr``: seeing, simulating and checking schedules from a shell."""

import sys


def main() -> None:
    """Run the command with the arguments of the process, and leave with its exit code."""
    try:
        import click  # noqa: F401 -- an extra, which whoever installs lehr as a library need not have
    except ImportError:
        print("lehr: the command needs click, which is not installed: pip install 'lehr[cli]'", file=sys.stderr)
        sys.exit(2)
    from .commands import lehr

    lehr.main(prog_name="lehr")
