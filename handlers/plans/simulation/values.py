"""What stands where schedulers write, iteration by iteration."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core.inspection import Location, locations_of, members_of
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules.base import Array

from .run import Part

OFTEN = 1000  # iterations, from one word of progress to the next


class Sample:
    """What stands at the places of one name, iteration by iteration."""

    def __init__(self) -> None:
        self.places: list[Location] = []
        self.writers: list[tuple[Part, list[int]]] = []  # with the columns that each of them writes
        self.values = array("d")
        self.widths: list[int] = []  # how many values each iteration has, where that may change

    def add(self, part: Part, places: Sequence[Location]) -> None:
        """There is a scheduler that writes to these places; where another one does, too, they are not sampled twice."""
        at = {place.identity: column for column, place in enumerate(self.places)}
        columns = []
        for place in places:
            columns.append(at.get(place.identity, len(self.places)))
            if place.identity not in at:
                self.places.append(place)
        writer = (part, columns)
        if writer not in self.writers:  # it may be attached twice
            self.writers.append(writer)

    def schedules(self, engine: Engine) -> Iterator[tuple[Part, BaseParamScheduler, list[int]]]:
        """Who has the schedules that are written here, and in which columns: a scheduler, or each member of one."""
        at = {place.identity: column for column, place in enumerate(self.places)}
        for part, _ in self.writers:
            for writer in members_of(part.copy):
                places = locations_of(writer, engine).get(writer.param_name, [])
                columns = [at[place.identity] for place in places if place.identity in at]
                if columns:
                    yield part, writer, columns

    def reader(self) -> Callable[[], None]:
        """What takes one more sample."""
        add, places = self.values.extend, self.places
        if all(place.is_in_optimizer and place.item is None for place in places):
            # Nearly all are such, and most of the time of a dry run is spent here.
            keyed = [(place.holder, place.key) for place in places]
            return lambda: add([holder[key] for holder, key in keyed])

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


def sampler(samples: Mapping[str, Sample], progress: Callable[[int], object] | None) -> Callable[[], None]:
    """What takes a sample under each name, and tells every so often how many it has taken since."""
    readers = [sample.reader() for sample in samples.values()]
    if progress is not None:
        readers.append(_telling(progress))

    def sample() -> None:
        for read in readers:
            read()

    return sample


def _telling(progress: Callable[[int], object]) -> Callable[[], None]:
    counts = count(1)

    def tell() -> None:
        if next(counts) % OFTEN == 0:
            progress(OFTEN)

    return tell
