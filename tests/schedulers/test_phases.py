"""PhaseScheduler: a phase begins by a call, an event or a metric."""

import copy
import json
import warnings

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, values_of

from lehr.engine import ParamHistory
from lehr.handlers import (
    ConcatScheduler,
    MetricScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    configure_scheduler,
)
from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cooldown,
    Cosine,
    LinearInterpolation,
    Mapped,
    Phases,
    Plateau,
    Product,
    WarmupStableDecay,
)

WARM_AND_STABLE = LinearInterpolation([(0, 0.0), (4, 0.5)])
DECAY = Anneal(1.0, 0.0, duration=8, curve=Cosine())


def make(phases=(WARM_AND_STABLE, DECAY), groups=1, **kwargs):
    return PhaseScheduler(make_optimizer(groups), "lr", phases, save_history=True, **kwargs)


def written(scheduler, events):
    rows = []
    for _ in range(events):
        scheduler(None)
        rows.append(values_of(scheduler.optimizer))
    return np.array(rows)


@given(start=st.integers(0, 20))
def test_a_decay_that_begins_on_demand_has_the_values_of_a_planned_cooldown(start):
    scheduler = make()
    before = written(scheduler, start)
    scheduler.next_phase()
    values = np.concatenate([before, written(scheduler, 30 - start)]) if start else written(scheduler, 30)
    level = WARM_AND_STABLE(start)
    expected = [WARM_AND_STABLE(i) if i < start else level * DECAY(i - start) for i in range(30)]
    assert values[:, 0].tolist() == expected
    # From event 4 on the stable phase is flat, so a Cooldown that is planned in advance has the same values.
    if start >= 4:
        planned = Cooldown(WARM_AND_STABLE, begin=start, duration=8, curve=Cosine())
        np.testing.assert_allclose(values[:, 0], planned(np.arange(30)), rtol=0, atol=1e-15)


@given(starts=st.lists(st.integers(0, 700), min_size=2, max_size=2).map(sorted), end=st.none() | st.integers(0, 900))
def test_each_event_has_the_bits_of_an_event_that_is_read_alone(starts, end):
    phases = [Anneal(0.1, 0.7, duration=300, curve=Cosine()), LinearInterpolation([(0, 1.0), (99, 0.3)]), DECAY]
    scheduler = PhaseScheduler(make_optimizer(), "lr", phases, end=end)
    for event in range(800):
        for start in starts:
            if event == start:
                scheduler.next_phase()
        scheduler(None)
        if event % 7 == 0 or event in (*starts, *(start - 1 for start in starts)):
            alone = Phases(phases, end=end, starts=[start for start in starts if start <= event])
            assert values_of(scheduler.optimizer) == [alone.value(event)], event
        assert scheduler.schedule.state_dict()["event_index"] == event


@for_each("begun", [0, 1, 40, 63, 64, 200])
def test_a_phase_begins_with_the_next_event_however_it_is_begun(begun):
    decay = [0.5 * DECAY(i) for i in range(8)]
    for begin in (
        lambda scheduler: scheduler.next_phase(),
        lambda scheduler: scheduler.schedule.begin_next(),
        lambda scheduler: scheduler.schedule.begin_next(begun),
        lambda scheduler: scheduler.load_state_dict(
            {**(state := scheduler.state_dict()), "progress": [{**state["progress"][0], "starts": [begun]}]}
        ),
    ):
        scheduler = PhaseScheduler(make_optimizer(), "lr", [Constant(0.5), DECAY])
        for _ in range(begun):
            scheduler(None)
        copied = copy.deepcopy(scheduler)
        begin(scheduler)
        assert scheduler.phase == 1
        assert written(scheduler, 8)[:, 0].tolist() == decay
        assert written(copied, 8)[:, 0].tolist() == [0.5] * 8


