"""What attaching says at once of two who write the same, and what it asks to find that out."""

import inspect
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from ignite.engine import Events
from logs import logged, logging_trainer
from optimizers import make_optimizer

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    ConstantScheduler,
    CosineAnnealingScheduler,
    LambdaScheduler,
    LambdaStateScheduler,
    LRScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    StateParamScheduler,
)
from lehr.handlers.core.attached_engines import is_attached, times_attached
from lehr.handlers.schedules import Constant


@pytest.fixture
def trainer(caplog):
    return logging_trainer(caplog)


def constant(optimizer, name="lr", group=None):
    return ConstantScheduler(optimizer, name, 0.5, param_group_index=group)


def shared_tensor():
    lr = torch.tensor(0.1)
    return constant(SimpleNamespace(param_groups=[{"lr": lr}])), constant(SimpleNamespace(param_groups=[{"lr": lr}]))


def wrapper():
    inner = make_optimizer(2)
    return constant(inner, group=1), constant(SimpleNamespace(param_groups=inner.param_groups))


def state():
    return [StateParamScheduler("rate", create_new=False, schedule=Constant(0.5)) for _ in range(2)]


def torch_cycles_momentum():
    optimizer = make_optimizer(2)
    cyclic = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 0.5)
    return LRScheduler(cyclic), constant(optimizer, "momentum", 1)


def by_name():
    optimizer = make_optimizer(2)
    optimizer.param_groups[1]["name"] = "head"
    return constant(optimizer, group="head"), constant(optimizer, group=lambda group: "name" in group)


def in_a_group():
    optimizer = make_optimizer(2)
    return ParamGroupScheduler([constant(optimizer), constant(optimizer, "momentum")]), constant(optimizer, "momentum")


def by_a_function():
    optimizer = make_optimizer(2)
    return LambdaScheduler(optimizer, "lr", lambda event: 0.5), constant(optimizer, group=0)


SAME = [shared_tensor, wrapper, state, torch_cycles_momentum, by_name, in_a_group, by_a_function]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("make", SAME)
def test_two_that_write_the_same_are_told(make, turned, bare, trainer, caplog):
    first, second = reversed(make()) if turned else make()
    if bare:
        trainer.add_event_handler(Events.ITERATION_STARTED, first)
    else:
        first.attach(trainer, Events.ITERATION_STARTED)
    second.attach(trainer, Events.ITERATION_STARTED)
    (message,) = logged(caplog)
    assert f"that {repr(first)[:140]}" in message
    assert len(message) <= 500


def test_what_comes_to_be_the_same_later_is_told(trainer, caplog):
    optimizer, other = make_optimizer(), make_optimizer()
    constant(optimizer).attach(trainer)
    optimizer.param_groups = [{**group} for group in optimizer.param_groups]  # as loading a state does
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    constant(other).attach(trainer)
    assert logged(caplog) == []
    constant(optimizer, group=1).attach(trainer)
    assert len(logged(caplog)) == 1
    other.param_groups = optimizer.param_groups
    constant(optimizer, "momentum").attach(trainer)
    assert len(logged(caplog)) == 1
    constant(optimizer, "lr", 0).attach(trainer)
    assert len(logged(caplog)) == 3


def test_schedulers_of_other_optimizers_are_not_asked_for_their_locations(trainer, caplog):
    one_for_all = make_optimizer(20)
    schedulers = [constant(one_for_all, group=index) for index in range(20)]
    schedulers += [CosineAnnealingScheduler(make_optimizer(), "lr", 1.0, 0.0, 9) for _ in range(20)]
    with patch.object(ParamScheduler, "_locations", autospec=True, side_effect=ParamScheduler._locations) as asked:
        for scheduler in schedulers:
            scheduler.attach(trainer)
    assert asked.call_count == len(schedulers) - 1  # each for its own; the first meets no other handler
    assert logged(caplog) == []


@pytest.mark.parametrize("event", [Events.EPOCH_STARTED, Events.ITERATION_COMPLETED, OptimizerEvents.STEP_STARTED])
def test_an_event_by_its_name_is_the_event(event, trainer):
    optimizer = make_optimizer()
    handle = CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, 10).attach(trainer, event.name)
    assert handle.event_name is event


def test_the_default_event_equals_that_of_ignite(trainer):
    default = inspect.signature(ParamScheduler.attach).parameters["event"].default
    assert default == Events.ITERATION_STARTED
    assert hash(default) == hash(Events.ITERATION_STARTED)
    assert constant(make_optimizer()).attach(trainer).event_name is Events.ITERATION_STARTED


def test_a_late_default_event_of_a_state_is_told_of(trainer, caplog):
    LambdaStateScheduler(lambda event_index: 0.5, "rate", create_new=True).attach(trainer)
    assert "attached to ITERATION_COMPLETED: engine.state.rate is None until its first event" in caplog.text


def times_called(engine, scheduler):
    return times_attached(scheduler, engine), is_attached(scheduler)


def test_a_handle_detaches_the_scheduler_under_each_filter_of_its_event(trainer):
    scheduler, started = constant(make_optimizer()), Events.ITERATION_STARTED
    handle = scheduler.attach(trainer, started(every=2))
    scheduler.attach(trainer, started(once=3))
    other = scheduler.attach(trainer, Events.EPOCH_STARTED | started(every=3))
    assert times_called(trainer, scheduler) == (3, True)
    handle.remove()
    assert times_called(trainer, scheduler) == (1, True)
    trainer.run([0] * 6, max_epochs=2)
    assert scheduler.event_index == 2  # at the start of each epoch
    other.remove()
    assert times_called(trainer, scheduler) == (0, False)
    assert not trainer.has_event_handler(scheduler)
