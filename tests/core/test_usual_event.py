"""Tests of the usual event, which writes floats to groups of floats, and of the events between usual events."""

import copy

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from optimizers import make_optimizer, values_of

from lehr.engine import ParamHistory
from lehr.handlers import Groups, OneCycleScheduler, ParamScheduler
from lehr.handlers.core import param_scheduler
from lehr.handlers.core.schedule_reading import FEW_GROUPS
from lehr.handlers.core.usual_event import usual_event_of

EVENTS = 700  # longer than the first blocks, which have 64 and 512 events


def load_own_state(optimizer):
    """Load a copy of the optimizer's own state, which replaces its list of groups."""
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def replace_by_tensors(optimizer):
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(group["lr"], dtype=torch.float64)


def replace_by_floats(optimizer):
    for group in optimizer.param_groups:
        group["lr"] = float(group["lr"])


def interrupt(scheduler):
    raise KeyboardInterrupt


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("selected", [None, 1, lambda group: group["is_odd"]], ids=["all", "second", "odd"])
@pytest.mark.parametrize("groups", [2, 10, FEW_GROUPS, 2 * FEW_GROUPS + 2])
def test_each_group_gets_its_own_value_whatever_happens_to_the_groups(groups, selected, history):
    optimizer, engine = make_optimizer(groups), Engine(lambda engine, batch: None)
    for at, group in enumerate(optimizer.param_groups):
        group["is_odd"] = bool(at % 2)
    written = {None: range(groups), 1: [1]}.get(selected, range(1, groups, 2))
    peaks = [0.1 * (1 + at) for at in written]
    scheduler = OneCycleScheduler(
        optimizer, "lr", peaks, total_steps=EVENTS, param_group_index=selected, save_history=history
    )
    simulated, first_value = scheduler.simulate(EVENTS), optimizer.param_groups[0]["lr"]
    disturbances = {100: load_own_state, 200: replace_by_tensors, 300: replace_by_floats, 650: load_own_state}
    for event in range(EVENTS):
        if event in disturbances:
            disturbances[event](optimizer)
        scheduler(engine)
        values = values_of(optimizer, "lr")
        assert [float(values[at]) for at in written] == simulated[event].tolist()
        assert selected is None or float(values[0]) == first_value
    if history:
        recorded = engine.state.param_history["lr"].to_numpy()
        np.testing.assert_array_equal(np.reshape(recorded, simulated.shape), simulated)


def test_an_added_group_gets_the_last_of_the_own_values():
    optimizer = make_optimizer(3)
    scheduler = OneCycleScheduler(
        optimizer, "lr", [0.1, 0.2, 0.3], total_steps=100, param_group_index=Groups(added="adopt")
    )
    simulated = scheduler.simulate(100)
    for event in range(100):
        if event == 50:
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
        scheduler(None)
        added = simulated[event][-1:] if event >= 50 else []
        assert values_of(optimizer, "lr") == [*simulated[event], *added]


def test_an_added_group_is_an_error_if_each_group_has_its_own_value():
    optimizer = make_optimizer(3)
    scheduler = OneCycleScheduler(optimizer, "lr", [0.1, 0.2, 0.3], total_steps=100)
    for _ in range(10):
        scheduler(None)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    before = values_of(optimizer, "lr")
    with pytest.raises(ValueError, match="3 values of 'lr' cannot be written to 4 param groups"):
        scheduler(None)
    assert values_of(optimizer, "lr") == before
    assert scheduler.event_index == 10


def test_histories_of_two_engines_have_the_rows_of_their_own_events():
    optimizer, engines = make_optimizer(3), [Engine(lambda engine, batch: None) for _ in range(2)]
    scheduler = OneCycleScheduler(optimizer, "lr", [0.1, 0.2, 0.3], total_steps=100, save_history=True)
    simulated = scheduler.simulate(100)
    for event in range(100):
        if event == 40:
            del engines[0].state.param_history
        scheduler(engines[event % 2])
    np.testing.assert_array_equal(engines[0].state.param_history["lr"].to_numpy(), simulated[40::2])
    np.testing.assert_array_equal(engines[1].state.param_history["lr"].to_numpy(), simulated[1::2])


