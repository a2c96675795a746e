"""A target that consists of several targets, so that one event writes all of them or none."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .float_groups import FloatGroups
from .group_selection import Group
from .target import Location, Target

if TYPE_CHECKING:
    from ignite.engine import Engine


class Several(Target):
    """A target that consists of several targets. A value is a list with one item for each target.

    An event writes to all targets, or to none if one of them cannot take its value.

    Args:
        targets: the targets.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = list(targets)
        self._float_groups: list[FloatGroups | None] = []
        self.is_saved = all(target.is_saved for target in targets)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_float_groups": []}  # the copy must look up the groups of its own optimizers

    def write(self, value: Any, engine: "Engine | None") -> None:
        """Check the value of each target, and then write all of them."""
        writes = self._float_writes(value)
        if writes is None:
            self.check(value, engine)()
            self._float_groups = [target.float_groups() for target in self.targets]
            return
        for groups, key, own in writes:
            for group in groups:
                group[key] = own

    def _float_writes(self, value: Sequence[Any]) -> list[tuple[list[Group], str, float]] | None:
        """Return the groups, the key and the value of each target if all values and all parameters are floats.

        This is the fast path of :meth:`write`. It returns None if a value or a parameter is not a float, or if the
        groups have changed since the last event.
        """
        writes = []
        for known, own in zip(self._float_groups, value):  # noqa: B905 -- strict is slower, and the lengths are equal
            if known is None or type(own) is not float:
                return None
            optimizer, all_groups, length, key, first, indices = known
            groups = optimizer.param_groups
            if groups is not all_groups or len(groups) != length:
                return None
            if indices is None:
                groups = [groups[first]]
            elif len(indices) < length:
                groups = [groups[at] for at in indices]
            if type(groups[0].get(key)) is not float or type(groups[-1].get(key)) is not float:
                return None
            writes.append((groups, key, own))
        return writes or None

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
