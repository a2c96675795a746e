"""Where schedulers write: each number that one of them sets, so that it can be read, named and compared."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from ignite.engine import Engine

from .group_selection import Group


class Place(NamedTuple):
    """One number that a scheduler writes.

    Args:
        holder: what it stands in: a param group, the state of an engine, a batch sampler.
        key: by which name it stands there.
        item: which item of a tuple it is; None for the whole.
        owner: the optimizer, engine state or batch sampler.
    """

    holder: Any
    key: str
    item: int | None
    owner: Any

    @property
    def identity(self) -> tuple[int, str, int | None]:
        """The same for two places where one number stands, also if it is a tensor that several groups share."""
        held = self.holder.get(self.key) if isinstance(self.holder, dict) else None
        return (id(held) if isinstance(held, torch.Tensor) else id(self.holder)), self.key, self.item

    @property
    def label(self) -> str:
        """What the param group is called; empty where there are none. Looked up when asked, since few are."""
        if not self.is_in_optimizer:
            return ""
        number = next(at for at, group in enumerate(self.owner.param_groups) if group is self.holder)
        return str(self.holder.get("name", f"group {number}"))

    @property
    def param_name(self) -> str:
        """The parameter, as a scheduler would be told to write it."""
        return self.key if self.item is None else f"{self.key}[{self.item}]"

    @property
    def is_in_optimizer(self) -> bool:
        """Whether it is a number of an optimizer's param group."""
        return isinstance(self.holder, dict)

    def read(self) -> list[float]:
        """What stands there: one number, or several where an engine's state has a list; NaN where there is none."""
        if isinstance(self.holder, dict):
            held = self.holder[self.key] if self.item is None else self.holder[self.key][self.item]
        else:
            held = getattr(self.holder, self.key, None)
        if isinstance(held, list | tuple):
            return [float(value) for value in held]
        return [math.nan if held is None else float(held)]


Places = dict[str, list[Place]]  # by the names of the histories


class Writer:
    """Whoever writes to places."""

    def _places(self, engine: Engine) -> Places:
        """Where it writes at the events of an engine, by the names of the histories; nothing where it does not say."""
        return {}

    def _holders(self, engine: Engine) -> Iterable[object]:
        """What those places stand in, or more; it takes less time to tell than the places."""
        return [place.holder for places in self._places(engine).values() for place in places]


def places_of(thing: object, engine: Engine) -> Places:
    """Where something writes at the events of an engine; nothing if its groups are gone, or refused.

    That is for its own event to say, and not for whoever looks at it.
    """
    if isinstance(thing, Writer):
        with suppress(TypeError, ValueError):
            return thing._places(engine)
    return {}


def places_in_groups(optimizer: Any, groups: Sequence[Group], key: str, item: int | None) -> list[Place]:
    """The places of one parameter in some of an optimizer's param groups."""
    return [Place(group, key, item, optimizer) for group in groups]


def common(one: Places, other: Places) -> list[Place]:
    """The places that are in both."""
    known = {place.identity for places in other.values() for place in places}
    return [place for places in one.values() for place in places if place.identity in known]


def plain_holders(places: Places) -> set[int] | None:
    """The ids of what these places stand in; None where a tensor may be one number in several holders."""
    all_places = [place for some in places.values() for place in some]
    holders = {id(place.holder) for place in all_places}
    return holders if all(place.identity[0] in holders for place in all_places) else None


def may_write_in(holders: set[int] | None, thing: object, engine: Engine) -> bool:
    """Whether something may write in one of these holders, of :func:`plain_holders`; if not, no place is in common."""
    if not isinstance(thing, Writer):
        return False
    try:
        return holders is None or not holders.isdisjoint(map(id, thing._holders(engine)))
    except (TypeError, ValueError):  # see places_of
        return False
