"""Reads the steps, learning rates and losses of a run from a table, and fills in learning rates between its rows."""

import csv
import re
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from lehr.handlers.schedules.arguments import shown, shown_names, whole_number
from lehr.handlers.schedules.base import Array
from lehr.special_files import special_file

from .check_losses import MOST_EVENTS

STEP_HEADINGS = ("step", "event_index")
OF_A_GROUP = re.compile(r"lr\[\d+\]")  # the heading that ParamHistory.to_csv writes


def read_rows(path: str | PathLike[str]) -> tuple[Array, Array, Array]:
    """Return the steps ``(n,)``, learning rates ``(n, G)`` and losses ``(n,)`` of a table. An empty loss is NaN.

    Raises:
        ValueError: the file is a named pipe or a device; a column is missing; a cell is not a number; or steps do not
            rise.
    """
    if (kind := special_file(path)) is not None:
        raise ValueError(f"{shown(str(path))} must be a regular file, given {kind}")
    try:
        return _read_rows(path)
    except UnicodeDecodeError:
        raise ValueError(f"{shown(str(path))} must be text in UTF-8, with commas between columns") from None


def _read_rows(path: str | PathLike[str]) -> tuple[Array, Array, Array]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        headings = [*(reader.fieldnames or ())]
        step = next((name for name in STEP_HEADINGS if name in headings), "step")
        rates = ["lr"] if "lr" in headings else [name for name in headings if OF_A_GROUP.fullmatch(name)]
        if step not in headings or not rates or "loss" not in headings:
            raise ValueError(
                f"{shown(str(path))} must have the columns 'step', 'lr' and 'loss', given "
                f"{shown_names(headings)}: rename its columns"
            )
        rows = [
            [
                _cell(path, reader.line_num, row, step),
                np.nan if row["loss"] == "" else _cell(path, reader.line_num, row, "loss"),
                *(_cell(path, reader.line_num, row, name) for name in rates),
            ]
            for row in reader
            if row["loss"] or row[rates[0]]
        ]
    if not rows:
        raise ValueError(f"{shown(str(path))} must have a row for each measured loss, given none")
    table = np.array(rows, dtype=np.float64)
    steps, losses, lrs = table[:, 0], table[:, 1], table[:, 2:]
    if np.isnan(losses).all():
        raise ValueError(f"{shown(str(path))} must have a row with a loss, given none in {len(rows)} rows")
    falls = np.flatnonzero(np.diff(steps) <= 0)
    if len(falls):
        before, after = steps[falls[0] : falls[0] + 2]
        advice = "keep one row for each step" if before == after else "sort its rows by their steps"
        raise ValueError(f"the steps of {shown(str(path))} must rise, given {after:g} after {before:g}: {advice}")
    if steps[0] < 0 or (steps != np.floor(steps)).any():
        raise ValueError(f"the steps of {shown(str(path))} must be whole event indices: count events, not epochs")
    if steps[-1] >= MOST_EVENTS:
        raise ValueError(
            f"the steps of {shown(str(path))} must be less than {MOST_EVENTS}, given {steps[-1]:g}: count events, not "
            "tokens or samples"
        )
    return steps, lrs, losses


def _cell(path: object, line: int, row: dict[str, str], name: str) -> float:
    given = f"given {shown(row[name])} in line {line} of {shown(str(path))}"
    try:
        value = float(row[name])
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, {given}") from None
    if not np.isfinite(value):
        raise ValueError(f"{name} must be finite, {given}: leave out rows without a loss, and runs that diverge")
    return value


def spread(
    indices: NDArray[np.generic],
    values: Array,
    num_events: int,
    *,
    num_warmup_events: int | None = None,
    path: str | PathLike[str] | None = None,
) -> Array:
    """Return the values of events 0 to ``num_events - 1`` from the values of some events.

    Values are interpolated linearly between these events, and are constant after the last one.

    Args:
        indices: the event indices that have values ``(n,)``, rising.
        values: the values of these events ``(n,)`` or ``(n, G)``.
        num_events: the number of events.
        num_warmup_events: the events of a linear warm-up from 0 to the first value.
        path: the file that the values come from, for error messages.

    Example:
        >>> spread(np.array([2, 4]), np.array([1.0, 0.5]), 6, num_warmup_events=2)
        array([0.  , 0.5 , 1.  , 0.75, 0.5 , 0.5 ])
    """
    events, first = np.arange(num_events, dtype=np.float64), float(indices[0])
    columns = values.T if values.ndim == 2 else values[None]
    spaced = np.array([np.interp(events, indices.astype(np.float64), column) for column in columns])
    if num_warmup_events is not None:
        warm = whole_number("num_warmup_events", num_warmup_events, at_least=0)
        if warm > first:
            given = f"given {warm} where the first row is step {first:.0f}"
            raise ValueError(f"num_warmup_events must be at most the first step of the rows, {given}")
        if warm:
            spaced *= np.minimum(events / warm, 1)
    elif first > (2 * float(np.median(np.diff(indices.astype(np.float64)))) if len(indices) > 1 else 0):
        where = "the history" if path is None else shown(str(path))
        raise ValueError(
            f"num_warmup_events must be given, since the rows of {where} begin with step {first:.0f}: give the "
            "number of events in its linear warm-up before this step, or 0 if it had no warm-up"
        )
    return spaced.T if values.ndim == 2 else spaced[0]
