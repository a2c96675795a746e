"""Where a value goes: one named parameter of an optimizer's param groups."""

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import Any, Protocol

import torch

from lehr.handlers.schedules import arguments

from .group_selection import Group, Selection, as_groups

Value = float | list[float]


class HasParamGroups(Protocol):
    """A torch optimizer, or anything else with its ``param_groups``."""

    @property
    def param_groups(self) -> list[Group]:
        """The param groups, each a dictionary of hyper-parameters."""


class StandInOptimizer:
    """What a schedule is simulated on where there is no optimizer: it has the one parameter that is asked for."""

    def __init__(self) -> None:
        self.param_groups: list[Group] = [{}]


class ParamSlot:
    """One named parameter in all of an optimizer's param groups, or in one of them.

    ``"lr"`` is an entry of a group and ``"betas[0]"`` one item of an entry that is a tuple; ``"momentum"``
    means ``betas[0]`` in an optimizer that has betas and no momentum. A number is replaced and a tensor is
    filled in place, so that compiled and graph-captured optimizers go on reading the tensor they know.

    Groups are looked up whenever they are written: ``add_param_group`` and ``load_state_dict`` may replace
    them at any time.

    Args:
        optimizer: a torch optimizer, or an object with its ``param_groups``.
        param_name: name of the parameter.
        param_group_index: the only group to write, by its index or name, or several by a predicate; a negative index
            counts from the group that is the last one now. None for all groups; see :class:`Groups`.

    Raises:
        TypeError: ``optimizer`` has no list of param groups, or an argument is of the wrong kind.
        ValueError: no such parameter, or it does not hold a number; no such group.
    """

    def __init__(self, optimizer: HasParamGroups, param_name: str, param_group_index: Selection) -> None:
        groups = getattr(optimizer, "param_groups", None)
        if not isinstance(groups, Sequence) or not all(isinstance(group, dict) for group in groups):
            raise TypeError(f"optimizer must be a torch optimizer or have its param_groups, given {optimizer!r}")
        if not isinstance(param_name, str):
            raise TypeError(f"param_name must be a string, given {param_name!r}")
        selection = as_groups(param_group_index)
        if isinstance(optimizer, StandInOptimizer):
            optimizer.param_groups[0].setdefault(param_name, math.nan)  # so that nobody computes with it
        self.optimizer = optimizer
        self.selection = selection.resolved(groups)
        self.index = self.selection.select if isinstance(self.selection.select, int) else None
        self.known_groups = len(groups)  # the others have been added since
        self._all = self.selection.select is None and self.selection.added in (None, "adopt")
        self.key, self.item = _find(param_name, self.groups())

    @property
    def param_group_index(self) -> Selection:
        """The selection as it was given, an index counted from the first group."""
        return self.selection if self.selection.added is not None else self.selection.select

    def groups(self) -> list[Group]:
        """The groups that are written, as they are now.

        Raises:
            ValueError: a group was added that is refused.
        """
        groups = self.optimizer.param_groups
        if self._all:
            return groups
        if self.index is not None:
            return [groups[self.index]]
        if self.selection.added == "ignore":
            return self._selected(groups[: self.known_groups])
        if self.selection.added == "refuse" and self.selection.of(groups[self.known_groups :]):
            raise ValueError(
                f"the optimizer must not be given param groups that {self.key!r} is scheduled for, since added is "
                f"'refuse': it had {self.known_groups} of them and has {len(groups)}"
            )
        return self._selected(groups)

    def _selected(self, groups: list[Group]) -> list[Group]:
        selected = self.selection.of(groups)
        if not selected:
            raise ValueError(
                f"param_group_index must select at least one of the optimizer's {len(groups)} groups, as before, given "
                f"{self.selection.select!r}: has loading its state taken their names away?"
            )
        return selected

    @property
    def adopts(self) -> bool:
        """Whether groups beyond those that there are values for have the last value."""
        return self.selection.added == "adopt"

    def leave_to_be_added(self, num_values: int) -> None:
        """Take the groups beyond so many for ones that were added since, where it is said what to do with those.

        A run that is resumed may make all of them before the scheduler.
        """
        chosen = [id(group) for group in self.groups()]
        if self.selection.added in ("adopt", "ignore") and 0 < num_values < len(chosen):
            last = chosen[num_values - 1]
            places = [id(group) for group in self.optimizer.param_groups]
            self.known_groups = places.index(last) + 1

    def fitted(self, values: list[float], groups: Sequence[Group]) -> list[float]:
        """One value for each of the groups that are written.

        Raises:
            ValueError: there are not as many, and groups that were added are not adopted.
        """
        more = len(groups) - len(values)
        if more > 0 and values and self.adopts:
            return values + values[-1:] * more
        if more:
            raise ValueError(
                f"{len(values)} values of {self.key!r} cannot be written to {len(groups)} param groups; where groups "
                "are added in mid-run, param_group_index=Groups(added='adopt') gives them the last value, and 'ignore' "
                "leaves them alone"
            )
        return values

    def read(self) -> list[float]:
        """What the groups hold now, a number for each."""
        return [float(held) for held in self._held_by(self.groups())]

    def tensors(self, own_values: bool) -> list[torch.Tensor]:
        """The tensors that the groups hold, to write into.

        Args:
            own_values: whether each is to have a value of its own.

        Raises:
            ValueError: a group holds a number, or, where it is to have a value of its own, the tensor of another one.
        """
        held = self._held_by(self.groups())
        for at, old in enumerate(held):
            if not isinstance(old, torch.Tensor):
                raise ValueError(
                    f"{self.key!r} must be a tensor in all param groups that are written, given {old!r} in the group "
                    f"{at} of them: make the optimizer with torch.tensor({old!r}), on the device of its parameters"
                )
        if own_values or not self._all:
            self._refuse_shared(held)
        return held

    def write(self, value: Value) -> None:
        """Put one value into every group, or one of a list into each.

        Raises:
            ValueError: there are not as many values as groups, groups that are to have values of their own share
                a tensor, or a group that was added later lacks the parameter; nothing is written then.
        """
        groups, key = self.groups(), self.key
        for group in groups:
            if self.item is not None or type(group.get(key)) is not float:
                self._put(groups, *self._checked(value, groups))
                return
        values = self.fitted(value, groups) if isinstance(value, list) else repeat(value)
        for group, own in zip(groups, values):  # noqa: B905 -- repeat() has no end
            group[key] = own

    def writing(self, value: Value) -> Callable[[], None]:
        """What :meth:`write` does once it has raised what it may raise."""
        groups = self.groups()
        return partial(self._put, groups, *self._checked(value, groups))

    def _put(self, groups: list[Group], held: list[Any], values: Iterable[float]) -> None:
        filled = None
        for group, old, new in zip(groups, held, values):  # noqa: B905 -- repeat() has no end
            if isinstance(old, torch.Tensor):
                if old is not filled:  # groups may share one, if they have one value
                    (old.detach() if old.requires_grad else old).fill_(new)
                filled = old
            elif self.item is None:
                group[self.key] = new
            else:
                items = [*group[self.key][: self.item], new, *group[self.key][self.item + 1 :]]
                group[self.key] = type(group[self.key])(items)

    def _checked(self, value: Value, groups: list[Group]) -> tuple[list[Any], Iterable[float]]:
        """What the groups hold, and what each is to hold instead."""
        values: Iterable[float] = self.fitted(value, groups) if isinstance(value, list) else repeat(value)
        held = self._held_by(groups)
        if not self._all or isinstance(value, list):
            self._refuse_shared(held)
        return held, values

    def refuse_shared_tensors(self) -> None:
        """Raise if a tensor that is to be written for one group is another group's as well.

        Raises:
            ValueError: two groups cannot have values of their own.
        """
        self._refuse_shared(self._held_by(self.groups()))

    def _refuse_shared(self, held: list[Any]) -> None:
        tensors = [old for old in held if isinstance(old, torch.Tensor)]
        if not tensors:
            return
        owned = [
            id(held) for held in self._held_by(group for group in self.optimizer.param_groups if self.key in group)
        ]
        if len(set(owned)) == len(owned):  # as is usual, and quickly told
            return
        owners = Counter(owned)
        if any(owners[id(tensor)] > 1 for tensor in tensors):
            raise ValueError(
                f"param groups must each have a tensor {self.key!r} of their own to have values of their own, "
                "given one tensor in several groups: put a clone() of it into each"
            )

    def _held_by(self, groups: Iterable[Group]) -> list[Any]:
        """What these groups hold: a number or a tensor each."""
        try:
            if self.item is None:
                return [group[self.key] for group in groups]
            return [group[self.key][self.item] for group in groups]
        except KeyError as missing:
            raise ValueError(f"{missing} cannot be written to a param group that has no {missing}") from None

    def is_plain(self) -> bool:
        """Whether to write is to put a float into each of the optimizer's groups, and nothing else."""
        return self._all and self.plain_part() is not None

    def plain_part(self) -> slice | None:
        """Which of the optimizer's groups are written, if to write is to put a float into each, and nothing else."""
        if self.item is not None or not (self._all or self.index is not None):
            return None
        part = slice(None) if self.index is None else slice(self.index, self.index + 1)
        groups = self.optimizer.param_groups[part]
        if not groups or isinstance(groups[0][self.key], torch.Tensor):  # quickly told, where tensors are written
            return None
        return part if all(type(group[self.key]) is float for group in groups) else None


