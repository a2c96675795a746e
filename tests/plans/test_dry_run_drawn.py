"""``dry_run`` plans the exact values of a real run, for trainers that Hypothesis draws."""

import os

import pytest
from drawn_events import FILTERS
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Events
from optimizers import values_of
from real_runs import KINDS, WAYS, Training, assert_as_planned, attach, bits
from registry import CASES

from lehr.engine import OptimizerEvents
from lehr.handlers import ReduceOnPlateauScheduler, StateParamScheduler, dry_run


def by_the_state(remainder):
    return lambda engine, event: (event + engine.state.iteration + engine.state.epoch) % 3 == remainder


OWN_FILTERS = st.integers(0, 2).map(lambda remainder: {"event_filter": by_the_state(remainder)})
EVENTS = st.tuples(st.sampled_from(KINDS), FILTERS | OWN_FILTERS).map(
    lambda pair: pair[0](**pair[1]) if pair[1] else pair[0]
)
LISTS = st.lists(EVENTS, min_size=1, max_size=3).map(lambda events: events[0] if len(events) == 1 else joined(events))
PARAMS = ("lr", "momentum", "weight_decay")


def joined(events):
    together = events[0] | events[1]
    for event in events[2:]:
        together = together | event
    return together


ONE = st.fixed_dictionaries(
    {
        "case": st.sampled_from(CASES),
        "event": LISTS,
        "way": st.sampled_from(WAYS),
        "name": st.sampled_from([None, "same", "own"]),
        "own_optimizer": st.booleans(),
        "param": st.sampled_from(PARAMS),
        "save_history": st.booleans(),
    }
)
TRAINERS = st.fixed_dictionaries(
    {
        "schedulers": st.lists(ONE, min_size=1, max_size=3),
        "groups": st.sampled_from([1, 3]),
        "state": st.none() | EVENTS,
        "plateau": st.none() | st.tuples(st.sampled_from(["trainer", "evaluator"]), st.sampled_from([1, 2])),
        "losses": st.lists(st.sampled_from([1.0, 0.5, 2.0, float("nan")]), min_size=6, max_size=6),
        "max_epochs": st.integers(1, 6),
        "epoch_length": st.integers(1, 9),
        "accumulation": st.integers(1, 4) | st.tuples(st.integers(1, 4), st.integers(1, 4)),
    }
)


def make_drawn(drawn):
    """Return a function that adds the drawn schedulers to a training."""
    groups = 3 if any(one["case"][0].per_group for one in drawn["schedulers"]) else drawn["groups"]

    def make(training):
        shared = training.optimizer(groups, weight_decay=0.01)
        written = {}
        for at, one in enumerate(drawn["schedulers"]):
            optimizer = training.optimizer(groups, weight_decay=0.01) if one["own_optimizer"] else shared
            OptimizerEvents.attach(training.trainer, optimizer)
            name = {None: None, "same": "same", "own": f"number {at}"}[one["name"]]
            scheduler = one["case"][0](optimizer, one["param"], save_history=False)
            attach(training, scheduler, one["event"], one["way"], name)
            written.setdefault(name or one["param"], {})[id(optimizer), one["param"]] = optimizer
        for name, places in written.items():
            training.reads[name] = lambda places=places: [
                value for (_, param), optimizer in places.items() for value in values_of(optimizer, param)
            ]
        if drawn["state"] is not None:
            state = StateParamScheduler("rate", create_new=True, schedule=lambda event: event / 3)
            state.attach(training.trainer, drawn["state"])
            training.reads["rate"] = lambda: [training.trainer.state.rate]
        if drawn["plateau"] is not None:
            where, every = drawn["plateau"]
            optimizer = training.optimizer(groups)
            plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=1)
            if where == "trainer":
                plateau.attach(training.trainer, Events.EPOCH_COMPLETED(every=every), "plateau")
            else:
                evaluator = training.evaluator()
                plateau.attach(evaluator, Events.COMPLETED, "plateau")
                training.trainer.add_event_handler(Events.EPOCH_COMPLETED(every=every), lambda: evaluator.run([0]))
            training.reads["plateau"] = lambda: values_of(optimizer)

    return make


def check(drawn):
    epochs, length = drawn["max_epochs"], drawn["epoch_length"]
    metrics = {"loss": drawn["losses"][:epochs]}
    assert_as_planned(make_drawn(drawn), epochs, length, metrics, drawn["accumulation"], in_any_order=True)


@given(TRAINERS)
def test_a_plan_of_anything_is_what_its_run_does(drawn):
    check(drawn)


@pytest.mark.proof
@settings(settings.get_profile("proof" if os.environ.get("HYPOTHESIS_PROFILE", "lehr") == "lehr" else "thorough"))
@given(TRAINERS)
def test_a_plan_of_very_much_is_what_its_run_does(drawn):
    check(drawn)


@given(TRAINERS, st.integers(1, 5))
def test_a_plan_of_fewer_epochs_is_the_beginning_of_one_of_more(drawn, further):
    """The drawn trainers have no plateau here, because a plateau depends on the metrics."""
    epochs, length = drawn["max_epochs"], drawn["epoch_length"]
    drawn = {**drawn, "plateau": None}
    few, many = (Training({}, drawn["accumulation"]) for _ in range(2))
    for training in (few, many):
        make_drawn(drawn)(training)
    first = dry_run(few.trainer, epochs, length, gradient_accumulation_steps=few.accumulation_steps)
    longer = dry_run(many.trainer, epochs + further, length, gradient_accumulation_steps=many.accumulation_steps)
    for name, table in first.items():
        assert bits(longer[name][: epochs * length]) == bits(table)
