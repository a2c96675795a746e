"""Finds the numbers that schedulers write, and schedulers that write the same number."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lehr.engine.history import ParamHistory
from lehr.handlers.targets.target import Location

if TYPE_CHECKING:
    from ignite.engine import Engine

Locations = dict[str, list[Location]]  # the keys are names of histories


def locations_of(handler: Any, engine: "Engine | None") -> Locations:
    """Return the locations of the numbers that a handler writes at an engine's events; empty if it is no scheduler.

    The result is also empty if the param groups are missing or not allowed. The next event then raises an error.
    """
    find = getattr(type(handler), "_locations", None)
    with suppress(TypeError, ValueError):
        return {} if find is None else find(handler, engine)
    return {}


def holders_of(locations: Locations) -> set[int] | None:
    """Return the ids of the holders of these locations; None if a tensor may be in several holders."""
    found = [location for some in locations.values() for location in some]
    holders = {id(location.holder) for location in found}
    return holders if all(location.identity[0] in holders for location in found) else None


def may_share(holders: set[int] | None, handler: Any, engine: "Engine") -> bool:
    """Return whether a handler may write a number in these holders. This is faster than comparing locations."""
    find = getattr(type(handler), "_holders", None)
    with suppress(TypeError, ValueError):
        return find is not None and (holders is None or not holders.isdisjoint(map(id, find(handler, engine))))
    return False


def labels_of(locations: Sequence[Location]) -> list[str]:
    """Return the name of each location's param group, with the optimizer's number if there are several optimizers."""
    optimizers = {id(location.owner): location.owner for location in locations if location.is_in_optimizer}
    names = {
        id(group): str(group.get("name", f"group {number}"))
        for optimizer in optimizers.values()
        for number, group in enumerate(optimizer.param_groups)
    }
    labels = [names.get(id(location.holder), "") for location in locations]
    if len(optimizers) > 1:
        order = list(optimizers)
        pairs = zip(locations, labels, strict=True)
        labels = [label and f"optimizer {order.index(id(one.owner))}, {label}" for one, label in pairs]
    return labels


def label_history(history: ParamHistory, names: Sequence[str], scheduler: Any, engine: "Engine | None") -> None:
    """Store in a history the names of the param groups whose values a scheduler records under ``names``."""
    locations = locations_of(scheduler, engine)
    everything = [location for rows in locations.values() for location in rows]
    for name in names:
        labels = labels_of(everything if len(names) == 1 else locations.get(name, []))
        history.labels[name] = labels if all(labels) else []


def shared_locations(one: Mapping[str, Iterable[Location]], other: Mapping[str, Iterable[Location]]) -> list[Location]:
    """Return the locations in ``one`` whose numbers are also in ``other``."""
    known = {location.identity for locations in other.values() for location in locations}
    return [location for locations in one.values() for location in locations if location.identity in known]