def _find(param_name: str, groups: list[Group]) -> tuple[str, int | None]:
    """The entry that a parameter's name stands for in all groups, and the item in it if it is a tuple."""
    for name in (param_name, "betas[0]") if param_name == "momentum" else (param_name,):
        places = [_place_of(name, group) for group in groups]
        if places and places[0] is not None and None not in places:
            return places[0]
    known = [_numbers_in(group) for group in groups]
    names = [name for name in (known[0] if known else ()) if all(name in others for others in known)]
    near = difflib.get_close_matches(param_name, names, n=1)
    raise ValueError(
        f"param_name must be one of {', '.join(map(repr, sorted(names))) or '(the optimizer has none)'}, "
        f"given {param_name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    )


def _place_of(name: str, group: Group) -> tuple[str, int | None] | None:
    """Where a numeric parameter of this name stands in a group: its entry, and the item; None if there is none."""
    if name in group and _is_number(group[name]):
        return name, None
    key = name.rpartition("[")[0]
    for item, number in enumerate(_items(key, group.get(key))):
        if name == f"{key}[{item}]" and _is_number(number):
            return key, item
    return None


def _numbers_in(group: Group) -> list[str]:
    """The names of a group's numeric parameters."""
    names = []
    for key, value in group.items():
        if _is_number(value):
            names.append(key)
        names += [f"{key}[{item}]" for item, number in enumerate(_items(key, value)) if _is_number(number)]
    return names


def _items(key: str, value: object) -> Sequence[Any]:
    """The items of an entry that may be parameters of their own; those that are trained are none."""
    return value if isinstance(value, tuple | list) and key != "params" else ()


def _is_number(value: object) -> bool:
    if isinstance(value, torch.Tensor):
        return value.is_floating_point() and value.numel() == 1
    return isinstance(value, arguments.REAL) and not isinstance(value, bool)
