"""The target that writes an attribute of an engine's state."""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.arguments import shown

from .target import Location, Target

if TYPE_CHECKING:
    from ignite.engine import Engine

NAMES_OF_LEHR = {"param_history", "optimizer", "optimizer_step", "optimizer_steps", "optimizer_step_again"}


@cache
def own_names() -> frozenset[str]:
    """Return the attributes of ``engine.state`` that ignite or lehr uses, and that no scheduler may write."""
    from ignite.engine import State

    return frozenset({*vars(State()), *dir(State)} | NAMES_OF_LEHR)


class EngineAttribute(Target):
    """A target that writes an attribute of ``engine.state`` for the engine that fires the event.

    Args:
        name: the name of the attribute.
        number_type: ``int`` if values are written as ints; ``float`` if values are written unchanged.

    Raises:
        ValueError: the engine itself uses an attribute called ``name``.
    """

    is_saved = False

    def __init__(self, name: str, number_type: type[float] | type[int] = float) -> None:
        if isinstance(name, str) and name in own_names():
            raise ValueError(
                "param_name must not be the name of an attribute that the engine itself uses, such as 'iteration' or "
                f"'epoch', given {arguments.shown(name)}"
            )
        self.name, self.number_type = name, number_type

    def check(self, value: Any, engine: "Engine | None") -> Callable[[], None]:
        """Return a function that writes the value to the state of the engine.

        Raises:
            TypeError: ``engine`` is None.
        """
        if engine is None:
            raise TypeError(f"engine must be given to write {shown(self.name)} to its state, given None")
        return partial(self.write, value, engine)

    def write(self, value: Any, engine: "Engine | None") -> None:
        """Set the attribute of the engine's state.

        Raises:
            TypeError: ``engine`` is None.
        """
        if engine is None:
            self.check(value, engine)
        if self.number_type is int:
            value = int(value)
        self.last = value
        setattr(engine.state, self.name, value)  # type: ignore[union-attr]

    def read(self) -> Any:
        """Return the last value that was written."""
        return self.last

    def holders(self, engine: "Engine") -> list[Any]:
        """Return a list that contains the state of the engine."""
        return [engine.state]

    def locations(self, engine: "Engine | None") -> list[Location]:
        """Return a list that contains the location of the attribute; an empty list if there is no engine."""
        return [] if engine is None else [Location(engine.state, self.name, None, engine.state)]