def test_a_failed_event_is_not_the_last_event_of_a_phase():
    scheduler = PhaseScheduler(make_optimizer(), "lr", [Constant(0.5), DECAY])
    written(scheduler, 5)
    groups, state = scheduler.optimizer.param_groups, scheduler.state_dict()
    scheduler.optimizer.param_groups = [{"params": []}]
    with pytest.raises(ValueError, match="every param group must have 'lr'"):
        scheduler(None)
    scheduler.optimizer.param_groups = groups
    assert scheduler.state_dict() == state
    scheduler.next_phase()
    assert scheduler.schedule.state_dict()["starts"] == [5]
    assert written(scheduler, 4)[:, 0].tolist() == [0.5 * DECAY(i) for i in range(4)]


def test_an_illegal_value_of_a_phase_warns_at_its_event():
    scheduler = PhaseScheduler(make_optimizer(), "lr", [Constant(0.5), Anneal(1.0, -1.0, duration=8)])
    written(scheduler, 3)
    scheduler.next_phase()
    assert written(scheduler, 5)[:, 0].tolist() == [0.5, 0.375, 0.25, 0.125, 0.0]  # a warning would be an error
    with pytest.warns(UserWarning, match="'lr' must be at least 0, but PhaseScheduler writes -0.125 at event 8"):
        assert written(scheduler, 1).tolist() == [[-0.125]]


@given(start=st.integers(5, 40), end=st.integers(41, 90))
def test_the_last_phase_ends_at_the_given_event_however_late_it_begins(start, end):
    scheduler = make(end=end)
    written(scheduler, start)
    scheduler.next_phase()
    values = written(scheduler, end - start + 3)[:, 0]
    assert values[0] == 0.5
    assert (values[:-4] > values[1:-3]).all()
    assert (values[-3:] == 0.0).all()
    reference = WarmupStableDecay(0.5, 4, start - 4, end - start, decay_type="cosine")
    np.testing.assert_allclose(values, reference(np.arange(start, end + 3)), rtol=0, atol=1e-12)


def test_a_decay_that_begins_at_the_end_is_over_at_once():
    scheduler = make(end=3)
    written(scheduler, 5)
    scheduler.next_phase()
    assert written(scheduler, 2).tolist() == [[0.0], [0.0]]


def test_a_phase_begins_by_an_event():
    trainer, scheduler = make_trainer(), make()
    scheduler.attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), scheduler.next_phase)
    trainer.run([0] * 5, max_epochs=4)
    assert trainer.state.param_history["lr"].to_numpy()[:, 0].tolist() == [
        *(WARM_AND_STABLE(i) for i in range(10)),
        *(0.5 * DECAY(i) for i in range(10)),
    ]
    assert scheduler.phase == 1


@pytest.mark.parametrize("patience", [0, 2])
def test_a_phase_begins_when_a_metric_has_stopped_improving(patience):
    losses = [3.0, 2.0, 1.0, 1.0, 1.5, 1.0, 1.2, 0.5, 0.5, 0.5]
    trainer, evaluator = make_trainer(), Engine(lambda engine, batch: None)
    scheduler = make(flat=Plateau(patience=patience))
    scheduler.attach(trainer)

    @trainer.on(Events.EPOCH_COMPLETED)
    def evaluate():
        evaluator.run([0])

    @evaluator.on(Events.STARTED)
    def measure():
        evaluator.state.metrics["loss"] = losses[trainer.state.epoch - 1]

    evaluator.add_event_handler(Events.COMPLETED, scheduler.observe)
    trainer.run([0] * 5, max_epochs=10)
    flat_after = 4 + patience  # a number of epochs: the fourth loss is the first without an improvement
    begun = [i for i in range(50) if trainer.state.param_history["lr"][i][0] < 0.5 and i > 4]
    assert begun[0] == 5 * flat_after + 1  # at its first event, the decay has the factor 1
    assert scheduler.schedule.state_dict()["starts"] == [5 * flat_after]


