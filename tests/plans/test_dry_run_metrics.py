"""``dry_run`` plans the exact values of a real run for schedulers that read metrics or are attached to evaluators."""

import pytest
from cases import for_each
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer, values_of
from real_runs import COUNTING, WAYS, Training, assert_as_planned, attach
from rigs import METRICS

from lehr.handlers import (
    ConcatScheduler,
    LinearScheduler,
    MetricScheduler,
    ParamScheduler,
    PhaseScheduler,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
    dry_run,
)
from lehr.handlers.schedules import Anneal, Constant, Plateau


def plateau_of(training, **kwargs):
    optimizer = training.optimizer(2)
    training.reads["lr"] = lambda: values_of(optimizer)
    arguments = {"factor": 0.5, "patience": 0, **kwargs}
    return ReduceOnPlateauScheduler(optimizer, "lr", "loss", **arguments)


@for_each("way", WAYS)
@for_each("values", [1, 2, 3, 6, 12, 24, 4, 8])
@for_each("event", [Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED(every=4), Events.COMPLETED])
def test_a_plateau_of_the_trainers_metric(way, values, event):
    def make(training):
        attach(training, plateau_of(training, missing_policy="ignore"), event, way)

    assert_as_planned(make, 6, 4, {"loss": METRICS[:values]})


def test_a_plateau_that_is_given_no_metric_stays_though_it_would_be_missed():
    training = Training()
    plateau = plateau_of(training)
    plateau.attach(training.trainer, Events.EPOCH_COMPLETED)
    plan = dry_run(training.trainer, 3, 2)
    assert plan["lr"].tolist() == [[0.5, 1.5]] * 6
    assert plan == dry_run(training.trainer, 3, 2, {"accuracy": [0.1, 0.2, 0.3]})
    assert plan != dry_run(training.trainer, 3, 2, {"loss": [0.1, 0.2, 0.3]})


class Validation:
    """A user's class with methods that run an evaluator."""

    def __init__(self, evaluator):
        self.evaluator = evaluator

    def run_it(self, engine):
        self.evaluator.run([0, 0])

    def without_the_engine(self):
        self.evaluator.run([0, 0])


def nested(evaluator):
    def validate(engine, other):
        def really():
            evaluator.run([0, 0])

        really()

    return validate


def by_an_argument(engine, evaluator):
    evaluator.run([0])


RUNNERS = {
    "lambda": lambda evaluator: (lambda: evaluator.run([0, 0]),),
    "lambda of the engine": lambda evaluator: (lambda engine: evaluator.run([0, 0], max_epochs=1),),
    "method": lambda evaluator: (Validation(evaluator).run_it,),
    "method without the engine": lambda evaluator: (Validation(evaluator).without_the_engine,),
    "nested function": lambda evaluator: (nested(evaluator), "other"),
    "argument": lambda evaluator: (by_an_argument, evaluator),
}


@for_each("way", WAYS)
@for_each("runner", RUNNERS)
@for_each("event", [Events.EPOCH_COMPLETED, Events.EPOCH_COMPLETED(every=2), Events.COMPLETED])
@for_each("inner", [Events.COMPLETED, Events.EPOCH_COMPLETED])
def test_a_plateau_of_an_evaluators_metric(way, runner, event, inner):
    def make(training):
        evaluator = training.evaluator()
        plateau = plateau_of(training)
        if way == "attach":
            plateau.attach(evaluator, inner)
        else:
            evaluator.add_event_handler(inner, plateau)
        training.trainer.add_event_handler(event, *RUNNERS[runner](evaluator))

    assert_as_planned(make, 6, 4, {"loss": METRICS[:6]})


@for_each("kwargs", [{"every": 2}, {"once": 1}, {"after": 0}, {"before": 1}])
@for_each("inner", [Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED])
@for_each("way", WAYS)
def test_an_evaluator_begins_at_its_first_epoch_each_time(kwargs, inner, way):
    def make(training):
        evaluator, optimizer = training.evaluator(), training.optimizer()
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
        if way == "attach":
            scheduler.attach(evaluator, inner(**kwargs))
        else:
            evaluator.add_event_handler(inner(**kwargs), scheduler)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
        training.reads["lr"] = lambda: values_of(optimizer)

    assert_as_planned(make, 3, 2)


def test_a_number_in_the_state_of_an_evaluator():
    def make(training):
        evaluator = training.evaluator()
        StateParamScheduler("rate", create_new=True, schedule=COUNTING).attach(evaluator, Events.STARTED)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
        training.reads["rate"] = lambda: [evaluator.state.rate]

    assert_as_planned(make, 3, 2)


class Validations:
    """A user's class with two evaluators and a method that runs each of them."""

    def __init__(self, first, second):
        self.first, self.second = first, second

    def run_first(self):
        self.first.run([0])

    def run_second(self):
        self.second.run([0])


