"""The target that writes one parameter, such as ``lr``, to an optimizer's param groups."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

from lehr.engine.type_checks_without_import import is_tensor, tensor_type
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.arguments import shown

from .float_groups import FloatGroups
from .group_selection import Group, Selection, as_groups
from .legal_values import legal_range
from .param_names import find_entry, numbers_of
from .target import Location, Target, Value
from .tensor_precision import as_held

if TYPE_CHECKING:
    import torch
    from ignite.engine import Engine


class HasParamGroups(Protocol):
    """A torch optimizer, or any other object with a list ``param_groups`` of dictionaries."""

    @property
    def param_groups(self) -> list[Group]:
        """The param groups, each a dictionary of hyper-parameters."""


class PlaceholderOptimizer:
    """An optimizer for simulations. It has one param group, to which a target adds the parameter that it needs."""

    def __init__(self) -> None:
        self.param_groups: list[Group] = [{}]


class ParamGroups(Target):
    """A target that writes one parameter to all param groups of an optimizer, or to some of them.

    ``"lr"`` is an entry of a group, and ``"betas[0]"`` is one item of an entry that is a tuple. ``"momentum"`` means
    ``betas[0]`` in an optimizer that has betas and no momentum. The target replaces a number, but it fills a tensor in
    place, so that compiled optimizers and CUDA graphs keep reading the same tensor.

    The target looks up the groups again at each event, because ``add_param_group`` and ``load_state_dict`` may change
    them. It applies a name or a predicate again if the list of groups was replaced or the length of the list has
    changed.

    Args:
        optimizer: a torch optimizer, or another object with a list ``param_groups`` of dictionaries.
        param_name: name of the parameter.
        param_group_index: the groups to write to: an index, a name, a predicate, or None for all; see :class:`Groups`.
            A negative index counts from the last group.

    Raises:
        TypeError: ``optimizer`` has no list of param groups, or an argument has the wrong type.
        ValueError: the parameter or the group does not exist, or the parameter is not a number.
    """

    def __init__(self, optimizer: HasParamGroups, param_name: str, param_group_index: Selection = None) -> None:
        groups = getattr(optimizer, "param_groups", None)
        if not isinstance(groups, Sequence) or not all(map(isinstance, groups, repeat(dict))):
            raise TypeError(
                f"optimizer must be a torch optimizer or have a list param_groups of dicts, given {shown(optimizer)}"
            )
        if not isinstance(param_name, str):
            raise TypeError(f"param_name must be a string, given {shown(param_name)}")
        selection = as_groups(param_group_index)
        if isinstance(optimizer, PlaceholderOptimizer):
            optimizer.param_groups[0].setdefault(param_name, math.nan)  # NaN marks a missing value
        self.optimizer = optimizer
        self.selection = selection.resolved(groups)
        self._known_groups = len(groups)
        self._writes_all = self.selection.select is None and self.selection.added in (None, "adopt", "own")
        self._looked_up: list[Group] | None = None  # the list of all groups, when ``_indices`` was computed
        self._num_looked_up = -1  # the length of the list when ``_indices`` or ``_float_groups`` was computed
        self._indices: Sequence[int] = ()
        self._float_groups: list[Group] | None = None  # the list of all groups, if each written parameter is a float
        self.key, self.item = find_entry(param_name, self.groups() or list(groups))
        self.legal = legal_range(self.key, self.item)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_looked_up": None, "_float_groups": None}  # a copy looks the groups up again

    @property
    def param_group_index(self) -> Selection:
        """The selection that the user gave, with a negative index replaced by the index counted from 0."""
        is_plain = self.selection.added is None and self.selection.required
        return self.selection.select if is_plain else self.selection

    @property
    def writes_all(self) -> bool:
        """Whether the target writes to all groups, including groups that are added later."""
        return self._writes_all

    def groups(self) -> list[Group]:
        """Return the groups that the next event writes to.

        Raises:
            ValueError: a group was added although ``added`` is ``"refuse"``; no group is selected although ``required``
                is True.
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
            name: the name of a class that reads the values of the groups when it is constructed.

        Raises:
            ValueError: no group is selected.
        """
        if not self.groups():
            raise ValueError(
                f"param_group_index must select an existing group, because {name} starts from the group's value, given "
                f"{shown(self.param_group_index)}"
            )

    def _select(self, groups: list[Group]) -> list[int]:
        known = groups[: self.known_groups] if self.selection.added == "ignore" else groups
        selected = self.selection.indices(known)
        if self.selection.added == "refuse" and selected and selected[-1] >= self.known_groups:
            raise ValueError(
                f"optimizer must not receive more param groups whose {self.key!r} is scheduled, because added is "
                f"'refuse'; it had {self.known_groups} groups when the scheduler was constructed, and now it has "
                f"{len(groups)}"
            )
        if not selected and self.selection.required:
            raise ValueError(
                f"param_group_index must still select at least one of the optimizer's {len(groups)} groups, given "
                f"{shown(self.selection.select)}; loading a state of the optimizer may have removed the groups' names"
            )
        return selected

    @property
    def known_groups(self) -> int:
        """The number of groups when the scheduler was constructed. Groups with higher indices were added later."""
        return self._known_groups

    @known_groups.setter
    def known_groups(self, count: int) -> None:
        self._known_groups, self._looked_up, self._float_groups = count, None, None

    @property
    def adopts(self) -> bool:
        """Whether a group receives the last value if there are more groups than values."""
        return self.selection.added == "adopt"

    def expect_added_groups(self, num_values: int) -> None:
        """Treat all groups after the first ``num_values`` as added later, if ``added`` is ``"adopt"`` or ``"ignore"``.

        A resumed run may add these groups before it constructs the scheduler, although the first run added them later.
        """
        selected = [id(group) for group in self.groups()]
        if self.selection.added in ("adopt", "ignore") and 0 < num_values < len(selected):
            ids = [id(group) for group in self.optimizer.param_groups]
            self.known_groups = ids.index(selected[num_values - 1]) + 1

    def fitted(self, values: list[float], groups: Sequence[Group]) -> list[float]:
        """Return one value for each group. If ``added`` is ``"adopt"``, new groups get the last value.

        Raises:
            ValueError: the number of values is not the number of groups, and the last value may not be repeated.
        """
        more = len(groups) - len(values)
        if more > 0 and values and self.adopts:
            return values + values[-1:] * more
        if more:
            raise ValueError(
                f"{len(values)} values of {self.key!r} cannot be written to {len(groups)} param groups; if you add "
                "groups in mid-run, param_group_index=Groups(added='adopt') gives these groups the last value, and "
                "Groups(added='ignore') never writes to these groups"
            )
        return values

    def history_width(self, value: Any) -> int:
        """Return the number of groups."""
        return len(self.optimizer.param_groups if self._writes_all else self.groups())

    def read(self) -> list[float]:
        """Return the present value of the parameter in each group."""
        groups, key, values = self.optimizer.param_groups if self._writes_all else self.groups(), self.key, []
        try:
            for group in groups:
                values.append(float(group[key]))  # a list comprehension takes twice as long if there is one group
        except (KeyError, TypeError):  # a group lacks the parameter, or the parameter is an item of the entry
            return [float(number) for number in self._numbers_of(groups)]
        return values

    def base_values(self) -> list[float]:
        """Return the base value of each group: its entry ``initial_<key>``, or its present value if it has no entry.

        Torch's schedulers write the same entry, such as ``initial_lr``, to the groups.

        Raises:
            TypeError, ValueError: an entry ``initial_<key>`` is not a finite number.
        """
        groups, initial_key = self.groups(), f"initial_{self.key}"
        values = [float(number) for number in self._numbers_of(groups)]
        for at, group in enumerate(groups):
            if initial_key in group:
                initial = group[initial_key]
                if self.item is not None and isinstance(initial, list | tuple):
                    initial = initial[self.item]
                values[at] = arguments.number(initial_key, float(initial) if is_tensor(initial) else initial)
        return values

    def as_held(self, values: Any) -> Any:
        """Return the values after the groups' tensors have rounded them to their dtype. See :meth:`Target.as_held`."""
        return as_held(self._numbers_of(self.groups()), values)

    def holders(self, engine: "Engine | None" = None) -> list[Any]:
        """Return the groups that the next event writes to."""
        return self.groups()

    def locations(self, engine: "Engine | None" = None) -> list[Location]:
        """Return the location of the parameter in each group."""
        return [Location(group, self.key, self.item, self.optimizer) for group in self.groups()]

    def tensors(self, own_values: bool) -> "list[torch.Tensor]":
        """Return the tensor that each group holds as its parameter.

        Args:
            own_values: whether each group has its own value.

        Raises:
            ValueError: a group holds a number instead of a tensor, or two groups with different values share a tensor.
        """
        numbers = self._numbers_of(self.groups())
        for at, old in enumerate(numbers):
            if not is_tensor(old):
                raise ValueError(
                    f"{self.key!r} must be a tensor in each selected param group, given {old!r} in group {at}; "
                    f"construct the optimizer with torch.tensor({old!r}) on the device of the optimizer's parameters"
                )
        if own_values or not self._writes_all:
            self._refuse_shared(numbers, range(len(numbers)))
        return numbers

    def write(self, value: Value, engine: "Engine | None" = None) -> None:
        """Write a float to all groups, or write one value of a list or a memoryview to each group.

        Raises:
            ValueError: see :meth:`check`. If this error is raised, no group is written.
        """
        all_groups = self.optimizer.param_groups
        groups = all_groups if self._writes_all else self.groups()
        # ``load_state_dict`` replaces the list, and ``add_param_group`` extends it. Only the first group is checked,
        # because a check of every group would take as long as the writing.
        is_known = all_groups is self._float_groups and len(all_groups) == self._num_looked_up
        if is_known and type(groups[0].get(self.key)) is float:
            if type(value) is float:
                key = self.key
                for group in groups:
                    group[key] = value
                return None
            if len(value) == len(groups):  # type: ignore[arg-type]
                return put_floats(groups, self.key, value)  # type: ignore[arg-type]
        return self.check(value, engine)()

    def check(self, value: Value, engine: "Engine | None" = None) -> Callable[[], None]:
        """Return a function that writes the value to all groups, or raise an error if this is impossible.

        Raises:
            ValueError: the number of values is not the number of groups; groups with different values share a tensor; a
                group that was added later does not have the parameter.
        """
        groups = self.groups()
        value = value.tolist() if isinstance(value, memoryview) else value
        values: Iterable[float] = self.fitted(value, groups) if isinstance(value, list) else repeat(value)
        if self._hold_floats(groups):
            return partial(put_floats, groups, self.key, values)
        numbers = self._numbers_of(groups)
        if not self._writes_all or isinstance(value, list):
            self._refuse_shared(numbers, values)
        return partial(self._put, groups, numbers, values)

    def _hold_floats(self, groups: list[Group]) -> bool:
        """Return whether the parameter is a float in each group that the next event writes to."""
        all_groups = self.optimizer.param_groups
        if all_groups is self._float_groups and len(all_groups) == self._num_looked_up:
            return type(groups[0].get(self.key)) is float and type(groups[-1].get(self.key)) is float
        key = self.key
        first = groups[0].get(key) if groups and self.item is None else None
        # The first group is checked alone, because a generator takes longer than the event of a tensor.
        if type(first) is float and all(type(group.get(key)) is float for group in groups):
            self._float_groups, self._num_looked_up = all_groups, len(all_groups)
            return True
        self._float_groups = None
        return False

    def float_groups(self) -> FloatGroups | None:
        """Return the groups if the parameter is a float in each group; None if a group may hold anything else."""
        groups = self._float_groups
        if not groups or self.optimizer.param_groups is not groups or len(groups) != self._num_looked_up:
            return None
        indices = range(len(groups)) if self._writes_all else self._indices
        first, more = indices[0], indices if len(indices) > 1 else None
        return FloatGroups(self.optimizer, groups, len(groups), self.key, first, more)

    def are_floats(self, number: int) -> bool:
        """Return whether the target writes to ``number`` groups, in each of which the parameter is a float."""
        known = self.float_groups()
        return known is not None and number == len(known.indices or (known.first,))

    def _put(self, groups: list[Group], numbers: list[Any], values: Iterable[float]) -> None:
        filled, tensor = None, tensor_type()
        # ``repeat()`` has no end, so ``torch.compile`` does not compile this loop. Compiling it would cost more time.
        for group, old, new in zip(groups, numbers, values):  # noqa: B905
            if isinstance(old, tensor):
                if old is not filled:  # groups with the same value may share a tensor
                    (old.detach() if old.requires_grad else old).fill_(new)
                filled = old
            elif self.item is None:
                group[self.key] = new
            else:
                entry = group[self.key]
                items = list(entry)
                items[self.item] = new
                group[self.key] = type(entry)(items)

    def refuse_shared_tensors(self, values: Iterable[Any]) -> None:
        """Raise an error if two groups share a tensor although they need different values.

        Args:
            values: the value of each selected group. Groups with equal values may share a tensor.

        Raises:
            ValueError: a selected group shares its tensor with a group that has another value or is not selected.
        """
        self._refuse_shared(self._numbers_of(self.groups()), values)

    def _refuse_shared(self, numbers: list[Any], values: Iterable[Any]) -> None:
        tensor_class = tensor_type()
        if not any(isinstance(old, tensor_class) for old in numbers):
            return
        having = (group for group in self.optimizer.param_groups if self.key in group)
        owned = list(map(id, self._numbers_of(having)))
        if len(set(owned)) == len(owned):  # the usual case, and fast to check
            return
        owners, written = Counter(owned), Counter(map(id, numbers))
        of_tensor: dict[int, Any] = {}
        for tensor, value in zip(numbers, values):  # noqa: B905 -- repeat() has no end
            if isinstance(tensor, tensor_class) and (
                owners[id(tensor)] > written[id(tensor)] or of_tensor.setdefault(id(tensor), value) != value
            ):
                raise ValueError(
                    f"param groups must each have their own tensor {self.key!r} to have different values, "
                    "given one tensor in several groups; put a clone() of the tensor into each group"
                )

    def _numbers_of(self, groups: Iterable[Group]) -> list[Any]:
        return numbers_of(groups, self.key, self.item)


def put_floats(groups: Iterable[Group], key: str, values: Iterable[float]) -> None:
    """Write one value to each group. ``values`` may be endless."""
    for group, value in zip(groups, values):  # noqa: B905 -- strict is slower, and repeat() has no end
        group[key] = value
