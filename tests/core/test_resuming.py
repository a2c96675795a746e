"""Resumed runs: a scheduler that was left behind, an epoch that is begun twice, a schedule that has changed."""

import copy
import inspect
import itertools
import json
import warnings

import numpy as np
import pytest
import torch
from cases import for_each
from drawn_events import EVENTS, StoppedError
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, values_of
from registry import CASE_IDS, CASES
from torch.utils.data import DataLoader

from lehr.engine import OptimizerEvents, ParamHistory
from lehr.engine.times_fired import times_fired
from lehr.handlers import (
    BatchSizeScheduler,
    LinearScheduler,
    LRScheduler,
    MetricScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    StateParamScheduler,
)
from lehr.handlers.core.resuming.index_check import ResumeCheck
from lehr.handlers.schedules import Anneal, Constant, Handover, LinearInterpolation, Plateau, Schedule, Shift

COUNTING = LinearInterpolation([(0, 0.0), (100000, 100000.0)])  # the value is the index of the event


def run_up_to(trainer, iteration, epoch_length, max_epochs):
    """Run, and end after an iteration without any further event, as a killed process does."""

    def stop(engine):
        if engine.state.iteration == iteration:
            raise StoppedError

    trainer.add_event_handler(Events.ITERATION_COMPLETED, stop)
    trainer.logger.disabled = True
    with pytest.raises(StoppedError):
        trainer.run([0] * epoch_length, max_epochs=max_epochs)
    assert trainer.run([0]) is None  # after an error, the next call of ignite's run() does nothing


def saved(trainer, scheduler):
    state = {"trainer": trainer.state_dict(), "scheduler": scheduler.state_dict()}
    if hasattr(trainer.state, "param_history"):
        state["history"] = trainer.state.param_history.state_dict()
    return json.loads(json.dumps(state))


def load(state, trainer, scheduler):
    trainer.load_state_dict(state["trainer"])
    scheduler.load_state_dict(state["scheduler"])
    trainer.state.param_history = ParamHistory()
    trainer.state.param_history.load_state_dict(state.get("history", {}))


def assert_it_goes_on_as_if_unbroken(make, stop, epochs):
    """Saved after an iteration, in epochs of 4, and loaded into objects that were made anew."""
    unbroken, whole = make()
    unbroken.run([0] * 4, max_epochs=epochs)
    trainer, scheduler = make()
    run_up_to(trainer, stop, 4, epochs)
    state = saved(trainer, scheduler)
    resumed, again = make()
    load(state, resumed, again)
    resumed.run([0] * 4)
    assert again.state_dict() == whole.state_dict()
    assert resumed.state.param_history == unbroken.state.param_history


@given(event=EVENTS | st.tuples(EVENTS, EVENTS).map(lambda pair: pair[0] | pair[1]), stop=st.integers(1, 39))
def test_a_run_resumed_anywhere_fires_records_and_writes_what_the_unbroken_one_does(event, stop):
    """Epochs of 5, so that most stops are within an epoch, which ignite begins a second time."""

    def make():
        optimizer, trainer = make_optimizer(), make_trainer()
        scheduler = ParamScheduler(optimizer, "lr", save_history=True, schedule=COUNTING)
        scheduler.attach(trainer, event)
        seen = []
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(values_of(optimizer)))
        return trainer, scheduler, seen

    unbroken, whole, expected = make()
    unbroken.run([0] * 5, max_epochs=8)
    trainer, scheduler, seen = make()
    run_up_to(trainer, stop, 5, 8)
    state, held = saved(trainer, scheduler), scheduler.optimizer.state_dict()
    resumed, again, rest = make()
    again.optimizer.load_state_dict(held)
    load(state, resumed, again)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.run([0] * 5)
    assert seen + rest == expected
    assert again.state_dict() == whole.state_dict()
    assert getattr(unbroken.state, "param_history", {}) == resumed.state.param_history


