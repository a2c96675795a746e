"""Wired so that nothing happens: what check_plan finds before a run, and what the run says."""

import logging
import warnings

import pytest
import torch
from ignite.engine import Engine, EventEnum, Events
from logs import logged, logging_trainer
from optimizers import make_optimizer, make_trainer, values_of

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    ConcatScheduler,
    CosineDecayScheduler,
    DevicePlan,
    ExpStateScheduler,
    LambdaStateScheduler,
    LRScheduler,
    MetricScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
    check_plan,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cooldown,
    FunctionSchedule,
    LinearInterpolation,
    Noise,
    PiecewiseConstant,
    Plateau,
    Polynomial,
    Product,
    Restarts,
    StepDecay,
)


@pytest.fixture
def trainer(caplog):
    return logging_trainer(caplog)


def found(trainer, *codes, epochs=4, length=10, **kwargs):
    """The findings with one of these codes."""
    return [finding for finding in check_plan(trainer, epochs, length, **kwargs) if finding.code in codes]


def warned(call):
    """The warnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(one.message) for one in caught]


# Values that an optimizer must not have.


def adam():
    return make_optimizer(2, torch.optim.Adam)


ILLEGAL = {
    "lr -3": lambda o: PiecewiseLinear(o, "lr", [(0, 1.0), (4, -3.0)]),
    "lr -3, in one group": lambda o: PiecewiseLinear(o, "lr", [(0, 1.0), (4, [1.0, -3.0])]),
    "lr -3, late": lambda o: PiecewiseLinear(o, "lr", [(0, 1.0), (400, -3.0)]),
    "betas[1] 2.0, a function": lambda o: ParamScheduler(o, "betas[1]", schedule=lambda index: 2.0),
    "momentum -3": lambda o: ParamScheduler(o, "momentum", schedule=Constant(-3.0)),
    "momentum 1.5, one of two": lambda o: ParamGroupScheduler(
        [PiecewiseLinear(o, "lr", [(0, 1.0), (4, 0.1)]), PiecewiseLinear(o, "momentum", [(0, 0.5), (4, 1.5)])]
    ),
    "weight_decay -1, a function of two": lambda o: ParamGroupScheduler(
        [
            ParamScheduler(o, "lr", schedule=lambda index: 0.1),
            ParamScheduler(o, "weight_decay", schedule=Constant(-1.0)),
        ]
    ),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_value_is_told_at_the_first_event_that_writes_it(name):
    scheduler = ILLEGAL[name](adam())
    table = scheduler.simulate(500) if "function of two" not in name else torch.tensor([[0.1, -1.0]] * 500).numpy()
    illegal = (table < 0).any(axis=1) if "1.5" not in name else (table[:, 1] >= 1)
    if "betas[1]" in name:
        illegal = table[:, 0] >= 1
    first = int(illegal.argmax())
    before = [warned(lambda: scheduler(None)) for _ in range(first)]
    assert before == [[]] * first
    (message,) = warned(lambda: scheduler(None))
    assert f"at event {first}" in message
    assert "must be at least 0" in message
    assert warned(lambda: [scheduler(None) for _ in range(500 - first)]) == []  # once


def test_a_zero_that_rounding_makes_negative_is_no_illegal_value():
    optimizer = make_optimizer(lr=0.1)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 0.6982486605489416, 0.0, 3)
    scheduler = LRScheduler(decay)
    assert scheduler.simulate(4)[-1, 0] < 0
    assert warned(lambda: [scheduler(None) for _ in range(6)]) == []


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_value_is_a_finding_and_the_check_itself_warns_of_nothing(name, trainer):
    ILLEGAL[name](adam()).attach(trainer)
    for finding in found(trainer, "illegal-value", epochs=50):
        assert "is illegal at" in finding.message
    assert found(trainer, "illegal-value", epochs=50)


def test_an_illegal_value_after_the_run_is_no_fault(trainer):
    scheduler = PiecewiseLinear(make_optimizer(), "lr", [(0, 1.0), (39, 0.0), (40, -3.0)])
    scheduler.attach(trainer)
    assert found(trainer, "illegal-value") == []
    trainer.run(range(10), max_epochs=4)


def test_an_illegal_value_is_written_after_the_warning():
    optimizer = make_optimizer()
    scheduler = PiecewiseLinear(optimizer, "lr", [(0, 1.0), (4, -3.0)])
    assert len(warned(lambda: [scheduler(None) for _ in range(5)])) == 1
    assert values_of(optimizer) == [-3.0]


def test_an_illegal_value_of_a_device_plan():
    optimizer = make_optimizer(lr=torch.tensor(0.1))
    with pytest.warns(UserWarning, match="writes -1 at event 2"):
        DevicePlan(PiecewiseLinear(optimizer, "lr", [(0, 1.0), (4, -3.0)]), 5)


# Durations that are fractions of an event.


FRACTIONS = {
    "duration": lambda value: Anneal(1.0, 0.0, value),
    "a cool-down": lambda value: Cooldown(Constant(1.0), 5, value),
    "step_size": lambda value: StepDecay(1.0, 0.1, value),
    "periods": lambda value: Restarts(1.0, 0.0, value),
    "of a scheduler": lambda value: CosineDecayScheduler(make_optimizer(), "lr", duration=value),
}


@pytest.mark.parametrize("name", FRACTIONS)
def test_a_duration_between_0_and_1_is_refused_with_how_to_write_that_part_of_a_run(name):
    with pytest.raises(ValueError, match=r"at least 1 event, given 0.9; for 90% of a run of n events, give .*0.9 \* n"):
        FRACTIONS[name](0.9)
    FRACTIONS[name](1)
    FRACTIONS[name](1.5)


def test_a_duration_in_epochs_may_be_a_part_of_one():
    scheduler = CosineDecayScheduler(make_optimizer(), "lr", duration=0.5, epoch_length=100)
    assert scheduler.schedule.length == 50
    assert Anneal(1.0, 0.5, 0)(0) == 0.5


# State parameters.


OF_THE_STATE = ["iteration", "epoch", "epoch_length", "max_epochs", "metrics", "output"]
OF_THE_STATE += ["max_iters"] if hasattr(Engine(lambda engine, batch: None).state, "max_iters") else []  # since 0.5.4


@pytest.mark.parametrize("name", OF_THE_STATE)
def test_names_of_the_engines_own_state_are_refused(name):
    with pytest.raises(ValueError, match="must not be the name of an attribute that the engine itself uses"):
        StateParamScheduler(name, schedule=Constant(0.5))
    scheduler = StateParamScheduler("dropout", schedule=Constant(0.5))
    with pytest.raises(ValueError, match="param_name must not be"):
        scheduler.param_name = name
    assert scheduler.param_name == "dropout"


def test_a_name_in_which_the_engine_counts_an_event_is_refused(trainer):
    class Mine(EventEnum):
        DONE = "done"

    trainer.register_events(Mine.DONE, event_to_attr={Mine.DONE: "done_count"})
    with pytest.raises(ValueError, match="given 'done_count'"):
        StateParamScheduler("done_count", schedule=Constant(0.5)).attach(trainer)


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (StateParamScheduler("rate", create_new=True, schedule=Anneal(1.0, 0.0, 4)), [1.0, 1.0, 0.75, 0.5]),
        (ExpStateScheduler(8.0, 0.5, "rate", create_new=True), [8.0, 4.0, 2.0, 1.0]),  # exact: f(i) in iteration i
    ],
)
def test_the_first_iteration_has_the_first_value_of_a_state_parameter(scheduler, expected, caplog):
    seen = []
    trainer = Engine(lambda engine, batch: seen.append(engine.state.rate))
    scheduler.attach(trainer)  # to ITERATION_COMPLETED, as in ignite
    trainer.run(range(4))
    assert seen == expected
    assert logged(caplog) == []


def test_a_function_of_a_state_parameter_is_not_called_before_its_event_and_that_is_told(trainer, caplog):
    LambdaStateScheduler(lambda event: 1 / event, "rate", create_new=True).attach(trainer)
    assert trainer.state.rate is None
    assert "engine.state.rate is None until its first event" in logged(caplog)[0]


def test_nothing_is_told_of_a_function_that_is_called_in_time_or_has_a_first_value(trainer, caplog):
    LambdaStateScheduler(lambda event: 1 / event, "rate", create_new=True).attach(trainer, Events.ITERATION_STARTED)
    trainer.state.dropout = 0.5
    LambdaStateScheduler(lambda event: 1 / event, "dropout").attach(trainer)
    assert logged(caplog) == []
    assert trainer.state.dropout == 0.5


# A schedule that metrics drive, and no metrics.


def after_warmup(optimizer, durations=3, **kwargs):
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, **kwargs)
    warmup = PiecewiseLinear(optimizer, "lr", [(0, 0.01), (durations, 0.5)])
    return plateau, ConcatScheduler([warmup, plateau], [durations])


def evaluated(trainer, *handlers, losses=None, every=1):
    """An evaluator that the trainer runs; its handlers come after the loss is known."""
    evaluator = make_trainer()
    values = iter(losses or [1.0] * 100)
    evaluator.add_event_handler(Events.COMPLETED, lambda engine: engine.state.metrics.update(loss=next(values)))
    for handler in handlers:
        evaluator.add_event_handler(Events.COMPLETED, handler)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(every=every), lambda: evaluator.run([0]))
    return evaluator


class Holder:
    """A user's class that passes metrics on by itself."""

    def __init__(self, schedulers):
        self.schedulers = schedulers

    def pass_on(self, engine):
        for scheduler in self.schedulers:
            scheduler.observe(engine)


