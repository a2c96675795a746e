"""The product of all factors that a function has given so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import arguments
from .description import description_of, text_of
from .stateful import StatefulSchedule


@dataclass(frozen=True, repr=False)
class CumulativeProduct(StatefulSchedule):
    """The product of a function's values at the events so far: ``value(i) = function(1) * ... * function(i)``.

    The function is called once for each event, when it comes, and never for event 0, whose value is 1. The product is
    remembered and saved, so that to go on takes one call. To seek to event i takes i calls, or as many as there are
    events from where it is, if that lies before.

    Args:
        function: ``int -> float``, the factor of an event.

    Raises:
        TypeError: ``function`` cannot be called; or, at the event, its value is not a number.
        ValueError: at the event, its value is NaN or infinite.

    Example:
        >>> product = CumulativeProduct(lambda event_index: 0.5 if event_index % 2 else 1.0)
        >>> [product(i) for i in range(5)]
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    function: Callable[[int], float]
    _reached: list[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check that the function can be called, and begin with event 0."""
        if not callable(self.function) or isinstance(self.function, type):
            raise TypeError(f"function must be a function of the event index, given {self.function!r}")
        self._set(_reached=[0, 1.0])

    def value(self, index: int) -> float:
        """Multiply on from where it is, or from the beginning."""
        event, product = self._reached if self._reached[0] <= index else (0, 1.0)
        while event < index:
            event += 1
            product *= arguments.number(
                f"the value of {text_of(description_of(self.function))} at event {event}", self.function(event)
            )
        self._reached[:] = event, arguments.number(f"the product at event {event}", product)
        return float(product)

    def state_dict(self) -> dict[str, Any]:
        """The event up to which it has multiplied, and the product."""
        return {"event_index": self._reached[0], "product": self._reached[1]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            TypeError, ValueError: it is not the state of such a product; nothing is loaded then.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != set(self.state_dict()):
            raise ValueError(
                f"the state of a product must have {sorted(self.state_dict())}, given {arguments.shown(state_dict)}"
            )
        event_index = arguments.whole_number("event_index", state_dict["event_index"], at_least=0)
        self._reached[:] = event_index, arguments.number("product", state_dict["product"])
