"""Landing by a deadline: simulated throughputs, pauses and resumes, and how late the last step ends."""

import itertools
import json
import math
import pickle
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
import torch
from cases import for_each
from drawn_events import StoppedError
from ignite.engine import Engine, Events
from optimizers import make_optimizer, values_of

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    ConstantScheduler,
    ExponentialScheduler,
    LinearScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    StateParamScheduler,
    StepScheduler,
    TimeClock,
    check_plan,
    create_lr_scheduler_with_warmup,
    dry_run,
)
from lehr.handlers.schedules import Constant

BUDGET = 3600.0  # seconds
STEP = 2.0  # seconds of a step at the usual throughput
PEAK = 0.5


class World:
    """A machine with a clock of its own, on which each step takes some time.

    Args:
        step_time: the seconds of a step, given the time and the number of the step.
    """

    def __init__(self, step_time):
        self.step_time, self.time, self.steps, self.idle = step_time, 1000.0, 0, 0.0

    def now(self):
        return self.time + self.idle

    def work(self):
        self.steps += 1
        self.time += self.step_time(self.time - 1000.0, self.steps)


def constant(_, __):
    return STEP


def slow(_, __):
    return STEP / 0.7


def fast(_, __):
    return STEP / 1.3


def drifting_down(time, _):
    return STEP / (1 - 0.3 * min(time / BUDGET, 1))


def drifting_up(time, _):
    return STEP / (1 + 0.3 * min(time / BUDGET, 1))


def waves(time, _):
    return STEP / (1 + 0.3 * math.sin(time / 150))


def noisy(_, step):
    return STEP * random.Random(step).uniform(0.7, 1.3)


def with_evaluations(_, step):
    return STEP + (30.0 if step % 100 == 0 else 0.0)


def with_a_pause(_, step):
    return STEP + (600.0 if step == 700 else 0.0)


def with_a_pause_in_the_cooldown(_, step):
    return STEP + (200.0 if step == 1600 else 0.0)


def slower_in_the_cooldown(time, _):
    return STEP * (1.3 if time > 0.9 * BUDGET else 1.0)


THROUGHPUTS = [
    constant,
    slow,
    fast,
    drifting_down,
    drifting_up,
    waves,
    noisy,
    with_evaluations,
    with_a_pause,
    with_a_pause_in_the_cooldown,
    slower_in_the_cooldown,
]


def trunk_of(optimizer, warmup=20, **options):
    return create_lr_scheduler_with_warmup(ConstantScheduler(optimizer, "lr", PEAK), 0.0, warmup, **options)


