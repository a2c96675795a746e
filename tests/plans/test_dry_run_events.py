"""``dry_run`` plans the exact values of a real run for every event and filter, and under gradient accumulation."""

import pytest
import torch
from cases import for_each
from ignite.engine import EventEnum, Events, create_supervised_trainer
from optimizers import make_optimizer, make_trainer, values_of
from real_runs import COUNTING, KINDS, WAYS, Training, assert_as_planned, attach, bits

from lehr.engine import OptimizerEvents
from lehr.engine.optimizer_events import stepping_optimizers
from lehr.handlers import (
    ParamScheduler,
    dry_run,
)
from lehr.handlers.schedules import Anneal, Constant


def in_the_second_half(engine, event):
    return engine.state.iteration > engine.state.max_epochs * engine.state.epoch_length // 2


def at_the_end_of_an_odd_epoch(engine, event):
    state = engine.state
    return state.epoch % 2 == 1 and state.iteration % state.epoch_length in (0, state.epoch_length - 1)


FILTERS = {
    "none": {},
    "every": {"every": 2},
    "once": {"once": 3},
    "several times": {"once": [1, 2, 6]},
    "before": {"before": 4},
    "after": {"after": 1},
    "before and after": {"after": 1, "before": 9},
    "every, after": {"every": 3, "after": 1},
    "every, before and after": {"every": 2, "before": 11, "after": 1},
    "own": {"event_filter": lambda engine, event: event % 5 in (0, 2)},
    "own, by the state": {"event_filter": in_the_second_half},
    "own, by the epoch": {"event_filter": at_the_end_of_an_odd_epoch},
}


def counting(training, event, way, name=None, accumulation=1):
    """Attach a scheduler whose value is the number of events that it has counted."""
    optimizer = training.optimizer()
    if event in (OptimizerEvents.STEP_STARTED, OptimizerEvents.STEP_COMPLETED) and way == "add_event_handler":
        OptimizerEvents.attach(training.trainer, optimizer)
    attach(training, ParamScheduler(optimizer, "lr", schedule=COUNTING), event, way, name)
    training.reads[name or "lr"] = lambda: values_of(optimizer)


@for_each("way", WAYS, one_in=7)
@for_each("kwargs", FILTERS.values(), ids=FILTERS)
@for_each("kind", KINDS)
def test_every_event_with_every_filter(kind, kwargs, way):
    event = kind(**kwargs) if kwargs else kind
    for accumulation in (1, 2):
        for epochs, length in ((5, 4), (7, 1), (1, 13)):
            assert_as_planned(
                lambda training: counting(training, event, way), epochs, length, accumulation=accumulation
            )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [None, "named"])
def test_several_events_at_once(way, name):
    event = (
        Events.EPOCH_STARTED(every=2)
        | Events.ITERATION_STARTED(once=[2, 3])
        | Events.GET_BATCH_COMPLETED(after=10)
        | Events.COMPLETED
        | OptimizerEvents.STEP_STARTED(every=3)
    )

    def make(training):
        if way == "attach":
            counting(training, event, way, name)
        else:
            optimizer = training.optimizer()
            OptimizerEvents.attach(training.trainer, optimizer)
            attach(training, ParamScheduler(optimizer, "lr", schedule=COUNTING), event, way, name)
            training.reads[name or "lr"] = lambda: values_of(optimizer)

    assert_as_planned(make, 5, 4, accumulation=2)


@pytest.mark.parametrize("event", ["ITERATION_COMPLETED", "EPOCH_STARTED", "step_started"])
def test_events_by_their_names(event):
    name = event if event.isupper() else "STEP_STARTED"
    assert_as_planned(lambda training: counting(training, name, "attach"), 3, 4)
    if event.isupper():
        assert_as_planned(lambda training: counting(training, name, "add_event_handler"), 3, 4)


def test_a_name_as_a_keyword():
    def make(training):
        optimizer = training.optimizer()
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
        training.trainer.add_event_handler(Events.ITERATION_STARTED(every=2), scheduler, name="named")
        training.reads["named"] = lambda: values_of(optimizer)

    assert_as_planned(make, 3, 4)


def test_handlers_of_one_event_act_in_the_order_in_which_they_were_added():
    def make(training):
        optimizer = training.optimizer()
        for at, way in enumerate(("attach", "add_event_handler", "attach", "add_event_handler")):
            scheduler = ParamScheduler(optimizer, "lr", schedule=Constant(float(at)))
            attach(training, scheduler, Events.ITERATION_STARTED(after=2 * (3 - at)), way, f"the {at}th")
            training.reads[f"the {at}th"] = lambda: values_of(optimizer)

    assert_as_planned(make, 3, 4)


# Optimizer steps.


def test_steps_are_those_of_the_schedulers_own_optimizer_or_of_any():
    def make(training):
        first, second = training.optimizer(), training.optimizer()
        for way, name in ((WAYS[0], "own"), (WAYS[1], "any")):
            scheduler = ParamScheduler(first, "lr" if name == "own" else "momentum", schedule=COUNTING)
            attach(training, scheduler, OptimizerEvents.STEP_STARTED(after=1), way, name)
        ParamScheduler(second, "lr", schedule=COUNTING).attach(
            training.trainer, OptimizerEvents.STEP_COMPLETED(every=2)
        )
        training.reads["own"] = lambda: values_of(first)
        training.reads["any"] = lambda: values_of(first, "momentum")
        training.reads["lr"] = lambda: values_of(second)

    for accumulation in (1, 2, 3, 5, (5, 1), (1, 5), (2, 3)):
        assert_as_planned(make, 3, 4, accumulation=accumulation)


