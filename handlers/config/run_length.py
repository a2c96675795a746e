"""The length of the run that a config is for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lehr.handlers.schedules import RunLength, arguments

from .entries import refuse_key

KEYS = tuple(RunLength.__dataclass_fields__)
UNKNOWN = RunLength()


def or_else(run: RunLength, other: RunLength) -> RunLength:
    """A length, or the epochs and steps of the other one where both are unknown in it."""
    if run.max_epochs is None and run.total_steps is None:
        return replace(run, max_epochs=other.max_epochs, total_steps=other.total_steps)
    return run


def combined(where: str, run: RunLength, other: RunLength) -> RunLength:
    """A length with the numbers of both.

    Raises:
        ValueError: a number differs, or the numbers do not fit together.
    """
    here, there = ({key: one for key, one in each.config().items() if key != "counts"} for each in (run, other))
    for key in here.keys() & there.keys():
        if here[key] != there[key]:
            raise ValueError(f"{where}: {key} must be given once, given {here[key]} and {there[key]}")
    counts = other.counts if other.counts != UNKNOWN.counts else run.counts
    return checked(where, {**here, **there, "counts": counts})


def checked(where: str, given: Mapping[str, Any]) -> RunLength:
    """The length of a run from some of the numbers.

    Args:
        where: the path to the numbers in the config; empty for arguments.
        given: the arguments of :class:`RunLength`; None for a number that is unknown.

    Raises:
        TypeError: one of them has the wrong type.
        ValueError: one of them is out of its range; they do not fit together; a key is unknown.

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
    """The length of a run by arguments of ``configure_scheduler``; and the events in an epoch, if numbers are epochs.

    Raises:
        TypeError, ValueError: as :func:`checked`, and :func:`combined`.
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
    """The mapping ``run`` of a config.

    Args:
        run: the length of the run.
        in_epochs: events in an epoch if numbers are in epochs, which the config says beside the mapping.
    """
    given = run.config()
    if in_epochs is not None:
        given.pop("epoch_length", None)
    if run.counts == UNKNOWN.counts and "epoch_length" not in given:
        del given["counts"]
    return given


def read(where: str, value: Any) -> RunLength:
    """The length of a run from the entry ``run`` of a config."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a mapping, given {arguments.shown(value)}")
    return checked(where, value)