class Run:
    """A training by a deadline, with the values that its steps train with."""

    def __init__(self, world, event=Events.ITERATION_STARTED, accumulated=1, make=trunk_of, **deadline):
        self.world, self.optimizer, self.values = world, make_optimizer(lr=0.123), []
        self.stop_at = None

        def train(engine, batch):
            world.work()
            if engine.state.iteration % accumulated == 0:
                if isinstance(event, OptimizerEvents):
                    self.optimizer.step()
                self.values.append(values_of(self.optimizer)[0])

        self.trainer = Engine(train)
        self.trainer.logger.disabled = True
        self.scheduler = make(self.optimizer)
        self.clock = TimeClock(now=world.now, **{"budget": BUDGET, **deadline})
        self.handle = self.scheduler.attach(self.trainer, event, clock=self.clock)
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, self.stop)

    def stop(self, engine):
        if engine.state.iteration == self.stop_at:
            raise StoppedError

    def go(self, stop_at=None):
        self.stop_at = stop_at
        try:
            self.trainer.run([0] * 1000, max_epochs=1000)
        except StoppedError:
            return False
        return True

    def state(self):
        state = {"trainer": self.trainer.state_dict(), "scheduler": self.scheduler.state_dict()}
        return json.loads(json.dumps({**state, "lr": values_of(self.optimizer)[0]}))

    def load(self, state):
        self.trainer.load_state_dict(state["trainer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.optimizer.param_groups[0]["lr"] = state["lr"]


def assert_landed(values, late, step_time, end_value=0.0):
    """The last step is at the end value, and ends no later than one step after the deadline, nor two before."""
    assert values[-1] == end_value
    assert values[-1] <= 0.01 * max(values)
    assert -2 * step_time <= late <= step_time
    top = values.index(max(values))
    assert all(after <= before for before, after in itertools.pairwise(values[top:]))


@for_each("curve", ["linear", "cosine", "1-sqrt", "quadratic"], one_in=4)
@for_each("throughput", THROUGHPUTS)
def test_the_last_step_before_the_deadline_is_at_the_end_value(throughput, curve):
    world = World(throughput)
    run = Run(world, curve=curve)
    assert run.go()
    late = world.time - 1000.0 - BUDGET
    usual = max(throughput(BUDGET, 99), throughput(BUDGET, 98), throughput(BUDGET - 5, 97))
    assert_landed(run.values, late, usual)
    assert run.trainer.should_terminate
    cooldown = len(run.values) - run.values.index(PEAK) - run.values.count(PEAK)
    if throughput in (constant, slow, fast):
        assert cooldown == pytest.approx(0.15 * len(run.values), abs=1)
    else:
        assert 0.05 * len(run.values) <= cooldown <= 0.25 * len(run.values)


@for_each("throughput", [slow, constant, fast, drifting_down, drifting_up], one_in=3)
@for_each("resumes", [(0.2,), (0.5, 0.93), (0.86, 0.9, 0.95, 0.999)])
def test_a_run_that_is_resumed_counts_the_time_that_it_used(throughput, resumes):
    world, state, values, used = World(throughput), None, [], 0.0
    unbroken = Run(World(throughput))
    assert unbroken.go()
    total = len(unbroken.values)
    for at in (*(int(total * part) for part in resumes), None):
        run = Run(world)
        if state is not None:
            run.load(state)
        begun = world.time
        ended = run.go(stop_at=at)
        used += world.time - begun
        values += run.values
        state = run.state()
        world.idle += 12_345.0  # nobody trains
        assert ended == (at is None)
    late = used - BUDGET
    step_time = throughput(BUDGET, 99)
    assert_landed(values, late, step_time)
    assert len(values) == pytest.approx(total, abs=1)


@for_each("throughput", [slow, constant, fast, drifting_down, waves, with_a_pause], one_in=5)
def test_a_date_is_met_whatever_happens_before_it(throughput):
    world = World(throughput)
    begin = datetime(2026, 12, 1, 5, tzinfo=UTC)

    def unix_time():
        return begin.timestamp() + world.now() - 1000.0

    date = begin.astimezone(timezone(timedelta(hours=1))) + timedelta(hours=1)
    options = {"budget": None, "land_by": date.isoformat(), "unix_time": unix_time}
    first = Run(world, **options)
    first.go(stop_at=300)
    world.idle += 900.0  # nobody trains, and the date comes nearer
    run = Run(world, **options)
    run.load(first.state())
    assert run.go()
    late = unix_time() - date.timestamp()
    assert_landed(first.values + run.values, late, throughput(BUDGET, 99))


def test_a_date_in_the_past_is_refused_before_a_new_run():
    world = World(constant)
    date = datetime(2026, 12, 1, 5, tzinfo=UTC)
    options = {"budget": None, "land_by": date, "unix_time": lambda: date.timestamp() + world.now() - 1000.0 + 90.0}
    run = Run(world, **options)
    with pytest.raises(
        ValueError, match="land_by must be after the start of the run, given 2026-12-01T05.*, which is 90 s"
    ):
        run.go()
    assert run.values == []
    assert run.scheduler.event_index == 0
    with pytest.raises(ValueError, match="land_by must be after the start of the run"):
        dry_run(run.trainer, 1, 100, seconds_per_step=2.0)


def test_a_run_that_resumes_after_its_date_lands_at_its_next_step():
    world = World(constant)
    date = datetime(2026, 12, 1, 5, tzinfo=UTC)
    options = {"budget": None, "land_by": date, "unix_time": lambda: date.timestamp() + world.now() - 1000.0 - 1000.0}
    first = Run(world, **options)
    first.go(stop_at=100)
    world.idle += 3600.0
    run = Run(world, **options)
    run.load(first.state())
    assert run.go()
    assert run.values == [0.0]


def test_a_clock_that_jumps_or_goes_back_does_no_harm():
    world = World(constant)
    glitches = {500: -1e6, 900: float("nan"), 1500: -3.0, 1790: -1e9}
    run = Run(world)

    def now():
        return world.time + glitches.get(run.trainer.state.iteration, 0.0)

    run.clock.now = now
    assert run.go()
    assert_landed(run.values, world.time - 1000.0 - BUDGET, STEP)


@pytest.mark.parametrize(
    ("cooldown", "steps"),
    [("15%", 135), ("1%", 9), ("100%", 900), ("5 min", 150), (40, 40), ("40 steps", 40), (1, 1)],
)
def test_lengths_of_the_cooldown(cooldown, steps):
    world = World(constant)
    options = {"budget": BUDGET / 2, "cooldown": cooldown, "curve": "linear"}
    run = Run(world, make=lambda optimizer: ConstantScheduler(optimizer, "lr", PEAK), **options)
    assert run.go()
    assert len([value for value in run.values if value < PEAK]) == pytest.approx(steps, abs=2)
    assert_landed(run.values, world.time - 1000.0 - BUDGET / 2, STEP)


def test_the_end_value_and_the_curve_are_those_that_were_given():
    world = World(constant)
    run = Run(
        world, budget="1 min", cooldown=4, end_value=0.1, curve="linear", make=lambda o: ConstantScheduler(o, "lr", 0.5)
    )
    run.go()
    assert run.values[-5:] == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1])
    assert run.values[-1] == 0.1


