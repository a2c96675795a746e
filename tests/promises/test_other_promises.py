"""The promises of ``test_promises.py``, for schedulers that are more than a pure schedule in an optimizer."""

import itertools
import json
import random

import numpy as np
import pytest
import torch
from cases import for_each
from rigs import RIGS

from lehr.engine import ParamHistory
from lehr.handlers import (
    ReduceOnPlateauScheduler,
)
from lehr.handlers.schedules.stateful import stateful_parts

EVENTS = 40
each_rig = for_each("make", RIGS.values(), RIGS)
NAMES = {make: name for name, make in RIGS.items()}
# On the others a metric decides, so that a simulation without metrics says what would come if there were none.
each_unsteered = for_each("make", lambda: [make for make in NAMES if make().metrics is None], NAMES.get)


def rows_of(table):
    """A simulated table as what is read after each event."""
    return [list(row) for row in np.asarray(table).tolist()]


def simulated(rig, events=EVENTS):
    if isinstance(rig.scheduler, ReduceOnPlateauScheduler):
        return rows_of(rig.scheduler.simulate(events, metric_values=rig.metrics[:events]))
    return rows_of(rig.scheduler.simulate(events))


def columns_of(rig, rows):
    """The simulated columns that stand where the rig reads; one column may serve all groups."""
    width = len(rig.read())
    return [row[:width] if len(row) >= width else row * width for row in rows]


def everything(rig):
    torch_scheduler = getattr(rig.scheduler, "lr_scheduler", None)
    return (
        rig.read(),
        json.dumps(rig.scheduler.state_dict()),
        repr(rig.scheduler),
        str(torch_scheduler.state_dict()) if torch_scheduler else None,
        random.getstate(),
        torch.get_rng_state().numpy().tobytes(),
    )


@each_unsteered
def test_events_write_the_simulated_values(make):
    rig = make()
    expected = columns_of(rig, simulated(rig))
    assert rig.fire(EVENTS) == expected
    assert rig.scheduler.event_index == EVENTS


@for_each(
    "name", lambda: [name for name, make in RIGS.items() if isinstance(make().scheduler, ReduceOnPlateauScheduler)]
)
def test_a_plateau_does_what_it_was_simulated_to_do(name):
    rig = RIGS[name]()
    before = rig.read()
    expected = simulated(rig)
    written = rig.fire(EVENTS)
    if name == "plateau of one group":
        assert all(row[0] == before[0] and row[2] == before[2] for row in written)
        written = [row[1:2] for row in written]
    assert written == expected
    assert written[-1] != written[0]


@each_rig
def test_a_run_leaves_and_records_the_same(make):
    rig, other = make(), make()
    expected = other.fire(EVENTS)
    engine, written = rig.engine, []
    if rig.metrics is not None:
        engine.add_event_handler(
            rig.event, lambda: setattr(engine.state, "metrics", {"loss": rig.metrics[rig.scheduler.event_index]})
        )
    if rig.observe is not None:
        engine.add_event_handler(rig.event, rig.observe)
    rig.scheduler.attach(engine, rig.event)
    engine.add_event_handler(rig.event, lambda: written.append(rig.read()))
    engine.run([0], max_epochs=EVENTS)
    assert written == expected
    history = engine.state.param_history
    assert isinstance(history, ParamHistory)
    assert {name: len(history[name]) for name in history} == dict.fromkeys(rig.scheduler._history_names(None), EVENTS)
    names = rig.scheduler._history_names(None)
    all_columns = np.column_stack([history[name].to_numpy() for name in names])
    columns = all_columns if len(all_columns[0]) == len(expected[0]) else history[names[0]].to_numpy()
    assert np.allclose(
        columns,
        [row[1:2] if len(columns[0]) < len(row) else row for row in expected],
        rtol=0,
        atol=0,
    )


@each_rig
def test_making_and_asking_touches_nothing(make):
    rig = make()
    rig.fire(5)
    before = everything(rig)
    rig.scheduler.simulate(20)
    rig.scheduler.simulate(3, start=7)
    following = rig.scheduler.get_param()
    assert everything(rig) == before
    if rig.metrics is None:
        width = len(rig.read())
        written = rig.fire()[0]
        assert np.broadcast_to(following, np.shape(following) or (width,)).tolist()[:width] == written


@for_each(("stop", "way"), itertools.product((0, 1, 6, 17), ("torch", "json")), one_in=8)
@each_rig
def test_a_run_that_is_saved_and_loaded_goes_on_as_the_unbroken_one(make, way, stop, tmp_path):
    unbroken = make().fire(EVENTS)
    rig = make()
    assert rig.fire(stop) == unbroken[:stop]
    if way == "json":
        state = json.loads(json.dumps(rig.scheduler.state_dict()))
    else:
        torch.save(rig.scheduler.state_dict(), tmp_path / "state.pt")
        state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed = make()
    resumed.scheduler.load_state_dict(state)
    assert resumed.scheduler.event_index == stop
    assert resumed.fire(EVENTS - stop) == unbroken[stop:]


@each_unsteered
def test_any_event_can_be_reached_in_any_order(make):
    rig = make()
    in_order = make().fire(EVENTS)
    for event in random.Random(0).choices(range(EVENTS), k=12):
        rig.scheduler.seek(event)
        assert rig.fire() == [in_order[event]]


BROKEN = {
    "missing": lambda state: {key: value for key, value in state.items() if key != "event_index"},
    "extra": lambda state: {**state, "cycle": 1},
    "string index": lambda state: {**state, "event_index": "3"},
    "negative index": lambda state: {**state, "event_index": -1},
    "another class": lambda state: {**state, "scheduler": "SomebodyElse"},
    "nothing": lambda state: None,
}
BROKEN_PROGRESS = {
    "none": lambda parts: [],
    "empty": lambda parts: [{} for _ in parts],
    "foreign": lambda parts: [{"best": 1.0} for _ in parts],
    "no list": lambda parts: {"best": 1.0},
    "the last one": lambda parts: [*parts[:-1], {}],
    **{
        f"{kind} {key}": lambda parts, key=key, value=value: [{**part, key: value} for part in parts]
        for key in ("position", "saved", "values", "best", "num_bad_epochs", "extra")
        for kind, value in {"hostile": "x", "missing": None, "negative": -1, "nested": [{"tensor": 3}]}.items()
    },
}


@each_rig
@pytest.mark.parametrize("kept", [3, pytest.param(1, marks=pytest.mark.proof)])
def test_a_broken_state_loads_nothing(make, kept):
    """By default, each scheduler is given a third of the states."""
    rig, own = make(), slice([*RIGS.values()].index(make) % kept, None, kept)
    rig.fire(7)
    before = everything(rig)
    state = rig.scheduler.state_dict()
    for name, broken in list(BROKEN.items())[own]:
        with pytest.raises((TypeError, ValueError), match="state_dict|event_index"):
            rig.scheduler.load_state_dict(broken(state))
        assert everything(rig) == before, name
    if not stateful_parts(rig.scheduler._schedule):
        return
    for name, broken in list(BROKEN_PROGRESS.items())[own]:
        broken_state = {**state, "progress": broken(state["progress"])}
        key = name.split()[-1]
        if name.startswith("missing best") or (
            key not in state["progress"][0] and " " in name and key not in ("extra", "one")
        ):
            continue
        with pytest.raises((TypeError, ValueError)):
            rig.scheduler.load_state_dict(broken_state)
        assert everything(rig) == before, name
    assert rig.fire(5) == make().fire(12)[7:]