FEEDS = {
    "observe": lambda trainer, plateau: evaluated(trainer, plateau.observe),
    "observe, seldom": lambda trainer, plateau: evaluated(trainer, plateau.observe, every=3),
    "a function": lambda trainer, plateau: evaluated(trainer, lambda engine: plateau.observe(engine)),
    "the schedule": lambda trainer, plateau: evaluated(trainer, lambda engine: plateau.schedule.observe(1.0)),
    "a method": lambda trainer, plateau: evaluated(trainer, Holder([plateau]).pass_on),
    "the trainer": lambda trainer, plateau: trainer.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: plateau.schedule.observe(1.0)
    ),
}


@pytest.mark.parametrize("where", ["in a concatenation", "in a group", "as a factor", "phases"])
def test_metrics_that_nobody_passes_are_a_finding_and_told_after_the_first_epoch(where, trainer, caplog):
    optimizer = make_optimizer()
    plateau, scheduler = after_warmup(optimizer)
    if where == "in a group":
        scheduler = ParamGroupScheduler([plateau])
    elif where == "as a factor":
        scheduler = ParamScheduler(optimizer, "lr", schedule=Product([Anneal(1.0, 0.0, 40), Plateau()]))
    elif where == "phases":
        scheduler = PhaseScheduler(optimizer, "lr", [Constant(0.1), Anneal(1.0, 0.0, 10)], flat=Plateau(patience=1))
    scheduler.attach(trainer)
    keep = evaluated(trainer, ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss").observe)  # of another scheduler
    (finding,) = found(trainer, "never-observed", metrics={"loss": [1.0] * 4})
    assert finding.severity == "warning"
    trainer.run(range(10), max_epochs=1)
    assert logged(caplog) == []
    trainer.run(range(10), max_epochs=4)
    (message,) = logged(caplog)
    assert "depends on metrics, but none has reached its" in message
    assert keep


@pytest.mark.parametrize("feed", FEEDS)
def test_metrics_that_somebody_passes_are_no_fault(feed, trainer, caplog):
    plateau, scheduler = after_warmup(make_optimizer())
    scheduler.attach(trainer)
    keep = FEEDS[feed](trainer, plateau)
    assert found(trainer, "never-observed") == []
    trainer.run(range(10), max_epochs=4)
    assert logged(caplog) == []
    assert keep is not None


# A plateau that counts metrics before it begins.


def test_a_plateau_that_decides_before_it_begins_is_a_finding_and_told(trainer, caplog):
    plateau, scheduler = after_warmup(make_optimizer(), 30, patience=1)
    scheduler.attach(trainer)
    keep = evaluated(trainer, plateau.observe)
    (finding,) = found(trainer, "early-metrics", metrics={"loss": [1.0] * 4})
    assert (finding.severity, finding.numbers) == ("warning", {"metrics": 3, "first_event": 30, "begin": 0})
    trainer.run(range(10), max_epochs=4)
    (message,) = logged(caplog)
    assert "begins at event 30, but has already counted earlier metrics and reacted to them" in message
    assert keep


def test_a_scheduler_that_reads_the_metric_itself_and_decides_before_its_plateau_begins_is_told(trainer, caplog):
    plateau = Plateau(factor=0.5, patience=1, initial_value=0.1)
    scheduler = MetricScheduler(make_optimizer(), "lr", "loss", Concatenation([Anneal(0.01, 0.1, 30), plateau], [30]))
    scheduler.attach(trainer)
    trainer.add_event_handler(Events.STARTED, lambda: trainer.state.metrics.update(loss=1.0))
    assert len(found(trainer, "early-metrics", metrics={"loss": [1.0] * 40})) == 1
    trainer.run(range(10), max_epochs=4)
    (message,) = logged(caplog)
    assert "begins at event 30, but has already counted earlier metrics and reacted to them" in message


@pytest.mark.parametrize("kwargs", [{"begin": 3, "patience": 1}, {"patience": 3}, {"begin": 1, "patience": 2}])
def test_a_plateau_that_begins_with_its_own_metrics_or_waits_long_enough_is_no_fault(kwargs, trainer, caplog):
    plateau, scheduler = after_warmup(make_optimizer(), 30, **kwargs)
    scheduler.attach(trainer)
    keep = evaluated(trainer, plateau.observe)
    assert [one for one in found(trainer, "early-metrics") if one.severity != "info"] == []
    trainer.run(range(10), max_epochs=4)
    assert logged(caplog) == []
    assert keep


def test_begin_leaves_the_metrics_before_uncounted():
    kwargs = {"param_name": "lr", "initial_value": 1.0, "factor": 0.5, "patience": 0}
    values = ReduceOnPlateauScheduler.simulate_values(5, metric_values=[1.0] * 5, begin=3, **kwargs)
    assert [value for _, value in values] == [1.0, 1.0, 1.0, 1.0, 0.5]
    with pytest.raises(ValueError, match="begin must be a whole number of at least 0, given -1"):
        ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss", begin=-1)


# Too late by an event.


@pytest.mark.parametrize("event", [Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED])
def test_a_warmup_after_the_first_iteration_is_a_finding_with_the_numbers_and_told(event, caplog):
    optimizer, seen = make_optimizer(lr=1.0), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)[0]))
    trainer.logger = logging.Logger("of a test")
    trainer.logger.addHandler(caplog.handler)
    PiecewiseLinear(optimizer, "lr", [(0, 0.01), (3, 1.0)]).attach(trainer, event)
    (finding,) = found(trainer, "late-event")
    first = 1 if event == Events.ITERATION_COMPLETED else 10
    assert (finding.severity, finding.numbers) == (
        "warning", {"iterations": first, "own_value": [1.0], "first_value": [0.01]}
    )  # fmt: skip
    trainer.run(range(10), max_epochs=2)
    assert seen[first - 1 : first + 1] == [1.0, 0.01]
    (message,) = logged(caplog)
    assert "trains with the optimizer's own 'lr', 1, not with 0.01, and each value comes one" in message


