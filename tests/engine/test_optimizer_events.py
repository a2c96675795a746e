"""Tests of the events of optimizer steps, compared with steps that are counted by hand."""

import gc
import logging
import weakref

import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events, create_supervised_trainer
from optimizers import make_optimizer, make_trainer

from lehr.engine import OptimizerEvents, ParamHistory
from lehr.handlers import (
    BatchSizeScheduler,
    CosineAnnealingScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ResumeWarning,
    StateParamScheduler,
)
from lehr.handlers.schedules import LinearInterpolation

BATCH = (torch.ones(2, 3), torch.ones(2, 1))
COUNTING = LinearInterpolation([(0, 0.0), (1000, 1000.0)])  # the value is the index of the event


def supervised(accumulation=1, **kwargs):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = torch.nn.functional.mse_loss
    trainer = create_supervised_trainer(model, optimizer, loss, gradient_accumulation_steps=accumulation, **kwargs)
    return trainer, optimizer


def rates_at_steps(optimizer):
    """Record the learning rate of each real step, by a wrapper of the optimizer's own code instead of hooks."""
    rates, inner = [], optimizer._init_group

    def spy(group, *lists):
        rates.append(group["lr"])
        return inner(group, *lists)

    optimizer._init_group = spy
    return rates


@given(accumulation=st.integers(1, 7), batches=st.integers(1, 20), epochs=st.integers(1, 3))
def test_under_accumulation_the_schedule_counts_steps_and_not_batches(accumulation, batches, epochs):
    trainer, optimizer = supervised(accumulation)
    used = rates_at_steps(optimizer)
    scheduler = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 10, save_history=True)
    expected = scheduler.simulate(batches * epochs // accumulation)[:, 0].tolist()
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run([BATCH] * batches, max_epochs=epochs)
    assert used == expected
    assert scheduler.event_index == len(used) == trainer.state.optimizer_steps[0]
    assert not used or trainer.state.param_history["lr"].to_numpy()[:, 0].tolist() == used


def scaled(optimizer, scaler, bad):
    """Return a trainer with a GradScaler, whose gradients are infinite in the iterations of ``bad``."""
    (param,) = optimizer.param_groups[0]["params"]

    def update(engine, batch):
        optimizer.zero_grad()
        factor = torch.inf if engine.state.iteration in bad else 1.0
        scaler.scale((param * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    return Engine(update)


@pytest.mark.parametrize("fused", [False, True])
@given(bad=st.sets(st.integers(1, 12)))
def test_a_step_that_a_scaler_skips_fires_no_event(fused, bad):
    param = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([param], lr=0.1, fused=fused)
    trainer = scaled(optimizer, torch.amp.GradScaler("cpu", init_scale=4.0), bad)
    completed = []
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)

    @trainer.on(OptimizerEvents.STEP_COMPLETED)
    def note(engine):
        completed.append((engine.state.iteration, engine.state.optimizer_step, optimizer.param_groups[0]["lr"]))

    trainer.run([None] * 12)
    good = [iteration for iteration in range(1, 13) if iteration not in bad]
    assert completed == [(iteration, step, step - 1.0) for step, iteration in enumerate(good, start=1)]
    # AdamW counts its own steps, without the skipped steps.
    assert scheduler.event_index == len(good) == (optimizer.state[param]["step"].item() if good else 0)
    assert trainer.state.optimizer_steps == [len(good)]


@given(st.data())
def test_filters_see_the_number_of_the_step(data):
    every, after, before = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 6)), data.draw(st.integers(0, 14))
    once = data.draw(st.sets(st.integers(1, 12), min_size=1))
    filters = {
        "every": ({"every": every}, lambda step: step % every == 0),
        "once": ({"once": sorted(once)}, lambda step: step in once),
        "between": ({"after": after, "before": before}, lambda step: after < step < before),
        "own": ({"event_filter": lambda engine, step: step in (2, 3)}, lambda step: step in (2, 3)),
    }
    event = data.draw(st.sampled_from(list(OptimizerEvents)))
    kwargs, passes = filters[data.draw(st.sampled_from(sorted(filters)))]
    trainer, optimizer = supervised(accumulation=2)
    seen, steps = [], []
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda index: seen.append(index) or 0.1)
    scheduler.attach(trainer, event(**kwargs))
    trainer.add_event_handler(event(**kwargs), lambda engine: steps.append(engine.state.optimizer_step))
    trainer.run([BATCH] * 24)
    assert steps == [step for step in range(1, 13) if passes(step)]
    assert seen == list(range(len(steps)))


