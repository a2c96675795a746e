"""What stands where schedulers write, iteration by iteration."""

from array import array
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..places import Place
from ..schedules.base import Array
from .rehearsal import Part


class Sample:
    """What stands at the places of one name, iteration by iteration."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.writers: list[tuple[Part, list[int]]] = []  # with the columns that each of them writes
        self.values = array("d")
        self.widths: list[int] = []  # how many values each iteration has, where that may change

    def add(self, part: Part, places: Sequence[Place]) -> None:
        """There is a scheduler that writes to these places; where one stands already, it is not sampled twice."""
        at = {place.identity: column for column, place in enumerate(self.places)}
        for place in places:
            if place.identity not in at:
                at[place.identity] = len(self.places)
                self.places.append(place)
        self.writers.append((part, [at[place.identity] for place in places]))

    def reader(self) -> Callable[[], None]:
        """What takes one more sample."""
        add, places = self.values.extend, self.places
        if all(isinstance(place.holder, dict) for place in places):
            if all(place.item is None for place in places):
                keyed = [(place.holder, place.key) for place in places]
                return lambda: add([holder[key] for holder, key in keyed])
            return lambda: add([place.read()[0] for place in places])

        def read() -> None:
            row = [value for place in places for value in place.read()]
            add(row)
            self.widths.append(len(row))

        return read

    def table(self, start: int, iterations: int) -> Array:
        """``(iterations, groups)``, with NaN before the start and where there is nothing."""
        groups = max(self.widths, default=len(self.places))
        table = np.full((iterations, groups), np.nan)
        values = np.array(self.values)
        taken = len(self.widths) or len(values) // max(groups, 1)
        if not self.widths or min(self.widths) == groups:
            table[start : start + taken] = values.reshape(-1, groups)
        else:
            within = np.arange(groups) < np.array(self.widths)[:, np.newaxis]
            table[start : start + taken][within] = values
        return table


def sampler(samples: Mapping[str, Sample]) -> Callable[[], None]:
    """What takes a sample under each name."""
    readers = [sample.reader() for sample in samples.values()]

    def sample() -> None:
        for read in readers:
            read()

    return sample
