"""The cost of ``seek`` and of resuming from a state, at the beginning and after a billion events."""

import pytest
from contenders import KINDS, event_of, optimizer_of, stepping
from interleaving import Contender, interleaved, of_size

NEAR, FAR = 10, 10**9
SAME = {f"at event {NEAR}": 1.1}  # the same time, with some noise


def made(library):
    return stepping(KINDS["cosine"][library], optimizer_of(1))


def at(event):
    scheduler = made("lehr")
    scheduler.seek(event)
    return scheduler


def sought(event):
    scheduler = made("lehr")

    def seek_and_write():
        scheduler.seek(event)
        scheduler(None)

    return Contender(seek_and_write)


def resumed(library, saved):
    """Load a state into a new scheduler, and write."""
    state = saved.state_dict()

    def load_and_write(scheduler, event):
        scheduler.load_state_dict(state)
        event.call(*event.arguments)

    def fresh():
        scheduler = made(library)
        return scheduler, event_of(library, scheduler)

    return Contender(load_and_write, fresh=fresh)


def after_some_events(library):
    scheduler = made(library)
    event = event_of(library, scheduler)
    for _ in range(NEAR):
        event.call(*event.arguments)
    return scheduler


@pytest.mark.parametrize(
    ("what", "contender"),
    [
        ("seek and write", sought),
        ("load a state and write", lambda event: resumed("lehr", at(event))),
        ("write, one event after another,", lambda event: event_of("lehr", at(event))),
    ],
    ids=["seek", "resume", "event"],
)
def test_far_and_near(benchmark, add_row, add_growth, what, contender):
    measured = interleaved(benchmark, {("lehr", event): contender(event) for event in (FAR, NEAR)})
    far, near = (measured["lehr", event] for event in (FAR, NEAR))
    add_row(f"{what} at event {FAR:,}", {"lehr": far, f"at event {NEAR}": near}, SAME)
    add_growth(f"{what} at event {FAR:,} over {NEAR}", of_size(measured, FAR), of_size(measured, NEAR))


def test_resume_beside_others(side_by_side):
    contenders = {library: resumed(library, after_some_events(library)) for library in ("lehr", "ignite", "torch")}
    side_by_side(f"load a state and write at event {NEAR}", contenders)


def test_save_beside_others(side_by_side):
    contenders = {library: Contender(after_some_events(library).state_dict) for library in ("lehr", "ignite", "torch")}
    side_by_side("state_dict", contenders)
