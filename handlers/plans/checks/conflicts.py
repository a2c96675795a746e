"""Checks for two who write one parameter, and for one who writes twice."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
from ignite.handlers.param_scheduler import ParamScheduler as IgniteParamScheduler
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.engine.event_handlers import handlers_of
from lehr.handlers.core.copying import reachable_from
from lehr.handlers.core.inspection import Location, locations_of, members_of, shared_locations, times_attached
from lehr.handlers.plans.plan import named_groups
from lehr.handlers.plans.simulation.code_inspection import referred_to_by
from lehr.handlers.plans.simulation.run import Part

from .checked_run import Review, called
from .findings import Finding


def write_conflicts(review: Review) -> Iterator[Finding]:
    """Two who write one parameter in turn, so that only the later one counts."""
    rehearsal, iterations = review.rehearsal, review.plan.num_iterations - review.plan.start
    written = [(part, locations_of(part.copy, rehearsal.engine)) for part in rehearsal.parts]
    for (one, its_own), (other, those) in combinations(written, 2):
        shared = shared_locations(its_own, those)
        if not shared or not _take_turns(one, other):
            continue
        first_wins = _wins(review, one, other)
        winner, wins = (one, first_wins) if 2 * first_wins > iterations else (other, iterations - first_wins)
        first, second = called(one), called(other)
        if first == second:
            first, second = f"{first} (attached first)", f"{second} (attached later)"
        begin = min(max(one.ticks[0], other.ticks[0]), review.plan.num_iterations - 1)
        yield Finding(
            "write-conflict",
            "error",
            _named(shared),
            f"{first} and {second} both write it, from {review.at(begin)} on; "
            f"{first if winner is one else second} wins at {wins} of {iterations} iterations",
            "attach one of them alone, or make one of both: ChainedScheduler multiplies, ConcatScheduler takes turns",
            {"iteration": begin, "winner": type(winner.original).__name__, "wins": wins, "iterations": iterations},
        )
    for part in rehearsal.parts:
        yield from _conflicts_within(review, part)
        yield from _conflicts_with_ignite(review, part)
    yield from _conflicts_with_torch(review)


def _take_turns(one: Part, other: Part) -> bool:
    """Whether each writes when the other has begun to; one that begins where the other has ended takes over from it."""
    return bool(one.ticks and other.ticks) and one.ticks[-1] >= other.ticks[0] and other.ticks[-1] >= one.ticks[0]


def _wins(review: Review, one: Part, other: Part) -> int:
    """At how many iterations the value of the first one stands."""
    iterations, last = np.arange(review.plan.start, review.plan.num_iterations), []
    for part in (one, other):
        ticks = np.array(part.ticks)
        at = np.searchsorted(ticks, iterations, side="right") - 1
        last.append(np.where(at >= 0, ticks[at], -1))
    later = review.rehearsal.order_of(one) > review.rehearsal.order_of(other)
    return int(np.sum(last[0] >= last[1] if later else last[0] > last[1]))


def _conflicts_within(review: Review, part: Part) -> Iterator[Finding]:
    engine, writers = review.rehearsal.engine, members_of(part.copy)
    own = [{writer.param_name: locations_of(writer, engine).get(writer.param_name, [])} for writer in writers]
    for one, other in combinations(range(len(own)), 2):
        if shared := shared_locations(own[one], own[other]):
            yield Finding(
                "write-conflict",
                "error",
                _named(shared),
                f"members {one} and {other} of {called(part)} both write it; member {other} wins at every event",
                "leave one of them out, or multiply their schedules: Product of lehr.handlers.schedules",
                {"members": [one, other], "winner": other},
            )


def _conflicts_with_ignite(review: Review, part: Part) -> Iterator[Finding]:
    """Schedulers of ignite, which a dry run does not call."""
    trainer = review.rehearsal.trainer
    places = [place for its_own in locations_of(part.original, trainer).values() for place in its_own]
    for peer in [registered.handler for registered in handlers_of(trainer)]:
        if isinstance(peer, IgniteParamScheduler):
            groups = {id(group) for group in peer.optimizer_param_groups}
            shared = [place for place in places if id(place.holder) in groups and place.key == peer.param_name]
            if shared:
                yield Finding(
                    "write-conflict",
                    "error",
                    _named(shared),
                    f"{called(part)} writes it, and so does ignite's {type(peer).__name__} on the same engine; the one "
                    "whose event comes later wins",
                    "attach one of them alone",
                )


def _conflicts_with_torch(review: Review) -> Iterator[Finding]:
    """Schedulers of torch that are not wrapped, which somebody's code may step."""
    trainer, parts = review.rehearsal.trainer, review.rehearsal.parts
    wrapped = {id(thing) for thing in reachable_from([part.original for part in parts])}
    raw = [thing for thing in referred_to_by(trainer) if isinstance(thing, TorchLRScheduler)]
    for part, thing in product(parts, [thing for thing in raw if id(thing) not in wrapped]):
        places = [place for some in locations_of(part.original, trainer).values() for place in some]
        if shared := [place for place in places if place.owner is thing.optimizer and place.key == "lr"]:
            yield Finding(
                "write-conflict",
                "warning",
                _named(shared),
                f"{called(part)} writes it, and so does torch's {type(thing).__name__}, if the code that refers to it "
                "steps it",
                "wrap it, LRScheduler(...), and make one of both; or delete it",
            )


def _named(places: list[Location]) -> str:
    names = ", ".join(dict.fromkeys(repr(place.param_name) for place in places))
    labels = named_groups(list(dict.fromkeys(place.label for place in places if place.label)))
    return f"{names}, {labels}" if labels else names


def attached_twice(review: Review) -> Iterator[Finding]:
    """A scheduler that one event of an engine calls twice."""
    for part in review.rehearsal.parts:
        events = Counter((wire.engine, wire.event) for wire in part.writing)
        again = len(part.ticks) - len(set(part.ticks))
        if again and max(events.values()) > 1:
            yield Finding(
                "attached-twice",
                "error",
                called(part),
                f"it is attached {len(part.writing)} times, so that {again} of its {len(part.ticks)} events come at an "
                "iteration that has one already: it moves on too fast",
                "attach it once",
                {"times": len(part.writing), "events": len(part.ticks), "again": again},
            )
        elif (times := max((times_attached(part.original, wire.engine) for wire in part.writing), default=0)) > 1:
            yield Finding(
                "attached-twice",
                "warning",
                called(part),
                f"it is attached {times} times, and counts the events of all: {len(part.ticks)} in this run",
                "attach it once; if all of them are meant, say so at once: attach(engine, one | another)",
                {"times": times, "events": len(part.ticks)},
            )