def test_a_decay_goes_on_below_the_cooldown():
    world = World(constant)
    run = Run(world, make=lambda optimizer: LinearScheduler(optimizer, "lr", 10_000, start_value=1.0, end_value=0.0))
    run.go()
    assert run.values[1000] == pytest.approx(0.9)
    assert_landed(run.values, world.time - 1000.0 - BUDGET, STEP)


@pytest.mark.parametrize("accumulated", [1, 4])
def test_real_steps_land_too(accumulated):
    world = World(constant)
    run = Run(world, OptimizerEvents.STEP_STARTED, accumulated)
    assert run.go()
    assert_landed(run.values, world.time - 1000.0 - BUDGET, accumulated * STEP)


def test_each_group_lands_from_its_own_value():
    world = World(constant)
    optimizer = make_optimizer(2)
    seen = []
    trainer = Engine(lambda engine, batch: (world.work(), seen.append(values_of(optimizer))))
    scheduler = ParamScheduler(optimizer, "lr", schedule=Constant([1.0, 4.0]), save_history=True)
    scheduler.attach(trainer, clock=TimeClock(budget=200, cooldown=4, curve="linear", now=world.now))
    trainer.run([0] * 1000)
    assert seen[-5:] == [[1.0, 4.0], [0.75, 3.0], [0.5, 2.0], [0.25, 1.0], [0.0, 0.0]]
    assert trainer.state.param_history["lr"][-5:] == seen[-5:]


def test_a_group_that_is_added_in_the_cooldown_lands_too():
    def values_of_run(added):
        world, optimizer, seen = World(constant), make_optimizer(), []

        def train(engine, batch):
            world.work()
            seen.append(values_of(optimizer))
            if added and engine.state.iteration == 95:
                optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.25})

        trainer = Engine(train)
        scheduler = ExponentialScheduler(optimizer, "lr", gamma=0.999)
        scheduler.attach(trainer, clock=TimeClock(budget=200, cooldown=8, curve="linear", now=world.now))
        trainer.run([0] * 1000)
        return seen

    seen = values_of_run(added=True)
    assert [first for first, *_ in seen] == [first for (first,) in values_of_run(added=False)]
    assert len(seen[-2]) == 2
    assert seen[-1] == [0.0, 0.0]


