"""``FloatGroups``: param groups in which a parameter is a float, so that an event can write it without a check."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .group_selection import Group

if TYPE_CHECKING:
    from .param_groups import HasParamGroups


class FloatGroups(NamedTuple):
    """Param groups whose parameter is a float.

    This record is valid while the optimizer's list of groups is the same object and has the same length.

    Args:
        optimizer: the optimizer.
        groups: the list of the optimizer's groups. ``load_state_dict`` replaces this list.
        length: the length of the list. ``add_param_group`` changes this length.
        key: the key of the parameter in each group.
        first: the index of the first group that is written.
        indices: the indices of all groups that are written, in rising order; None if only one group is written.
    """

    optimizer: "HasParamGroups"
    groups: list[Group]
    length: int
    key: str
    first: int
    indices: Sequence[int] | None
