"""Schedules of an engine's state and of batch sizes: equality with the installed ignite, in real engines."""

import warnings

import numpy as np
import pytest
import torch
from against_ignite import assert_close, assert_same_items, few, peer
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from optimizers import make_trainer
from strategies import piecewise, ratios, values
from torch.utils.data import DataLoader

import lehr.handlers as own

# Engine state

wholes = st.integers(-3, 3)
decays = {"initial_value": values | wholes.filter(bool), "gamma": ratios | wholes}
tables = st.lists(st.integers(-5, 5) | st.booleans() | values, min_size=1)
STATES = {
    "LambdaStateScheduler": {"lambda_obj": tables.map(lambda table: lambda event: table[event % len(table)])},
    "PiecewiseLinearStateScheduler": {"milestones_values": piecewise()},
    "ExpStateScheduler": decays,
    "StepStateScheduler": {**decays, "step_size": st.integers(1, 9)},
    "MultiStepStateScheduler": {**decays, "milestones": st.lists(st.integers(0, 40), max_size=6).map(sorted)},
}
STATES = {name: st.fixed_dictionaries(arguments) for name, arguments in STATES.items()}
NEW = {"param_name": "rate", "save_history": True, "create_new": True}
each_state = pytest.mark.parametrize("name", STATES)
EVENT = [
    Events.ITERATION_STARTED,
    Events.EPOCH_COMPLETED,
    Events.ITERATION_COMPLETED(every=3),
    Events.EPOCH_STARTED(once=2),
]
EITHER = Events.EPOCH_STARTED | Events.ITERATION_COMPLETED(event_filter=lambda engine, event: event > 11)
when = st.sampled_from([(), (EITHER,), *((event,) for event in EVENT)])


def run_state(scheduler, *event):
    """What stands in the state at every iteration and epoch, and the history."""
    trainer, seen = make_trainer(), []
    scheduler.attach(trainer, *event)
    for moment in (Events.ITERATION_STARTED, Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED):
        trainer.add_event_handler(moment, lambda: seen.append(trainer.state.rate))
    trainer.run([0] * 5, max_epochs=4)
    return seen, trainer.state.param_history


def assert_same_state(theirs, ours, *event):
    expected, their_history = run_state(theirs, *event)
    seen, history = run_state(ours, *event)
    nothing = sum(value is None for value in expected)  # lehr writes the value before the first event, if it is known
    assert_same_items(seen[nothing:], expected[nothing:])
    assert len({str(value) for value in seen[:nothing]}) <= 1
    assert set(history) == set(their_history) == {"rate"}
    assert_close(history["rate"], their_history["rate"])
    assert ours.event_index == theirs.event_index


@each_state
@few
@given(data=st.data(), event=when)
def test_state_schedulers_leave_and_record_the_same(name, data, event):
    kwargs = {**NEW, **data.draw(STATES[name])}
    assert_same_state(getattr(peer, name)(**kwargs), getattr(own, name)(**kwargs), *event)


@each_state
@few
@given(data=st.data())
def test_state_schedulers_simulate_the_same(name, data):
    kwargs = {"num_events": 25, **NEW, **data.draw(STATES[name])}
    theirs, ours = (np.array(getattr(library, name).simulate_values(**kwargs), dtype=object) for library in (peer, own))
    assert_same_items(ours[:, 0], theirs[:, 0])
    assert_close(ours[:, 1], theirs[:, 1])
    if name != "LambdaStateScheduler":
        assert_same_items(ours[:, 1], theirs[:, 1])


class Mixin:
    def get_param(self):
        return 3 * self.event_index


def users_own(library, table):
    """What a user may have written for ignite."""

    class Own(library.StateParamScheduler):
        def get_param(self):
            return table[self.event_index % len(table)]

    class OfAnOwn(Own):
        def get_param(self):
            return super().get_param() * self.event_index

    class OfAMixin(Mixin, library.StateParamScheduler):
        pass

    class Formula(library.ExpStateScheduler):
        def get_param(self):
            return self.initial_value + self.gamma * self.event_index

    return {"own": Own, "of an own": OfAnOwn, "of a mixin": OfAMixin, "formula": Formula}


@pytest.mark.parametrize("kind", ["own", "of an own", "of a mixin", "formula"])
@few
@given(event=when, table=tables, numbers=STATES["ExpStateScheduler"])
def test_a_users_own_state_scheduler_sees_the_same_event_index_and_arguments(kind, event, table, numbers):
    theirs, ours = (users_own(library, table)[kind] for library in (peer, own))
    kwargs = {**NEW, **(numbers if kind == "formula" else {})}
    assert_same_state(theirs(**kwargs), ours(**kwargs), *event)
    assert_close(ours.simulate_values(9, **kwargs), theirs.simulate_values(9, **kwargs))


@each_state
@few
@given(data=st.data(), event=when)
def test_a_users_change_to_a_state_scheduler_moves_over(name, data, event):
    def define(library):
        class Changed(getattr(library, name)):
            def get_param(self):
                return super().get_param() + self.event_index

        class Twice(Changed):
            def get_param(self):
                return -2 * super().get_param()

        return Twice

    kwargs = {**NEW, **data.draw(STATES[name])}
    assert_same_state(define(peer)(**kwargs), define(own)(**kwargs), *event)


@for_each("create_new", [False, True])
@for_each("before", [{}, {"rate": 7.0}, {"rate": None}, {"other": 1}])
@for_each("again", [False, True])
def test_attaching_to_a_state_refuses_and_warns_when_ignite_does(create_new, before, again):
    def attach(library):
        trainer, scheduler = make_trainer(), library.ExpStateScheduler(1.0, 0.5, "rate", False, create_new)
        for name, value in before.items():
            setattr(trainer.state, name, value)
        raised = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(1 + again):
                try:
                    scheduler.attach(trainer)
                except Exception as error:
                    raised.append(type(error))
        held = getattr(trainer.state, "rate", "none")
        return raised, [warning.category for warning in caught], held, trainer.has_event_handler(scheduler)

    raised, caught, held, attached = attach(peer)
    if held is None and "rate" not in before:
        held = 1.0  # the value before the first event, where ignite writes None
    assert attach(own) == (raised, caught, held, attached)


# Batch sizes


@few
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    length=st.integers(1, 30),
    epoch_length=st.none() | st.integers(1, 9),
    event=st.sampled_from([(), (Events.EPOCH_COMPLETED,), (Events.ITERATION_STARTED,)]),
)
def test_batches_have_the_same_sizes(sizes, length, epoch_length, event):
    def batches(library):
        loader, seen = DataLoader(torch.arange(length), batch_size=4), []
        trainer = Engine(lambda engine, batch: seen.append((engine.state.epoch, batch.tolist())))
        scheduler = library.BatchSizeScheduler(loader, lambda event: sizes[event % len(sizes)], save_history=True)
        scheduler.attach(trainer, *event)
        trainer.run(loader, max_epochs=5, epoch_length=epoch_length)
        return seen, list(trainer.state.param_history["batch_size"]), loader.batch_sampler.batch_size

    assert batches(own) == batches(peer)


@given(sizes=st.lists(st.integers(1, 500), min_size=1))
def test_batch_sizes_are_simulated_the_same(sizes):
    theirs = peer.BatchSizeScheduler.simulate_values(len(sizes), scheduler_fn=sizes.__getitem__)
    ours = own.BatchSizeScheduler.simulate_values(len(sizes), scheduler_fn=sizes.__getitem__)
    assert ours == theirs
    assert {type(item) for row in ours for item in row} == {int}
