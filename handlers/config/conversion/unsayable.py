"""The error for a part of a config that another library cannot express."""

from .phases_in_words import events_of, words_of
from .split_into_phases import Phase


class UnsayableError(Exception):
    """Raised if a library cannot express a part of a config; the text names the part."""


def unsayable(name: str, phase: Phase, why: str) -> UnsayableError:
    """Return the error for a phase in the schedule of a parameter, if another library cannot express the phase."""
    return UnsayableError(f"the schedule of {name!r} at {events_of(phase)}, {words_of(phase.schedule)}: {why}")
