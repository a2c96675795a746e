"""The engines that schedulers are attached to."""

import weakref
from typing import Any

from ignite.engine import Engine

# The resume check of each engine, by the id of the scheduler: a subclass may define its own equality.
CHECKS: "dict[int, weakref.WeakKeyDictionary[Engine, Any]]" = {}


def engines_of(scheduler: Any) -> list[Engine]:
    """The engines to which ``scheduler.attach`` attached a scheduler."""
    return list(CHECKS.get(id(scheduler), ()))
