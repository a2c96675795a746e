"""Wired so that nothing happens: what check_plan finds before a run, and what the run says."""

import logging
import warnings

import pytest
import torch
from optimizers import make_optimizer, make_trainer, values_of

from lehr.handlers import (
    DevicePlan,
    ParamGroupScheduler,
    ParamScheduler,
    PiecewiseLinear,
    check_plan,
)
from lehr.handlers.schedules import Constant


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