def test_schedulers_of_one_clock_land_together():
    world = World(waves)
    optimizer = make_optimizer()
    seen = []
    trainer = Engine(
        lambda engine, batch: (
            world.work(),
            seen.append((values_of(optimizer)[0], values_of(optimizer, "momentum")[0])),
        )
    )
    clock = TimeClock(budget=BUDGET, now=world.now)
    for name in ("lr", "momentum"):
        ConstantScheduler(optimizer, name, 0.5).attach(trainer, clock=clock)
    trainer.run([0] * 1000, max_epochs=1000)
    assert all(lr == momentum for lr, momentum in seen)
    assert seen[-1] == (0.0, 0.0)


def test_a_landed_run_that_is_started_again_ends_at_once():
    world = World(constant)
    run = Run(world, budget=100)
    assert run.go()
    again = Run(world, budget=100)
    again.load(run.state())
    again.go()
    assert again.values == []
    again.scheduler.seek(0)
    again.trainer.load_state_dict({"iteration": 0, "epoch_length": 1000, "max_epochs": 1000})
    again.go()
    assert len(again.values) == pytest.approx(50, abs=2)


@for_each("stop", [1, 30, 290, 300, 330], one_in=3)
@for_each("throughput", [constant, waves])
def test_a_resumed_run_writes_what_the_unbroken_one_writes(throughput, stop):
    def run_of(at):
        world = World(lambda time, step: round(throughput(37.0 * step, step), 3))
        times = [0.0, *itertools.accumulate(world.step_time(0, step) for step in range(1, 3000))]
        run = Run(world, budget=700)
        run.clock.now = lambda: times[run.trainer.state.iteration]
        return run

    unbroken = run_of(0)
    assert unbroken.go()
    first = run_of(0)
    assert not first.go(stop_at=stop)
    second = run_of(stop)
    second.load(first.state())
    assert second.go()
    assert first.values + second.values == unbroken.values
    assert second.state()["scheduler"] == unbroken.state()["scheduler"]


@pytest.mark.parametrize("throughput", [constant, slow, drifting_down, noisy])
def test_the_plan_with_the_times_of_the_steps_is_what_training_writes(throughput):
    world = World(throughput)
    run = Run(world, budget=401)
    times, elapsed = [], 0.0
    for step in range(1, 401):
        times.append(throughput(elapsed, step))
        elapsed += times[-1]
    plan = dry_run(run.trainer, 4, 100, seconds_per_step=times)
    assert run.scheduler.event_index == 0
    assert run.go()
    assert plan.num_iterations == len(run.values)
    assert plan["lr"][:, 0].tolist() == pytest.approx(run.values, abs=1e-9)
    assert plan["lr"][-1, 0] == 0.0


def test_a_run_that_ends_before_its_deadline_is_found():
    run = Run(World(constant))
    finding = check_plan(run.trainer, 4, 100, seconds_per_step=STEP)[0]
    assert (finding.code, finding.severity) == ("end-not-reached", "warning")
    assert finding.where.endswith("'lr' on ITERATION_STARTED by TimeClock")
    assert "after 400 iterations, before the deadline" in finding.message
    codes = [one.code for one in check_plan(run.trainer, 40, 100, seconds_per_step=STEP)]
    assert codes == ["jump", "zero-start"]  # from the optimizer's own value to the peak; and no other
    assert [one.code for one in check_plan(run.trainer, 40, 100)] == ["unforeseen"]


