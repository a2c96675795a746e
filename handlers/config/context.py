"""The context of an entry of a config, such as the optimizer, the scheduled parameter and the length of an epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from lehr.handlers.core.base_values import one_or_all, read_base_values
from lehr.handlers.schedules import RunLength, Schedule, Stretch
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups

from .run_length_arguments import UNKNOWN

Key = tuple[str, int | None]  # a key of a param group, and an index if the value of the key is a tuple, otherwise None


@dataclass(frozen=True)
class ConfigContext:
    """The parameter that an entry schedules, with the lengths and the base values that its schedule needs.

    Args:
        optimizer: the optimizer.
        param_name: the name of the parameter.
        epoch_length: the number of events in an epoch, if the config counts epochs and the events are iterations.
            Otherwise, it is None.
        run: the length of the run.
        base: the initial value of each param group. If None, the initial values are the base values of the param
            groups.
        base_values: a mapping from the key of a parameter to base values, which replace the base values of the param
            groups.
        uses: the set of the keys of all parameters whose base values were read. All contexts of one config share this
            set.
        left: for an entry in a list, the values that the constructors of earlier entries would write into the param
            groups in mmengine. For any other entry, it is None.
    """

    optimizer: HasParamGroups
    param_name: str
    epoch_length: int | None
    run: RunLength = UNKNOWN
    base: tuple[float, ...] | None = None
    base_values: Mapping[Key, tuple[float, ...]] = field(default_factory=dict)
    uses: set[Key] = field(default_factory=set, compare=False)
    left: dict[str, Any] | None = None

    @cached_property
    def slot(self) -> ParamGroups:
        """The parameter as a target in the optimizer's param groups.

        Raises:
            ValueError: the optimizer has no such parameter.
        """
        return ParamGroups(self.optimizer, self.param_name, None)

    @cached_property
    def key(self) -> tuple[str, int | None]:
        """The key in a param group, such as ``"lr"``, and an index or None. For Adam, momentum is ``("betas", 0)``."""
        return self.slot.key, self.slot.item

    @cached_property
    def initial_values(self) -> tuple[float, ...]:
        """The initial value of each param group, which is ``base`` or the base value of the group."""
        if self.base is not None:
            return self.base
        self.uses.add(self.key)
        return self.base_values.get(self.key) or read_base_values(self.slot, None)

    @cached_property
    def initial_value(self) -> Number:
        """The initial values of the param groups, or one number if all groups have the same value."""
        return one_or_all(self.initial_values)

    @property
    def default(self) -> float:
        """The optimizer's default value of the parameter. Without a default, the initial value of the first group."""
        if self.base is not None:
            return self.base[0]
        value = getattr(self.optimizer, "defaults", {}).get(self.param_name, self.initial_values[0])
        return float(value) if not isinstance(value, tuple | list) else self.initial_values[0]

    @property
    def every(self) -> int:
        """The number of events in each step of a schedule that counts epochs."""
        return self.epoch_length or 1

    def stepping(self, events: int) -> "ConfigContext":
        """Return the context of an entry whose steps are ``events`` events long."""
        return replace(self, epoch_length=None if events == 1 else events)

    def in_events(self, schedule: Schedule) -> Schedule:
        """Return a schedule that counts events, made from a schedule that counts epochs."""
        return schedule if self.every == 1 else Stretch(schedule, self.every)

    def starting_from(self, key: Key, base: Number) -> "ConfigContext":
        """Return the context of the same config with other base values of a parameter."""
        groups = len(self.slot.groups())
        values = tuple(base) if isinstance(base, Sequence) else (base,) * groups
        return replace(self, base_values={**self.base_values, key: values}, uses=set())

    def of(self, param_name: str) -> "ConfigContext":
        """Return the context for another parameter of the optimizer."""
        return self if param_name == self.param_name else replace(self, param_name=param_name, base=None)