@given(event=EVENTS, epochs=st.integers(1, 8))
def test_events_are_counted_as_they_fire(event, epochs):
    trainer, fired = make_trainer(), []
    trainer.add_event_handler(event, lambda: fired.append(1))
    counts = []
    trainer.add_event_handler(Events.STARTED, lambda: counts.append(times_fired(trainer, event)))
    for epoch in range(1, epochs + 1):
        trainer.run([0] * 5, max_epochs=epoch)
        assert times_fired(trainer, event) == len(fired)
    assert counts[0] == 0


def test_what_cannot_be_counted_is_not():
    trainer = make_trainer()
    trainer.load_state_dict({"iteration": 5, "epoch_length": 5, "max_epochs": 8})
    own = Events.ITERATION_STARTED(event_filter=lambda engine, event: event == 3)
    assert times_fired(trainer, own) is None
    assert times_fired(trainer, own | Events.EPOCH_STARTED) is None
    assert times_fired(trainer, Events.COMPLETED) is None
    trainer.state.dataloader = [0] * 5
    assert times_fired(trainer, Events.GET_BATCH_STARTED) == 5
    assert times_fired(trainer, Events.GET_BATCH_STARTED(every=2)) is None
    for data in (None, iter([0])):
        trainer.state.dataloader = data
        assert times_fired(trainer, Events.GET_BATCH_STARTED) is None


def resumed_trainer(iteration=1000, epoch_length=100):
    trainer = make_trainer()
    trainer.load_state_dict({"iteration": iteration, "epoch_length": epoch_length, "max_epochs": 20})
    return trainer


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Events.ITERATION_STARTED, 1000),
        (Events.ITERATION_STARTED(every=3), 333),
        (Events.EPOCH_STARTED, 10),
        (Events.EPOCH_COMPLETED(every=4), 2),
        (Events.ITERATION_STARTED | Events.EPOCH_STARTED, 1010),
    ],
)
def test_a_scheduler_that_was_left_behind_is_noticed_and_seek_mends_it(event, expected):
    def make():
        scheduler = ParamScheduler(make_optimizer(), "lr", schedule=COUNTING)
        trainer = resumed_trainer()
        scheduler.attach(trainer, event)
        return trainer, scheduler

    trainer, scheduler = make()
    message = rf"is at event 0, but the engine, .* after iteration 1000, has had {expected} .* call seek\({expected}\)"
    with pytest.warns(ResumeWarning, match=message) as told:
        trainer.run([0] * 100, max_epochs=11)
    assert len(told) == 1

    trainer, scheduler = make()
    scheduler.seek(expected)
    trainer.run([0] * 100, max_epochs=11)  # warnings are errors
    trainer, scheduler = make()
    scheduler.seek(0)  # "it is meant to begin now"
    trainer.run([0] * 100, max_epochs=11)


def test_the_warning_can_stop_the_run_before_anything_is_trained():
    trainer = resumed_trainer()
    ParamScheduler(make_optimizer(), "lr", schedule=COUNTING).attach(trainer)
    trainer.logger.disabled = True
    with pytest.raises(ResumeWarning):
        trainer.run([0] * 100)  # warnings are errors in these tests
    assert trainer.state.iteration == 1000


def test_a_scheduler_of_another_checkpoint_than_the_engine_is_noticed():
    scheduler = ParamScheduler(make_optimizer(), "lr", schedule=COUNTING)
    scheduler.seek(900)
    state, scheduler = scheduler.state_dict(), ParamScheduler(make_optimizer(), "lr", schedule=COUNTING)
    trainer = resumed_trainer()
    scheduler.attach(trainer)
    scheduler.load_state_dict(state)
    with pytest.warns(ResumeWarning, match=r"is at event 900, .* has had 1000 .* call seek\(1000\)"):
        trainer.run([0] * 100, max_epochs=11)