@for_each(
    ("options", "error", "message"),
    [
        ({"budget": "8 epochs"}, ValueError, "budget must be a time such as"),
        ({"budget": -3}, ValueError, "budget must be more than 0, given -3"),
        ({"budget": 3, "land_by": "2026-12-01T06:00Z"}, ValueError, "land_by must be None if budget is not None"),
        ({"land_by": "2026-12-01T06:00"}, ValueError, "land_by must have a time zone, such as"),
        ({"land_by": datetime(2026, 12, 1)}, ValueError, "land_by must have a time zone, such as"),
        ({"land_by": "tomorrow"}, ValueError, "land_by must be a date such as .*, given 'tomorrow'"),
        ({"land_by": 3.0}, TypeError, "land_by must be a date such as .*, given 3.0"),
        ({"budget": 3, "cooldown": "0%"}, ValueError, "cooldown must be a percentage above 0%"),
        ({"budget": 3, "cooldown": "120%"}, ValueError, "cooldown must be a percentage above 0%"),
        ({"budget": 3, "cooldown": "3 epochs"}, ValueError, "cooldown must be a percentage above 0%"),
        ({"budget": 3, "cooldown": 0}, ValueError, "cooldown must be a whole number of at least 1, given 0"),
        ({"budget": 3, "curve": "log"}, ValueError, "curve must be one of"),
        ({"budget": 3, "end_value": float("nan")}, ValueError, "end_value must be"),
        ({"budget": "0 s"}, ValueError, "budget must be more than 0, given 0.0"),
        (
            {"budget": 30, "cooldown": "1 min"},
            ValueError,
            "cooldown must be at most the budget, 30 seconds, given",
        ),
        (
            {"cooldown": "20%"},
            ValueError,
            "cooldown must be left out without a deadline, given '20%': give",
        ),
        ({"end_value": 0.1}, ValueError, "end_value must be left out without a deadline, given 0.1"),
        ({"curve": "linear"}, ValueError, "curve must be left out without a deadline, given 'linear'"),
        ({"budget": 3, "unix_time": 7}, TypeError, "unix_time must be a function"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        TimeClock(**options)


@pytest.mark.parametrize("lands_again", [True, False])
def test_a_scheduler_that_is_landing_may_be_detached(lands_again):
    time, optimizer = [0.0], make_optimizer()

    def step(engine, batch):
        time[0] += 1

    trainer, scheduler = Engine(step), ConstantScheduler(optimizer, "lr", 0.1)
    clock = TimeClock(budget=100, cooldown="40%", now=lambda: time[0])
    handle = scheduler.attach(trainer, clock=clock)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=80), trainer.terminate)
    trainer.run([0] * 1000)
    assert 0 < values_of(optimizer)[0] < 0.1
    handle.remove()
    if lands_again:
        scheduler.attach(trainer, clock=clock)
        assert trainer.run([0] * 1000, max_epochs=2).iteration == 100
        assert values_of(optimizer) == [0.0]
    else:
        scheduler.attach(trainer)
        with pytest.warns(ResumeWarning, match="had completed 50% of its cool-down to a deadline"):
            trainer.run([0] * 100, max_epochs=2)
        assert values_of(optimizer) == [0.1]  # as its schedule says


@pytest.mark.parametrize("is_detached", [False, True])
def test_a_group_that_joins_a_landing_lands_with_it(is_detached):
    time, optimizer, seen = [0.0], make_optimizer(lr=0.1), []

    def step(engine, batch):
        time[0] += 1
        seen.append(values_of(optimizer))
        if engine.state.iteration == 80:
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.2})
        if engine.state.iteration == 90 and is_detached:
            handle.remove()
            scheduler.attach(engine)

    trainer, scheduler = Engine(step), StepScheduler(optimizer, "lr", 1000, gamma=0.5)
    handle = scheduler.attach(trainer, clock=TimeClock(budget=100, cooldown="40%", now=lambda: time[0]))
    trainer.run([0] * 100)
    rates = [values[0] for values in seen]
    if is_detached:
        assert seen[91:] == [[0.1, 0.2]] * 9
        return
    assert all(after < before for before, after in itertools.pairwise(rates[60:]))
    assert all(joined == pytest.approx(2 * first) for first, joined in seen[80:])
    assert seen[-1] == [0.0, 0.0]


def test_a_clock_of_time_can_be_pickled():
    clock = pickle.loads(pickle.dumps(TimeClock(budget="1 min", cooldown="40%", end_value=0.1)))
    assert (clock.budget, clock.end_value, clock.unit) == (60.0, 0.1, "events")
    trainer, scheduler = Engine(lambda engine, batch: None), ConstantScheduler(make_optimizer(), "lr", 0.1)
    scheduler.attach(trainer, clock=clock)
    trainer.run([0] * 3)
    assert scheduler.event_index == 3


