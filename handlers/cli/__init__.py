"""The command ``lehr``: list, plot, simulate, check, compare, audit and forecast schedules in a shell."""

import sys


def main() -> None:
    """Run the command with the arguments of the process, and exit with its code."""
    try:
        import click  # noqa: F401 -- an extra, which users of the library need not install
    except ImportError:
        print("lehr: the command needs click, which is not installed: pip install 'lehr[cli]'", file=sys.stderr)
        sys.exit(2)
    from .commands import lehr

    lehr.main(prog_name="lehr")
