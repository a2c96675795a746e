"""``lehr audit``: compares the values in the log of a run with a plan."""

from functools import partial
from typing import Any

import click

from .options import Command, add_options, max_steps_option, number_option, output_options, scheduler_options
from .plot_command import check_picture_file

HELP = """Compare the values that a run logged with the values that its config plans.

LOG is a file of a logger: CSV, JSON lines, trainer_state.json of transformers, scalars.json of mmengine, metrics.csv of
Lightning, an event file of TensorBoard or a folder with some. PLAN is a .yaml, .yml or .json file, a type that
"lehr list" shows with its arguments as KEY=VALUE, or a .csv file that "lehr simulate" or plan.to_csv wrote.

The command explains a difference by a simple relation that makes all points match: a shift, several steps of the
schedule in one step of the run or the reverse, another length of the run, a factor, a jump, or a restart of the plan.
The exit code is 0 if the log equals the plan, 1 if it differs, and 2 if they cannot be compared, as in diff(1).

\b
Examples:
  lehr audit metrics.csv plan.yaml --max-epochs 90 --epoch-length 100
  lehr audit trainer_state.json training_args.json --max-steps 10000
  lehr audit runs/version_0 torch.CosineAnnealingLR T_max=90 --event epoch --epoch-length 100
  lehr audit log.csv plan.yaml --column "train/lr" -o audit.png
"""


def audit_options(command: Command) -> Command:
    """Add the options for an audit, for the length of the run and for the scheduler."""
    return scheduler_options(
        add_options(
            command,
            [
                number_option("--max-epochs", help="epochs of the run"),
                number_option("--epoch-length", help="iterations in an epoch"),
                max_steps_option(),
                click.option(
                    "--event",
                    default="iteration",
                    show_default=True,
                    type=click.Choice(["iteration", "epoch"]),
                    help="the schedule moves at the start of each iteration, or of each epoch",
                ),
                click.option("--column", metavar="NAME", help="heading, key or tag of the values in the log"),
                click.option("--group", type=int, metavar="N", help="index of the param group in the plan, from 0"),
                click.option(
                    "--first-step",
                    type=int,
                    metavar="N",
                    help="step of the first event in the log  [default: that of its format]",
                ),
                click.option(
                    "--tolerance",
                    type=float,
                    metavar="NUMBER",
                    help="relative difference up to which values are equal  [default: the rounding of the log]",
                ),
            ],
        )
    )


@click.command(help=HELP)
@click.argument("log", metavar="LOG")
@click.argument("source", metavar="PLAN")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@audit_options
@partial(output_options, what="draw log and plan into a .png, .svg or .pdf file")
def audit(log: str, source: str, given: tuple[str, ...], output: str | None, force: bool, **options: Any) -> int:
    """Print how a log differs from its plan."""
    from lehr.handlers.plans import audit_log, read_log

    from .audit_from_options import audit_of_config, draw, lengths_of, table_of

    check_picture_file(output, force)
    name = options["param_name"]
    logged = read_log(log, name=name, column=options["column"], epoch_length=options["epoch_length"])
    chosen = {key: options[key] for key in ("group", "first_step", "tolerance")}
    if source.lower().endswith(".csv"):
        found = audit_log(
            logged, table_of(read_log(source, name=name)), name=name, **lengths_of(options, logged), **chosen
        )
    else:
        found = audit_of_config(logged, source, given, options, chosen)
    click.echo(str(found))
    if output is not None:
        draw(found, output, f"{log} and {' '.join([source, *given])}")
    return int(bool(found))