def test_a_state_of_a_landing_that_is_loaded_without_a_deadline_warns():
    time = [0.0]

    def step(engine, batch):
        time[0] += 1

    def make(**clock):
        trainer, scheduler = Engine(step), ConstantScheduler(make_optimizer(), "lr", 0.1)
        scheduler.attach(trainer, **clock)
        return trainer, scheduler

    trainer, scheduler = make(clock=TimeClock(budget=100, cooldown="40%", now=lambda: time[0]))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=80), trainer.terminate)
    trainer.run([0] * 1000)
    resumed, again = make()
    again.load_state_dict(scheduler.state_dict())
    resumed.load_state_dict(trainer.state_dict())
    with pytest.warns(
        ResumeWarning, match="had completed 50% of its cool-down to a deadline, .* TimeClock that has a deadline"
    ):
        resumed.run([0] * 1000, max_epochs=1)


def several(optimizer):
    return ParamGroupScheduler([ConstantScheduler(optimizer, "lr", 0.1)])


@pytest.mark.parametrize(
    "make",
    [
        several,
        lambda optimizer: ParamScheduler(optimizer, "lr", schedule=lambda event: 0.1),
        lambda optimizer: ReduceOnPlateauScheduler(optimizer, "lr", "loss"),
        lambda optimizer: StateParamScheduler("dropout", create_new=True, schedule=Constant(0.5)),
    ],
)
def test_what_cannot_land_is_refused(make):
    trainer = Engine(lambda engine, batch: None)
    with pytest.raises(
        ValueError, match="clock must not have a deadline for a scheduler that writes several parameters"
    ):
        make(make_optimizer()).attach(trainer, Events.ITERATION_STARTED, clock=TimeClock(budget=3))


@pytest.mark.parametrize("event", [Events.EPOCH_STARTED, Events.ITERATION_STARTED(every=2)])
def test_events_that_are_no_steps_are_refused(event):
    scheduler = ConstantScheduler(make_optimizer(), "lr", 0.1)
    with pytest.raises(ValueError, match="event must be ITERATION_STARTED or STEP_STARTED without a filter"):
        scheduler.attach(Engine(lambda engine, batch: None), event, clock=TimeClock(budget=3))


def test_a_wrong_state_is_refused():
    run = Run(World(constant))
    state = run.scheduler.state_dict()
    good = {"used": 7, "progress": 0.0, "recent": [3], "begun": 0}
    wrong = [{"used": -1}, {"used": 0.5}, {"progress": 2.0}, {"recent": [-1]}, {"recent": 3}, {"begun": None}]
    for bad in (*({**good, **one} for one in wrong), {"used": 7}, 3):
        with pytest.raises((TypeError, ValueError), match="must"):
            run.scheduler.load_state_dict({**state, "landing": bad})
    assert run.scheduler.state_dict() == state
    run.scheduler.load_state_dict({**state, "landing": good})
    assert run.scheduler.state_dict()["landing"] == good


def test_a_state_is_plain_data(tmp_path):
    run = Run(World(constant))
    run.go(stop_at=1700)
    torch.save(run.scheduler.state_dict(), tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True) == run.scheduler.state_dict()
    assert 0 < run.scheduler.state_dict()["landing"]["progress"] < 1


@pytest.mark.parametrize("done", [50, 175, 195])
def test_the_plan_of_a_resumed_run_lands_as_training_does(done):
    world = World(constant)
    first = Run(world, budget=401)
    first.go(stop_at=done)
    run = Run(world, budget=401)
    run.load(first.state())
    plan = dry_run(run.trainer, 1000, 1000, seconds_per_step=STEP)
    assert plan.start == done
    assert run.go()
    assert plan["lr"][done:, 0].tolist() == pytest.approx(run.values, abs=1e-9)
    assert plan.num_iterations == done + len(run.values)
