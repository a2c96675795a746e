"""Schedulers whose events are computed all together have the values and findings of events that come one by one."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from optimizers import make_optimizer
from real_runs import Training, bits
from test_dry_run_drawn import TRAINERS, make_drawn

from lehr.handlers import CosineDecayScheduler, LinearScheduler, ParamScheduler, check_plan, dry_run
from lehr.handlers.plans.simulation import run


def planned(drawn, stepped, start):
    """The plan and the findings of a drawn trainer; with all events one by one if ``stepped``."""
    epochs, length, accumulation = drawn["max_epochs"], drawn["epoch_length"], drawn["accumulation"]
    metrics, training = {"loss": drawn["losses"][:epochs]}, Training({}, accumulation)
    make_drawn(drawn)(training)
    if 0 < start < epochs * length:
        training.trainer.load_state_dict({"iteration": start, "epoch_length": length, "max_epochs": epochs})
    arguments = {"metrics": metrics, "gradient_accumulation_steps": accumulation}
    with pytest.MonkeyPatch.context() as patch:
        if stepped:
            patch.setattr(run, "computable", lambda *arguments: [])
        plan = dry_run(training.trainer, epochs, length, **arguments)
        findings = check_plan(training.trainer, epochs, length, **arguments)
    columns = {
        name: (bits(one.values), one.labels, one.spans, one.event_iterations.tolist(), one.first_event)
        for name, one in plan.columns.items()
    }
    return columns, plan.unforeseen, [str(finding) for finding in findings]


@given(TRAINERS, st.integers(0, 60))
def test_they_have_the_values_and_findings_of_events_one_by_one(drawn, start):
    assert planned(drawn, False, start) == planned(drawn, True, start)


class FromWeightDecay(ParamScheduler):
    """A user's own scheduler that reads what another scheduler writes."""

    def get_param(self):
        return self.optimizer.param_groups[0]["weight_decay"] * 2


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
