"""A schedule whose durations are texts, until the length of the run is known."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from . import arguments, units
from .base import Array, Schedule
from .durations import NUMBERS, durations_of, has_text, in_events, refuse_without_run, texts_of
from .run_length import RunLength


@dataclass(frozen=True, repr=False)
class InUnits(Schedule):
    """The arguments of a schedule of which a duration is a text such as ``"10%"``, or of one that contains such.

    A schedule that is constructed with a text is of this class. It has no values before :meth:`in_run`.

    Args:
        schedule_type: the class of the schedule.
        given: its arguments by name.

    Raises:
        TypeError, ValueError: an argument is unknown or missing; a text has another form.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> decay = Anneal(1.0, 0.0, duration="50%")
        >>> decay
        Anneal(start_value=1.0, end_value=0.0, duration='50%')
        >>> decay.in_run(RunLength(total_steps=200))
        Anneal(start_value=1.0, end_value=0.0, duration=100.0, curve=Linear(), beyond='hold')
    """

    schedule_type: type[Schedule]
    given: Mapping[str, Any] = field(hash=False)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Hold the arguments as they are."""
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Checks the texts, each by itself."""
        for name, text in self._texts():
            units.quantity(name, text)

    def in_run(self, run: RunLength | None) -> Schedule:
        """The schedule with its durations in events."""
        if run is None:
            refuse_without_run(*next(self.texts_inside()))
        given = {name: _in_run(value, run) for name, value in self.given.items()}
        return self.schedule_type(**in_events(self.schedule_type, given, run=run))

    @property
    def is_pure(self) -> bool:
        """Raises an error: the length of the run is missing."""
        self.in_run(None)
        raise AssertionError

    def values(self, indices: Array) -> Array:
        """Raises an error: the length of the run is missing."""
        self.in_run(None)
        raise AssertionError

    def __repr__(self) -> str:
        """The constructor call."""
        given = ", ".join(f"{name}={arguments.shown(value)}" for name, value in self.given.items())
        return f"{self.schedule_type.__name__}({given})"

    def _texts(self) -> list[tuple[str, str]]:
        """The texts among its own arguments, with their names."""
        names = [name for name in durations_of(self.schedule_type) if name in self.given]
        return [pair for name in names for pair in texts_of(name, self.given[name])]

    def texts_inside(self) -> Any:
        """Its own texts, then those of the schedules in it."""
        yield from self._texts()
        for value in self.given.values():
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, InUnits):
                    yield from one.texts_inside()


def held_back(cls: type[Schedule], args: tuple[Any, ...], kwargs: dict[str, Any]) -> InUnits | None:
    """The arguments of a schedule, if one is a text or a schedule with texts; else None."""
    names, durations = _known(cls)
    for name, value in (*zip(names, args, strict=False), *kwargs.items()):
        if type(value) in NUMBERS:
            continue
        if _is_in_units(value) or (name in durations and has_text(value)):
            try:
                return InUnits(cls, dict(inspect.signature(cls).bind(*args, **kwargs).arguments))
            except TypeError:  # an argument is missing or unknown: the class itself raises the error
                return None
    return None


@lru_cache(maxsize=256)
def _known(cls: type) -> tuple[list[str], Mapping[str, str]]:
    """The names of the arguments of a schedule, and those that are durations."""
    return list(inspect.signature(cls).parameters), durations_of(cls)


def _is_in_units(value: Any) -> bool:
    if type(value) is list or type(value) is tuple:
        return InUnits in map(type, value)
    return type(value) is InUnits


def _in_run(value: Any, run: RunLength | None) -> Any:
    if isinstance(value, list | tuple) and _is_in_units(value):
        return [_in_run(one, run) for one in value]
    return value.in_run(run) if isinstance(value, InUnits) else value