def test_a_trainer_that_is_put_back_without_its_scheduler_is_noticed():
    trainer = make_trainer()
    scheduler = ParamScheduler(make_optimizer(), "lr", schedule=COUNTING)
    scheduler.attach(trainer)
    trainer.run([0] * 10, max_epochs=2)
    early = trainer.state_dict()
    trainer.run([0] * 10, max_epochs=5)
    trainer.load_state_dict(early)
    with pytest.warns(ResumeWarning, match=r"is at event 50, .* has had 20 .* call seek\(20\)"):
        trainer.run([0] * 10, max_epochs=3)


@for_each("event", [Events.ITERATION_STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED(every=2)])
@for_each("stop", [3, 5, 8, 10, 12])
def test_the_same_objects_can_go_back_to_a_checkpoint(event, stop):
    """In one process, after an error: as if it were a new one."""
    trainer = make_trainer()
    scheduler = ParamScheduler(make_optimizer(), "lr", save_history=True, schedule=COUNTING)
    scheduler.attach(trainer, event)
    kept = {}
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=stop), lambda: kept.update(saved(trainer, scheduler)))
    run_up_to(trainer, 17, 5, 6)
    load(kept, trainer, scheduler)
    with pytest.raises(StoppedError):
        trainer.run([0] * 5)
    trainer.run([0])
    load(kept, trainer, scheduler)
    trainer.remove_event_handler(stops_at(trainer), Events.ITERATION_COMPLETED)
    trainer.run([0] * 5)
    unbroken = make_trainer()
    whole = ParamScheduler(make_optimizer(), "lr", save_history=True, schedule=COUNTING)
    whole.attach(unbroken, event)
    unbroken.run([0] * 5, max_epochs=6)
    assert trainer.state.param_history == unbroken.state.param_history
    assert scheduler.state_dict() == whole.state_dict()


def stops_at(trainer):
    return next(
        handler for handler, *_ in trainer._event_handlers[Events.ITERATION_COMPLETED] if handler.__name__ == "stop"
    )


def test_an_error_within_an_epoch_is_no_reason_for_a_false_alarm():
    trainer = make_trainer()
    scheduler = ParamScheduler(make_optimizer(), "lr", schedule=COUNTING)
    scheduler.attach(trainer, Events.EPOCH_STARTED)
    run_up_to(trainer, 7, 5, 6)  # the rest of this epoch is the third one for ignite
    trainer.run([0] * 5)
    assert scheduler.event_index == trainer.state.epoch == 6


def test_whatever_a_fresh_run_or_a_later_phase_does_is_no_false_alarm():
    optimizer, trainer = make_optimizer(), make_trainer()
    first = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    handle = first.attach(trainer)
    trainer.run([0] * 10, max_epochs=2)
    trainer.run([0] * 10, max_epochs=4)  # goes on
    handle.remove()
    second = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    second.attach(trainer)  # meant to begin at its event 0
    trainer.run([0] * 10, max_epochs=6)
    trainer.run([0] * 10, max_epochs=7)
    trainer.state.max_epochs = None
    with pytest.warns(ResumeWarning, match="at event 30, and the engine begins a run at iteration 0"):
        trainer.run([0] * 10, max_epochs=1)
    trainer.run([0] * 10, max_epochs=3)
    assert second.event_index == 30 + 30


def test_it_is_noticed_for_real_steps_too():
    def update(engine, batch):
        if engine.state.iteration % 4 == 0:
            optimizer.step()

    optimizer = make_optimizer()
    trainer = Engine(update)
    ParamScheduler(optimizer, "lr", schedule=COUNTING).attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run([0] * 10, max_epochs=2)
    state = trainer.state_dict()

    optimizer = make_optimizer()
    trainer = Engine(update)
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.load_state_dict(state)
    with pytest.warns(ResumeWarning, match=r"has had 5 of its events: .* call seek\(5\)"):
        trainer.run([0] * 10, max_epochs=3)


@for_each("stop", range(1, 20))
def test_one_scheduler_may_be_attached_twice_and_is_counted_together(stop):
    def make():
        trainer = make_trainer()
        scheduler = ParamScheduler(make_optimizer(), "lr", save_history=True, schedule=COUNTING)
        scheduler.attach(trainer, Events.EPOCH_STARTED, name="start")
        scheduler.attach(trainer, Events.EPOCH_COMPLETED, name="end")
        return trainer, scheduler

    assert_it_goes_on_as_if_unbroken(make, stop, epochs=5)