def test_a_metric_begins_a_phase_inside_other_schedules_too():
    optimizer, trainer = make_optimizer(), make_trainer()
    phases = Phases([Constant(1.0), DECAY], flat=Plateau(patience=0))
    schedule = Product([phases, LinearInterpolation([(0, 0.5), (10, 0.25)])])
    scheduler = MetricScheduler(optimizer, "lr", "loss", schedule, every=3)
    scheduler.attach(trainer)
    trainer.add_event_handler(Events.STARTED, lambda: trainer.state.metrics.update(loss=1.0))
    trainer.run([0] * 12)
    assert phases.state_dict()["starts"] == [6]  # metrics come at events 3 and 6, and the second is no improvement
    assert values_of(optimizer) == [DECAY(11 - 6) * 0.25]


@given(
    starts=st.lists(st.integers(0, 25), max_size=3).map(sorted),
    relative=st.booleans(),
    end=st.none() | st.integers(0, 40),
    groups=st.sampled_from([1, 2]),
    order=st.permutations(range(30)),
)
def test_values_depend_only_on_the_events_at_which_phases_began(starts, relative, end, groups, order):
    levels = [0.5, 1.0][:groups] if groups > 1 else 0.5
    phases = [Anneal(levels, 2.0, 6), LinearInterpolation([(0, 1.0), (9, 0.5)]), Constant(0.25), DECAY]
    schedule = Phases(phases, relative=relative, end=end, starts=starts)

    def alone(phase, event):
        if end is not None and phase == 3:
            room = end - starts[2]
            event = 8 if event >= room else 8 * event / room
        return np.asarray(phases[phase].values(np.array([float(event)]))[0])

    for index in order:
        phase = sum(start <= index for start in starts)
        bounds = [0, *starts]
        value = alone(phase, index - bounds[phase])
        for before in range(phase if relative else 0):
            value = value * alone(before, bounds[before + 1] - bounds[before])
        assert np.asarray(schedule(index)).tolist() == value.tolist()


@for_each("stop", range(0, 30, 3))
def test_the_events_at_which_phases_began_are_saved_and_loaded(stop):
    def run(scheduler, begin, end):
        rows = []
        for event in range(begin, end):
            if event == 11:
                scheduler.next_phase()
            rows.extend(written(scheduler, 1).tolist())
        return rows

    unbroken = run(make(end=25), 0, 35)
    scheduler = make(end=25)
    rows = run(scheduler, 0, stop)
    if stop == 11:
        scheduler.next_phase()
    resumed = make(end=25)
    resumed.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    assert resumed.state_dict() == scheduler.state_dict()
    assert rows + run(resumed, stop, 35) == unbroken


def test_a_call_of_next_phase_before_a_checkpoint_takes_effect_after_the_resume():
    scheduler = make()
    written(scheduler, 9)
    scheduler.next_phase()  # the state is saved before the phase begins with the next event
    resumed = make()
    resumed.load_state_dict(scheduler.state_dict())
    assert written(resumed, 3).tolist() == written(scheduler, 3).tolist()
    assert resumed.phase == 1


def test_a_copy_has_its_own_metric_name_and_reduction():
    scheduler = PhaseScheduler(make_optimizer(), "lr", [Constant(0.5), Constant(0.1)], metric_name="loss")
    copied = copy.copy(scheduler)
    copied.metric_name, copied.reduction = "accuracy", "max"
    assert (scheduler.metric_name, scheduler.reduction) == ("loss", "mean")


def test_simulate_values_takes_the_events_at_which_phases_begin():
    scheduler = make()
    simulated = PhaseScheduler.simulate_values(30, param_name="lr", phases=[WARM_AND_STABLE, DECAY], starts=[12])
    written(scheduler, 12)
    before = scheduler.state_dict()
    assert scheduler.simulate(30, start=12)[:, 0].tolist() == [0.5] * 30  # without a call of next_phase
    assert scheduler.state_dict() == before
    scheduler.next_phase()
    assert scheduler.simulate(18, start=12)[:, 0].tolist() == [value for _, value in simulated[12:]]
    assert written(scheduler, 18)[:, 0].tolist() == [value for _, value in simulated[12:]]
    assert len(PhaseScheduler.plot_values(30, param_name="lr", phases=[WARM_AND_STABLE, DECAY], starts=[12])) == 1


