"""The cost of one event of concatenated schedules: few or many, in the first, in the last, and in all of them."""

import pytest
from contenders import KINDS, ignite, in_torch, optimizer_of
from interleaving import Contender, interleaved, of_size

import lehr.handlers as lehr

EVENTS = 1000


def joined(library, schedules, duration):
    """An event, with its arguments, of so many concatenated cosines of so many events each."""
    optimizer = optimizer_of(1)
    members = [KINDS["cosine"][library](optimizer) for _ in range(schedules)]
    durations = [duration] * (schedules - 1)
    if library == "torch":
        optimizer.step()
        milestones = [duration * (1 + at) for at in range(schedules - 1)]
        return in_torch.SequentialLR(optimizer, members, milestones).step, ()
    return {"lehr": lehr, "ignite": ignite}[library].ConcatScheduler(members, durations), (None,)


def nested(schedules, duration):
    """The same, by concatenations of two schedules that contain one another."""
    optimizer = optimizer_of(1)
    whole = KINDS["cosine"]["lehr"](optimizer)
    for at in range(1, schedules):
        whole = lehr.ConcatScheduler([whole, KINDS["cosine"]["lehr"](optimizer)], [at * duration])
    return whole, (None,)


def many(call, arguments):
    for _ in range(EVENTS):
        call(*arguments)


def once_started(call, arguments):
    """Later events: those of the last schedule, if the others are short."""
    many(call, arguments)
    return Contender(many, (call, arguments), per=EVENTS)


def from_the_first(make, *arguments):
    """All events of a new concatenation."""
    return Contender(many, per=EVENTS, fresh=lambda: make(*arguments))


@pytest.mark.parametrize(("where", "duration"), [("in the first", 10**9), ("in the last", 9)])
def test_an_event_of_a_concatenation(benchmark, add_row, add_growth, where, duration):
    contenders = {
        (library, schedules): once_started(*joined(library, schedules, duration))
        for schedules in (2, 100)
        for library in ("lehr", "ignite", "torch")
    }
    measured = interleaved(benchmark, contenders, seconds=4.0)
    for schedules in (2, 100):
        add_row(f"{where} of {schedules} schedules", of_size(measured, schedules))
    add_growth(f"event {where} schedule: of 100 over of 2", of_size(measured, 100), of_size(measured, 2))


def test_all_of_a_concatenation(benchmark, add_row, add_growth):
    contenders = {
        (library, schedules): from_the_first(joined, library, schedules, EVENTS // schedules)
        for schedules in (2, 100)
        for library in ("lehr", "ignite", "torch")
    }
    measured = interleaved(benchmark, contenders, seconds=4.0)
    for schedules in (2, 100):
        add_row(f"from first to last of {schedules} schedules", of_size(measured, schedules))
    add_growth("event of all of it: 100 schedules over 2", of_size(measured, 100), of_size(measured, 2))


def test_a_nested_concatenation(benchmark, add_row, add_growth):
    contenders = {}
    for schedules in (3, 51):
        duration = EVENTS // schedules
        contenders["lehr", schedules] = from_the_first(nested, schedules, duration)
        contenders["flat", schedules] = from_the_first(joined, "lehr", schedules, duration)
    measured = interleaved(benchmark, contenders, seconds=4.0)
    for schedules in (3, 51):
        add_row(f"from first to last, nested {schedules - 1} deep", of_size(measured, schedules))
    add_growth("event of all of it: nested 50 deep over 2", of_size(measured, 51), of_size(measured, 3))


def test_concatenations_are_the_same():
    """All contenders write the same values."""
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
