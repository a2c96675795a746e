"""The group ``lehr`` of all commands, with its help text."""

import click

from .audit_command import audit
from .check_command import check
from .convert_command import convert
from .diff_command import diff
from .errors import OneLineErrors
from .forecast_command import forecast
from .list_command import list_types
from .plot_command import plot
from .show_command import show
from .simulate_command import simulate

HELP = """Schedules of hyper-parameters, before anything is trained.

\b
Begin with:
  lehr list cosine
  lehr plot OneCycleScheduler max_value=0.1 total_steps=1000 --num-events 1000
  lehr simulate torch.StepLR step_size=30 --num-events 100

Each command has more examples in its own --help. A command that fails prints one line on stderr and exits with 2.
With LEHR_TRACEBACK=1 in the environment, it prints Python's traceback.
"""


@click.group(cls=OneLineErrors, help=HELP, invoke_without_command=True)
@click.version_option(package_name="lehr", prog_name="lehr", message="%(prog)s %(version)s")
@click.pass_context
def lehr(ctx: click.Context) -> None:
    """Run a command; print the help if no command is given."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (list_types, show, plot, simulate, check, diff, convert, audit, forecast):
    lehr.add_command(command)
