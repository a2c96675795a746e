"""Wired so that nothing happens: what check_plan finds before a run, and what the run says."""

import logging
import warnings

import pytest
import torch
from ignite.engine import Engine, EventEnum, Events
from optimizers import make_optimizer, make_trainer, values_of

from lehr.handlers import (
    CosineDecayScheduler,
    DevicePlan,
    ExpStateScheduler,
    LambdaStateScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PiecewiseLinear,
    StateParamScheduler,
    check_plan,
)
from lehr.handlers.schedules import Anneal, Constant, Cooldown, ExponentialDecay, Restarts, StepDecay


@pytest.fixture
def trainer(caplog):
    engine = make_trainer()
    engine.logger = logging.Logger("of a test")
    engine.logger.addHandler(caplog.handler)
    return engine


def logged(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


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


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_value_is_a_finding_and_the_check_itself_warns_of_nothing(name, trainer):
    ILLEGAL[name](adam()).attach(trainer)
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
    "decay_events": lambda value: ExponentialDecay(1.0, 0.1, value),
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


@pytest.mark.parametrize("name", ["iteration", "epoch", "epoch_length", "max_epochs", "max_iters", "metrics", "output"])
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
    assert "engine.state.rate is None in the iterations before" in logged(caplog)[0]


def test_nothing_is_told_of_a_function_that_is_called_in_time_or_has_a_first_value(trainer, caplog):
    LambdaStateScheduler(lambda event: 1 / event, "rate", create_new=True).attach(trainer, Events.ITERATION_STARTED)
    trainer.state.dropout = 0.5
    LambdaStateScheduler(lambda event: 1 / event, "dropout").attach(trainer)
    assert logged(caplog) == []
    assert trainer.state.dropout == 0.5