def test_seeking_takes_the_same_steps_at_any_event(monkeypatch):
    """O(1): counted in calls of the schedule's formula and in values asked for, not timed."""
    asked = []

    def counted(self, indices):
        asked.append(len(indices))
        return np.zeros_like(indices)

    monkeypatch.setattr(Constant, "values", counted)
    lines = {}
    for event in (10, 10**9, 2**52):
        asked.clear()
        scheduler = ParamScheduler(make_optimizer(), "lr", schedule=Constant(0.5))
        trainer = resumed_trainer(iteration=event, epoch_length=10 if event == 10 else event)
        scheduler.attach(trainer)
        scheduler.seek(event)
        trainer.state.max_epochs = trainer.state.epoch + 1
        trainer.add_event_handler(Events.ITERATION_STARTED, trainer.terminate)
        trainer.run([0] * 3, epoch_length=trainer.state.epoch_length)
        lines[event] = list(asked)
    assert len({str(counts) for counts in lines.values()}) == 1


def test_an_epoch_that_is_begun_again_does_not_count_a_metric_twice():
    def make():
        optimizer, trainer = make_optimizer(lr=1.0), make_trainer()
        schedule = Plateau(factor=0.5, patience=1, initial_value=1.0)
        scheduler = MetricScheduler(optimizer, "lr", "loss", schedule, save_history=True)
        trainer.add_event_handler(Events.STARTED, lambda: trainer.state.metrics.update(loss=1.0))
        scheduler.attach(trainer, Events.EPOCH_STARTED)
        return trainer, scheduler

    unbroken, whole = make()
    unbroken.run([0] * 4, max_epochs=9)
    for stop in (1, 3, 6, 9, 13, 18, 22):
        trainer, scheduler = make()
        run_up_to(trainer, stop, 4, 9)
        state = saved(trainer, scheduler)
        resumed, again = make()
        load(state, resumed, again)
        resumed.run([0] * 4)
        assert resumed.state.param_history == unbroken.state.param_history
        assert again.state_dict() == whole.state_dict()


def of_a_plateau(kind):
    optimizer = make_optimizer(lr=0.2)
    if kind == "torch's":
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
        return LRScheduler(plateau, save_history=True)
    return ReduceOnPlateauScheduler(
        optimizer, "lr", "loss", factor=0.5, patience=0, save_history=True, missing_policy=kind
    )


@for_each("event", [Events.EPOCH_STARTED, Events.ITERATION_STARTED])
@for_each("kind", ["torch's", "ignore"])
@for_each("stop", [4, 8, 12, 16])
def test_a_plateau_has_the_metric_that_was_to_come(event, kind, stop):
    """The trainer's own metrics, of an epoch that was just evaluated: the next event is to read them."""

    def make():
        trainer, scheduler = make_trainer(), of_a_plateau(kind)
        scheduler.attach(trainer, event)
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda: trainer.state.metrics.update(loss=[3, 2, 2, 2, 1, 1][trainer.state.epoch - 1]),
        )
        if kind != "ignore" and event == Events.ITERATION_STARTED:
            trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), lambda: trainer.state.metrics.update(loss=4))
        return trainer, scheduler

    unbroken, whole = make()
    unbroken.run([0] * 4, max_epochs=6)
    trainer, scheduler = make()
    state = {}
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=stop // 4), lambda: state.update(saved(trainer, scheduler)))
    trainer.run([0] * 4, max_epochs=6)
    resumed, again = make()
    load(state, resumed, again)
    resumed.run([0] * 4)
    assert resumed.state.param_history == unbroken.state.param_history
    assert again.state_dict() == whole.state_dict()


