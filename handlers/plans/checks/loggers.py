"""Checks that ignite's loggers log the parameters of an optimizer after the schedulers write them."""

from collections.abc import Iterator
from typing import Any

from ignite.handlers.base_logger import BaseOptimizerParamsHandler

from lehr.engine.handler_inspection import handlers_of
from lehr.engine.optimizer_events import wrapped_optimizer
from lehr.handlers.core.for_plans_and_cli import filtered_attachment
from lehr.handlers.plans.simulation.simulated_scheduler import SimulatedScheduler

from .checked_run import CheckedRun
from .findings import Finding


def early_logs(checked: CheckedRun) -> Iterator[Finding]:
    """Find loggers that log a parameter at an event before a scheduler writes it at the same event."""
    for scheduler in checked.run.schedulers:
        for event in dict.fromkeys(handler.event for handler in scheduler.writing_handlers):
            logger = _logger_before(checked, scheduler, event)
            if logger is not None and _changes(checked, scheduler):  # if no value changes, the logged value is right
                name = getattr(event, "name", str(event))
                message = (
                    f"{type(logger).__name__} logs {logger.param_name!r} at {name} before the scheduler writes it "
                    "there: it logs the value of the event before"
                )
                suggestion = "attach the logger after the scheduler, or to ITERATION_COMPLETED"
                yield Finding("early-log", "warning", scheduler.description, message, suggestion)


def _changes(checked: CheckedRun, scheduler: SimulatedScheduler) -> bool:
    """Return whether a scheduler writes different values in the run."""
    tables = [one.event_values for one in checked.run.written_schedules if one.scheduler is scheduler]
    first_rows = {tuple(table[0].tolist()) for table in tables if len(table)}
    return len(first_rows) > 1 or any((table[1:] != table[:1]).any() for table in tables)


def _logger_before(checked: CheckedRun, scheduler: SimulatedScheduler, event: Any) -> Any:
    """Return a logger that logs a number at an event before a scheduler writes it, or None if there is none."""
    written = {(id(one.owner), one.key) for one in checked.original_locations[scheduler]}
    for registered in handlers_of(checked.run.trainer, event):
        handler = registered.handler
        attachment = filtered_attachment(handler)
        if handler is scheduler.original or (attachment is not None and attachment.scheduler is scheduler.original):
            return None
        if isinstance(handler, BaseOptimizerParamsHandler):
            owners = handler.optimizer, wrapped_optimizer(handler.optimizer)
            if any((id(owner), handler.param_name) in written for owner in owners):
                return handler
    return None