def test_each_optimizer_has_its_own_step_count():
    slow, fast, other = (make_optimizer(lr=float(at)) for at in range(3))

    def update(engine, batch):
        fast.step()
        if engine.state.iteration % 3 == 0:
            slow.step()
        other.step()  # this optimizer is not attached

    trainer = Engine(update)
    schedulers = {
        name: ParamScheduler(optimizer, "lr", schedule=COUNTING) for name, optimizer in (("s", slow), ("f", fast))
    }
    schedulers["s"].attach(trainer, OptimizerEvents.STEP_STARTED)
    schedulers["f"].attach(trainer, OptimizerEvents.STEP_STARTED(every=2))
    who = []
    trainer.add_event_handler(
        OptimizerEvents.STEP_COMPLETED,
        lambda engine: who.append(("sf"[engine.state.optimizer is fast], engine.state.optimizer_step)),
    )
    trainer.run([0] * 6)
    assert who == [("f", 1), ("f", 2), ("f", 3), ("s", 1), ("f", 4), ("f", 5), ("f", 6), ("s", 2)]
    assert (schedulers["s"].event_index, schedulers["f"].event_index) == (2, 3)
    assert (slow.param_groups[0]["lr"], fast.param_groups[0]["lr"]) == (1.0, 2.0)
    assert trainer.state.optimizer_steps == [2, 6]
    assert trainer.state.optimizer is None


@pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0")
def test_hooks_are_registered_once_and_removed_with_the_last_handle():
    trainer, optimizer = supervised()
    fired = []
    first = OptimizerEvents.attach(trainer, optimizer)
    second = ParamScheduler(optimizer, "lr", schedule=COUNTING).attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.add_event_handler(OptimizerEvents.STEP_STARTED, lambda engine: fired.append(engine.state.iteration))
    assert (len(optimizer._optimizer_step_pre_hooks), len(optimizer._optimizer_step_post_hooks)) == (1, 1)
    trainer.run([BATCH] * 2)
    first.remove()
    first.remove()
    trainer.run([BATCH] * 4, max_epochs=1)
    second.remove()
    second.remove()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    trainer.run([BATCH] * 2, max_epochs=1)
    assert fired == [1, 2, 1, 2, 3, 4]
    with OptimizerEvents.attach(trainer, optimizer):
        assert optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_pre_hooks


def test_no_reference_cycle_remains():
    gc.collect()
    gc.disable()
    try:
        trainer, optimizer = make_trainer(), make_optimizer()
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
        handle = scheduler.attach(trainer, OptimizerEvents.STEP_STARTED(every=2))
        OptimizerEvents.attach(trainer, optimizer)
        for _ in range(4):
            optimizer.step()
        assert scheduler.event_index == 2
        dead = [weakref.ref(thing) for thing in (optimizer, scheduler, optimizer.param_groups[0]["params"][0])]
        trainer_alone = weakref.ref(trainer)
        del trainer
        assert trainer_alone() is None  # the optimizer holds no reference to the trainer
        optimizer.step()
        assert not optimizer._optimizer_step_pre_hooks
        del optimizer, scheduler
        assert [reference() for reference in dead] == [None] * 3
        handle.remove()
    finally:
        gc.enable()


def test_a_deleted_optimizer_is_forgotten():
    trainer, kept = make_trainer(), make_optimizer()
    dropped = make_optimizer()
    OptimizerEvents.attach(trainer, dropped, kept)
    dead = weakref.ref(dropped)
    del dropped
    gc.collect()
    assert dead() is None
    kept.step()
    assert trainer.state.optimizer_steps == [0, 1]


def test_counts_are_saved_with_the_engine():
    trainer, optimizer = supervised(accumulation=2)
    ParamScheduler(optimizer, "lr", schedule=COUNTING).attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run([BATCH] * 7)
    state = trainer.state_dict()
    assert state["optimizer_steps"] == [3]

    resumed, optimizer = supervised(accumulation=2)
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    scheduler.attach(resumed, OptimizerEvents.STEP_STARTED(every=2))
    resumed.load_state_dict(state)
    scheduler.seek(1)
    resumed.run([BATCH] * 7, max_epochs=2)
    assert resumed.state.optimizer_steps == [7]
    assert scheduler.event_index == 3  # steps 4 and 6


def test_a_state_loaded_before_the_events_were_attached_is_a_warning():
    trainer, optimizer = supervised()
    ParamScheduler(optimizer, "lr", schedule=COUNTING).attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run([BATCH] * 5)
    state = trainer.state_dict()
    resumed, optimizer = supervised()
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    resumed.load_state_dict(state)
    scheduler.seek(5)
    scheduler.load_state_dict(scheduler.state_dict())
    scheduler.attach(resumed, OptimizerEvents.STEP_STARTED)
    with pytest.warns(
        ResumeWarning, match="has counted no optimizer steps: attach the scheduler before you load the engine's state"
    ):
        resumed.run([BATCH] * 5, max_epochs=2)


