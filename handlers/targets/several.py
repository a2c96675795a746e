"""A target that consists of several targets."""

from collections.abc import Callable, Sequence
from typing import Any

from ignite.engine import Engine

from .target import Location, Target


class Several(Target):
    """Several targets; an event writes all or none. A value is a list with one item per target.

    Args:
        targets: the targets.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = list(targets)
        self.is_saved = all(target.is_saved for target in targets)

    def write(self, value: Any, engine: Engine | None) -> None:
        """Check the value of each target, and then write all of them."""
        for write in [target.check(own, engine) for target, own in zip(self.targets, value)]:  # noqa: B905 -- strict is slow
            write()

    def check(self, value: Any, engine: Engine | None) -> Callable[[], None]:
        """Check the value of each target."""
        writes = [target.check(own, engine) for target, own in zip(self.targets, value, strict=True)]

        def write() -> None:
            for write_one in writes:
                write_one()

        return write

    def read(self) -> list[Any]:
        """The values of the targets in one list."""
        rows = [target.read() for target in self.targets]
        return [value for row in rows for value in (row if isinstance(row, list) else [row])]

    def holders(self, engine: Engine) -> list[Any]:
        """The holders of all targets."""
        return [holder for target in self.targets for holder in target.holders(engine)]

    def locations(self, engine: Engine) -> list[Location]:
        """The locations of all targets."""
        return [location for target in self.targets for location in target.locations(engine)]
