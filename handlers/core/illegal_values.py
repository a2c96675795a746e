"""The warning of the first value that an optimizer does not allow."""

import warnings
from typing import Any

from .resume_policy import level_of_caller


def warn_outside(scheduler: Any, index: int, value: Any) -> None:
    """Warn if a value, or one of a list, is outside of the legal values of a scheduler."""
    lowest, highest = scheduler._limits
    for one in value if isinstance(value, list) else (value,):
        if not lowest <= one <= highest:
            _warn(scheduler, index, one, 0)
            return


def warn_of_illegal(scheduler: Any) -> None:
    """Warn of the illegal value that the block reader of a scheduler has found."""
    index, value, column = scheduler._block_reader.illegal
    scheduler._block_reader.illegal = None
    _warn(scheduler, index, value, column)


def warn_in_table(scheduler: Any, table: Any) -> None:
    """Warn of the first illegal value in a table ``(events, groups)`` that begins at event 0."""
    limits = scheduler._legal_limits()
    if limits is not None:
        is_illegal = (table < limits[0]) | (table > limits[1])
        for index in is_illegal.any(axis=1).nonzero()[0][:1]:
            column = int(is_illegal[index].argmax())
            _warn(scheduler, int(index), float(table[index, column]), column)


def _warn(scheduler: Any, index: int, value: float, column: int) -> None:
    """Warn once, whatever follows."""
    scheduler._has_warned, scheduler._limits = True, None
    param_name, rule = scheduler._legal_rule(column)
    warnings.warn(
        f"{param_name!r} must be {rule}, but {type(scheduler).__name__} writes {value:.6g} at event {index}, and "
        "goes on without further warnings; keep the schedule in this range, for example with Bounded of "
        "lehr.handlers.schedules",
        stacklevel=level_of_caller(),
    )
