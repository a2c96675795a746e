"""``InUnits``, which stands for a schedule with durations such as ``"10%"`` until the length of the run is known."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from . import arguments, duration_texts
from .base import Array, Schedule
from .cached_by_class import cached_by_class
from .durations_to_events import NUMBERS, durations_of, has_text, in_events, refuse_without_run, texts_of
from .run_length import RunLength


@dataclass(frozen=True, repr=False)
class InUnits(Schedule):
    """Keeps the arguments of a schedule with durations such as ``"10%"`` until the length of the run is known.

    If you pass a text as a duration to the constructor of a schedule, the constructor returns an instance of this
    class. It also does so if you pass another instance of this class as an argument. An instance has no values. Its
    method :meth:`in_run` returns the schedule, which has values.

    Args:
        schedule_type: the class of the schedule.
        given: the arguments of the schedule by name.

    Raises:
        TypeError, ValueError: an argument is unknown or missing; a text is not a number with a unit.

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
        """Construct an instance, without the search for texts such as ``"10%"`` that other schedules make."""
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Check that each text is a number with a unit."""
        for name, text in self._texts():
            duration_texts.quantity(name, text)

    def in_run(self, run: RunLength | None) -> Schedule:
        """Return the schedule, with its durations converted to events of the run."""
        if run is None:
            refuse_without_run(*next(self.texts_inside()))
        given = {name: _in_run(value, run) for name, value in self.given.items()}
        return self.schedule_type(**in_events(self.schedule_type, given, run=run))

    @property
    def is_pure(self) -> bool:
        """Raise an error, because the length of the run is missing."""
        self.in_run(None)
        raise AssertionError

    def values(self, indices: Array) -> Array:
        """Raise an error, because the length of the run is missing."""
        self.in_run(None)
        raise AssertionError

    def __repr__(self) -> str:
        """Return the constructor call of the schedule."""
        given = ", ".join(f"{name}={arguments.shown(value)}" for name, value in self.given.items())
        return f"{self.schedule_type.__name__}({given})"

    def _texts(self) -> list[tuple[str, str]]:
        """Return the name and the text of each duration of this schedule that is a text."""
        names = [name for name in durations_of(self.schedule_type) if name in self.given]
        return [pair for name in names for pair in texts_of(name, self.given[name])]

    def texts_inside(self) -> Any:
        """Yield the name and text of each duration that is a text, here and in the schedules in the arguments."""
        yield from self._texts()
        for value in self.given.values():
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, InUnits):
                    yield from one.texts_inside()


def placeholder_for(cls: type[Schedule], args: tuple[Any, ...], kwargs: dict[str, Any]) -> InUnits | None:
    """Return the arguments of a schedule as :class:`InUnits` if one of them is a duration as a text, or else None."""
    names, durations = _known(cls)
    for name, value in (*zip(names, args, strict=False), *kwargs.items()):
        if type(value) in NUMBERS:
            continue
        if _is_in_units(value) or (name in durations and has_text(value)):
            try:
                return InUnits(cls, dict(inspect.signature(cls).bind(*args, **kwargs).arguments))
            except TypeError:  # for a missing or unknown argument, the constructor raises the error
                return None
    return None


@cached_by_class
def _known(cls: type) -> tuple[list[str], Mapping[str, str]]:
    """Return the names of all arguments of a schedule class, and its durations with their units."""
    return list(inspect.signature(cls).parameters), durations_of(cls)


def _is_in_units(value: Any) -> bool:
    if type(value) is list or type(value) is tuple:
        return InUnits in map(type, value)
    return type(value) is InUnits


def _in_run(value: Any, run: RunLength | None) -> Any:
    if isinstance(value, list | tuple) and _is_in_units(value):
        return [_in_run(one, run) for one in value]
    return value.in_run(run) if isinstance(value, InUnits) else value
