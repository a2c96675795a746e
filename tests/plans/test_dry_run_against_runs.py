"""``dry_run`` plans the exact values of a real run, for every scheduler in the registry."""

import itertools

import pytest
from cases import for_each
from ignite.engine import Events
from optimizers import values_of
from real_runs import WAYS, Training, assert_as_planned, attach, bits
from registry import CASE_IDS, CASES
from rigs import METRICS, RIGS

from lehr.handlers import dry_run

CLOCKS = {
    "iterations": Events.ITERATION_STARTED,
    "two kinds": Events.EPOCH_STARTED | Events.ITERATION_COMPLETED(every=3),
}


@for_each(("clock", "way"), itertools.product(("iterations", "two kinds"), WAYS), one_in=4)
@for_each(("example", "groups"), CASES, CASE_IDS)
def test_every_scheduler_of_a_param_group(example, groups, clock, way):
    def make(training):
        optimizer = training.optimizer(groups)
        attach(training, example(optimizer, save_history=clock == "two kinds"), CLOCKS[clock], way)
        training.reads["lr"] = lambda: values_of(optimizer)

    assert_as_planned(make, 5, 7)


def rigged(name, way, history_name):
    """Return a training with the attached scheduler of a rig."""
    rig = RIGS[name]()
    metrics = {"loss": METRICS[:30]} if rig.metrics else {}
    training = Training(metrics, trainer=rig.engine)
    if rig.observe is not None and name != "plateau of a decay":  # a dry run cannot call its function
        training.trainer.add_event_handler(Events.ITERATION_COMPLETED, rig.observe)
    attach(training, rig.scheduler, Events.ITERATION_COMPLETED if metrics else rig.event, way, history_name)
    own_name = getattr(rig.scheduler, "names", [rig.scheduler.param_name])[0]
    alone = slice(1, 2) if name == "plateau of one group" else slice(None)
    training.reads[history_name or own_name] = lambda: rig.read()[alone]
    return training


@for_each("name", RIGS)
@pytest.mark.parametrize("way", [WAYS[0], pytest.param(WAYS[1], marks=pytest.mark.proof)])
def test_every_other_scheduler(name, way):
    planned, really = rigged(name, way, None), rigged(name, way, None)
    plan = dry_run(planned.trainer, 6, 5, planned.metrics)
    really.run(6, 5)
    ((own_name, rows),) = really.rows.items()
    assert bits(plan[own_name]) == bits(rows)
    assert set(plan) - {own_name} <= {"momentum", "decay"}


@for_each("way", [WAYS[1], WAYS[0]], one_in=4)
@for_each("name", [name for name in RIGS if name != "torch in a group"])
def test_every_other_scheduler_under_a_given_name(name, way):
    planned, really = rigged(name, way, "mine"), rigged(name, way, "mine")
    plan = dry_run(planned.trainer, 6, 5, planned.metrics)
    really.run(6, 5)
    assert bits(plan["mine"]) == bits(really.rows["mine"])
    assert set(plan) - {"mine"} <= {"momentum"}