@pytest.mark.parametrize(
    "make",
    [
        lambda o: ParamGroupScheduler([PiecewiseLinear(o, "lr", [(0, 0.01), (3, 1.0)])]),
        lambda o: PhaseScheduler(o, "lr", [Anneal(0.01, 1.0, 3), Constant(1.0)]),
        lambda o: create_lr_scheduler_with_warmup(torch.optim.lr_scheduler.ExponentialLR(o, 0.9), 0.01, 3),
    ],
    ids=["groups", "phases", "a warm-up of torch's"],
)
def test_a_late_event_of_several_schedules_and_of_stateful_ones_is_told_too(make, trainer, caplog):
    make(make_optimizer(lr=1.0)).attach(trainer, Events.ITERATION_COMPLETED)
    assert len(found(trainer, "late-event")) == 1
    trainer.run(range(10))
    (message,) = logged(caplog)
    assert "trains with the optimizer's own 'lr', 1, not with 0.01" in message


@pytest.mark.parametrize("accumulation", [1, 5])
def test_a_first_value_after_the_first_real_step_is_a_finding(accumulation):
    optimizer, seen = make_optimizer(lr=1.0), []

    def step(engine, batch):
        seen.append(values_of(optimizer)[0])
        if engine.state.iteration % accumulation == 0:
            optimizer.step()

    trainer = Engine(step)
    PiecewiseLinear(optimizer, "lr", [(0, 0.01), (3, 1.0)]).attach(trainer, OptimizerEvents.STEP_COMPLETED)
    (finding,) = found(trainer, "late-event", gradient_accumulation_steps=accumulation)
    numbers = {"iterations": accumulation, "own_value": [1.0], "first_value": [0.01]}
    assert (finding.severity, finding.numbers) == ("warning", numbers)
    trainer.run(range(10))
    assert seen[: accumulation + 1] == [1.0] * accumulation + [0.01]


