"""Reads logs in JSON: one object in each line, a list of objects, or the state of transformers' Trainer."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, TextIO

from lehr.handlers.schedules.arguments import shown

from .columns import counting_of, step_heading, value_headings
from .log import FROM_1, TRAINER, Counting, Log

MOST_CHARACTERS, LONGEST_LINE = 2**28, 1_000_000  # the most characters of a whole document, and of a line
MMCV_DECIMALS = 5


class Found(NamedTuple):
    """The objects of a file, how the file counts steps, and how many steps the run has. Unknown fields are None."""

    entries: "list[Entry]"
    counting: Counting | None = None
    total_steps: int | None = None


class Entry(NamedTuple):
    """An object of a log, with a text that says where in the file it is."""

    place: str
    values: Mapping[str, Any]


def read_json(file: TextIO, source: str, name: str, column: str | None, epoch_length: int | None) -> Log:
    """Read a log from a file in JSON.

    Raises:
        ValueError: a line is not well-formed or has no step; or the column does not exist.
    """
    entries, counting, total_steps = _entries(file, source)
    headings = list(dict.fromkeys(key for entry in entries for key in entry.values))
    if {"mode", "epoch", "iter"} <= set(headings) and "step" not in headings:
        return _of_mmcv(entries, value_headings(headings, name, column), source, epoch_length)
    counted = step_heading(headings)
    if counted is None:
        raise ValueError(f"{source} must have a key such as step or iteration, given {shown(headings)}")
    chosen = value_headings(headings, name, column)
    if {"iter", "step", "data_time", "time"} <= set(headings):  # mmengine writes these keys
        counting = FROM_1
    columns = _columns(entries, chosen, lambda entry: _number(entry, counted))
    return Log(columns, counting or counting_of(counted, headings), source, total_steps=total_steps)


def _entries(file: TextIO, source: str) -> Found:
    first = file.readline(LONGEST_LINE + 1)
    file.seek(0)
    try:
        by_line = isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        by_line = False
    if by_line and not ("log_history" in first and "log_history" in json.loads(first)):
        return Found(list(_of_lines(file, source)))
    text = file.read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{source} must have at most {MOST_CHARACTERS} characters, or one object a line, given more")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{source}, line {error.lineno} is not well-formed: {error.msg}") from error
    except RecursionError as error:
        raise ValueError(f"{source} must not be nested so deeply") from error
    history = document.get("log_history") if isinstance(document, dict) else document
    if not isinstance(history, list):
        rule = "must have log_history, as trainer_state.json has, or one object a line"
        raise ValueError(f"{source} {rule}, given {shown(document)}")
    entries = [Entry(f"{source}, entry {number}", _object(one, source, number)) for number, one in enumerate(history)]
    total = document.get("max_steps") if isinstance(document, dict) else None
    counting = TRAINER if isinstance(document, dict) else None
    return Found(entries, counting, total if isinstance(total, int) and total > 0 else None)


def _of_lines(file: TextIO, source: str) -> Iterator[Entry]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            raise ValueError(f"{source}, line {number} must have at most {LONGEST_LINE} characters, given more")
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{source}, line {number} is not well-formed: {error}") from error
        if not isinstance(found, dict):
            raise ValueError(f"{source}, line {number} must be an object, given {shown(found)}")
        yield Entry(f"{source}, line {number}", found)


def _object(found: Any, source: str, number: int) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{source}, entry {number} must be an object, given {shown(found)}")
    return found


def _columns(
    entries: Iterable[Entry], chosen: Iterable[str], step_of: Any
) -> dict[str, tuple[list[float], list[float]]]:
    columns: dict[str, tuple[list[float], list[float]]] = {one: ([], []) for one in chosen}
    for entry in entries:
        for heading, (steps, values) in columns.items():
            if entry.values.get(heading) is not None:
                values.append(_number(entry, heading))
                steps.append(step_of(entry))
    return columns


def _of_mmcv(entries: list[Entry], chosen: list[str], source: str, epoch_length: int | None) -> Log:
    """Return the log of mmcv 1.x, which may count iterations from 1 in each epoch."""
    entries = [entry for entry in entries if entry.values.get("mode") == "train"]
    iterations = [_number(entry, "iter") for entry in entries]
    anew = any(later < earlier for earlier, later in pairwise(iterations))
    if anew and epoch_length is None:
        raise ValueError(f"epoch_length must be set, since {source} counts iterations in each epoch, given none")

    def step_of(entry: Entry) -> float:
        before = (_number(entry, "epoch") - 1) * (epoch_length or 0) if anew else 0
        return before + _number(entry, "iter")

    return Log(_columns(entries, chosen, step_of), FROM_1, source, MMCV_DECIMALS)


def _number(entry: Entry, key: str) -> float:
    value = entry.values.get(key)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{entry.place}: {key} must be a number, given {shown(value)}")
    return float(value)