def test_phases_may_come_after_another_scheduler():
    optimizer = make_optimizer()
    phases = PhaseScheduler(optimizer, "lr", [Constant(0.5), DECAY])
    warmup = ParamScheduler(optimizer, "lr", schedule=LinearInterpolation([(0, 0.0), (4, 0.5)]))
    scheduler = ConcatScheduler([warmup, phases], [4])
    written(scheduler, 10)
    phases.schedule.begin_next(6)  # event 10 of the scheduler, since the phases began at event 4
    assert written(scheduler, 4)[:, 0].tolist() == [0.5 * DECAY(i) for i in range(4)]


@pytest.mark.parametrize("after_a_warmup", [False, True])
def test_a_member_of_another_scheduler_begins_its_phase_with_the_next_event(after_a_warmup):
    optimizer = make_optimizer()
    phases = PhaseScheduler(optimizer, "lr", [Constant(0.5), DECAY])
    if after_a_warmup:
        warmup = ParamScheduler(optimizer, "lr", schedule=LinearInterpolation([(0, 0.0), (4, 0.5)]))
        scheduler = ConcatScheduler([warmup, phases], [4])
    else:
        follower = ParamScheduler(optimizer, "weight_decay", schedule=Mapped(phases.schedule, lambda lr: 0.1 * lr))
        scheduler = ParamGroupScheduler([phases, follower])
    for _ in range(10):
        scheduler(None)
    phases.next_phase()
    for event in range(5):
        scheduler(None)
        assert values_of(optimizer) == [0.5 * DECAY(event)]
        assert after_a_warmup or values_of(optimizer, "weight_decay") == [0.1 * (0.5 * DECAY(event))]
    assert phases.phase == 1


def test_wrong_arguments_are_refused_by_name():
    scheduler = make()
    scheduler.next_phase()
    with pytest.raises(ValueError, match="there is no next phase: the last of 2 phases began at event 0"):
        scheduler.next_phase()
    phases = Phases([Constant(1.0), Constant(2.0), DECAY])
    phases.begin_next(5)
    with pytest.raises(ValueError, match="event_index must be at least 5, the start of the phase before, given 4"):
        phases.begin_next(4)
    assert phases.state_dict()["starts"] == [5]
    trainer = make_trainer()
    with pytest.raises(ValueError, match="must depend on a metric"):
        MetricScheduler(make_optimizer(), "lr", "loss", Phases([Constant(1.0), DECAY]))
    trainer.state.metrics = {"loss": 1.0}
    with pytest.raises(ValueError, match="flat must be a Plateau if a metric is observed, given None"):
        make().observe(trainer)
    trainer.state.metrics = {}
    with pytest.raises(ValueError, match="metric_name must be one of the metrics"):
        make(flat=Plateau()).observe(trainer)


@for_each(
    ("kwargs", "error", "match"),
    [
        ({"phases": [DECAY]}, ValueError, "phases must have 2 or more items"),
        ({"phases": DECAY}, TypeError, "phases must be a list or tuple, given Anneal"),
        ({"phases": [DECAY, 0.5]}, TypeError, r"phases\[1\] must be a Schedule, given 0.5"),
        ({"phases": [DECAY, Plateau()]}, ValueError, r"phases\[1\] must be a pure schedule"),
        (
            {"phases": [Constant([1.0, 2.0]), Constant([1.0, 2.0, 3.0])]},
            ValueError,
            "for the same number of groups",
        ),
        ({"relative": 1}, TypeError, "relative must be True or False, given 1"),
        ({"end": -1}, ValueError, "end must be a whole number of at least 0, given -1"),
        (
            {"end": 9, "phases": [DECAY, Constant(1.0)]},
            ValueError,
            "end must be None if the last phase has no length",
        ),
        ({"starts": [1, 2]}, ValueError, "starts must have at most 1 items, one for each phase"),
        ({"starts": [-1]}, ValueError, r"starts\[0\] must be a whole number of at least 0, given -1"),
        ({"flat": 3}, TypeError, "flat must be a Plateau or None, given 3"),
        ({"metric_name": 3}, TypeError, "metric_name must be a string, given 3"),
        (
            {"reduction": "sum"},
            ValueError,
            "reduction must be one of 'mean', 'min', 'max', 'rank0', 'none', given 'sum'",
        ),
    ],
)
def test_wrong_arguments_are_refused(kwargs, error, match):
    with pytest.raises(error, match=match):
        make(**{"phases": [WARM_AND_STABLE, DECAY], **kwargs})


