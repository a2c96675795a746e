"""The product of all factors that a function has returned so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from . import arguments, fields
from .description import description_of, text_of
from .stateful import StatefulSchedule

MOST_REMEMBERED = 512


@dataclass
class Remembered:
    """The products of events 0, ``every``, ``2 * every`` and so on, of the calls since event 0.

    Args:
        products: the products.
        every: the distance in events, which doubles where the products become too many.
        next_event: the event whose product comes next; -1 where the last product is not one of calls since event 0.
    """

    products: list[float]
    every: int = 1
    next_event: int = 1

    def add(self, product: float) -> None:
        """Remembers the product of the next event."""
        self.products.append(product)
        if len(self.products) > MOST_REMEMBERED:
            self.products, self.every = self.products[::2], 2 * self.every
        self.next_event = len(self.products) * self.every

    def before(self, index: int) -> tuple[int, float]:
        """The last remembered event that is not later than this one, and its product."""
        at = min(index // self.every, len(self.products) - 1)
        self.next_event = len(self.products) * self.every
        return at * self.every, self.products[at]


@dataclass(frozen=True, repr=False)
class CumulativeProduct(StatefulSchedule):
    """The product of a function's values at the events so far.

    The value at event i is ``function(1) * ... * function(i)``, and 1 at event 0.

    The function is called once for each event, when the event comes, and never for event 0, whose value is 1. The
    schedule keeps and saves the product, so that the next event takes one call. To seek to event i takes a call for
    each event since the last value. The schedule remembers up to 512 products, at equal distances,
    so that to go back takes as many calls as lie between two of them.

    Args:
        function: ``int -> float``, the factor of an event.

    Shapes: ``(n,)``; all groups have the same value.

    Raises:
        TypeError: ``function`` cannot be called; or, at the event, its value is not a number.
        ValueError: at the event, its value is NaN or infinite.

    Example:
        >>> product = CumulativeProduct(lambda event_index: 0.5 if event_index % 2 else 1.0)
        >>> [product(i) for i in range(5)]
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    function: Callable[[int], float] = fields.function("a function of the event index")
    changed_by_reading = ()  # the same event again changes nothing
    goes_event_by_event = True
    _product: dict[str, Any] = field(init=False, repr=False, compare=False)
    _remembered: "Remembered" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Checks the function, and begins with event 0."""
        super().__post_init__()
        self._set(_product={"event_index": 0, "product": 1.0}, _remembered=Remembered([1.0]))

    def value(self, index: int) -> float:
        """Multiplies on from the last event; to an earlier event, from a remembered one.

        Raises:
            TypeError: a factor is not a number.
            ValueError: a factor is NaN or infinite.
        """
        last, remembered = self._product, self._remembered
        product: float = last["product"]
        event = last["event_index"]
        if event > index:
            event, product = remembered.before(index)
        while event < index:
            event += 1
            factor = self.function(event)
            if type(factor) is not float or not isfinite(factor):
                factor = arguments.number(
                    f"the value of {text_of(description_of(self.function))} at event {event}", factor
                )
            product *= factor
            if event == remembered.next_event:
                remembered.add(product)
        if not isfinite(product):
            raise ValueError(f"the product at event {event} must be finite, given {product}")
        last["event_index"], last["product"] = event, product
        return product

    def state_dict(self) -> dict[str, Any]:
        """The last event, and the product up to it."""
        return dict(self._product)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from a saved state.

        Raises:
            TypeError, ValueError: the state is not one of such a product; nothing is loaded then.
        """
        state = arguments.state_of("a product", state_dict, self._product)
        event_index = arguments.whole_number("event_index", state["event_index"], at_least=0)
        product = arguments.number("product", state["product"])
        self._product.update(event_index=event_index, product=product)
        self._remembered.next_event = -1  # the function may be another one than that of the state
