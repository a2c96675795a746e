"""Schedulers whose events are computed all together, beside others whose events come one by one."""

import sys

import pytest
from ignite.engine import Engine, Events
from optimizers import make_optimizer

from lehr.handlers import CosineDecayScheduler, LinearScheduler, ParamScheduler, check_plan, dry_run


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
