"""Which of an optimizer's param groups are written: by index, by name or by predicate, and what of those to come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lehr.handlers.schedules import arguments

Group = dict[str, Any]
Predicate = Callable[[Group], bool]
ADDED = ("adopt", "ignore", "refuse")


@dataclass(frozen=True)
class Groups:
    """Param groups of an optimizer, for the ``param_group_index`` of any scheduler.

    Alone, an index, a name or a predicate may be given there as it is; this class adds what is to happen with param
    groups that are added in mid-run, as layers are set free.

    Args:
        select: an index; the ``"name"`` of a group, which is an entry that users give it; a predicate, which is asked
            of each group as it is now; or None for all of them.
        added: what of a group that the optimizer has not had when the scheduler was made, if it is selected:
            ``"adopt"``, it is written from its next event on, and has the last value where the schedule has a value
            for each group; ``"ignore"``, it is left alone; ``"refuse"``, the next event is an error. None is
            ``"adopt"`` where one value serves all groups, else ``"refuse"``.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: ``added`` is none of these; an index with ``added``, of which there is no other group.

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

    def __post_init__(self) -> None:
        """Check the arguments."""
        select = self.select
        if isinstance(select, bool) or not (
            isinstance(select, int | str | None) or (callable(select) and not isinstance(select, type))
        ):
            raise TypeError(
                f"param_group_index must be an index, a name, a predicate, Groups or None, given {select!r}"
            )
        if self.added is not None:
            arguments.one_of("added", self.added, ADDED)
            if isinstance(select, int):
                raise ValueError(f"added must be None for the group of one index, given {self.added!r}")

    def config(self) -> Any:
        """Itself as plain data.

        Raises:
            TypeError: it selects by a predicate.
        """
        if callable(self.select):
            raise TypeError(f"param_group_index is no data, and cannot be put into a config: {self.select!r}")
        return self.select if self.added is None else {"select": self.select, "added": self.added}

    def of(self, groups: Sequence[Group]) -> list[Group]:
        """The selected groups."""
        return [groups[index] for index in self.indices(groups)]

    def indices(self, groups: Sequence[Group]) -> list[int]:
        """The indices of the selected groups."""
        if self.select is None:
            return list(range(len(groups)))
        if isinstance(self.select, int):
            return [self.select]
        if isinstance(self.select, str):
            return [at for at, group in enumerate(groups) if group.get("name") == self.select]
        return [at for at, group in enumerate(groups) if self._chosen(group)]

    def _chosen(self, group: Group) -> bool:
        assert callable(self.select)
        try:
            chosen = self.select(group)
        except Exception as error:
            raise TypeError(
                f"param_group_index must be a predicate that takes a param group, given {self.select!r}: {error}"
            ) from error
        if not isinstance(chosen, bool | np.bool_):
            raise TypeError(f"param_group_index must say True or False of a group, given {self.select!r}: {chosen!r}")
        return bool(chosen)

    def resolved(self, groups: Sequence[Group]) -> "Groups":
        """The same with an index that is counted from the first group.

        Raises:
            ValueError: none of the groups is selected.
        """
        if isinstance(self.select, int):
            if not -len(groups) <= self.select < len(groups):
                raise ValueError(
                    f"param_group_index must be the index of one of the optimizer's {len(groups)} groups, "
                    f"given {self.select!r}"
                )
            return Groups(self.select % len(groups))
        if groups and not self.indices(groups):
            if isinstance(self.select, str):
                names = sorted({repr(group["name"]) for group in groups if "name" in group})
                raise ValueError(
                    f"param_group_index must be the name of a group, one of {', '.join(names) or '(they have none)'}, "
                    f"given {self.select!r}"
                )
            raise ValueError(
                f"param_group_index must select at least one of the optimizer's {len(groups)} groups, "
                f"given {self.select!r}"
            )
        return self


Selection = int | str | Predicate | Groups | None


def as_groups(given: object) -> Groups:
    """What was given as ``param_group_index``.

    Raises:
        TypeError: it is no selection of groups.
    """
    return given if isinstance(given, Groups) else Groups(given)  # type: ignore[arg-type]
