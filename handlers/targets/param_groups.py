"""One parameter of an optimizer's param groups."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import torch
from ignite.engine import Engine

from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.arguments import shown

from .group_selection import Group, Selection, as_groups
from .legal_values import legal_range
from .param_names import find_entry
from .target import Location, Target, Value
from .tensor_precision import as_held


class HasParamGroups(Protocol):
    """A torch optimizer, or anything else with its ``param_groups``."""

    @property
    def param_groups(self) -> list[Group]:
        """The param groups, each a dictionary of hyper-parameters."""


class PlaceholderOptimizer:
    """An optimizer for simulations: it has one param group, with any parameter that a scheduler needs."""

    def __init__(self) -> None:
        self.param_groups: list[Group] = [{}]


class FloatGroups(NamedTuple):
    """Param groups that hold floats; valid while the list of groups and its length stay the same.

    Args:
        optimizer: the optimizer.
        groups: the list of its groups; loading a state replaces it.
        length: the length of the list; adding a group changes it.
        key: the entry of each group.
        first: the index of the first group that is written.
        indices: the indices of all groups that are written, rising; None where there is only the first.
    """

    optimizer: HasParamGroups
    groups: list[Group]
    length: int
    key: str
    first: int
    indices: Sequence[int] | None


class ParamGroups(Target):
    """One named parameter in all of an optimizer's param groups, or in some of them.

    ``"lr"`` is an entry of a group and ``"betas[0]"`` one item of an entry that is a tuple; ``"momentum"`` means
    ``betas[0]`` in an optimizer that has betas and no momentum. A number is replaced. A tensor is filled in place, so
    that compiled optimizers and CUDA graphs keep reading the same tensor.

    Each event looks the groups up again, since ``add_param_group`` and ``load_state_dict`` may change them. A name or a
    predicate is applied again when the list of groups was replaced or its length has changed.

    Args:
        optimizer: a torch optimizer, or an object with its ``param_groups``.
        param_name: name of the parameter.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`. A
            negative index counts from the last group.

    Raises:
        TypeError: ``optimizer`` has no list of param groups, or an argument has the wrong type.
        ValueError: the parameter or the group does not exist, or the parameter is not a number.
    """

    def __init__(self, optimizer: HasParamGroups, param_name: str, param_group_index: Selection = None) -> None:
        groups = getattr(optimizer, "param_groups", None)
        if not isinstance(groups, Sequence) or not all(isinstance(group, dict) for group in groups):
            raise TypeError(f"optimizer must be a torch optimizer or have its param_groups, given {shown(optimizer)}")
        if not isinstance(param_name, str):
            raise TypeError(f"param_name must be a string, given {shown(param_name)}")
        selection = as_groups(param_group_index)
        if isinstance(optimizer, PlaceholderOptimizer):
            optimizer.param_groups[0].setdefault(param_name, math.nan)  # NaN marks a missing value
        self.optimizer = optimizer
        self.selection = selection.resolved(groups)
        self._known_groups = len(groups)
        self._writes_all = self.selection.select is None and self.selection.added in (None, "adopt", "own")
        self._looked_up: list[Group] | None = None  # the list of groups that the indices belong to, and its length
        self._num_looked_up = -1
        self._indices: Sequence[int] = ()
        self._float_groups: list[Group] | None = None  # the same list, if all groups that are written hold floats
        self.key, self.item = find_entry(param_name, self.groups() or list(groups))
        self.legal = legal_range(self.key, self.item)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_looked_up": None, "_float_groups": None}  # a copy looks the groups up again

    @property
    def param_group_index(self) -> Selection:
        """The selection as it was given; an index is counted from the first group."""
        is_plain = self.selection.added is None and self.selection.required
        return self.selection.select if is_plain else self.selection

    @property
    def writes_all(self) -> bool:
        """Whether all groups are written, including groups that are added later."""
        return self._writes_all

    def groups(self) -> list[Group]:
        """The groups that are written at the next event.

        Raises:
            ValueError: a group was added although ``added`` is ``"refuse"``.
        """
        groups = self.optimizer.param_groups
        if self._writes_all:
            return groups
        if groups is not self._looked_up or len(groups) != self._num_looked_up:
            self._indices = self._select(groups)
            self._looked_up, self._num_looked_up, self._float_groups = groups, len(groups), None
        return [groups[index] for index in self._indices]

    def refuse_groups_to_come(self, name: str) -> None:
        """Raise an error if no group is selected yet.

        Args:
            name: the class that needs the values of the groups when it is constructed.

        Raises:
            ValueError: no group is selected.
        """
        if not self.groups():
            raise ValueError(
                f"param_group_index must select a group that exists for {name}, which starts from its value, given "
                f"{shown(self.param_group_index)}"
            )

    def _select(self, groups: list[Group]) -> list[int]:
        known = groups[: self.known_groups] if self.selection.added == "ignore" else groups
        selected = self.selection.indices(known)
        if self.selection.added == "refuse" and selected and selected[-1] >= self.known_groups:
            raise ValueError(
                f"the optimizer must not be given more param groups whose {self.key!r} is scheduled, since added is "
                f"'refuse': it had {self.known_groups} groups when the scheduler was made, and has {len(groups)} now"
            )
        if not selected and self.selection.required:
            raise ValueError(
                f"param_group_index must select at least one of the optimizer's {len(groups)} groups, as before, given "
                f"{shown(self.selection.select)}: loading a state of the optimizer may have removed their names"
            )
        return selected

    @property
    def known_groups(self) -> int:
        """The number of groups when the scheduler was constructed; groups beyond it were added later."""
        return self._known_groups

    @known_groups.setter
    def known_groups(self, count: int) -> None:
        self._known_groups, self._looked_up, self._float_groups = count, None, None

    @property
    def adopts(self) -> bool:
        """Whether groups beyond the number of values receive the last value."""
        return self.selection.added == "adopt"

    def expect_added_groups(self, num_values: int) -> None:
        """Treat the groups beyond the number of values as added later, if ``added`` says what happens to such groups.

        A run that is resumed may make all groups before the scheduler.
        """
        selected = [id(group) for group in self.groups()]
        if self.selection.added in ("adopt", "ignore") and 0 < num_values < len(selected):
            ids = [id(group) for group in self.optimizer.param_groups]
            self.known_groups = ids.index(selected[num_values - 1]) + 1

    def fitted(self, values: list[float], groups: Sequence[Group]) -> list[float]:
        """One value for each of the groups that are written.

        Raises:
            ValueError: there are more or fewer values, and added groups do not adopt the last one.
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

    def history_width(self, value: Any) -> int:
        """The number of groups."""
        return len(self.optimizer.param_groups if self._writes_all else self.groups())

    def read(self) -> list[float]:
        """The present value of each group."""
        return [float(held) for held in self._held_by(self.groups())]

    def base_values(self) -> list[float]:
        """The value from which a schedule of each group starts: its entry ``initial_<key>``, or its present value.

        Torch's schedulers use the same entry, such as ``initial_lr``, and leave it in the groups.

        Raises:
            TypeError, ValueError: such an entry is not a finite number.
        """
        groups, initial_key = self.groups(), f"initial_{self.key}"
        values = [float(held) for held in self._held_by(groups)]
        for at, group in enumerate(groups):
            if initial_key in group:
                initial = group[initial_key]
                if self.item is not None and isinstance(initial, list | tuple):
                    initial = initial[self.item]
                is_tensor = isinstance(initial, torch.Tensor)
                values[at] = arguments.number(initial_key, float(initial) if is_tensor else initial)
        return values

    def as_held(self, values: Any) -> Any:
        """Values as the groups hold them: a tensor of less than 64 bits rounds them. See :meth:`Target.as_held`."""
        return as_held(self._held_by(self.groups()), values)

    def holders(self, engine: Engine | None = None) -> list[Any]:
        """The groups."""
        return self.groups()

    def locations(self, engine: Engine | None = None) -> list[Location]:
        """The entry of each group."""
        return [Location(group, self.key, self.item, self.optimizer) for group in self.groups()]

    def tensors(self, own_values: bool) -> list[torch.Tensor]:
        """The tensors of the groups.

        Args:
            own_values: whether each group has its own value.

        Raises:
            ValueError: a group holds a number, or two groups with different values share a tensor.
        """
        held = self._held_by(self.groups())
        for at, old in enumerate(held):
            if not isinstance(old, torch.Tensor):
                raise ValueError(
                    f"{self.key!r} must be a tensor in all param groups that are written, given {old!r} in the "
                    f"group {at}: construct the optimizer with torch.tensor({old!r}), on the device of its parameters"
                )
        if own_values or not self._writes_all:
            self._refuse_shared(held, range(len(held)))
        return held

    def write(self, value: Value, engine: Engine | None = None) -> None:
        """Write one value to all groups, or one value of a list, or of a memoryview of floats, to each group.

        Raises:
            ValueError: as :meth:`check`; nothing is written then.
        """
        groups = self.groups()
        all_groups = self.optimizer.param_groups
        # load_state_dict replaces the list, and add_param_group extends it. To check every group would take as long as
        # to write to it, so only the first group is checked.
        is_known = all_groups is self._float_groups and len(all_groups) == self._num_looked_up
        if is_known and type(groups[0].get(self.key)) is float:
            if type(value) is float:
                _put_float(groups, self.key, value)
                return
            if len(value) == len(groups):  # type: ignore[arg-type]
                _put_floats(groups, self.key, value)  # type: ignore[arg-type]
                return
        self.check(value, engine)()

    def check(self, value: Value, engine: Engine | None = None) -> Callable[[], None]:
        """Raise an error if the value cannot be written to all groups; else return a function that writes it.

        Raises:
            ValueError: the number of values is not the number of groups; groups with different values share a tensor; a
                group that was added later lacks the parameter.
        """
        groups = self.groups()
        value = value.tolist() if isinstance(value, memoryview) else value
        if self._hold_floats(groups):
            if type(value) is float:
                return partial(_put_float, groups, self.key, value)
            return partial(_put_floats, groups, self.key, self.fitted(value, groups))  # type: ignore[arg-type]
        values: Iterable[float] = self.fitted(value, groups) if isinstance(value, list) else repeat(value)
        held = self._held_by(groups)
        if not self._writes_all or isinstance(value, list):
            self._refuse_shared(held, values)
        return partial(self._put, groups, held, values)

    def _hold_floats(self, groups: list[Group]) -> bool:
        """Whether the parameter is a float in each of the groups that are written."""
        all_groups = self.optimizer.param_groups
        if all_groups is self._float_groups and len(all_groups) == self._num_looked_up:
            return type(groups[0].get(self.key)) is float and type(groups[-1].get(self.key)) is float
        if self.item is None and groups and all(type(group.get(self.key)) is float for group in groups):
            self._float_groups, self._num_looked_up = all_groups, len(all_groups)
            return True
        self._float_groups = None
        return False

    def float_groups(self) -> FloatGroups | None:
        """The groups, if the parameter is a float in each; None where it may be anything else."""
        groups = self._float_groups
        if not groups or self.optimizer.param_groups is not groups or len(groups) != self._num_looked_up:
            return None
        indices = range(len(groups)) if self._writes_all else self._indices
        more = indices if len(indices) > 1 else None
        return FloatGroups(self.optimizer, groups, len(groups), self.key, indices[0], more)

    def are_floats(self, number: int) -> bool:
        """Whether so many groups are written, and the parameter is a float in each."""
        known = self.float_groups()
        return known is not None and number == len(known.indices or (known.first,))

    def _put(self, groups: list[Group], held: list[Any], values: Iterable[float]) -> None:
        filled = None
        # torch.compile runs this loop as it is, since repeat() has no end; a graph of one fill would cost more.
        for group, old, new in zip(groups, held, values):  # noqa: B905
            if isinstance(old, torch.Tensor):
                if old is not filled:  # groups with one value may share a tensor
                    (old.detach() if old.requires_grad else old).fill_(new)
                filled = old
            elif self.item is None:
                group[self.key] = new
            else:
                items = [*group[self.key][: self.item], new, *group[self.key][self.item + 1 :]]
                group[self.key] = type(group[self.key])(items)

    def refuse_shared_tensors(self, values: Iterable[Any]) -> None:
        """Raise an error if two groups share a tensor.

        Args:
            values: one for each group that is written; groups with equal values may share a tensor.

        Raises:
            ValueError: two groups with different values share a tensor, or a group that is not written has it.
        """
        self._refuse_shared(self._held_by(self.groups()), values)

    def _refuse_shared(self, held: list[Any], values: Iterable[Any]) -> None:
        if not any(isinstance(old, torch.Tensor) for old in held):
            return
        owned = [
            id(held) for held in self._held_by(group for group in self.optimizer.param_groups if self.key in group)
        ]
        if len(set(owned)) == len(owned):  # the usual case, and fast to check
            return
        owners, written = Counter(owned), Counter(map(id, held))
        of_tensor: dict[int, Any] = {}
        for tensor, value in zip(held, values):  # noqa: B905 -- repeat() has no end
            if isinstance(tensor, torch.Tensor) and (
                owners[id(tensor)] > written[id(tensor)] or of_tensor.setdefault(id(tensor), value) != value
            ):
                raise ValueError(
                    f"param groups must each have their own tensor {self.key!r} to have different values, "
                    "given one tensor in several groups: put a clone() of it into each"
                )

    def _held_by(self, groups: Iterable[Group]) -> list[Any]:
        """The number or tensor of each of these groups."""
        try:
            if self.item is None:
                return [group[self.key] for group in groups]
            return [group[self.key][self.item] for group in groups]
        except KeyError as missing:
            raise ValueError(f"every param group must have {missing}, given a group without it") from None


def _put_float(groups: list[Group], key: str, value: float) -> None:
    for group in groups:
        group[key] = value


def _put_floats(groups: list[Group], key: str, values: list[float]) -> None:
    for group, value in zip(groups, values):  # noqa: B905 -- strict is slower, and the lengths are equal
        group[key] = value
