"""``same_target``, which checks that combined schedulers write the same parameter of the same param groups."""

from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules.arguments import shown


def same_target(schedulers: object, *, at_least: int) -> list[ParamScheduler]:
    """Check that schedulers write the same parameter of the same param groups, and return them.

    Args:
        schedulers: a list or tuple of schedulers; a :class:`ParamGroupScheduler` must have exactly one scheduler for
            each group of its optimizer.
        at_least: the smallest number of schedulers, 1 or 2.

    Raises:
        TypeError: ``schedulers`` is not a list or tuple of schedulers.
        ValueError: there are too few schedulers, or they differ in optimizer, param name or groups.
    """
    if not isinstance(schedulers, list | tuple):
        raise TypeError(f"schedulers must be a list or tuple, given {shown(schedulers)}")
    for at, scheduler in enumerate(schedulers):
        if not isinstance(scheduler, ParamScheduler | ParamGroupScheduler):
            raise TypeError(
                f"schedulers[{at}] must be a ParamScheduler or a ParamGroupScheduler, given {shown(scheduler)}"
            )
    if len(schedulers) < at_least:
        wanted = {1: "one", 2: "two"}[at_least]
        raise ValueError(f"schedulers must be {wanted} or more, given {shown(schedulers)}")
    members = [s.as_param_scheduler() if isinstance(s, ParamGroupScheduler) else s for s in schedulers]
    first = members[0]
    for name in ("optimizer", "param_name", "param_group_index"):
        different = [s for s in members if getattr(s, name) != getattr(first, name)]
        if different:
            given = (
                "" if name == "optimizer" else f": {shown(getattr(first, name))}, {shown(getattr(different[0], name))}"
            )
            raise ValueError(f"schedulers must all have the same {name}, given different ones{given}")
    return members
