"""``dry_run`` plans the exact values that a resumed run trains with."""

import copy
import math
import warnings

import pytest
import torch
from cases import for_each
from drawn_events import EVENTS, StoppedError
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events
from optimizers import values_of
from real_runs import COUNTING, WAYS, Training, attach, bits
from rigs import METRICS, RIGS
from torch.utils.data import DataLoader

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    BatchSizeScheduler,
    CosineDecayScheduler,
    ParamScheduler,
    PhaseScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    StateParamScheduler,
    dry_run,
)
from lehr.handlers.schedules import Anneal, Constant, Plateau


def stopped(make, stop, epochs, length, metrics, accumulation=1, early=False):
    """Return the states of all objects of a run that stops at the end of iteration ``stop``.

    If ``early``, it stops before the schedulers' handlers of ``ITERATION_COMPLETED`` are called.
    """
    training = Training(metrics, accumulation)

    def kill(engine):
        if engine.state.iteration == stop:
            raise StoppedError

    if early:
        training.trainer.add_event_handler(Events.ITERATION_COMPLETED, kill)
    schedulers = make(training)
    if not early:
        training.trainer.add_event_handler(Events.ITERATION_COMPLETED, kill)
    training.trainer.logger.disabled = True
    with pytest.raises(StoppedError):
        training.run(epochs, length)
    return copy.deepcopy(
        {
            "trainer": training.trainer.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in training.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in schedulers],
        }
    )


def loaded(make, states, metrics, accumulation=1):
    """Return a new training whose objects have loaded these states."""
    training = Training(metrics, accumulation)
    schedulers = make(training)
    training.trainer.load_state_dict(states["trainer"])
    for loading, saved in ((training.optimizers, states["optimizers"]), (schedulers, states["schedulers"])):
        for thing, state in zip(loading, copy.deepcopy(saved), strict=True):
            thing.load_state_dict(state)
    return training


def assert_the_rest_is_planned(make, stop, epochs=5, length=4, metrics=None, accumulation=1, early=False):
    metrics = metrics or {}
    states = stopped(make, stop, epochs, length, metrics, accumulation, early)
    planned, really = (loaded(make, states, metrics, accumulation) for _ in range(2))
    steps = planned.accumulation_steps
    plan = dry_run(planned.trainer, epochs, length, metrics, gradient_accumulation_steps=steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResumeWarning)  # some events of the iteration come after the checkpoint
        really.run(epochs, length)
    assert plan.start == stop == planned.trainer.state.iteration
    assert set(plan) == set(really.rows)
    for name, rows in really.rows.items():
        assert len(rows) == epochs * length - stop
        assert all(math.isnan(value) for row in plan[name][:stop] for value in row)
        assert bits(plan[name][stop:]) == bits(rows), name


STEPS = st.sampled_from(list(OptimizerEvents)).flatmap(
    lambda kind: st.just(kind) | st.integers(1, 5).map(lambda every: kind(every=every))
)
FETCHES = st.sampled_from([Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED(every=2), Events.STARTED])


@given(
    event=EVENTS | STEPS | FETCHES | st.tuples(EVENTS, EVENTS).map(lambda pair: pair[0] | pair[1]),
    stop=st.integers(1, 19),
    accumulation=st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3)),
    way=st.sampled_from(WAYS),
    early=st.booleans(),
)
def test_a_run_resumed_anywhere(event, stop, accumulation, way, early):
    def make(training):
        optimizer, other = training.optimizer(), training.optimizer()
        if way == "add_event_handler":  # the events count the steps of both optimizers
            OptimizerEvents.attach(training.trainer, optimizer, other)
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
        attach(training, scheduler, event, way)
        training.reads["lr"] = lambda: values_of(optimizer)
        return [scheduler]

    assert_the_rest_is_planned(make, stop, accumulation=accumulation, early=early)


OWN = Events.EPOCH_STARTED(event_filter=lambda engine, event: event != 2)


@for_each("event", [OWN, OWN | Events.ITERATION_COMPLETED], one_in=5)
@for_each("stop", [1, 3, 4, 5, 8, 10, 12])
@for_each("way", WAYS)
@for_each("early", [False, True])
def test_events_that_cannot_be_counted(event, stop, way, early):
    def make(training):
        optimizer = training.optimizer()
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
        attach(training, scheduler, event, way)
        training.reads["lr"] = lambda: values_of(optimizer)
        return [scheduler]

    assert_the_rest_is_planned(make, stop, early=early)


