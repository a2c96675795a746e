"""The schedule :class:`CumulativeProduct`: the product of the factors that a function has returned at all events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from . import arguments, fields
from .description_as_data import description_of, text_of
from .stateful import StatefulSchedule

MOST_REMEMBERED = 512


@dataclass
class Remembered:
    """Remembers the products at events 0, ``every``, ``2 * every`` and so on, so that a schedule can go back.

    Args:
        products: the products that are remembered.
        every: the number of events from one remembered product to the next. It doubles when there are more than 512
            products.
        next_event: the event whose product is added next. If it is -1, no product is added, because the present product
            comes from a saved state and may be the product of another function.
    """

    products: list[float]
    every: int = 1
    next_event: int = 1

    def add(self, product: float) -> None:
        """Remember the product of the next event."""
        self.products.append(product)
        if len(self.products) > MOST_REMEMBERED:
            self.products, self.every = self.products[::2], 2 * self.every
        self.next_event = len(self.products) * self.every

    def before(self, index: int) -> tuple[int, float]:
        """Return the last event up to ``index`` whose product is remembered, and this product."""
        at = min(index // self.every, len(self.products) - 1)
        self.next_event = len(self.products) * self.every
        return at * self.every, self.products[at]


@dataclass(frozen=True, repr=False)
class CumulativeProduct(StatefulSchedule):
    """The product of all factors that a function has returned so far.

    The value at event i is ``function(1) * ... * function(i)``, and 1 at event 0.

    The schedule calls the function once for each event, when the event comes, and never for event 0. It stores and
    saves the product, so the next event needs one call of the function. To seek to a later event, the schedule calls
    the function once for each event in between. To seek to an earlier event, the schedule starts from one of up to 512
    products, which it remembers at equal distances.

    Args:
        function: a function ``int -> float`` that returns the factor of an event index.

    Shapes: the result is ``(n,)``; all groups have the same value.

    Raises:
        TypeError: ``function`` cannot be called; or, at an event, ``function`` returns no number.
        ValueError: at an event, ``function`` returns NaN or infinity, or the product becomes infinite.

    Example:
        >>> product = CumulativeProduct(lambda event_index: 0.5 if event_index % 2 else 1.0)
        >>> [product(i) for i in range(5)]
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    function: Callable[[int], float] = fields.function("a function of the event index")
    changed_by_reading = ()  # to read the same event again does not change the state
    goes_event_by_event = True
    _product: dict[str, Any] = field(init=False, repr=False, compare=False)
    _remembered: "Remembered" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the function, and start at event 0 with the product 1."""
        super().__post_init__()
        self._set(_product={"event_index": 0, "product": 1.0}, _remembered=Remembered([1.0]))

    def value(self, index: int) -> float:
        """Multiply the last product, or for an earlier event a remembered product, by the factors up to the event.

        Raises:
            TypeError: a factor is not a number.
            ValueError: a factor or the product is NaN or infinite.
        """
        last, remembered = self._product, self._remembered
        product: float = last["product"]
        event = last["event_index"]
        if event > index:
            event, product = remembered.before(index)
        function = self.function
        while event < index:
            event += 1
            factor = function(event)
            if type(factor) is not float:
                factor = self._checked(factor, event)
            product *= factor
            if not isfinite(product):
                self._checked(factor, event)
                raise ValueError(f"the product at event {event} must be finite, given {product}")
            if event == remembered.next_event:
                remembered.add(product)
        last["event_index"], last["product"] = event, product
        return product

    def _checked(self, factor: object, event: int) -> float:
        return arguments.number(f"the value of {text_of(description_of(self.function))} at event {event}", factor)

    def _reader(self) -> Callable[[int], float | list[float]]:
        """Return ``value``, since it checks each product itself; a subclass may not check its values."""
        return self.value if type(self) is CumulativeProduct else self.checked

    def state_dict(self) -> dict[str, Any]:
        """Return the last event and its product."""
        return dict(self._product)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a cumulative product. If this error is raised,
                nothing is loaded.
        """
        state = arguments.state_of("a product", state_dict, self._product)
        event_index = arguments.whole_number("event_index", state["event_index"], at_least=0)
        product = arguments.number("product", state["product"])
        self._product.update(event_index=event_index, product=product)
        self._remembered.next_event = -1  # the saved product may be the product of another function
