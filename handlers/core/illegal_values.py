"""The warning of the first value that an optimizer does not allow."""

import warnings
from typing import Any

import numpy as np

from lehr.handlers.targets.legal_values import ANY_VALUE, LegalRange

from .reading import Limits
from .resume_policy import level_of_caller


def legal_of(scheduler: Any) -> list[tuple[str, LegalRange | None]]:
    """The parameter and the legal values of each column of a scheduler's values; one where all are the same."""
    members = vars(scheduler).get("_members")
    if members is None:
        return [(scheduler.param_name, scheduler._target.legal)]
    if not scheduler._is_pure:
        return [("", None)]  # values are read event by event, and each member warns of its own
    return [legal_of(member)[0] for member in members for _ in range(member.schedule.groups or 1)]


def limits_of(scheduler: Any) -> Limits | None:
    """The lowest and the highest legal value of each column; None if all are legal, and after a warning."""
    legal = [legal for _, legal in legal_of(scheduler)]
    if vars(scheduler).get("_has_warned") or all(one is None for one in legal):
        return None
    lowest, highest = zip(*((one or ANY_VALUE)[1:] for one in legal), strict=True)
    return (lowest[0], highest[0]) if len(legal) == 1 else (np.array(lowest), np.array(highest))


def read_in_block(scheduler: Any, index: int) -> Any:
    """The value of a scheduler's pure schedule at an event."""
    reader = scheduler._block_reader
    value = reader.read(index)
    if reader.illegal is not None:
        found, reader.illegal = reader.illegal, None
        _warn(scheduler, *found)
    return value


def checked(scheduler: Any, index: int, value: Any) -> Any:
    """The value, after a warning if it, or one of a list, is not legal."""
    lowest, highest = scheduler._limits
    for one in value if isinstance(value, list) else (value,):
        if not lowest <= one <= highest:
            _warn(scheduler, index, one, 0)
            break
    return value


def warn_in_table(scheduler: Any, table: Any) -> None:
    """Warn of the first illegal value in a table ``(events, groups)`` that begins at event 0."""
    limits = limits_of(scheduler)
    if limits is not None:
        is_illegal = (table < limits[0]) | (table > limits[1])
        for index in is_illegal.any(axis=1).nonzero()[0][:1]:
            column = int(is_illegal[index].argmax())
            _warn(scheduler, int(index), float(table[index, column]), column)


def _warn(scheduler: Any, index: int, value: float, column: int) -> None:
    """Warn once, whatever follows."""
    scheduler._has_warned, scheduler._limits = True, None
    legal = legal_of(scheduler)
    param_name, legal_range = legal[column if len(legal) > 1 else 0]
    rule = (legal_range or ANY_VALUE).rule
    warnings.warn(
        f"{param_name!r} must be {rule}, but {type(scheduler).__name__} writes {value:.6g} at event {index}, and "
        "goes on without further warnings; keep the schedule in this range, for example with Bounded of "
        "lehr.handlers.schedules",
        stacklevel=level_of_caller(),
    )
