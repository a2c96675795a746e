"""``lehr diff``: compares two plans of a training run of a given length."""

from functools import partial
from typing import Any

import click

from .options import html_option, of_each_file, output_options
from .plot_command import check_picture_file
from .progress import Progress
from .training_options import length_of, trainer_of, training_options

DIFF_HELP = """Compare the values of two plans, for a training of given length.

A and B are .yaml, .yml or .json files, which may be configs of two libraries, or types that "lehr list" shows and that
need no arguments. Give --dialect and --section once for both, or twice: first for A, then for B. The exit code is 0 if
the plans are equal, 1 if they differ, and 2 if they cannot be compared, as in diff(1).

\b
Examples:
  echo '{type: torch.StepLR, step_size: 30}' > old.yaml
  echo '{type: torch.StepLR, step_size: 20}' > new.yaml
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --event epoch
  lehr diff old.yaml new.yaml --max-epochs 90 --epoch-length 100 --in-epochs -o diff.png

\b
  echo '{scheduler: {type: WarmupLR, params: {warmup_num_steps: 99}}}' > ds.yaml
  echo '{lr_scheduler_type: constant_with_warmup, warmup_steps: 99}' > hf.yaml
  lehr diff ds.yaml hf.yaml --max-steps 10000
"""


@click.command(help=DIFF_HELP)
@click.argument("a")
@click.argument("b")
@partial(training_options, files="A and B")
@partial(output_options, what="draw both plans into a .png, .svg or .pdf file")
@html_option
def diff(a: str, b: str, output: str | None, force: bool, html: str | None, **options: Any) -> int:
    """Print how two plans differ."""
    from lehr.handlers.plans import diff_plans, dry_run

    from .html_page import check_page_file, write_page
    from .scheduler_from_options import with_stated_length

    check_picture_file(output, force)
    check_page_file(html, force)
    one, other = of_each_file(options)
    stated = with_stated_length(options, (a, (), one), (b, (), other))
    length = length_of(stated)
    lengths = {key: stated[key] for key in ("max_epochs", "max_steps")}
    trainers = [trainer_of(a, (), {**one, **lengths}, length), trainer_of(b, (), {**other, **lengths}, length)]
    epochs: dict[str, Any] = {} if length.max_epochs else {"max_iters": length.steps}
    with Progress(2 * length.steps) as progress:
        plan, other_plan = (
            dry_run(trainer, length.max_epochs, length.epoch_length, **epochs, progress=progress.advance)
            for trainer in trainers
        )
    difference = diff_plans(plan, other_plan)
    click.echo(str(difference))
    if output is not None:
        from matplotlib.figure import Figure  # pyplot would store the figure, and may need a display

        panels = sum(name in other_plan for name in plan)
        figure = Figure(figsize=(8, 1.2 + 2.2 * panels), layout="constrained")
        axes = figure.subplots(max(panels, 1), 1, sharex=True, squeeze=False)[:panels, 0]
        difference.plot(list(axes), (a, b))
        figure.savefig(output, dpi=120)
        click.echo(f"wrote {output}")
    if html is not None:
        write_page(html, plan, other=other_plan, labels=(a, b))
    return int(bool(difference))
