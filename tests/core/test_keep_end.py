"""The resume policy "keep_end": what is left of a schedule is stretched over a longer or shorter run."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from optimizers import make_optimizer, values_of

from lehr.handlers import CosineDecayScheduler, LinearScheduler, ParamGroupScheduler, ParamScheduler, ResumeWarning
from lehr.handlers.schedules import Anneal, Constant, LinearInterpolation, OneCycle
from lehr.handlers.schedules.stretched_rest import StretchedRest


def cosine(duration):
    return CosineDecayScheduler(make_optimizer(), "lr", duration=duration, start_value=0.1)


def resumed(scheduler, state, policy="keep_end"):
    with pytest.warns(ResumeWarning, match=r"(?s)the saved schedule differs.*saved: .*now: "):
        scheduler.load_state_dict(json.loads(json.dumps(state)), resume_policy=policy)
    return scheduler


def state_at(scheduler, event_index):
    scheduler.seek(event_index)
    return scheduler.state_dict()


@given(old=st.integers(1, 400), new=st.integers(1, 400), event=st.integers(0, 399))
def test_it_begins_at_the_fraction_and_ends_with_the_run(old, new, event):
    assume(event < min(old, new) and old != new)
    scheduler = resumed(cosine(new), state_at(cosine(old), event))
    values = scheduler.simulate(new + 20)[:, 0]
    fraction = event / old
    shift_of_one = 0.1 * np.pi / 2 / new  # the steepest step of the new schedule
    # The new schedule at the fraction that the run was at, where both have the same value, to half an event.
    assert values[event] == cosine(new).simulate(1, round(fraction * new))[0, 0]
    assert abs(values[event] - cosine(old).simulate(1, event)[0, 0]) <= 0.51 * shift_of_one
    # Straight on to the end, at the event that is the length, and not before.
    progress = fraction + (1 - fraction) * (np.arange(event, new) - event) / (new - event)
    np.testing.assert_allclose(
        values[event:new], 0.05 * (1 + np.cos(np.pi * progress)), rtol=0, atol=0.51 * shift_of_one + 1e-12
    )
    assert (values[new:] == 0).all()
    # Saved again, it goes on without a word.
    again = cosine(new)
    again.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    assert (again.simulate(new + 20)[:, 0] == values).all()
    for at in range(event, min(event + 5, new)):
        again(None)
        assert values_of(again.optimizer) == [values[at]]


@given(longer=st.integers(101, 300), event=st.integers(1, 99), rest=st.integers(1, 50), policy=st.sampled_from(
    ["keep_step", "keep_fraction", "keep_end", "keep_value"]))  # fmt: skip
def test_a_stretched_run_can_be_changed_again(longer, event, rest, policy):
    """Its position is that of the stretched schedule."""
    first = resumed(cosine(longer), state_at(cosine(100), event))
    for _ in range(min(rest, longer - event - 1)):
        first(None)
    now, value = first.event_index, values_of(first.optimizer)[0]
    position = first._adjustment.position_at(now)
    assume(now < 400 and position < longer)
    third = resumed(cosine(400), first.state_dict(), policy)
    expected = {
        "keep_step": cosine(400).simulate(1, position)[0, 0],
        "keep_fraction": cosine(400).simulate(1, round(position / longer * 400))[0, 0],
        "keep_end": cosine(400).simulate(1, round(position / longer * 400))[0, 0],
        "keep_value": value,
    }[policy]
    assert third.simulate(1, now)[0, 0] == expected
    if policy == "keep_end":
        assert third.simulate(2, 399)[:, 0] == pytest.approx([0, 0], abs=2e-5)
        assert third.simulate(1, 400)[0, 0] == 0


def test_groups_and_parameters_are_stretched_together():
    def make(steps):
        optimizer = make_optimizer(2)
        return ParamGroupScheduler(
            [
                LinearScheduler(optimizer, "lr", steps, start_value=[0.4, 0.2], end_value=0.0),
                ParamScheduler(optimizer, "weight_decay", schedule=Anneal(0.0, 0.4, steps)),
            ]
        )

    scheduler = resumed(make(300), state_at(make(100), 50))
    assert scheduler.simulate(1, start=50)[0] == pytest.approx([0.2, 0.1, 0.2])
    assert scheduler.simulate(1, start=175)[0] == pytest.approx([0.1, 0.05, 0.3], abs=2e-3)
    assert scheduler.simulate(1, start=300)[0].tolist() == [0.0, 0.0, 0.4]


def test_a_whole_shape_is_stretched():
    """A one-cycle that is saved before its peak has the whole peak."""
    old, new = OneCycle(0.1, total_steps=100), OneCycle(0.1, total_steps=200)
    before = ParamScheduler(make_optimizer(), "lr", schedule=old)
    after = resumed(ParamScheduler(make_optimizer(), "lr", schedule=new), state_at(before, 10))
    values = after.simulate(201)[:, 0]
    assert values.max() == new(np.arange(200)).max()
    assert values[10] == new(round(10 / old.length * new.length))


REFUSED = [
    (Anneal(0.1, 0, 100), Constant(0.1), 40, "must be 'keep_step' for a schedule without a known end"),
    (Constant(0.1), Anneal(0.1, 0, 100), 40, "where the saved schedule has no known end"),
    (Anneal(0.1, 0, 30), Anneal(0.1, 0, 100), 40, "where the saved run is past the end of its schedule, 30 events"),
    (Anneal(0.1, 0, 100), Anneal(0.1, 0, 40), 40, "at event 40, since the schedule has ended after 40 events"),
    (Anneal(0.1, 0, 100), lambda event: 0.5, 40, "for a schedule that depends on what happens in training"),
]


@pytest.mark.parametrize(("old", "new", "event", "match"), REFUSED)
def test_what_cannot_be_stretched_is_an_error_and_changes_nothing(old, new, event, match):
    state = state_at(ParamScheduler(make_optimizer(), "lr", schedule=old), event)
    after = ParamScheduler(make_optimizer(), "lr", schedule=new)
    before = json.dumps(after.state_dict()), repr(after.schedule)
    with pytest.raises(ValueError, match=match) as raised:
        after.load_state_dict(state, resume_policy="keep_end")
    assert len(str(raised.value)) <= 500
    assert (json.dumps(after.state_dict()), repr(after.schedule)) == before


@pytest.mark.parametrize("stretch", [[40, 50.0], "none", [40, 200.0, 100.0], [100, 1.0, 100.0], [-1, 0.0, 10.0], 5])
def test_a_state_with_another_stretch_is_refused(stretch):
    state = state_at(cosine(100), 40)
    with pytest.raises((TypeError, ValueError)):
        cosine(100).load_state_dict({**state, "stretch": stretch})
    with pytest.raises(ValueError, match="shift must be 0 beside a stretch"):
        cosine(100).load_state_dict({**state, "shift": 3, "stretch": [40, 50.0, 100.0]})


LINE = LinearInterpolation([(0, 0.0), (1000, 1000.0)])


@pytest.mark.parametrize(
    ("begin", "position", "end", "events", "read"),
    [
        (0, 0.0, 10.0, [0, 5, 10, 12], [0, 5, 10, 12]),
        (60, 90.0, 150.0, [0, 30, 60, 105, 149, 150, 151], [0, 45, 90, 120, 149, 150, 151]),
        (60, 30.0, 100.0, [0, 30, 60, 80, 100, 101], [0, 15, 30, 65, 100, 101]),
    ],
)
def test_events_that_are_read(begin, position, end, events, read):
    schedule = StretchedRest(LINE, begin, position, end)
    assert schedule(events).tolist() == read
    assert [schedule.value_from_parts(event, lambda part, at: part(at)) for event in events] == read


def test_it_shows_what_it_is():
    scheduler = resumed(cosine(150), state_at(cosine(100), 60))
    assert repr(scheduler).endswith(", stretched from its event 90 at event 60 to its end at event 150>")
    assert scheduler.schedule.length == 150
