"""Schedulers whose values are computed for all events at once, next to schedulers that need each event in turn."""

import os
import sys
import tracemalloc

import pytest
import torch
from cases import few_by_default
from drawn_events import FILTERS
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from optimizers import make_optimizer
from real_runs import KINDS, WAYS, Training, bits
from registry import CASES
from test_dry_run_drawn import TRAINERS, joined, make_drawn

from lehr.engine.optimizer_events import stepping_optimizers
from lehr.handlers import (
    CosineDecayScheduler,
    ExponentialScheduler,
    LinearScheduler,
    MetricScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
    check_plan,
    dry_run,
)
from lehr.handlers.core.simulation.all_events_at_once import can_write_at_once
from lehr.handlers.plans.simulation import run
from lehr.handlers.schedules import Anneal, Constant, Plateau, Product


def planned(drawn, done, one_by_one):
    """Return the plan and the findings of a drawn trainer after the fraction ``done`` of its run."""
    epochs, length, training = drawn["max_epochs"], drawn["epoch_length"], Training({}, drawn["accumulation"])
    make_drawn(drawn)(training)
    steps = training.accumulation_steps
    if start := int(done * epochs * length):
        state = {**training.trainer.state_dict(), "max_epochs": epochs, "epoch_length": length, "iteration": start}
        if "optimizer_steps" in state:
            apart = [steps if isinstance(steps, int) else steps[one] for one in stepping_optimizers(training.trainer)]
            state["optimizer_steps"] = [start // every for every in apart]
        training.trainer.load_state_dict(state)
    arguments = {
        "metrics": {"loss": drawn["losses"][:epochs]} if drawn["losses"] else None,
        "gradient_accumulation_steps": steps,
    }
    with pytest.MonkeyPatch.context() as patch:
        if one_by_one:
            patch.setattr(run, "computable", lambda *arguments: [])
        plan = dry_run(training.trainer, epochs, length, **arguments)
        findings = check_plan(training.trainer, epochs, length, **arguments)
    columns = {
        name: (bits(one.values), one.labels, one.spans, one.event_iterations.tolist(), one.first_event)
        for name, one in plan.columns.items()
    }
    return columns, plan.start, plan.unforeseen, [str(finding) for finding in findings]


def check(drawn, done):
    assert planned(drawn, done, one_by_one=False) == planned(drawn, done, one_by_one=True)


DONE = st.sampled_from([0.0, 0.3, 0.5, 0.8])
KNOWN_FILTERS = st.sampled_from(KINDS).flatmap(
    lambda kind: FILTERS.map(lambda arguments: kind(**arguments) if arguments else kind)
)
COMPUTED = st.fixed_dictionaries(
    {
        "schedulers": st.lists(
            st.fixed_dictionaries(
                {
                    "case": st.sampled_from([case for case in CASES if not case[0].per_group]),
                    "event": KNOWN_FILTERS | st.tuples(KNOWN_FILTERS, KNOWN_FILTERS).map(joined),
                    "way": st.sampled_from(WAYS),
                    "name": st.sampled_from([None, "own"]),
                    "own_optimizer": st.sampled_from([False, False, True]),
                    "param": st.sampled_from(["lr", "lr", "momentum"]),
                    "save_history": st.just(False),
                }
            ),
            min_size=2,
            max_size=2,
        ),
        "groups": st.just(1),
        "state": st.none(),
        "plateau": st.none(),
        "losses": st.just([]),
        "max_epochs": st.integers(2, 5),
        "epoch_length": st.integers(2, 7),
        "accumulation": st.integers(1, 3) | st.tuples(st.integers(1, 4), st.integers(1, 4)),
    }
)


@few_by_default(15)
@given(COMPUTED, DONE)
def test_events_computed_together_have_the_values_and_findings_of_events_one_by_one(drawn, done):
    check(drawn, done)


@pytest.mark.proof
@settings(settings.get_profile("proof" if os.environ.get("HYPOTHESIS_PROFILE", "lehr") == "lehr" else "thorough"))
@given(TRAINERS | COMPUTED, DONE)
def test_very_many_events_computed_together_have_the_values_of_events_one_by_one(drawn, done):
    check(drawn, done)


class FromWeightDecay(ParamScheduler):
    """A user's scheduler that reads the weight decay, which another scheduler writes."""

    def get_param(self):
        return self.optimizer.param_groups[0]["weight_decay"] * 2


def test_which_schedulers_write_what_their_indices_alone_say():
    def optimizer():
        return make_optimizer(2)

    def waiting():
        made = ExponentialScheduler(optimizer(), "lr", gamma=0.5)
        made.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
        return made

    def absolute():
        made = LinearScheduler(optimizer(), "lr", 4, start_value=0.0, end_value=1.0)
        made.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
        return made

    def after_its_event():
        made = waiting()
        made(None)
        return made

    def group(*members):
        return ParamGroupScheduler(list(members))

    plateau = ReduceOnPlateauScheduler(optimizer(), "lr", "loss")
    own = FromWeightDecay(optimizer(), "lr")
    expected = [
        (True, absolute()),
        (True, ExponentialScheduler(optimizer(), "lr", gamma=0.5)),
        (True, after_its_event()),
        (False, waiting()),
        (False, own),
        (False, plateau),
        (False, MetricScheduler(optimizer(), "lr", "loss", Product([Anneal(1.0, 0.0, 9), Plateau()]))),
        (False, PhaseScheduler(optimizer(), "lr", [Constant(0.1), Constant(0.2)])),
        (True, group(absolute(), LinearScheduler(optimizer(), "momentum", 4, start_value=0.0, end_value=1.0))),
        (False, group(absolute(), FromWeightDecay(optimizer(), "momentum"))),
        (True, StateParamScheduler("rate", create_new=True, schedule=Constant(0.5))),
        (False, StateParamScheduler("rate", create_new=True, schedule=Constant([0.5, 0.25]))),
    ]
    found = [(can_write_at_once(scheduler), scheduler) for _, scheduler in expected]
    assert found == expected


def test_a_scheduler_reads_what_another_one_writes():
    optimizer, trainer = make_optimizer(weight_decay=0.0), Engine(lambda engine, batch: None)
    LinearScheduler(optimizer, "weight_decay", 4, start_value=0.0, end_value=1.0).attach(trainer)
    FromWeightDecay(optimizer, "lr").attach(trainer)
    assert dry_run(trainer, 1, 4)["lr"][:, 0].tolist() == [0.0, 0.5, 1.0, 1.5]


def test_an_error_ends_the_computed_values_at_its_iteration():
    optimizer, trainer = make_optimizer(), Engine(lambda engine, batch: None)
    steps = CosineDecayScheduler(optimizer, "weight_decay", duration=10)
    steps.attach(trainer)

    def fails_at_3(event):
        return 1 / (3 - event)

    ParamScheduler(optimizer, "lr", schedule=fails_at_3).attach(trainer)
    with pytest.raises(ZeroDivisionError) as raised:
        dry_run(trainer, 1, 10)
    assert raised.value.__notes__ == ["in a dry run, at iteration 4 of 10"]
    assert steps.event_index == 0


@pytest.mark.parametrize("plans", [dry_run, check_plan])
def test_the_calls_do_not_grow_with_the_iterations(plans):
    optimizer, trainer = make_optimizer(), Engine(lambda engine, batch: None)
    CosineDecayScheduler(optimizer, "lr", duration=50_000).attach(trainer, Events.ITERATION_STARTED(every=2))
    LinearScheduler(optimizer, "weight_decay", 40, start_value=1.0, end_value=0.5).attach(trainer, Events.EPOCH_STARTED)

    def calls(epochs):
        number = 0

        def count(frame, event, argument):
            nonlocal number
            number += event == "call"

        sys.setprofile(count)
        try:
            plans(trainer, epochs, 1000)
        finally:
            sys.setprofile(None)
        return number

    calls(1)
    assert calls(100) < calls(10) + 1000


def test_a_plan_takes_little_more_memory_than_it_keeps():
    optimizer, trainer = make_optimizer(), Engine(lambda engine, batch: None)
    CosineDecayScheduler(optimizer, "lr", duration=200_000).attach(trainer)
    dry_run(trainer, 1, 1000)  # so that caches are not counted below
    tracemalloc.start()
    plan = dry_run(trainer, 200, 1000)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert plan.num_iterations == 200_000
    assert peak < 1.4 * kept  # measured: 1.2
