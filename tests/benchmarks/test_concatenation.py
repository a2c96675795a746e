"""The cost of one event of schedules one after another: few or many, at the beginning, at the end, and all through."""

import pytest
from contenders import KINDS, ignite, in_torch, optimizer_of
from interleaving import Contender, interleaved, of_size

import lehr.handlers as lehr

EVENTS = 1000


def joined(library, schedules, duration):
    """An event, and what it is called with, of so many cosines of so many events each."""
    optimizer = optimizer_of(1)
    members = [KINDS["cosine"][library](optimizer) for _ in range(schedules)]
    durations = [duration] * (schedules - 1)
    if library == "torch":
        optimizer.step()
        milestones = [duration * (1 + at) for at in range(schedules - 1)]
        return in_torch.SequentialLR(optimizer, members, milestones).step, ()
    return {"lehr": lehr, "ignite": ignite}[library].ConcatScheduler(members, durations), (None,)


def nested(schedules, duration):
    """The same by concatenations of two, each in the next."""
    optimizer = optimizer_of(1)
    whole = KINDS["cosine"]["lehr"](optimizer)
    for at in range(1, schedules):
        whole = lehr.ConcatScheduler([whole, KINDS["cosine"]["lehr"](optimizer)], [at * duration])
    return whole, (None,)


def many(call, arguments):
    for _ in range(EVENTS):
        call(*arguments)


def once_started(call, arguments):
    """Its events after those that pass through all schedules but the last, if these are short."""
    many(call, arguments)
    return Contender(many, (call, arguments), per=EVENTS)


def from_the_first(make, *arguments):
    """All events of it, from the first one, made anew each time."""
    return Contender(many, per=EVENTS, fresh=lambda: make(*arguments))


@pytest.mark.parametrize(("where", "duration"), [("in the first", 10**9), ("in the last", 9)])
def test_an_event_of_a_concatenation(benchmark, tell, tell_growth, where, duration):
    contenders = {
        (library, schedules): once_started(*joined(library, schedules, duration))
        for schedules in (2, 100)
        for library in ("lehr", "ignite", "torch")
    }
    samples = interleaved(benchmark, contenders, seconds=4.0)
    for schedules in (2, 100):
        tell(f"{where} of {schedules} schedules", of_size(samples, schedules))
    tell_growth(f"event {where} schedule: of 100 over of 2", of_size(samples, 100), of_size(samples, 2))


def test_all_of_a_concatenation(benchmark, tell, tell_growth):
    contenders = {
        (library, schedules): from_the_first(joined, library, schedules, EVENTS // schedules)
        for schedules in (2, 100)
        for library in ("lehr", "ignite", "torch")
    }
    samples = interleaved(benchmark, contenders, seconds=4.0)
    for schedules in (2, 100):
        tell(f"from first to last of {schedules} schedules", of_size(samples, schedules))
    tell_growth("event of all of it: 100 schedules over 2", of_size(samples, 100), of_size(samples, 2))


def test_a_nested_concatenation(benchmark, tell, tell_growth):
    contenders = {}
    for schedules in (3, 51):
        duration = EVENTS // schedules
        contenders["lehr", schedules] = from_the_first(nested, schedules, duration)
        contenders["flat", schedules] = from_the_first(joined, "lehr", schedules, duration)
    samples = interleaved(benchmark, contenders, seconds=4.0)
    for schedules in (3, 51):
        tell(f"from first to last, nested {schedules - 1} deep", of_size(samples, schedules))
    tell_growth("event of all of it: nested 50 deep over 2", of_size(samples, 51), of_size(samples, 3))


def test_concatenations_are_the_same():
    """What is timed side by side does the same work."""
    values = {}
    for name, (call, arguments) in {
        "lehr": joined("lehr", 5, 10),
        "nested": nested(5, 10),
        "ignite": joined("ignite", 5, 10),
    }.items():
        for _ in range(45):
            call(*arguments)
        values[name] = call.optimizer_param_groups[0]["lr"]
    assert values["nested"] == values["lehr"] == pytest.approx(values["ignite"], rel=1e-12)
