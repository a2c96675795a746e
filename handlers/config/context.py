"""What a config is for: an optimizer, one of its parameters, and a clock."""

from dataclasses import dataclass, replace
from functools import cached_property

from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.group_selection import Group
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups


@dataclass(frozen=True)
class Target:
    """The parameter that an entry is for.

    Args:
        optimizer: the optimizer.
        param_name: the parameter.
        epoch_length: events in an epoch, where the config counts epochs and events are iterations; else None.
        base: what to take the param groups to hold; None for what they do hold.
    """

    optimizer: HasParamGroups
    param_name: str
    epoch_length: int | None
    base: tuple[float, ...] | None = None

    @cached_property
    def initial(self) -> tuple[float, ...]:
        """What each param group holds now."""
        if self.base is not None:
            return self.base
        return tuple(ParamGroups(self.optimizer, self.param_name, None).read())

    @property
    def own(self) -> Number:
        """The same: one number where all groups hold the same."""
        return shared(self.initial)

    @property
    def default(self) -> float:
        """The value that the optimizer itself was made with, or that of its first group."""
        held = getattr(self.optimizer, "defaults", {}).get(self.param_name, self.initial[0])
        return float(held) if not isinstance(held, tuple | list) else self.initial[0]

    @property
    def groups(self) -> list[Group]:
        """The param groups."""
        return list(self.optimizer.param_groups)

    def of(self, param_name: str) -> "Target":
        """The same for another parameter."""
        return self if param_name == self.param_name else replace(self, param_name=param_name, base=None)


def shared(values: tuple[float, ...]) -> Number:
    """One number where all are the same."""
    return values[0] if len(set(values)) == 1 else values