@for_each("stop", range(1, 20), one_in=5)
@for_each("way", WAYS)
def test_what_is_saved_with_no_checkpoint_stands_where_it_stood(stop, way):
    def make(training):
        loader, state = DataLoader(torch.zeros(8), batch_size=2), training.trainer.state
        sizes = BatchSizeScheduler(loader, lambda event: event + 3)
        attach(training, sizes, Events.EPOCH_COMPLETED, way)
        rates = StateParamScheduler("rate", create_new=True, schedule=COUNTING)
        rates.attach(training.trainer, Events.ITERATION_STARTED(every=3))
        training.reads["batch_size"] = lambda: [loader.batch_sampler.batch_size]
        training.reads["rate"] = lambda: [state.rate]
        return [sizes, rates]

    assert_the_rest_is_planned(make, stop)


@for_each("stop", range(1, 20), one_in=5)
@for_each("event", [Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED])
def test_metrics_go_on(stop, event):
    def make(training):
        optimizer = training.optimizer(2)
        plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=1)
        plateau.attach(training.trainer, event)
        phases = PhaseScheduler(
            optimizer, "momentum", [Constant(0.5), Anneal(1.0, 0.0, 9), Constant(2.0)], flat=Plateau(patience=0)
        )
        phases.attach(training.trainer)
        training.trainer.add_event_handler(event, phases.observe)
        training.reads["lr"] = lambda: values_of(optimizer)
        training.reads["momentum"] = lambda: values_of(optimizer, "momentum")
        return [plateau, phases]

    values = [3.0, 2.0, 2.0, 2.5, 1.0] if event is Events.EPOCH_COMPLETED else METRICS[:20]
    assert_the_rest_is_planned(make, stop, metrics={"loss": values})


@for_each("stop", range(1, 20), one_in=3)
def test_a_phase_that_has_begun_does_not_begin_again(stop):
    def make(training):
        optimizer = training.optimizer()
        scheduler = PhaseScheduler(optimizer, "lr", [Constant(0.5), Anneal(1.0, 0.0, 9), Constant(2.0)])
        scheduler.attach(training.trainer)
        training.trainer.add_event_handler(Events.EPOCH_STARTED(once=[2, 4]), scheduler.next_phase)
        training.reads["lr"] = lambda: values_of(optimizer)
        return [scheduler]

    assert_the_rest_is_planned(make, stop)


@for_each("stop", [3, 8], one_in=2)
@for_each("name", [name for name in RIGS if name.endswith("1 groups, float") and "with a function" not in name])
def test_torchs_schedulers_go_on(name, stop):
    def make(training):
        rig = RIGS[name]()
        rig.scheduler.attach(training.trainer)
        training.optimizers.append(rig.scheduler.optimizer)
        training.reads["lr"] = lambda: values_of(rig.scheduler.optimizer)
        if rig.scheduler._steps.cycles_momentum:
            training.reads["momentum"] = lambda: values_of(rig.scheduler.optimizer, "momentum")
        return [rig.scheduler]

    assert_the_rest_is_planned(make, stop)


def test_a_run_that_goes_on_in_the_same_process():
    def finished():
        training = Training()
        optimizer = training.optimizer()
        CosineDecayScheduler(optimizer, "lr", 20).attach(training.trainer)
        counting = ParamScheduler(optimizer, "momentum", schedule=COUNTING)
        counting.attach(training.trainer, Events.EPOCH_COMPLETED | OptimizerEvents.STEP_STARTED(once=[10, 14]))
        training.reads["lr"] = lambda: values_of(optimizer)
        training.reads["momentum"] = lambda: values_of(optimizer, "momentum")
        training.run(2, 4)
        return training

    planned, really = finished(), finished()
    plan = dry_run(planned.trainer, 5, 4)
    really.run(5, 4)
    assert plan.start == 8
    for name, rows in really.rows.items():
        assert bits(plan[name][8:]) == bits(rows[8:])


@pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_trainer_that_has_finished_begins_anew_with_schedulers_that_go_on(way, epochs):
    """Iterations and epochs are counted from 0 again; schedulers and optimizer steps count on from the last run."""

    def finished():
        training = Training()
        optimizer = training.optimizer()
        OptimizerEvents.attach(training.trainer, optimizer)
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
        attach(training, scheduler, Events.EPOCH_COMPLETED(every=2) | OptimizerEvents.STEP_COMPLETED(once=[2, 9]), way)
        decay = CosineDecayScheduler(optimizer, "momentum", 20)
        decay.attach(training.trainer, Events.ITERATION_STARTED(every=2))
        training.reads["lr"] = lambda: values_of(optimizer)
        training.reads["momentum"] = lambda: values_of(optimizer, "momentum")
        training.run(2, 4)
        training.rows.clear()
        training.trainer.state.max_epochs = None  # then ignite begins a new run
        return training

    planned, really = finished(), finished()
    plan = dry_run(planned.trainer, epochs, 4)
    really.run(epochs, 4)
    assert plan.start == 0
    for name, rows in really.rows.items():
        assert bits(plan[name]) == bits(rows)