@for_each("stop", range(1, 24))
def test_an_epoch_that_is_begun_again_is_not_counted_twice_by_a_filter_of_ones_own(stop):
    def make():
        trainer = make_trainer()
        scheduler = ParamScheduler(make_optimizer(), "lr", save_history=True, schedule=COUNTING)
        scheduler.attach(trainer, Events.EPOCH_STARTED(event_filter=lambda engine, epoch: epoch % 2 == 0))
        return trainer, scheduler

    assert_it_goes_on_as_if_unbroken(make, stop, epochs=6)


def test_what_no_checkpoint_keeps_is_written_again():
    """A number in the engine's state, and a batch size: in force until their next event, which may be far away."""

    def make():
        trainer, loader = make_trainer(), DataLoader(torch.zeros(64), batch_size=2)
        state = StateParamScheduler("dropout", create_new=True, schedule=Anneal(0.5, 0.0, duration=10))
        sizes = BatchSizeScheduler(loader, lambda epoch: 2 * (epoch + 1))
        whether = StateParamScheduler("augment", create_new=True, schedule=lambda event: event % 2 == 0)
        for scheduler in (state, sizes, whether):
            scheduler.attach(trainer, Events.EPOCH_STARTED(every=2))
        seen = []
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED,
            lambda: seen.append((trainer.state.dropout, loader.batch_sampler.batch_size, trainer.state.augment)),
        )
        return trainer, [state, sizes, whether], seen

    unbroken, _, expected = make()
    unbroken.run([0] * 5, max_epochs=8)
    for stop in range(1, 40):
        trainer, schedulers, seen = make()
        run_up_to(trainer, stop, 5, 8)
        state = json.loads(json.dumps([trainer.state_dict(), *(scheduler.state_dict() for scheduler in schedulers)]))
        resumed, again, rest = make()
        for thing, its_state in zip([resumed, *again], state, strict=True):
            thing.load_state_dict(its_state)
        resumed.run([0] * 5)
        assert seen + rest == expected


# A schedule that has changed.


def one_cycle(total_steps, peak=0.1, groups=1, **kwargs):
    return OneCycleScheduler(make_optimizer(groups), "lr", peak, total_steps=total_steps, **kwargs)


def loaded(scheduler, state, policy):
    with pytest.warns(
        ResumeWarning, match=rf"(?s)the saved schedule differs.*resume_policy '{policy}'.*saved: .*now: "
    ):
        scheduler.load_state_dict(state, resume_policy=policy)
    return scheduler


def test_by_default_the_step_is_kept():
    before, after = one_cycle(100), one_cycle(200)
    for _ in range(40):
        before(None)
    with pytest.warns(ResumeWarning, match=r"(?s)saved: .*total_steps=100.*now: .*total_steps=200"):
        after.load_state_dict(before.state_dict())
    assert after.resume_policy == "keep_step"
    assert (after.simulate(60, start=40) == one_cycle(200).simulate(60, start=40)).all()


@given(old=st.integers(1, 300), new=st.integers(1, 300), position=st.integers(0, 300), later=st.integers(1, 300))
def test_the_fraction_is_kept(old, new, position, later):
    before = one_cycle(old)
    before.seek(position)
    after = one_cycle(new)
    if old == new:
        after.load_state_dict(before.state_dict(), resume_policy="keep_fraction")
        assert after.schedule == before.schedule
        return
    loaded(after, before.state_dict(), "keep_fraction")
    assert after.event_index == position  # it goes on counting events
    there = round(position / old * new)
    assert (after.simulate(50, start=position) == one_cycle(new).simulate(50, start=there)).all()
    after(None)
    assert values_of(after.optimizer) == one_cycle(new).simulate(1, start=there)[0].tolist()

    # Saved again, it goes on without a word; and under a third schedule it is as far through as it was.
    again = one_cycle(new)
    again.load_state_dict(json.loads(json.dumps(after.state_dict())))
    assert (again.simulate(50, start=position + 1) == after.simulate(50, start=position + 1)).all()
    assert again.state_dict() == after.state_dict()
    if later != new:
        third = loaded(one_cycle(later), after.state_dict(), "keep_fraction")
        there = round((there + 1) / new * later)
        assert (third.simulate(50, start=position + 1) == one_cycle(later).simulate(50, start=there)).all()