def test_events_may_be_passed_by_name():
    trainer, optimizer = supervised(accumulation=2)
    by_name = {name: ParamScheduler(optimizer, "lr", schedule=COUNTING) for name in ("STEP_STARTED", "EPOCH_STARTED")}
    for name, scheduler in by_name.items():
        scheduler.attach(trainer, name)
    trainer.run([BATCH] * 6, max_epochs=2)
    assert [scheduler.event_index for scheduler in by_name.values()] == [6, 2]


def test_events_of_epochs_and_steps_may_be_joined():
    trainer, optimizer = supervised(accumulation=2)
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    scheduler.attach(trainer, Events.EPOCH_STARTED | OptimizerEvents.STEP_COMPLETED)
    trainer.run([BATCH] * 4, max_epochs=2)
    assert scheduler.event_index == 2 + 4


def test_several_parameters_of_one_optimizer_follow_its_steps():
    trainer, optimizer = supervised(accumulation=3)
    members = [ParamScheduler(optimizer, name, schedule=COUNTING) for name in ("lr", "weight_decay")]
    scheduler = ParamGroupScheduler(members)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run([BATCH] * 9)
    assert scheduler.event_index == 3


def test_a_scheduler_without_an_optimizer_needs_attached_events():
    trainer, optimizer = supervised(accumulation=2)
    scheduler = StateParamScheduler("dropout", create_new=True, schedule=COUNTING)
    with pytest.raises(ValueError, match=r"call OptimizerEvents.attach\(engine, optimizer\) first"):
        scheduler.attach(trainer, OptimizerEvents.STEP_COMPLETED)
    assert not trainer.has_event_handler(scheduler)
    OptimizerEvents.attach(trainer, optimizer)
    scheduler.attach(trainer, OptimizerEvents.STEP_COMPLETED)
    trainer.run([BATCH] * 6)
    assert trainer.state.dropout == 2.0


def test_wrong_arguments_are_refused_by_name():
    trainer, optimizer = supervised()
    with pytest.raises(TypeError, match="engine must be an ignite Engine, given None"):
        OptimizerEvents.attach(None, optimizer)
    with pytest.raises(TypeError, match=r"optimizers\[1\] must be a torch optimizer, given 3"):
        OptimizerEvents.attach(trainer, optimizer, 3)
    with pytest.raises(ValueError, match="optimizers must contain at least one optimizer"):
        OptimizerEvents.attach(trainer)
    assert not optimizer._optimizer_step_pre_hooks
    loader = torch.utils.data.DataLoader(torch.zeros(4))
    with pytest.raises(ValueError, match="call OptimizerEvents"):
        BatchSizeScheduler(loader, lambda event: 1).attach(trainer, OptimizerEvents.STEP_STARTED)


def test_an_error_in_a_handler_of_a_step_stops_the_step():
    trainer, optimizer = supervised()
    weight = optimizer.param_groups[0]["params"][0]
    before = weight.detach().clone()
    ParamScheduler(optimizer, "lr", schedule=lambda index: float("nan")).attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.logger.disabled = True
    with pytest.raises(ValueError, match="must be finite, given nan"):
        trainer.run([BATCH])
    assert torch.equal(weight, before)
    assert trainer.state.optimizer_steps == [0]


@for_each("stop", range(1, 12))
def test_a_checkpoint_that_is_saved_when_a_step_has_completed_has_counted_it(stop):
    def make():
        trainer, optimizer = supervised(accumulation=2)
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
        scheduler.attach(trainer, OptimizerEvents.STEP_STARTED(every=3))
        trainer.state.param_history = ParamHistory()
        return trainer, scheduler

    unbroken, whole = make()
    unbroken.run([BATCH] * 24)
    trainer, scheduler = make()
    state = []
    trainer.add_event_handler(
        OptimizerEvents.STEP_COMPLETED(once=stop),
        lambda: state.extend([trainer.state_dict(), scheduler.state_dict(), trainer.state.param_history.state_dict()]),
    )
    trainer.run([BATCH] * 24)
    resumed, again = make()
    for thing, its_state in zip((resumed, again, resumed.state.param_history), state, strict=True):
        thing.load_state_dict(its_state)
    resumed.state.iteration = state[0]["iteration"]
    resumed.run([BATCH] * 24)
    assert resumed.state.param_history == unbroken.state.param_history
    assert (again.state_dict(), resumed.state.optimizer_steps) == (whole.state_dict(), [12])


