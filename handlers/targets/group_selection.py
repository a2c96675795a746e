"""The argument ``param_group_index``, which selects param groups, also among the groups that you add later."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.arguments import shown

Group = dict[str, Any]
Predicate = Callable[[Group], bool]
ADDED = ("adopt", "ignore", "own", "refuse")


@dataclass(frozen=True)
class Groups:
    """A selection of param groups, for the argument ``param_group_index`` of any scheduler.

    You can also pass an index, a name or a predicate without this class. With this class, you also choose what happens
    to param groups that you add in mid-run, for example when you unfreeze layers.

    Args:
        select: an index; the ``"name"`` entry of a group; a predicate, which takes a group and returns a bool; or None
            for all groups.
        added: the rule for a selected group that you add after you constructed the scheduler. ``"own"`` starts the
            group from its own value. If you add the group before event j with the value v, its value at event i is
            v * f(i) / f(j), where f(i) is the value of the first group. If the group has an ``initial_`` entry, such as
            ``initial_lr``, then v is the value of this entry, and the base value of the first group replaces f(j). The
            base value also replaces f(j) if f(j) is 0. ``"adopt"`` gives the group the value of the other groups, or
            the last value if the schedule has a value for each group. ``"ignore"`` never writes to the group.
            ``"refuse"`` raises an error at the next event. None means ``"own"`` if the schedule starts from each
            group's own value, ``"adopt"`` if the schedule has one value for all groups, and ``"refuse"`` otherwise.
        required: whether the group must exist when you construct the scheduler. If False, the scheduler counts its
            events and writes nothing until you add the group.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``added`` is unknown, or is given with an index, which selects only one group; ``required`` is False
            although ``select`` cannot wait for a group to be added.

    Example:
        >>> import torch
        >>> from lehr.handlers import ParamScheduler
        >>> head, body = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
        >>> optimizer = torch.optim.SGD([{"params": [head], "name": "head"}], lr=1.0)
        >>> warmup = ParamScheduler(optimizer, "lr", param_group_index=Groups(added="ignore"), schedule=lambda i: 0.5)
        >>> of_the_body = {"params": [body], "name": "body"}
        >>> optimizer.add_param_group(of_the_body)
        >>> warmup(None)
        >>> ParamScheduler(optimizer, "lr", param_group_index="body", schedule=lambda i: 0.25)(None)
        >>> [(group["name"], group["lr"]) for group in optimizer.param_groups]
        [('head', 0.5), ('body', 0.25)]
    """

    select: int | str | Predicate | None = None
    added: str | None = None
    required: bool = True

    def __post_init__(self) -> None:
        """Check the arguments."""
        select = self.select
        if isinstance(select, bool) or not (
            isinstance(select, int | str | None) or (callable(select) and not isinstance(select, type))
        ):
            raise TypeError(
                "param_group_index must be an index, a name, a predicate, Groups or None, "
                f"given {arguments.shown(select)}"
            )
        arguments.flag("required", self.required)
        if not self.required and (self.select is None or (isinstance(self.select, int) and self.select < 0)):
            raise ValueError(
                "required must be True if select is None or a negative index, because such a selection cannot wait for "
                f"a group to be added, given select={shown(self.select)}"
            )
        if self.added is not None:
            arguments.one_of("added", self.added, ADDED)
            if isinstance(select, int):
                raise ValueError(f"added must be None if select is an index, given {arguments.shown(self.added)}")

    def config(self) -> Any:
        """Return the selection as plain data.

        Raises:
            TypeError: ``select`` is a predicate.
        """
        if callable(self.select):
            raise TypeError(
                f"param_group_index must be plain data to be in a config, given {arguments.shown(self.select)}"
            )
        given = {"select": self.select, "added": self.added, "required": self.required}
        default = {"added": None, "required": True}
        more = {name: value for name, value in given.items() if name not in default or value != default[name]}
        return more if len(more) > 1 else self.select

    def of(self, groups: Sequence[Group]) -> list[Group]:
        """Return the selected groups."""
        return [groups[index] for index in self.indices(groups)]

    def indices(self, groups: Sequence[Group]) -> list[int]:
        """Return the indices of the selected groups."""
        if self.select is None:
            return list(range(len(groups)))
        if isinstance(self.select, int):
            return [self.select] if self.select < len(groups) else []
        if isinstance(self.select, str):
            return [at for at, group in enumerate(groups) if group.get("name") == self.select]
        return [at for at, group in enumerate(groups) if self._is_selected(group)]

    def _is_selected(self, group: Group) -> bool:
        assert callable(self.select)
        try:
            chosen = self.select(group)
        except Exception as error:
            rule = "param_group_index must be a predicate that takes a param group"
            message = f"{rule}, given {arguments.shown(self.select)}: {error}"
            raise TypeError(arguments.shortened(message)) from error
        if not isinstance(chosen, bool | np.bool_):
            raise TypeError(
                "param_group_index must return True or False, "
                f"given {arguments.shown(self.select)}: {arguments.shown(chosen)}"
            )
        return bool(chosen)

    def resolved(self, groups: Sequence[Group]) -> "Groups":
        """Return the same selection, with a negative index replaced by the index of the same group, counted from 0.

        Raises:
            ValueError: no group is selected although ``required`` is True.
        """
        if not self.required or self.select is None:
            return self
        if isinstance(self.select, int):
            if not -len(groups) <= self.select < len(groups):
                raise ValueError(
                    f"param_group_index must be the index of one of the optimizer's {len(groups)} groups, "
                    f"given {arguments.shown(self.select)}"
                )
            return Groups(self.select % len(groups))
        if groups and not self.indices(groups):
            if isinstance(self.select, str):
                names = sorted({repr(group["name"]) for group in groups if "name" in group})
                raise ValueError(
                    f"param_group_index must be the name of a group, one of {', '.join(names) or '(there are none)'}, "
                    f"given {arguments.shown(self.select)}"
                )
            raise ValueError(
                f"param_group_index must select at least one of the optimizer's {len(groups)} groups, "
                f"given {arguments.shown(self.select)}"
            )
        return self


Selection = int | str | Predicate | Groups | None
ALL = Groups()


def as_groups(given: object) -> Groups:
    """Return the argument ``param_group_index`` as :class:`Groups`.

    Raises:
        TypeError: the argument does not select groups.
    """
    if given is None:
        return ALL
    return given if isinstance(given, Groups) else Groups(given)  # type: ignore[arg-type]
