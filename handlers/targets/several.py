"""A target that consists of several targets, so that one event writes all of them or none."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .float_groups import FloatGroups
from .target import Location, Target

if TYPE_CHECKING:
    from ignite.engine import Engine


def float_groups_of(targets: Sequence[Target]) -> list[FloatGroups] | None:
    """Return the groups of each target if the parameter is a float in all groups; otherwise None."""
    known = [target.float_groups() for target in targets]
    return None if None in known else known


class Several(Target):
    """A target that consists of several targets. A value is a list with one item for each target.

    An event writes to all targets, or to none if one of them cannot take its value.

    Args:
        targets: the targets.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = list(targets)
        self._float_groups: list[FloatGroups] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_float_groups": None}  # the copy must look up the groups of its own optimizers

    def write(self, value: Any, engine: "Engine | None") -> None:
        """Check the value of each target, and then write all of them."""
        known = self._float_groups
        if known is not None:
            # The first and the last group are checked, as a check of every group takes as long as the writing.
            for (optimizer, all_groups, length, key, first, indices), own in zip(known, value):  # noqa: B905 -- strict is slow
                groups = optimizer.param_groups
                is_known = groups is all_groups and len(groups) == length
                if not is_known or type(groups[first].get(key)) is not float or type(own) is not float:
                    break
                if indices is not None and type(groups[indices[-1]].get(key)) is not float:
                    break
            else:
                for (_, groups, length, key, first, indices), own in zip(known, value):  # noqa: B905
                    if indices is None:
                        groups[first][key] = own
                    else:
                        for group in groups if len(indices) == length else [groups[at] for at in indices]:
                            group[key] = own
                return
        self.check(value, engine)()
        self._float_groups = float_groups_of(self.targets)

    def write_last_again(self, engine: "Engine | None") -> None:
        """Write the last value of each target again if no checkpoint contains it."""
        for target in self.targets:
            target.write_last_again(engine)

    def check(self, value: Any, engine: "Engine | None") -> Callable[[], None]:
        """Check the value of each target, and return a function that writes all values."""
        writes = [target.check(own, engine) for target, own in zip(self.targets, value, strict=True)]

        def write() -> None:
            for write_one in writes:
                write_one()

        return write

    def read(self) -> list[Any]:
        """Return the values of all targets in one list."""
        rows = [target.read() for target in self.targets]
        return [value for row in rows for value in (row if isinstance(row, list) else [row])]

    def holders(self, engine: "Engine") -> list[Any]:
        """Return the holders of all targets."""
        return [holder for target in self.targets for holder in target.holders(engine)]

    def locations(self, engine: "Engine") -> list[Location]:
        """Return the locations of all targets."""
        return [location for target in self.targets for location in target.locations(engine)]
