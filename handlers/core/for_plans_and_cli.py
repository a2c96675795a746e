"""Functions that plans and the command use to read the private attributes of schedulers."""

from collections.abc import Collection
from typing import Any, NamedTuple

from ignite.engine import Engine
from torch.optim import Optimizer

from lehr.handlers.schedules import Schedule
from lehr.handlers.targets.target import Location

from .attached_engines import clock_of, counts_for, engines_of, intended_lead, times_attached
from .attaching import Filtered
from .clocks.simulated_clocks import ClockedAttachment, clocked_attachment, counting_function, is_counter
from .illegal_values import forget_legal_values
from .param_scheduler import ParamScheduler
from .resuming.index_check import ResumeCheck, nearest_expected
from .resuming.metrics_after_save import what_it_brings
from .run_warnings import how_to_begin_anew
from .scheduler import EXISTING, BaseParamScheduler
from .scheduler_introspection import column_labels, members_of, metric_name_of, reads_metric, target_of
from .written_locations import Locations, labels_of, locations_of, shared_locations

__all__ = [
    "ClockedAttachment",
    "FilteredAttachment",
    "Location",
    "Locations",
    "base_values_of",
    "clock_of",
    "clocked_attachment",
    "column_labels",
    "counting_function",
    "counts_for",
    "engines_of",
    "existing_schedulers",
    "filtered_attachment",
    "history_engine",
    "history_names",
    "how_to_begin_anew",
    "intended_lead",
    "is_counter",
    "is_written_elsewhere",
    "labels_of",
    "locations_of",
    "members_of",
    "metric_name_of",
    "nearest_expected",
    "optimizers_of",
    "planned_schedule",
    "prepare_copy",
    "reads_metric",
    "resumed_scheduler",
    "set_called_by_another",
    "shared_locations",
    "simulate_resume",
    "target_of",
    "times_attached",
    "training_step_of",
    "type_name_of",
    "was_sought",
    "what_it_brings",
]


class FilteredAttachment(NamedTuple):
    """The handler that ``attach`` registers for an event with a filter, or for the steps of one optimizer.

    Args:
        scheduler: the scheduler.
        event_filter: the filter of the event; None if the event has no filter.
        optimizer: the optimizer whose steps call the scheduler. If None, all events call the scheduler.
    """

    scheduler: BaseParamScheduler
    event_filter: Any
    optimizer: Optimizer | None


def filtered_attachment(handler: object) -> FilteredAttachment | None:
    """Return the scheduler, filter and optimizer of a handler that ``attach`` made; None for any other handler."""
    if (clocked := clocked_attachment(handler)) is not None:
        return FilteredAttachment(clocked.scheduler, getattr(clocked.event, "filter", None), clocked.optimizer)
    if not isinstance(handler, Filtered):
        return None
    optimizer = None if handler._optimizer is None else handler._optimizer()
    return FilteredAttachment(handler._scheduler, handler._event.filter, optimizer)


def resumed_scheduler(handler: object) -> BaseParamScheduler | None:
    """Return the scheduler that a resume check corrects; None for a handler that is not a resume check."""
    return handler.scheduler if isinstance(handler, ResumeCheck) else None


def simulate_resume(handler: object, engine: Engine, copied: BaseParamScheduler) -> None:
    """Correct a copy of a scheduler as the resume check of the scheduler would correct the scheduler itself.

    Args:
        handler: a handler for which :func:`resumed_scheduler` is not None.
        engine: the engine of the simulated run.
        copied: the copy of the scheduler.
    """
    assert isinstance(handler, ResumeCheck)
    handler.simulate_resume(engine, copied)


def prepare_copy(copied: BaseParamScheduler, metrics: Collection[str]) -> None:
    """Prepare a copy of a scheduler for a simulated run.

    The copy then records nothing, does not warn of illegal values, and does not wait for other ranks.

    Args:
        copied: the copy of a scheduler.
        metrics: names of the metrics that the simulated run has. Other metrics may be missing.
    """
    forget_legal_values(copied)  # the checks of a plan report illegal values
    copied.save_history = False
    feed = vars(copied).get("_feed")
    if feed is not None:
        feed.reduction, feed.may_be_missing = "none", feed.name not in metrics


def existing_schedulers() -> list[BaseParamScheduler]:
    """Return all schedulers that exist in this process, without the copies of simulated runs."""
    return list(EXISTING.values())


def optimizers_of(scheduler: BaseParamScheduler) -> set[int]:
    """Return the ids of the optimizers that a scheduler writes to."""
    return {id(member.optimizer) for member in members_of(scheduler) if isinstance(member, ParamScheduler)}


def base_values_of(scheduler: BaseParamScheduler) -> list[float]:
    """Return the base value of each param group that a scheduler writes; an empty list if it writes no param groups."""
    return scheduler._target.base_values() if isinstance(scheduler, ParamScheduler) else []


def planned_schedule(scheduler: BaseParamScheduler) -> Schedule | None:
    """Return the schedule in the code, without a resume policy; None if the scheduler has only ``get_param``."""
    return scheduler._planned


def is_written_elsewhere(scheduler: BaseParamScheduler) -> bool:
    """Return whether another object, such as a ``DevicePlan``, writes the values of a scheduler."""
    return scheduler._is_called_by_another


def set_called_by_another(scheduler: BaseParamScheduler) -> None:
    """Record that another object, such as a ``DevicePlan``, writes the values of a scheduler."""
    scheduler._is_called_by_another = True


def was_sought(scheduler: BaseParamScheduler) -> bool:
    """Return whether ``seek`` was called after the scheduler was last attached or resumed."""
    return scheduler._sought


def history_names(scheduler: BaseParamScheduler, name: str | None) -> list[str]:
    """Return the names of the histories of a scheduler that was attached with ``name``, which may be None."""
    return scheduler._history_names(name)


def history_engine(scheduler: BaseParamScheduler, engine: Engine) -> Engine:
    """Return the engine whose state has the history of the values that a scheduler writes at an engine's events."""
    return scheduler._recording_engine(engine)


def type_name_of(scheduler: BaseParamScheduler) -> str:
    """Return the type in the config of a scheduler, or the name of its class if it was not made from a config."""
    return str((scheduler._config or {}).get("type", type(scheduler).__name__))


def training_step_of(engine: Engine) -> Any:
    """Return the function that an engine calls for each batch."""
    return engine._process_function
