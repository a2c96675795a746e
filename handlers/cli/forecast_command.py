"""``lehr forecast``: fits a law of the loss to recorded runs, and forecasts runs under other schedules."""

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .options import check_can_write, number_option, output_options
from .plot_command import check_picture_file
from .progress import Progress
from .training_options import Length, length_of, trainer_of, training_options

if TYPE_CHECKING:
    from lehr.handlers.forecast import LossCurve, LossForecast
    from lehr.handlers.schedules.base import Array

HELP = """Forecast the loss of a training under other schedules, from recorded runs.

Each RUN is a CSV file with the columns step (or event_index), lr and loss, as history.to_csv writes it after
history.record("loss", trainer). Three runs under different schedules are enough: a cosine, a constant rate, and one
that steps down, with the same model, data, batch size and peak. The forecast holds only for this model, data, batch
size and peak.

A schedule is a .yaml, .yml or .json file, or a type that "lehr list" shows with its arguments, in quotes. Several
schedules are ranked, the best one first.

\b
Examples:
  lehr forecast cosine.csv constant.csv step.csv
  lehr forecast cosine.csv constant.csv step.csv --schedule plan.yaml --steps 24000 --plot loss.png
  lehr forecast cosine.csv constant.csv step.csv --steps 24000 \\
    --schedule "WarmupStableDecayScheduler num_warmup_events=500 num_stable_events=20000 num_decay_events=3500" \\
    --schedule plan.yaml
"""

# Maps arguments of the library's functions to options of the command.
OPTIONS = {"num_warmup_events": "--warmup", "num_events": "--steps", "extrapolate=True": "--extrapolate"}


@click.command(help=HELP)
@click.argument("runs", nargs=-1, metavar="RUN...")
@click.option("--schedule", "schedules", multiple=True, metavar="PLAN", help="a schedule to forecast; repeatable")
@training_options
@number_option("--warmup", help="steps of a linear warm-up from 0, if the CSV files begin after the warm-up")
@click.option("--extrapolate", is_flag=True, help="forecast beyond the rates and lengths of the runs, too")
@click.option(
    "--plot",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="draw the forecasts into a .png, .svg or .pdf file, or in the terminal",
)
@partial(output_options, what="write the forecast of one schedule to a CSV file")
def forecast(
    runs: tuple[str, ...],
    schedules: tuple[str, ...],
    warmup: int | None,
    extrapolate: bool,
    plot: str | None,
    output: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Print the fitted law, the forecasts and their ranking."""
    if not runs:
        raise ValueError("RUN must be a CSV file with the columns step, lr and loss for each recorded run, given none")
    if (plot or output) and not schedules:
        raise ValueError(f"{'--plot' if plot else '-o'} needs a --schedule to forecast, given none")
    if output and len(schedules) > 1:
        raise ValueError(f"-o must be used with only one --schedule, given {len(schedules)}")
    if plot != "-":
        check_picture_file(plot, force, "--plot")
    if output is not None:
        check_can_write(output, force)
    length = length_of(options) if schedules else None
    from lehr.handlers.forecast import LossForecast, Run

    plans = {source: _rates(source, options, length) for source in schedules if length is not None}
    with option_names():
        fitted = LossForecast.fit([Run.from_csv(path, num_warmup_events=warmup) for path in runs])
    click.echo(str(fitted))
    if length is None:
        return
    with option_names():
        curves = {name: fitted.predict(rates, length.steps, extrapolate=extrapolate) for name, rates in plans.items()}
    click.echo(f"\nforecast of the loss after {length.steps} steps:")
    if len(curves) > 1:
        click.echo(str(fitted.rank(plans, length.steps, extrapolate=extrapolate)))
    else:
        for name, curve in curves.items():
            click.echo(f"{name}: {curve.final:.4f} ({curve.low[-1]:.4f} to {curve.high[-1]:.4f})")
    if output is not None:
        next(iter(curves.values())).to_csv(output)
        click.echo(f"wrote {output}")
    if plot is not None:
        _draw(fitted, curves, plot)


@contextmanager
def option_names() -> Iterator[None]:
    """Replace the names of arguments in errors by the options of the command."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        for argument, option in OPTIONS.items():
            text = text.replace(argument, option)
        raise ValueError(text) from None


def _rates(source: str, options: dict[str, Any], length: Length) -> "Array":
    """Return the learning rates ``(steps, groups)`` of ``source``, which is a file, or a type with its arguments."""
    from lehr.handlers.plans import dry_run

    try:
        kind, *given = shlex.split(source)
    except ValueError as error:
        raise ValueError(f"--schedule must be a file, or a type with its arguments: {error}") from None
    trainer = trainer_of(kind, tuple(given), options, length)
    epochs: dict[str, Any] = {} if length.max_epochs else {"max_iters": length.steps}
    with Progress(length.steps) as progress:
        plan = dry_run(trainer, length.max_epochs, length.epoch_length, **epochs, progress=progress.advance)
    return plan[options["param_name"]]


def _draw(fitted: "LossForecast", curves: "dict[str, LossCurve]", path: str) -> None:
    """Draw runs, forecasts and learning rates into a file. If ``path`` is ``-``, draw forecasts in the terminal."""
    if path == "-":
        from lehr.engine.plots import thinned

        from .terminal_plot import MOST_POINTS, terminal_plot

        width = max(40, min(shutil.get_terminal_size().columns, 120))
        for name, curve in curves.items():
            known = curve.loss == curve.loss  # this omits the warm-up, whose loss is NaN
            events, losses = curve.events[known], curve.loss[known]
            shown = thinned(losses, MOST_POINTS)
            click.echo(terminal_plot(events[shown], losses[shown], f"loss, {name}", width))
        return
    from matplotlib.figure import Figure  # pyplot would store the figure, and may need a display

    from lehr.engine.plots import COLORS, without_math
    from lehr.handlers.schedules.arguments import shown_text

    figure = Figure(figsize=(8, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for run in fitted.runs:
        upper.plot(run.steps, run.losses, color="0.8", linewidth=0.8, label="_a run", zorder=0)
    for number, (name, curve) in enumerate(curves.items()):
        color = COLORS[number % len(COLORS)]
        curve.plot(upper, color=color, label=without_math(shown_text(name, 60)))
        lower.plot(curve.events, curve.lrs, color=color)
    upper.legend()
    upper.set_xlabel("")
    upper.grid(True, alpha=0.3)
    lower.grid(True, alpha=0.3)
    lower.set_xlabel("event")
    lower.set_ylabel("lr")
    figure.savefig(path, dpi=120)
    click.echo(f"wrote {path}")
