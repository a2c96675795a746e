"""Functions that warn once, at the first value that the optimizer does not allow."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lehr.handlers.schedules import Plateau, arguments
from lehr.handlers.targets.legal_values import ANY_VALUE, LARGEST, LegalRange

from .resuming.policy import level_of_caller
from .schedule_reading import Limits


def limits_of(scheduler: Any) -> Limits | None:
    """Return the lowest and highest legal value of each column; None if all values are legal, or after a warning."""
    if scheduler._target.legal is not None:
        return scheduler._target.legal[1:]  # type: ignore[no-any-return]
    columns = [legal or ANY_VALUE for _, legal in _legal_columns(scheduler)]
    if all(legal is ANY_VALUE for legal in columns):
        return None
    return np.array([legal.lowest for legal in columns]), np.array([legal.highest for legal in columns])


def _legal_columns(scheduler: Any) -> Sequence[tuple[Any, LegalRange | None]]:
    """Return, for each column, the member that writes it and the range of legal values.

    The list is empty if the scheduler has no members. It is also empty if values are read event by event, because each
    member then warns of its own values.
    """
    members = getattr(scheduler, "_members", ()) if scheduler._is_pure else ()
    return [(member, member._target.legal) for member in members for _ in range(member.schedule.groups or 1)]


def read_in_block(scheduler: Any, index: int) -> Any:
    """Return the value of a scheduler's pure schedule at an event."""
    reader = scheduler._block_reader
    value = reader.read(index)
    if reader.illegal is not None:
        (_, illegal, column), reader.illegal = reader.illegal, None
        _warn(scheduler, index, illegal, column)
    return value


def checked_value(scheduler: Any, index: int, value: Any) -> Any:
    """Return the value at an event as a float or a list of floats, and warn if it is not legal.

    Raises:
        TypeError, ValueError: ``get_param`` did not return finite numbers.
    """
    if scheduler._asks_get_param:
        value = arguments.value_at(index, value, scheduler._named)
    if scheduler._target.legal is None:
        return value
    _, lowest, highest = scheduler._target.legal
    values = value if type(value) is list else [value]
    if values and (min(values) < lowest or (highest < LARGEST and max(values) > highest)):
        _warn(scheduler, index, next(one for one in values if not lowest <= one <= highest), 0)
    elif isinstance(scheduler._schedule, Plateau):
        forget_legal_values(scheduler)  # a plateau only reduces a value that was legal
    return value


def warn_in_table(scheduler: Any, table: Any) -> None:
    """Warn of the first illegal value in a table ``(events, groups)`` that begins at event 0."""
    limits = limits_of(scheduler)
    if limits is not None:
        is_illegal = (table < limits[0]) | (table > limits[1])
        for index in is_illegal.any(axis=1).nonzero()[0][:1]:
            column = int(is_illegal[index].argmax())
            _warn(scheduler, int(index), float(table[index, column]), column)


def forget_legal_values(scheduler: Any) -> None:
    """Stop the warnings of a scheduler about illegal values."""
    for one in [scheduler, *getattr(scheduler, "_members", ())]:
        one._target.legal = one._block_reader.limits = None


def _warn(scheduler: Any, index: int, value: float, column: int) -> None:
    """Warn of an illegal value, and stop further warnings."""
    columns = _legal_columns(scheduler)
    written = columns[column][0] if columns else scheduler
    name, rule = arguments.shown(written.param_name, 100), (written._target.legal or ANY_VALUE).rule
    forget_legal_values(scheduler)
    warnings.warn(
        f"{name} must be {rule}, but {type(scheduler).__name__} writes {value:.6g} at event {index}, and "
        "goes on without further warnings; keep the schedule in this range, for example with Bounded of "
        "lehr.handlers.schedules",
        stacklevel=level_of_caller(),
    )