def test_a_step_that_has_failed_and_is_made_again_counts_once():
    trainer, optimizer = make_trainer(), make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)

    def fails():
        raise MemoryError

    for batch in range(6):
        if batch in (0, 2, 3):
            with pytest.raises(MemoryError):
                optimizer.step(fails)
        else:
            optimizer.step()
    assert scheduler.event_index == 3
    assert trainer.state.optimizer_steps == [3]
    assert trainer.state.param_history["lr"] == [[0.0], [1.0], [2.0]]


def test_an_error_after_a_step_keeps_the_counts_equal():
    trainer, optimizer = supervised()
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)

    @trainer.on(OptimizerEvents.STEP_COMPLETED(once=3))
    def fails():
        raise MemoryError

    trainer.logger.disabled = True
    with pytest.raises(MemoryError):
        trainer.run([BATCH] * 5)
    assert (scheduler.event_index, trainer.state.optimizer_steps) == (3, [3])


def test_counts_of_deleted_optimizers_are_not_reused():
    trainer = make_trainer()
    first, second, third = make_optimizer(), make_optimizer(), make_optimizer()
    OptimizerEvents.attach(trainer, first, second)
    second.step()
    del first
    gc.collect()
    OptimizerEvents.attach(trainer, third)
    third.step()
    second.step()
    assert trainer.state.optimizer_steps == [0, 2, 1]


def test_one_optimizer_may_step_within_the_step_of_another():
    trainer, outer, inner = make_trainer(), make_optimizer(), make_optimizer()
    schedulers = [ParamScheduler(optimizer, "lr", schedule=COUNTING) for optimizer in (outer, inner)]
    OptimizerEvents.attach(trainer, outer)
    trainer.add_event_handler(
        OptimizerEvents.STEP_STARTED, lambda engine: inner.step() if engine.state.optimizer is outer else None
    )
    for scheduler in schedulers:
        scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    for _ in range(3):
        outer.step()
    assert [scheduler.event_index for scheduler in schedulers] == [3, 3]
    assert trainer.state.optimizer_steps == [3, 3]


def test_ignites_own_events_are_not_disturbed():
    """If an epoch is longer than its data, ignite starts the data again and fires GET_BATCH_STARTED for each batch."""
    trainer, optimizer = supervised()
    OptimizerEvents.attach(trainer, optimizer)
    started = []
    trainer.add_event_handler(Events.GET_BATCH_STARTED, lambda engine: started.append(engine.state.iteration))
    trainer.run([BATCH] * 3, max_epochs=1, epoch_length=7)
    assert len(started) == 7


def test_a_handler_may_come_and_go_in_mid_run():
    trainer, optimizer = supervised()
    OptimizerEvents.attach(trainer, optimizer)
    seen, handles = [], []

    @trainer.on(Events.ITERATION_STARTED)
    def change(engine):
        if engine.state.iteration == 3:
            for event in OptimizerEvents:
                handles.append(
                    trainer.add_event_handler(event, lambda engine: seen.append(engine.state.optimizer_step))
                )
        if engine.state.iteration == 5:
            for handle in handles:
                handle.remove()

    trainer.run([BATCH] * 6)
    assert seen == [3, 3, 4, 4]
    assert (trainer.state.optimizer_step, trainer.state.optimizer_steps) == (6, [6])
    assert trainer.last_event_name == Events.COMPLETED


def test_an_overridden_fire_event_receives_step_events_without_handlers():
    class Noting(Engine):
        def fire_event(self, event_name):
            fired.append(event_name)
            super().fire_event(event_name)

    optimizer, fired = make_optimizer(), []
    trainer = Noting(lambda engine, batch: optimizer.step())
    OptimizerEvents.attach(trainer, optimizer)
    trainer.run([0] * 2)
    assert fired == [*OptimizerEvents] * 2


def test_the_debug_log_contains_events_without_handlers(monkeypatch):
    optimizer, told = make_optimizer(), []
    trainer = Engine(lambda engine, batch: optimizer.step())
    trainer.logger = logging.getLogger("of this test alone")
    OptimizerEvents.attach(trainer, optimizer)
    monkeypatch.setattr(trainer.logger, "debug", lambda message, *_: told.append(message.rsplit(".", 1)[-1]))
    trainer.logger.setLevel("INFO")
    trainer.run([0])
    assert not any("STEP" in one for one in told)  # without a debug log, the events are not fired
    trainer.logger.setLevel("DEBUG")
    trainer.run([0], max_epochs=2)
    assert [one for one in told if "STEP" in one] == ["STEP_STARTED", "STEP_COMPLETED"]


def test_every_event_of_the_engine_stays_allowed_once():
    trainer, optimizer = supervised()
    before = list(trainer._allowed_events)
    OptimizerEvents.attach(trainer, optimizer)
    assert trainer._allowed_events == [*OptimizerEvents, *before]
    with pytest.raises(ValueError, match="is not a valid event"):
        trainer.fire_event("step_begun")