def supervised(accumulation, deterministic=False):
    """Return ignite's supervised trainer, the list of learning rates that it trains with, and its model."""
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    rows = []

    def noted(x, y, y_pred, loss):
        rows.append(values_of(optimizer))

    trainer = create_supervised_trainer(
        model,
        optimizer,
        torch.nn.functional.mse_loss,
        gradient_accumulation_steps=accumulation,
        output_transform=noted,
        deterministic=deterministic,
    )
    ParamScheduler(optimizer, "lr", schedule=Anneal(0.1, 0.0, 9)).attach(trainer, OptimizerEvents.STEP_COMPLETED)
    return trainer, rows, model


@pytest.mark.parametrize("accumulation", [1, 2, 3, 7])
@pytest.mark.parametrize("given", [False, True])
def test_the_accumulation_of_a_supervised_trainer_is_known(accumulation, given):
    trainer, rows, model = supervised(accumulation)
    before = [parameter.tolist() for parameter in model.parameters()]
    plan = dry_run(trainer, 4, 5, gradient_accumulation_steps=accumulation if given else None)
    assert [parameter.tolist() for parameter in model.parameters()] == before
    assert rows == []
    trainer.run([(torch.ones(1, 1), torch.ones(1, 1))] * 5, max_epochs=4)
    assert bits(plan["lr"]) == bits(rows)


def test_a_given_accumulation_comes_before_that_of_the_trainer():
    trainer, _, _ = supervised(4)
    assert (
        dry_run(trainer, 1, 8, gradient_accumulation_steps=2)["lr"][:, 0].tolist()
        != dry_run(trainer, 1, 8)["lr"][:, 0].tolist()
    )
    assert dry_run(trainer, 1, 8, gradient_accumulation_steps=2) == dry_run(supervised(2)[0], 1, 8)


@pytest.mark.parametrize("given", [None, {}])
def test_an_optimizer_that_the_accumulation_does_not_name_has_that_of_the_trainer(given):
    named, _, _ = supervised(3)
    (optimizer,) = stepping_optimizers(named)
    plan = dry_run(named, 2, 8, gradient_accumulation_steps=given)
    assert plan == dry_run(named, 2, 8, gradient_accumulation_steps=3)
    assert plan == dry_run(named, 2, 8, gradient_accumulation_steps={make_optimizer(): 5})
    assert plan != dry_run(named, 2, 8, gradient_accumulation_steps={optimizer: 5})


# Events that a dry run cannot foresee.


class Custom(EventEnum):
    HAPPENED = "happened"


@pytest.mark.parametrize("way", WAYS)
def test_a_scheduler_on_an_event_of_ones_own_is_left_out_and_named(way):
    training = Training()
    optimizer = training.optimizer()
    training.trainer.register_events(*Custom, "text", event_to_attr={Custom.HAPPENED: "happened"})
    for event in (Custom.HAPPENED(every=2), "text", Events.EXCEPTION_RAISED, Events.TERMINATE):
        attach(training, ParamScheduler(optimizer, "momentum", schedule=COUNTING), event, way)
    attach(training, ParamScheduler(optimizer, "lr", schedule=COUNTING), Events.ITERATION_STARTED, way)
    plan = dry_run(training.trainer, 2, 3)
    assert plan["lr"][:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert set(plan) == {"lr"}
    assert [text.split(" on ")[-1] for text in plan.unforeseen] == [
        "HAPPENED(every=2)",
        "text",
        "EXCEPTION_RAISED",
        "TERMINATE",
    ]
    assert "left out, because dry_run cannot predict it: <ParamScheduler of 'momentum' at event 0" in str(plan)


def test_a_scheduler_on_the_iterations_of_an_evaluator_is_left_out_and_named():
    training = Training()
    evaluator, optimizer = training.evaluator(), training.optimizer()
    ParamScheduler(optimizer, "lr", schedule=COUNTING).attach(evaluator, Events.ITERATION_STARTED)
    training.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    plan = dry_run(training.trainer, 2, 3)
    assert list(plan) == []
    assert len(plan.unforeseen) == 1


def test_a_handler_that_refers_to_what_is_not_there_yet():
    optimizer_training = Training()
    counting(optimizer_training, Events.ITERATION_STARTED, "attach")
    trainer = optimizer_training.trainer
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: later.run([0]))
    trainer._process_function = lambda engine, batch: later
    plan = dry_run(trainer, 1, 3)
    assert plan["lr"][:, 0].tolist() == [0.0, 1.0, 2.0]
    later = make_trainer()


def test_a_filter_that_reads_the_number_of_steps():
    def after_three(engine, event):
        return engine.state.optimizer_steps[0] >= 3

    def make(training):
        counting(training, Events.ITERATION_COMPLETED(event_filter=after_three), "attach")
        OptimizerEvents.attach(training.trainer, *training.optimizers)

    plan = assert_as_planned(make, 2, 6, accumulation=2)
    assert plan["lr"][-1, 0] > 0