def test_a_function_may_return_a_number_or_a_list():
    optimizer, engine = make_optimizer(3), Engine(lambda engine, batch: None)
    expected = [[event / 10] * 3 if event % 4 < 2 else [event / 10, event / 20, event / 30] for event in range(12)]
    scheduler = ParamScheduler(
        optimizer,
        "lr",
        schedule=lambda event: expected[event] if event % 4 >= 2 else expected[event][0],
        save_history=True,
    )
    for event in range(12):
        scheduler(engine)
        assert values_of(optimizer, "lr") == expected[event]
        assert engine.state.param_history["lr"][-1] in (expected[event], expected[event][0])
    assert engine.state.param_history["lr"].num_events == 12


def test_own_values_are_floats_if_a_loop_counts_tokens():
    optimizer = make_optimizer(3)
    scheduler = OneCycleScheduler(optimizer, "lr", [0.1, 0.2, 0.3], total_steps=500_000)
    simulated = scheduler.simulate(500_000)
    for event in range(300):
        scheduler.apply(amount=1000)
        values = values_of(optimizer, "lr")
        assert values == simulated[1000 * event].tolist()
        assert {type(value) for value in values} == {float}


@pytest.mark.parametrize("peak", [0.1, [0.1, 0.2, 0.3]], ids=["one value", "own values"])
def test_the_history_of_a_plain_loop_is_recorded_by_usual_events(peak, monkeypatch):
    calls = []
    monkeypatch.setattr(
        param_scheduler, "usual_event_of", lambda scheduler: calls.append(scheduler) or usual_event_of(scheduler)
    )
    scheduler = OneCycleScheduler(make_optimizer(3), "lr", peak, total_steps=60)
    scheduler.history = ParamHistory()
    simulated = scheduler.simulate(60)
    for _ in range(60):
        scheduler.apply()
    assert len(calls) == 1  # all events are in one block
    assert (np.reshape(scheduler.history["lr"].to_numpy(), (60, -1)) == simulated).all()


def test_a_seek_before_the_block_writes_the_value_of_its_event():
    optimizer = make_optimizer(3)
    scheduler = OneCycleScheduler(optimizer, "lr", [0.1, 0.2, 0.3], total_steps=5000)
    simulated = scheduler.simulate(5000)
    for event in [*range(3000, 3010), *range(7), 4999, *range(2990, 3003)]:
        scheduler.seek(event)
        scheduler(None)
        assert values_of(optimizer, "lr") == simulated[event].tolist()


def test_a_number_in_place_of_betas_is_an_error():
    optimizer = make_optimizer(2, torch.optim.AdamW)
    scheduler = OneCycleScheduler(optimizer, "betas[0]", 0.9, total_steps=10)
    scheduler(None)
    for group in optimizer.param_groups:
        group["betas"] = 0.5
    with pytest.raises(TypeError, match="not subscriptable"):
        scheduler(None)
    assert [group["betas"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert scheduler.event_index == 1


@pytest.mark.parametrize("peaks", [0.1, [0.1, 0.2, 0.3]], ids=["one value", "own values"])
def test_an_interrupted_seek_to_an_earlier_event_writes_the_value_of_this_event(monkeypatch, peaks):
    optimizer = make_optimizer(3)
    scheduler = OneCycleScheduler(optimizer, "lr", peaks, total_steps=5000)
    simulated = scheduler.simulate(5000)
    scheduler.seek(3008)  # the first event of a block
    for _ in range(10):
        scheduler(None)
    monkeypatch.setattr("lehr.handlers.core.scheduler.limits_of", interrupt)
    with pytest.raises(KeyboardInterrupt):
        scheduler.seek(3000)
    monkeypatch.undo()
    event = scheduler.event_index
    scheduler(None)
    assert values_of(optimizer, "lr") == simulated[event].tolist()


def test_an_interrupt_while_the_history_is_switched_on_loses_no_row(monkeypatch):
    optimizer, engine = make_optimizer(3), Engine(lambda engine, batch: None)
    scheduler = OneCycleScheduler(optimizer, "lr", [0.1, 0.2, 0.3], total_steps=100)
    scheduler(engine)
    monkeypatch.setattr("lehr.handlers.core.scheduler.limits_of", interrupt)
    with pytest.raises(KeyboardInterrupt):
        scheduler.save_history = True
    monkeypatch.undo()
    scheduler(engine)
    assert hasattr(engine.state, "param_history") == scheduler.save_history
