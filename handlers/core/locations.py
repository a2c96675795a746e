"""Finds the numbers that schedulers write, and schedulers that write the same number."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ignite.engine import Engine

from lehr.handlers.targets.target import Location

Locations = dict[str, list[Location]]  # the keys are names of histories


def locations_of(handler: Any, engine: Engine) -> Locations:
    """The numbers that a handler writes at the events of an engine; none if it is not a scheduler.

    There are none either if its param groups are missing or not allowed; the next event raises that error.
    """
    find = getattr(type(handler), "_locations", None)
    with suppress(TypeError, ValueError):
        return {} if find is None else find(handler, engine)
    return {}


def holders_of(locations: Locations) -> set[int] | None:
    """The ids of the holders of these locations; None if a tensor may be in several holders."""
    found = [location for some in locations.values() for location in some]
    holders = {id(location.holder) for location in found}
    return holders if all(location.identity[0] in holders for location in found) else None


def may_share(holders: set[int] | None, handler: Any, engine: Engine) -> bool:
    """Whether a handler may write a number in these holders; faster than comparing locations."""
    find = getattr(type(handler), "_holders", None)
    with suppress(TypeError, ValueError):
        return find is not None and (holders is None or not holders.isdisjoint(map(id, find(handler, engine))))
    return False


def shared_locations(one: Mapping[str, Iterable[Location]], other: Mapping[str, Iterable[Location]]) -> list[Location]:
    """The locations in ``one`` whose numbers ``other`` has, too."""
    known = {location.identity for locations in other.values() for location in locations}
    return [location for locations in one.values() for location in locations if location.identity in known]
