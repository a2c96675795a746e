"""``lehr check``: looks for mistakes in the plan of a training run of a given length."""

from typing import Any

import click

from .options import html_option
from .progress import Progress
from .training_options import length_of, trainer_of, training_options

CHECK_HELP = """Look for mistakes in a plan, for a training of given length.

PLAN is a .yaml, .yml or .json file, or a type that "lehr list" shows, with its arguments as KEY=VALUE. If the file
gives the length of the run, such as max_steps or num_train_epochs of transformers, you need not give --max-steps or
--max-epochs. The exit code is 1 if there is an error (with --fail-on warning, also for a warning), 2 if the plan cannot
be read, and 0 otherwise.

\b
Examples:
  lehr check OneCycleScheduler max_value=0.1 total_steps=1000 --max-epochs 8 --epoch-length 100
  lehr check torch.CosineAnnealingLR T_max=90 --max-epochs 90 --epoch-length 100 --event epoch
  lehr check transformers.cosine num_warmup_steps=50 --max-steps 1000


  echo '{type: LinearScheduler, duration: 5, begin: 2}' > plan.yaml
  lehr check plan.yaml --in-epochs --max-epochs 8 --epoch-length 100
"""


@click.command(help=CHECK_HELP)
@click.argument("source", metavar="PLAN")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@training_options
@html_option
@click.option("--force", is_flag=True, help="replace an output file that exists")
@click.option(
    "--fail-on",
    default="error",
    show_default=True,
    type=click.Choice(["error", "warning", "info"]),
    help="exit with 1 if there is a finding of this severity or of a higher one",
)
def check(source: str, given: tuple[str, ...], html: str | None, force: bool, fail_on: str, **options: Any) -> int:
    """Print the findings in a plan."""
    from lehr.handlers.plans import check_plan, dry_run
    from lehr.handlers.plans.checks.findings import SEVERITIES

    from .html_page import check_page_file, write_page
    from .scheduler_from_options import with_stated_length

    check_page_file(html, force)
    stated = with_stated_length(options, (source, given, options))
    length = length_of(stated)
    trainer = trainer_of(source, given, stated, length)
    epochs: dict[str, Any] = {} if length.max_epochs else {"max_iters": length.steps}
    with Progress(length.steps) as progress:
        findings = check_plan(trainer, length.max_epochs, length.epoch_length, **epochs, progress=progress.advance)
    click.echo(str(findings))
    if html is not None:
        title = " ".join([source, *given])
        with Progress(length.steps) as progress:
            plan = dry_run(trainer, length.max_epochs, length.epoch_length, **epochs, progress=progress.advance)
        write_page(html, plan, findings=findings, title=title)
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return int(any(finding.severity in failing for finding in findings))