def test_an_object_with_several_evaluators_runs_the_one_that_its_method_names():
    def make(training):
        validations = Validations(training.evaluator(), training.evaluator())
        optimizer = training.optimizer()
        ParamScheduler(optimizer, "lr", schedule=COUNTING).attach(validations.first, Events.COMPLETED)
        ParamScheduler(optimizer, "momentum", schedule=COUNTING).attach(validations.second, Events.COMPLETED)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED(every=2), validations.run_first)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED, validations.run_second)
        training.reads["lr"] = lambda: values_of(optimizer)
        training.reads["momentum"] = lambda: values_of(optimizer, "momentum")

    assert_as_planned(make, 6, 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_plateau_of_an_evaluator_that_writes_for_the_trainer(way):
    def make(training):
        evaluator = training.evaluator()
        plateau = plateau_of(training, trainer=training.trainer, save_history=True)
        plateau.attach(evaluator, Events.COMPLETED) if way == "attach" else evaluator.add_event_handler(
            Events.COMPLETED, plateau
        )
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))

    assert_as_planned(make, 6, 4, {"loss": METRICS[:6]})


@pytest.mark.parametrize("by_evaluator", [False, True])
def test_phases_that_begin_by_an_event_and_by_a_metric(by_evaluator):
    def make(training):
        optimizer, evaluator = training.optimizer(2), training.evaluator()
        phases = [Constant([0.1, 0.2]), Anneal(1.0, 0.5, 4), Anneal(1.0, 0.0, 5)]
        scheduler = PhaseScheduler(optimizer, "lr", phases, flat=Plateau(patience=0))
        scheduler.attach(training.trainer)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), scheduler.next_phase)
        observing = evaluator if by_evaluator else training.trainer
        observing.add_event_handler(Events.EPOCH_COMPLETED, scheduler.observe)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED(after=2), lambda: evaluator.run([0]))
        training.reads["lr"] = lambda: values_of(optimizer)

    assert_as_planned(make, 6, 4, {"loss": [5.0, 4.0, 3.0, 2.0, 2.5, 2.5]})


@pytest.mark.parametrize("by_evaluator", [False, True])
def test_a_plateau_within_a_concatenation_is_observed(by_evaluator):
    def make(training):
        optimizer, evaluator = training.optimizer(), training.evaluator()
        plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0, initial_value=0.4)
        warmup = LinearScheduler(optimizer, "lr", 5, start_value=0.0, end_value=0.4)
        ConcatScheduler([warmup, plateau], [5]).attach(training.trainer)
        observing = evaluator if by_evaluator else training.trainer
        observing.add_event_handler(Events.EPOCH_COMPLETED, plateau.observe)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED(after=2), lambda: evaluator.run([0]))
        training.reads["lr"] = lambda: values_of(optimizer)

    assert_as_planned(make, 6, 4, {"loss": [5.0, 4.0, 4.0, 4.0, 2.5, 2.5]})


def test_two_metrics_of_different_intervals():
    def make(training):
        optimizer = training.optimizer()
        schedule = Plateau(factor=0.5, patience=1, initial_value=0.4)
        MetricScheduler(optimizer, "lr", "loss", schedule, every=4).attach(training.trainer)
        ReduceOnPlateauScheduler(optimizer, "momentum", "accuracy", "max", patience=0).attach(
            training.trainer, Events.ITERATION_COMPLETED
        )
        training.reads["lr"] = lambda: values_of(optimizer)
        training.reads["momentum"] = lambda: values_of(optimizer, "momentum")

    assert_as_planned(make, 6, 4, {"loss": METRICS[:6], "accuracy": METRICS[:24]})


@pytest.mark.parametrize(
    ("make", "reads"),
    [
        (lambda optimizer: ReduceOnPlateauScheduler(optimizer, "lr", "loss"), "__call__"),
        (lambda optimizer: MetricScheduler(optimizer, "lr", "loss", Plateau(initial_value=0.1)), "__call__"),
        (lambda optimizer: PhaseScheduler(optimizer, "lr", [Constant(0.1), Constant(0.5)], flat=Plateau()), "observe"),
    ],
    ids=["plateau", "metric", "phases"],
)
def test_other_ranks_which_may_plan_nothing_are_not_asked(make, reads, monkeypatch):
    trainer, scheduler = make_trainer(), make(make_optimizer())
    scheduler.attach(trainer, Events.EPOCH_COMPLETED)
    if reads == "observe":
        trainer.add_event_handler(Events.EPOCH_COMPLETED, scheduler.observe)

    def asked():
        raise AssertionError("other ranks were asked")

    monkeypatch.setattr("ignite.distributed.get_world_size", asked)
    assert len(dry_run(trainer, 4, 2, metrics={"loss": [4.0, 3.0, 2.0, 1.0]})["lr"]) == 8
