"""The schedulers that a composed scheduler is made of."""

from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler


def same_target(schedulers: object, *, at_least: int) -> list[ParamScheduler]:
    """Check that schedulers write one parameter of the same groups of one optimizer, and return them.

    Args:
        schedulers: a list or tuple of schedulers; a :class:`ParamGroupScheduler` counts as one if it has each group of
            an optimizer once.
        at_least: how many there must be.

    Raises:
        TypeError: not a list or tuple, or a member of the wrong kind.
        ValueError: too few, or of different optimizers, parameters or groups.
    """
    if not isinstance(schedulers, list | tuple):
        raise TypeError(f"schedulers must be a list or tuple, given {schedulers!r}")
    for at, scheduler in enumerate(schedulers):
        if not isinstance(scheduler, ParamScheduler | ParamGroupScheduler):
            raise TypeError(f"schedulers[{at}] must be a ParamScheduler or a ParamGroupScheduler, given {scheduler!r}")
    if len(schedulers) < at_least:
        wanted = {1: "one", 2: "two"}[at_least]
        raise ValueError(f"schedulers must be {wanted} or more, given {schedulers!r}")
    members = [s.as_param_scheduler() if isinstance(s, ParamGroupScheduler) else s for s in schedulers]
    first = members[0]
    for name in ("optimizer", "param_name", "param_group_index"):
        different = [s for s in members if getattr(s, name) != getattr(first, name)]
        if different:
            given = "" if name == "optimizer" else f": {getattr(first, name)!r}, {getattr(different[0], name)!r}"
            raise ValueError(f"schedulers must all have the same {name}, given different ones{given}")
    return members
