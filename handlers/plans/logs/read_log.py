"""Reads a log from the file of a logger: CSV, JSON or TensorBoard's event files."""

import csv
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TextIO

from lehr.handlers.schedules.arguments import shown, shown_names
from lehr.special_files import special_file

from .columns import counting_of, step_heading, value_headings
from .json_logs import read_json
from .log import Log
from .tensorboard_logs import EVENT_FILE, read_events

MOST_POINTS = 10_000_000
LONGEST_LINE = 1_000_000  # a line may have at most this many characters
MISSING = {"", "none", "null", "na", "n/a"}


def read_log(
    path: str | PathLike[str], *, name: str = "lr", column: str | None = None, epoch_length: int | None = None
) -> Log:
    """Read the values that a run logged, from the file of a logger.

    ========================================== ===============================================================
    file                                       how its steps count
    ========================================== ===============================================================
    CSV with a column such as ``step``         ``step`` 0, ``iteration`` 1 or ``iter`` 1 is the first event
    Lightning's ``metrics.csv``                step 0 is the first event; empty cells are left out
    ``history.to_csv``, ``plan.to_csv``        ``event_index`` from 0, ``iteration`` from 1
    CSV with ``epoch`` and no step             epoch 0 is the first epoch, as in timm's ``summary.csv``
    a tag exported by TensorBoard, a W&B run   step 0 is the first event
    JSON lines                                 as in CSV
    ``trainer_state.json`` of transformers     step s has the value of event s - 1 (version 4.51 or later), or of
                                               event s (earlier, or logged at the end of epochs)
    mmengine's ``scalars.json``                step 1 is the first event
    mmcv's ``.log.json``                       iteration 1 of epoch 1 is the first event
    TensorBoard's event files, or their folder step 0 is the first event; ``train/learning_rate`` as transformers
    ========================================== ===============================================================

    Args:
        path: the file, or a folder with TensorBoard's event files.
        name: the name of the parameter. A column belongs to the parameter if the heading is similar to the name:
            ``train/lr``, ``learning_rate`` and ``lr-SGD`` are similar to ``"lr"``. If several headings are similar,
            each column belongs to a param group.
        column: the heading, key or tag of the values. If None, it is searched for by ``name``.
        epoch_length: iterations of an epoch, for a file that counts iterations anew in each epoch.

    Returns:
        A log with a column for each heading.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is a named pipe or a device; a line is not well-formed; the column does not exist; or there
            are more than 10,000,000 points.
        ImportError: an event file is given, and ``tensorboard`` is not installed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "metrics.csv")
        ...     with open(path, "w") as file:
        ...         print("step,loss,lr", "0,2.3,0.1", "10,1.9,0.05", sep=chr(10), file=file)
        ...     log = read_log(path)
        >>> log.columns["lr"].steps.tolist(), log.columns["lr"].values.tolist()
        ([0, 10], [0.1, 0.05])
    """
    path = Path(path)
    if path.is_dir() or EVENT_FILE in path.name:
        return read_events(path, name, column)
    if (kind := special_file(path)) is not None:
        raise ValueError(f"{path.name} must be a regular file, given {kind}")
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            start = _first_character(file)
            if start in "{[":
                return read_json(file, path.name, name, column, epoch_length)
            return _read_csv(file, path.name, name, column)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path.name} must be a text in UTF-8, or an event file of TensorBoard: {error}"
            ) from error


def _first_character(file: TextIO) -> str:
    start = file.read(4096).lstrip()[:1]
    file.seek(0)
    if not start:
        raise ValueError(f"{Path(file.name).name} must have a log, given an empty file")
    return start


def _read_csv(file: TextIO, source: str, name: str, column: str | None) -> Log:
    first = file.readline(LONGEST_LINE)
    file.seek(0)
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(lines_of(file, source), delimiter=delimiter, strict=True)
    try:
        headings = [heading.strip() for heading in next(rows)]
        counted = step_heading(headings)
        if counted is None:
            raise ValueError(f"{source} must have a column such as step or iteration, given {shown_names(headings)}")
        chosen = value_headings(headings, name, column)
        counter, places = headings.index(counted), [headings.index(one) for one in chosen]
        columns: dict[str, tuple[list[float], list[float]]] = {one: ([], []) for one in chosen}
        points = 0
        for row in rows:
            if not row:
                continue
            if len(row) != len(headings):
                cells = f"{len(headings)} cells, as its first line has, given {len(row)}"
                raise ValueError(f"{source}, line {rows.line_num} must have {cells}")
            for (steps, values), place in zip(columns.values(), places, strict=True):
                if row[place].strip().lower() not in MISSING:
                    values.append(cell(row[place], headings[place], source, rows.line_num))
                    steps.append(cell(row[counter], counted, source, rows.line_num))
                    points += 1
            if points > MOST_POINTS:
                raise ValueError(f"{source} must have at most {MOST_POINTS} points, given more")
    except csv.Error as error:
        raise ValueError(f"{source}, line {rows.line_num} is not well-formed: {error}") from error
    return Log(columns, counting_of(counted, headings), source)


def lines_of(file: TextIO, source: str) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        ValueError: a line has more than 1,000,000 characters, or a NUL.
    """
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise ValueError(f"{source}, line {number} must have at most {LONGEST_LINE} characters, given more")
        if "\0" in line:
            raise ValueError(f"{source}, line {number} must be text, given a NUL")
        yield line


def cell(text: str, heading: str, source: str, line: int) -> float:
    """Return the number in a cell.

    Raises:
        ValueError: the cell has no number.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{source}, line {line}: {heading} must be a number, given {shown(text)}") from None
