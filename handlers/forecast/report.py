"""Writes the report of a forecast: the law, its parameters, its errors, and the range that it covers."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from lehr.handlers.schedules.base import Array

if TYPE_CHECKING:
    from .loss_forecast import LossForecast

MOST_NAMED = 12
MOST_OF_A_NAME = 40
WIDTH = 104
# If the mean error on runs left out is larger than this fraction of the loss, the law does not describe the runs.
DOUBTFUL = 0.05


def report_of(forecast: "LossForecast") -> str:
    """Return the text that ``print(forecast)`` shows."""
    runs, covered = forecast.runs, forecast.covered
    losses, points = sum(len(run.fitted_steps) for run in runs), sum(map(len, forecast.residuals))
    power = "**p" if forecast.parameters.power != 1 else ""
    law = f"{forecast.law}: loss = L0 + A * S{power and chr(39)}**-alpha - B * D, with S the sum of learning rates"
    if power:
        law += ", S' that of their powers p"
    lines = [
        f"{law}, and D the sum of their falls, each as far as it has taken effect",
        str(forecast.parameters),
        f"fitted to {len(runs)} runs with {losses} losses, averaged to {points} points (means of their logarithms)",
    ]
    for at, run in enumerate(runs[:MOST_NAMED]):
        name = run.name or f"run {at}"
        name = name if len(name) <= MOST_OF_A_NAME else f"...{name[3 - MOST_OF_A_NAME :]}"  # a path ends with its file
        lines.append(
            f"  {name}: mean error {_percent(forecast.residuals[at])}, {_percent(forecast.left_out[at])} when left out"
        )
    if len(runs) > MOST_NAMED:
        lines.append(f"  ... and {len(runs) - MOST_NAMED} more")
    least = "up to " if covered.fewest_events <= 2 else f"{covered.fewest_events:.0f} to "
    lines += [
        f"mean error on all runs: {_percent(np.concatenate(forecast.residuals))}, "
        f"{_percent(np.concatenate(forecast.left_out))} on runs left out in turn",
        *_doubts(forecast),
        f"you may ask for learning rates from {covered.lowest_lr:.3g} to {covered.highest_lr:.3g} after the warm-up, "
        f"and for runs of {least}{covered.most_events:.0f} events",
        "outside the law, and so the same in all runs: momentum, weight decay, batch size, model and data",
    ]
    return "\n".join(
        "\n".join(textwrap.wrap(line, WIDTH, subsequent_indent="  ")) if line[0] != " " else line for line in lines
    )


def _doubts(forecast: "LossForecast") -> list[str]:
    """Return one line of advice if the law does not describe the runs, and no line otherwise."""
    if float(np.abs(np.concatenate(forecast.left_out)).mean()) < DOUBTFUL:
        return []
    return [
        "the law describes these runs badly: check that all have the same model, data, batch size and unit of the "
        "loss, and that none diverges"
    ]


def _percent(errors: Array) -> str:
    return f"{100 * float(np.abs(errors).mean()):.2g}%"