@given(groups=st.sampled_from([1, 3]), stop=st.integers(1, 90), new=st.integers(91, 300))
def test_the_value_is_kept(groups, stop, new):
    before = one_cycle(100, groups=groups)
    for _ in range(stop):
        before(None)
    present = values_of(before.optimizer)
    after = loaded(one_cycle(new, peak=0.3, groups=groups), before.state_dict(), "keep_value")
    planned = one_cycle(new, peak=0.3, groups=groups)
    values, own = after.simulate(new, start=stop), planned.simulate(new, start=stop)
    assert values[0].tolist() == present  # no jump
    assert (values[new - stop :] == own[new - stop :]).all()  # and the end is that of the plan
    low, high = np.minimum(own, present), np.maximum(own, present)
    assert ((low <= values) & (values <= high)).all()
    again = one_cycle(new, peak=0.3, groups=groups)
    again.load_state_dict(json.loads(json.dumps(after.state_dict())))
    assert (again.simulate(new, start=stop) == values).all()
    for event in range(stop, new + 5):
        after(None)
        assert values_of(after.optimizer) == again.simulate(1, start=event)[0].tolist()


def test_ignites_checkpoint_follows_the_policy_of_the_scheduler():
    before, after = one_cycle(100), one_cycle(200)
    before.seek(50)
    after.resume_policy = "keep_fraction"
    with pytest.warns(ResumeWarning, match="at the same fraction as before, at its event 100"):
        after.load_state_dict(before.state_dict())
    assert isinstance(after.schedule, Shift)
    with pytest.raises(ValueError, match="resume_policy must be one of 'keep_step', 'keep_fraction', 'keep_value'"):
        after.resume_policy = "keep"


def everything(scheduler):
    return json.dumps(scheduler.state_dict()), repr(scheduler.schedule), copy.deepcopy(values_of(scheduler.optimizer))


