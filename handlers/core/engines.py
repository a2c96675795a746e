"""The engines that schedulers are attached to."""

import weakref
from typing import Any

from ignite.engine import Engine, Events

from lehr.engine.event_counts import is_between_epochs

# The resume check of each engine, by the id of the scheduler: a subclass may define its own equality.
CHECKS: "dict[int, weakref.WeakKeyDictionary[Engine, Any]]" = {}


def engines_of(scheduler: Any) -> list[Engine]:
    """The engines to which ``scheduler.attach`` attached a scheduler."""
    return list(CHECKS.get(id(scheduler), ()))


def is_before_epoch_completed(scheduler: Any) -> bool:
    """Whether an engine of a scheduler is at the last iteration of an epoch, and its completion is still to come."""
    return any(
        engine.last_event_name == Events.ITERATION_COMPLETED and is_between_epochs(engine)
        for engine in engines_of(scheduler)
    )