def test_no_message_grows_with_the_number_of_groups(trainer, caplog):
    schedule = LinearInterpolation([(0, [0.01] * 500), (30, 1.0)])
    ParamScheduler(make_optimizer(500), "lr", schedule=schedule).attach(trainer, Events.ITERATION_COMPLETED)
    trainer.run(range(10), max_epochs=2)
    (message,) = logged(caplog)
    assert len(message) < 500


def test_a_first_event_far_into_the_run_is_late_too(trainer):
    PiecewiseLinear(make_optimizer(lr=1.0), "lr", [(0, 0.01), (3, 1.0)]).attach(
        trainer, Events.ITERATION_STARTED(every=5)
    )
    (finding,) = found(trainer, "late-event")
    assert (finding.severity, finding.numbers["iterations"]) == ("warning", 4)


def test_what_comes_in_time_or_is_meant_to_be_late_is_no_fault(trainer, caplog):
    def optimizer():
        return make_optimizer(lr=1.0)

    warmup = [(0, 0.01), (3, 1.0)]
    PiecewiseLinear(optimizer(), "lr", warmup).attach(trainer, name="in time")
    shared = optimizer()
    PiecewiseLinear(shared, "lr", warmup).attach(trainer, Events.ITERATION_STARTED(before=11), name="a")
    CosineDecayScheduler(shared, "lr", 30, start_value=1.0).attach(
        trainer, Events.ITERATION_COMPLETED(after=9), name="b"
    )
    PiecewiseLinear(optimizer(), "lr", warmup).attach(trainer, Events.ITERATION_STARTED | Events.EPOCH_COMPLETED, "c")
    evaluated(trainer)
    ReduceOnPlateauScheduler(optimizer(), "lr", "loss", missing_policy="ignore").attach(trainer, Events.EPOCH_COMPLETED)
    ExpStateScheduler(1.0, 0.5, "rate", create_new=True).attach(trainer)
    with pytest.warns(UserWarning, match="use_legacy"):
        legacy = LRScheduler(torch.optim.lr_scheduler.ExponentialLR(optimizer(), 0.5), use_legacy=True)
    legacy.attach(trainer, Events.ITERATION_COMPLETED, name="legacy")
    assert found(trainer, "late-event") == []
    # From the optimizer's own value on, each value is late by one event, but the first one is right.
    decay = CosineDecayScheduler(optimizer(), "lr", 40)
    decay.attach(trainer, Events.ITERATION_COMPLETED, name="late")
    (finding,) = found(trainer, "late-event")
    assert finding.severity == "info"
    trainer.run(range(10), max_epochs=4)
    assert logged(caplog) == []


