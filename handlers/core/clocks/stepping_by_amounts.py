"""Functions that let a scheduler count amounts instead of events, such as the tokens of batches in a plain loop."""

import inspect
from typing import Any

from lehr.handlers.core.duration_unit_checks import refuse_in_plain_loop
from lehr.handlers.core.strided_reading import StridedReader
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.duration_texts import EVENTS

AMOUNTS = "amounts"  # the unit of a plain loop that passes amounts to ``apply``


def check_counts_amounts(scheduler: Any, argument: str) -> None:
    """Check that a scheduler can count amounts other than 1.

    Raises:
        ValueError: the scheduler's schedule must be read event by event, or ``__call__`` of the scheduler's class has
            no argument ``amount``.
    """
    planned = [getattr(one, "_planned", None) for one in (scheduler, *getattr(scheduler, "_members", ()))]
    stepwise = next((found for one in planned if one is not None and (found := _stepwise_part(one))), None)
    if stepwise is not None:
        raise ValueError(
            f"{argument} must be left out for a schedule that is computed event by event, given "
            f"{arguments.shown(stepwise)}: use a schedule of lehr that has a formula"
        )
    if "amount" not in inspect.signature(type(scheduler).__call__).parameters:
        raise ValueError(
            f"{argument} must be left out for {type(scheduler).__name__}, whose __call__ has no argument 'amount': "
            "add this argument, and pass it to the base class"
        )


def _stepwise_part(schedule: Schedule) -> Schedule | None:
    if schedule.goes_event_by_event:
        return schedule
    return next((found for part in schedule.parts if (found := _stepwise_part(part)) is not None), None)


def read_with_strides(scheduler: Any) -> None:
    """Let a scheduler read its schedule at indices that may be far apart."""
    if scheduler._reader_type is not StridedReader:
        scheduler._reader_type = StridedReader
        index, readings = scheduler._event_index, scheduler._readings
        scheduler._go_to(index)  # this makes a new reader
        scheduler._readings = readings


def count_events_again(scheduler: Any) -> None:
    """Let a scheduler that has counted amounts count events from now on, and keep its last value."""
    if scheduler._written_at is not None:
        scheduler._loaded_value = scheduler._last_value()
        scheduler._loaded_at, scheduler._written_at, scheduler._readings = scheduler._event_index, None, ()


def apply_amount(scheduler: Any, amount: object) -> None:
    """Write the value of this event of a plain loop, and count an amount; see :meth:`BaseParamScheduler.apply`."""
    checked = arguments.whole_number("amount", amount, at_least=0)
    if checked == 1 and scheduler._written_at is None:
        scheduler._counted = scheduler._counted or EVENTS
        scheduler(None)
        return
    if scheduler._written_at is None:
        check_counts_amounts(scheduler, "amount")
        if checked > 1:
            refuse_in_plain_loop(scheduler, counts_amounts=True)
        read_with_strides(scheduler)
    scheduler._counted = scheduler._counted or AMOUNTS
    index = scheduler._event_index
    scheduler(None, amount=checked)
    scheduler._written_at = index