@pytest.mark.parametrize(
    ("old", "new", "policy", "match"),
    [
        (Anneal(0.1, 0, 100), Constant(0.1), "keep_fraction", "must be 'keep_step' for a schedule without a known end"),
        (Constant(0.1), Anneal(0.1, 0, 100), "keep_fraction", "where the saved schedule has no known end"),
        (Anneal(0.1, 0, 100), Constant(0.1), "keep_value", "must be 'keep_step' for a schedule without a known end"),
        (
            Anneal(0.1, 0, 100),
            Anneal(0.1, 0, 30),
            "keep_value",
            "since the schedule has ended after 30 events",
        ),
        (
            Anneal(0.1, 0, 100),
            lambda event: 0.5,
            "keep_value",
            "for a schedule that depends on what happens in training",
        ),
        (Anneal(0.1, 0, 100), Anneal(0.1, 0, 200), "keep_calm", "resume_policy must be one of"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_an_error_and_changes_nothing(old, new, policy, match):
    before = ParamScheduler(make_optimizer(), "lr", schedule=old)
    after = ParamScheduler(make_optimizer(), "lr", schedule=new)
    before.seek(40)
    unchanged = everything(after)
    with pytest.raises(ValueError, match=match):
        after.load_state_dict(before.state_dict(), resume_policy=policy)
    assert everything(after) == unchanged


def test_before_the_first_event_there_is_no_value_to_keep():
    after = loaded(one_cycle(200), one_cycle(100).state_dict(), "keep_value")
    assert after.schedule == one_cycle(200).schedule


def test_several_schedulers_as_one_follow_a_policy_together():
    def make(steps):
        optimizer = make_optimizer(2)
        members = [
            LinearScheduler(optimizer, "lr", steps, start_value=[0.4, 0.2], end_value=0.0),
            LinearScheduler(optimizer, "weight_decay", steps, start_value=0.0, end_value=0.1),
        ]
        return ParamGroupScheduler(members, save_history=True)

    before = make(100)
    for _ in range(51):
        before(None)
    held = [[group[name] for group in before.optimizer[0].param_groups] for name in ("lr", "weight_decay")]
    after = loaded(make(200), before.state_dict(), "keep_value")
    assert after.simulate(1, start=51)[0].tolist() == [*held[0], held[1][0]]
    after(None)
    assert [[group[name] for group in after.optimizer[0].param_groups] for name in ("lr", "weight_decay")] == held
    shifted = loaded(make(200), before.state_dict(), "keep_fraction")
    assert (shifted.simulate(20, start=51) == make(200).simulate(20, start=102)).all()
    for event in range(51, 60):
        shifted(None)
        assert [group["lr"] for group in shifted.optimizer[0].param_groups] == (
            make(200).simulate(1, start=event + 51)[0, :2].tolist()
        )


def test_a_plateau_goes_on_from_its_value_under_other_rules():
    def make(patience):
        return ReduceOnPlateauScheduler(make_optimizer(lr=1.0), "lr", "loss", factor=0.5, patience=patience)

    before, trainer = make(0), make_trainer()
    trainer.state.metrics = {"loss": 1.0}
    for _ in range(4):
        before(trainer)
    after = loaded(make(2), before.state_dict(), "keep_step")
    after(trainer)
    assert values_of(after.optimizer) == [0.125]


@for_each(("example", "groups"), CASES, CASE_IDS)
def test_every_schedule_knows_its_length_or_none(example, groups):
    """At its length it is at its end, or in its second cycle: the state of a run tells how far through it is."""
    schedule = example(make_optimizer(groups)).schedule
    assert schedule.length is None or (schedule.length >= 0 and np.isfinite(schedule.length))


LENGTHS = {
    Anneal(1.0, 0.0, duration=7): 7,
    Constant(1.0): None,
    Shift(Anneal(1.0, 0.0, duration=7), by=3): 4,
    Shift(Anneal(1.0, 0.0, duration=7), by=-3): 10,
    Handover(Anneal(1.0, 0.0, duration=7), 2, 9, 0.5): 11,
    LinearInterpolation([(-3, 1.0), (-1, 0.0)]): 0,
}


@pytest.mark.parametrize("schedule", LENGTHS, ids=repr)
def test_lengths(schedule):
    assert schedule.length == LENGTHS[schedule]


@for_each(("example", "groups"), CASES, CASE_IDS)
def test_what_has_come_to_its_end_stays_there(example, groups):
    schedule: Schedule = example(make_optimizer(groups)).schedule
    if schedule.length is None or not schedule.is_pure:
        return
    cycles = ("Cycl", "CosineAnnealing", "Restarts", "mirror", "stretch", "Noise")
    if not _ends(schedule) or any(word in repr(schedule) for word in cycles):
        return
    ends = np.atleast_2d(np.asarray(schedule(np.arange(np.ceil(schedule.length), schedule.length + 50))).T)
    assert (ends == ends[:, :1]).all()


def _ends(schedule):
    return (
        all(map(_ends, schedule.parts)) if schedule.parts else schedule.length is not None or type(schedule) is Constant
    )


def test_a_check_has_the_signature_that_it_tells():
    check = ResumeCheck(ParamScheduler(make_optimizer(), "lr", schedule=COUNTING), Engine(lambda engine, batch: None))
    assert list(inspect.signature(check).parameters) == list(inspect.signature(check.__call__).parameters)


def test_a_state_says_what_was_written_last():
    compared = 0
    for (example, groups), events in itertools.product(CASES, (1, 7)):
        optimizer = make_optimizer(groups)
        scheduler = example(optimizer)
        for _ in range(events):
            scheduler(None)
        value = scheduler.state_dict()["value"]
        assert value is not None
        if scheduler.param_name == "lr":
            assert values_of(optimizer) == (value if isinstance(value, list) else [value] * groups)
            compared += 1
    assert compared > len(CASES)
