"""Reads the length of the run from a config and from the arguments of ``configure_scheduler``, and combines both."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lehr.handlers.schedules import RunLength, arguments

from .entries import refuse_key

KEYS = tuple(RunLength.__dataclass_fields__)
UNKNOWN = RunLength()


def or_else(run: RunLength, other: RunLength) -> RunLength:
    """Return ``run``. If its epochs and steps are both unknown, add the epochs and steps of ``other``."""
    if run.max_epochs is None and run.total_steps is None:
        return replace(run, max_epochs=other.max_epochs, total_steps=other.total_steps)
    return run


def combined(where: str, run: RunLength, other: RunLength) -> RunLength:
    """Return a length with the numbers of both lengths.

    Raises:
        ValueError: a number differs between the two lengths, or the numbers do not fit together.
    """
    here, there = ({key: one for key, one in each.config().items() if key != "counts"} for each in (run, other))
    for key in here.keys() & there.keys():
        if here[key] != there[key]:
            raise ValueError(f"{where}: {key} must have one value, given {here[key]} and {there[key]}")
    counts = other.counts if other.counts != UNKNOWN.counts else run.counts
    return checked(where, {**here, **there, "counts": counts})


def checked(where: str, given: Mapping[str, Any]) -> RunLength:
    """Return the length of a run that a config gives by numbers such as ``max_epochs`` and ``epoch_length``.

    Args:
        where: the path to the numbers in the config. If the numbers are arguments, it is empty.
        given: the arguments of :class:`RunLength`; the value of an unknown number is None.

    Raises:
        TypeError: a number has the wrong type.
        ValueError: a number is out of its range; the numbers do not fit together; a key is unknown.

    >>> checked("", {"max_epochs": 3, "epoch_length": 4}).steps
    12
    >>> checked("config['run']", {"max_epochs": 3, "epoch_length": 4, "total_steps": 10})
    Traceback (most recent call last):
    ...
    ValueError: config['run']['total_steps'] must be max_epochs * epoch_length = 3 * 4 = 12, given 10
    """
    for key in given:
        if key not in KEYS:
            refuse_key(where, key, KEYS)
    try:
        return RunLength(**{key: value for key, value in given.items() if value is not None})
    except (TypeError, ValueError) as error:
        name, _, rest = str(error).partition(" ")
        if not where:
            raise
        text = f"{where}[{name!r}] {rest}" if name in KEYS else f"{where}: {error}"
        raise (TypeError if isinstance(error, TypeError) else ValueError)(text) from error


def of_arguments(
    epoch_length: int | None, max_epochs: int | None, total_steps: int | None, run: Any
) -> tuple[RunLength, int | None]:
    """Return the run length from arguments of ``configure_scheduler``, and the epoch length if numbers count epochs.

    Raises:
        TypeError, ValueError: see :func:`checked` and :func:`combined`.
    """
    given = checked("", {"epoch_length": epoch_length, "max_epochs": max_epochs, "total_steps": total_steps})
    in_epochs = given.epoch_length
    if isinstance(run, Mapping):
        further = read("run", run)
        in_epochs = in_epochs if "counts" in run else in_epochs or further.epoch_length
        given = combined("run", given, further)
    elif run is not None:
        given = combined("run", given, arguments.instance("run", run, RunLength, "a RunLength or a mapping"))
    return given, in_epochs


def as_data(run: RunLength, in_epochs: int | None) -> dict[str, Any]:
    """Return the length of a run as the mapping ``run`` of a config.

    Args:
        run: the length of the run.
        in_epochs: the number of events in an epoch if numbers count epochs, or None. If it is a number, the config has
            ``epoch_length`` beside ``run``.
    """
    given = run.config()
    if in_epochs is not None:
        given.pop("epoch_length", None)
    if run.counts == UNKNOWN.counts and "epoch_length" not in given:
        del given["counts"]
    return given


def read(where: str, value: Any) -> RunLength:
    """Return the length of a run from the value of ``run`` in a config."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a mapping, given {arguments.shown(value)}")
    return checked(where, value)