# Jumps within one event.


@pytest.mark.parametrize(
    "schedule",
    [
        LinearInterpolation([(0, 1e-5), (20, 1e-5), (21, 0.1), (40, 0.0)]),
        PiecewiseConstant([1e-5, 0.1], [20]),
        FunctionSchedule(lambda index: 1e-5 if index < 20 else 0.1),
        FunctionSchedule(lambda index: 0.1 if index == 20 else 1e-5),
        Concatenation([Constant(1e-5), Constant(0.1)], [1]),
    ],
    ids=["milestones", "values", "a function", "one high value", "the second event"],
)
def test_a_jump_of_a_thousand_times_within_one_event_is_found_wherever_it_comes_from(schedule, trainer):
    ParamScheduler(make_optimizer(), "lr", schedule=schedule).attach(trainer)
    (finding,) = found(trainer, "jump")
    assert finding.severity == "warning"
    assert finding.numbers["ratio"] == pytest.approx(1e4)


@pytest.mark.parametrize(
    "schedule",
    [
        Anneal(1e-7, 0.1, 10),  # a short warm-up from almost 0
        Anneal(0.0, 0.1, 1),
        LinearInterpolation([(0, 0.0), (20, 0.0), (21, 0.1)]),  # a group that was frozen
        LinearInterpolation([(0, 1e-4), (20, 1e-4), (21, 0.09), (40, 0.0)]),  # 900 times
        Restarts(0.1, 1e-6, 10),
        FunctionSchedule(lambda index: max(1e-6, 0.01 * abs(index - 20))),  # down and up again
        Anneal(0.1, 0.0, 40, Polynomial(12.0)),
        Noise(Constant(0.1), seed=1, std=0.05),
    ],
)
def test_steps_that_are_no_jumps(schedule, trainer):
    ParamScheduler(make_optimizer(), "lr", schedule=schedule).attach(trainer)
    assert [one for one in found(trainer, "jump") if one.severity != "info"] == []