@pytest.mark.parametrize(
    "state",
    [
        {"starts": [5], "event_index": 3},
        {"starts": [5, 6], "event_index": 3, "flat": None},
        {"starts": [-5], "event_index": 3, "flat": None},
        {"starts": "5", "event_index": 3, "flat": None},
        {"starts": [5], "event_index": -2, "flat": None},
        {"starts": [5], "event_index": 3, "flat": {}},
        None,
    ],
)
def test_a_broken_state_loads_nothing(state):
    phases = Phases([WARM_AND_STABLE, DECAY])
    phases.begin_next(7)
    before = phases.state_dict()
    with pytest.raises((TypeError, ValueError)):
        phases.load_state_dict(state)
    assert phases.state_dict() == before


def test_a_config_makes_an_equal_scheduler():
    scheduler = make(flat=Plateau(patience=3), end=50, relative=False)
    config = json.loads(json.dumps(scheduler.config()))
    again = configure_scheduler(make_optimizer(), config)
    assert again.schedule == scheduler.schedule
    assert again.config() == config


@for_each("event", [Events.EPOCH_STARTED(once=3), Events.EPOCH_COMPLETED(once=2)])
@for_each("stop", range(7, 15))
def test_an_epoch_that_starts_again_after_a_resume_begins_no_further_phase(event, stop):
    """A run that resumes in the middle of an epoch fires EPOCH_STARTED for this epoch a second time."""

    def make_run():
        trainer, scheduler = make_trainer(), make([Constant(0.5), Constant(0.5), DECAY])
        scheduler.attach(trainer)
        trainer.add_event_handler(event, scheduler.next_phase)
        return trainer, scheduler

    unbroken, whole = make_run()
    unbroken.run([0] * 4, max_epochs=5)
    trainer, scheduler = make_run()
    saved = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED(once=stop),
        lambda: saved.extend(json.loads(json.dumps([trainer.state_dict(), scheduler.state_dict()]))),
    )
    trainer.run([0] * 4, max_epochs=5)
    resumed, again = make_run()
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    resumed.run([0] * 4)
    expected = whole.schedule.state_dict()["starts"]
    assert again.schedule.state_dict()["starts"] == expected


def test_a_run_that_is_killed_between_two_phases_has_no_gap():
    """The run resumes several times, with the trainer and the history, from states that are a few events old."""

    def process(state, until):
        trainer, scheduler = make_trainer(), make(end=60)
        scheduler.attach(trainer)
        trainer.state.param_history = history = ParamHistory()
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=33), scheduler.next_phase)
        saved = {}
        if state:
            trainer.load_state_dict(state["trainer"])
            scheduler.load_state_dict(state["lr"])
            history.load_state_dict(state["history"])
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED(every=7),
            lambda: saved.update(trainer=trainer.state_dict(), lr=scheduler.state_dict(), history=history.state_dict()),
        )
        if until:
            trainer.add_event_handler(Events.ITERATION_COMPLETED(once=until), trainer.terminate)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            trainer.run([0] * 10, max_epochs=7)
        return json.loads(json.dumps(saved)), history

    _, expected = process({}, None)
    state: dict = {}
    for until in (12, 30, 36, 37, 52):
        state, _ = process(state, until)
    _, history = process(state, None)
    assert history == expected
    assert len(history["lr"]) == 70
    assert torch.tensor(history["lr"][-1]).item() == 0.0
