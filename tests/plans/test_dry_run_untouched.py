"""A dry run changes no object, even when an error is raised, and it calls no handlers except schedulers."""

import random

import numpy as np
import pytest
import torch
from cases import for_each
from everything import Everything
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer
from registry import rounded

from lehr.engine import OptimizerEvents
from lehr.handlers import ParamScheduler, PhaseScheduler, ReduceOnPlateauScheduler, dry_run
from lehr.handlers.schedules import Constant

METRICS = {"loss": [3.0, 2.0, 2.0, 1.0, 1.5]}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def same(before, after):
    for one, other in zip(before, after, strict=True):
        assert one == other


@pytest.mark.parametrize("ran", [0, 2])
@pytest.mark.parametrize("metrics", [None, METRICS])
def test_nothing_is_touched_and_nobody_else_is_called(ran, metrics):
    everything = Everything(ran)
    before = everything.seen()
    plan = dry_run(everything.trainer, 5, 4, metrics)
    same(before, everything.seen())
    assert plan.start == 4 * ran
    assert set(plan) == {
        *("weight_decay", "lr", "momentum", "betas[1]", "grouped", "batch_size", "rate", "dampening"),
    }
    again = dry_run(everything.trainer, 5, 4, metrics)
    assert plan == again
    same(before, everything.seen())


class BombError(Exception):
    """The error that schedules raise in these tests."""


def raising(error, at=5):
    def function(event):
        random.random(), torch.rand(1), np.random.rand()  # noqa: NPY002
        if event == at:
            raise type(error)(*error.args)
        return 0.1

    return function


def filtering(engine, event):
    if event == 6:
        raise BombError("of the filter")
    return True


BOMBS = {
    "a function": (raising(BombError("boom")), Events.ITERATION_STARTED, BombError, "boom", 6),
    "a function, completed": (raising(BombError("boom")), Events.ITERATION_COMPLETED, BombError, "boom", 6),
    "a function, in a batch": (raising(BombError("boom")), Events.GET_BATCH_STARTED, BombError, "boom", 6),
    "a function, at a step": (raising(BombError("boom")), OptimizerEvents.STEP_COMPLETED, BombError, "boom", 6),
    "a function, by epoch": (raising(BombError("boom"), 2), Events.EPOCH_STARTED, BombError, "boom", 9),
    "a function, after epochs": (raising(BombError("boom"), 2), Events.EPOCH_COMPLETED, BombError, "boom", 12),
    "a function, at the end": (raising(BombError("boom"), 0), Events.COMPLETED, BombError, "boom", 20),
    "NaN": (lambda event: float("nan") if event == 5 else 0.1, Events.ITERATION_STARTED, ValueError, "nan", 6),
    "no number": (lambda event: "one" if event == 5 else 0.1, Events.ITERATION_STARTED, TypeError, "'one'", 6),
    "another number of groups": (
        lambda event: [0.1] * (2 + event // 5),
        Events.ITERATION_STARTED,
        ValueError,
        "group",
        6,
    ),
    "a filter": (lambda event: 0.1, Events.ITERATION_STARTED(event_filter=filtering), BombError, "of the filter", 6),
}


@for_each("bomb", BOMBS, one_in=3)
@for_each("way", ["attach", "add_event_handler"])
def test_an_error_changes_nothing_and_says_at_which_iteration(bomb, way):
    function, event, kind, text, iteration = BOMBS[bomb]
    everything = Everything(0)
    scheduler = ParamScheduler(everything.optimizers[0], "dampening", schedule=function)
    if way == "attach":
        scheduler.attach(everything.trainer, event)
    else:
        everything.trainer.add_event_handler(event, scheduler)
    everything.schedulers.append(scheduler)
    before = everything.seen()
    with pytest.raises(kind, match=text) as raised:
        dry_run(everything.trainer, 5, 4, METRICS)
    same(before, everything.seen())
    assert raised.value.__notes__ == [f"in a dry run, at iteration {iteration} of 20"]


def test_a_metric_that_is_not_there_yet_changes_nothing():
    everything = Everything(0)
    plateau = ReduceOnPlateauScheduler(everything.optimizers[0], "dampening", "loss")
    plateau.attach(everything.trainer, Events.ITERATION_STARTED(after=2))
    before = everything.seen()
    with pytest.raises(ValueError, match="metric_name must be one of .* given 'loss'") as raised:
        dry_run(everything.trainer, 5, 4, METRICS)
    same(before, everything.seen())
    assert raised.value.__notes__ == ["in a dry run, at iteration 3 of 20"]


def test_a_phase_that_is_not_there_changes_nothing():
    everything = Everything(0)
    phases = PhaseScheduler(everything.optimizers[0], "dampening", [Constant(0.1), Constant(0.2)])
    phases.attach(everything.trainer)
    everything.trainer.add_event_handler(Events.EPOCH_COMPLETED, phases.next_phase)
    everything.schedulers.append(phases)
    before = everything.seen()
    with pytest.raises(ValueError, match="phase") as raised:
        dry_run(everything.trainer, 5, 4)
    same(before, everything.seen())
    assert raised.value.__notes__ == ["in a dry run, at iteration 8 of 20"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_changes_nothing(error):
    everything = Everything(0)
    scheduler = ParamScheduler(everything.optimizers[0], "dampening", schedule=raising(error()))
    scheduler.attach(everything.trainer)
    everything.schedulers.append(scheduler)
    before = everything.seen()
    with pytest.raises(error):
        dry_run(everything.trainer, 5, 4)
    same(before, everything.seen())


@pytest.mark.parametrize("held", [(number for number in range(3)), open])
def test_what_cannot_be_copied_changes_nothing(held):
    class Holder:
        def __init__(self):
            self.held = held

        def value(self, event):
            return 0.1

    everything = Everything(0)
    scheduler = ParamScheduler(everything.optimizers[0], "dampening", schedule=Holder().value)
    scheduler.attach(everything.trainer)
    everything.schedulers.append(scheduler)
    before = everything.seen()
    if held is open:
        dry_run(everything.trainer, 5, 4)
    else:
        with pytest.raises(TypeError, match="cannot be copied: cannot pickle 'generator'"):
            dry_run(everything.trainer, 5, 4)
    same(before, everything.seen())


def test_a_run_after_a_dry_run_is_what_it_would_have_been():
    def run(after_a_dry_run):
        torch.manual_seed(0)
        optimizer, trainer = make_optimizer(2), make_trainer()
        for name in ("lr", "weight_decay"):
            ParamScheduler(optimizer, name, True, schedule=rounded).attach(trainer, Events.ITERATION_STARTED(every=2))
        if after_a_dry_run:
            dry_run(trainer, 3, 4)
        trainer.run([0] * 4, max_epochs=3)
        return trainer.state.param_history.state_dict(), torch.rand(3).tolist()

    assert run(True) == run(False)


def test_nothing_is_recorded_in_the_history_of_another_engine():
    everything, other = Everything(0), make_trainer()
    plateau = ReduceOnPlateauScheduler(
        everything.optimizers[0], "dampening", "loss", trainer=other, save_history=True, missing_policy="ignore"
    )
    plateau.attach(everything.trainer, Events.EPOCH_COMPLETED)
    everything.schedulers.append(plateau)
    before, others = everything.seen(), repr(vars(other.state))
    assert "dampening" in dry_run(everything.trainer, 5, 4, METRICS)
    same(before, everything.seen())
    assert repr(vars(other.state)) == others
