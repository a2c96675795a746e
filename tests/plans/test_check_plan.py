"""Each code of ``check_plan``: runs that get the finding, and similar runs that do not."""

import json
import logging
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from cases import for_each
from ignite.engine import Engine, EventEnum, Events, create_supervised_trainer
from ignite.handlers.param_scheduler import CosineAnnealingScheduler as IgniteCosine
from ignite.metrics import Average
from optimizers import make_optimizer, make_trainer
from torch.utils.data import DataLoader

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    BatchSizeScheduler,
    ChainedScheduler,
    ConcatScheduler,
    ConstantScheduler,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    CosineRestartScheduler,
    CyclicScheduler,
    ExponentialScheduler,
    LinearCyclicalScheduler,
    LinearScheduler,
    LRScheduler,
    MultiStepScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
    StepScheduler,
    WarmupStableDecayScheduler,
    check_plan,
    configure_scheduler,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers.plans.check_plan import CHECKS
from lehr.handlers.plans.checks.findings import CODES, SEVERITIES
from lehr.handlers.schedules import Anneal, Concatenation, Constant, CosineAnnealing, Mapped, Product
from lehr.handlers.schedules.schedule_length import end_of

EPOCHS, LENGTH = 4, 10


@dataclass
class Setting:
    """A trainer with an optimizer and an evaluator, checked for a run of 4 epochs of 10 iterations."""

    def __init__(self, groups: int = 1, **defaults: Any) -> None:
        self.optimizer = make_optimizer(groups, **defaults)
        self.trainer = Engine(lambda engine, batch: self.optimizer.step())
        self.evaluator = make_trainer()

    def evaluate_each_epoch(self) -> None:
        evaluator = self.evaluator
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))

    def check(self, *args: Any, **kwargs: Any) -> Any:
        return check_plan(self.trainer, EPOCHS, LENGTH, *args, **kwargs)


def found(findings: list[Any]) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in findings]


def cosine(setting: Setting, param_name: str = "lr", **kwargs: Any) -> CosineDecayScheduler:
    return CosineDecayScheduler(setting.optimizer, param_name, EPOCHS * LENGTH, **kwargs)


@pytest.fixture
def setting():
    return Setting()


def test_a_plan_without_fault_has_no_findings(setting):
    cosine(setting, save_history=True).attach(setting.trainer)
    cosine(setting, "weight_decay", start_value=0.1).attach(setting.trainer)
    findings = setting.check()
    assert findings == []
    assert str(findings) == "nothing found"


# write-conflict


def test_two_writers_of_one_parameter(setting):
    cosine(setting).attach(setting.trainer)
    ExponentialScheduler(setting.optimizer, "lr", gamma=0.9).attach(setting.trainer, name="other lr")
    (finding,) = setting.check()
    assert (finding.code, finding.severity, finding.where) == ("write-conflict", "error", "'lr', group 0")
    assert finding.numbers == {"iteration": 0, "winner": "ExponentialScheduler", "wins": 40, "iterations": 40}
    assert "ITERATION_STARTED" in finding.message
    assert "ExponentialScheduler of 'lr' on ITERATION_STARTED wins at 40 of 40 iterations" in finding.message


@pytest.mark.parametrize("first", [True, False])
def test_who_wins_is_whose_event_comes_later_whoever_was_attached_first(setting, first):
    by_epoch, by_iteration = cosine(setting), ExponentialScheduler(setting.optimizer, "lr", gamma=0.9)
    attached = [(by_epoch, Events.EPOCH_STARTED), (by_iteration, Events.ITERATION_STARTED(every=4))]
    for scheduler, event in attached if first else attached[::-1]:
        scheduler.attach(setting.trainer, event)
    finding = next(finding for finding in setting.check() if finding.code == "write-conflict")
    # The cosine writes at iterations 1, 11, 21 and 31. The other scheduler writes at 4, 8, 12, ...; its value stays
    # until the cosine writes again.
    wins = sum(max(range(4, i + 1, 4), default=0) >= (i - 1) // 10 * 10 + 1 for i in range(1, 41))
    assert finding.numbers["winner"] == "ExponentialScheduler"
    assert finding.numbers["wins"] == wins == 32


def test_an_evaluators_plateau_beside_a_schedule(setting):
    setting.evaluate_each_epoch()
    cosine(setting).attach(setting.trainer)
    plateau = ReduceOnPlateauScheduler(setting.optimizer, "lr", "loss")
    setting.evaluator.add_event_handler(Events.COMPLETED, plateau)
    (finding,) = setting.check(metrics={"loss": [1.0] * 4})
    assert finding.code == "write-conflict"
    assert (finding.numbers["winner"], finding.numbers["wins"]) == ("CosineDecayScheduler", 40)


def test_two_members_of_one_scheduler(setting):
    members = [cosine(setting), ExponentialScheduler(setting.optimizer, "lr", gamma=0.9)]
    ParamGroupScheduler(members, names=["one", "other"]).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.numbers) == ("write-conflict", {"members": [0, 1], "winner": 1})


def test_one_of_ignites_own(setting):
    cosine(setting).attach(setting.trainer)
    peer = IgniteCosine(setting.optimizer, "lr", 0.1, 0.0, 40)
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, peer)
    (finding,) = setting.check()
    assert finding.code == "write-conflict"
    assert "ignite's CosineAnnealingScheduler" in finding.message


def test_state_parameters_and_batch_sizes_too(setting):
    loader = DataLoader([0, 1, 2, 3], batch_size=2)
    for factor in (1, 2):
        BatchSizeScheduler(loader, lambda epoch, factor=factor: factor).attach(setting.trainer, name=f"size {factor}")
        state = StateParamScheduler("rate", schedule=Constant(0.1), create_new=factor == 1)
        state.attach(setting.trainer, Events.ITERATION_STARTED)
    findings = setting.check()
    assert found(findings) == [("write-conflict", "error")] * 2
    assert sorted(finding.where for finding in findings) == ["'batch_size'", "'rate'"]


def test_schedulers_of_different_parameters_or_groups_do_not_conflict():
    setting = Setting(2)
    cosine(setting, param_group_index=0).attach(setting.trainer, name="lr of the first")
    cosine(setting, param_group_index=1).attach(setting.trainer, name="lr of the second")
    cosine(setting, "momentum").attach(setting.trainer)
    other = make_optimizer()
    CosineDecayScheduler(other, "lr", 40).attach(setting.trainer, name="lr of the other one")
    assert setting.check() == []


def test_one_that_begins_where_the_other_has_ended_takes_over(setting):
    warmup = LinearScheduler(setting.optimizer, "lr", 10, start_value=0.1, end_value=0.5)
    main = CosineDecayScheduler(setting.optimizer, "lr", 30, start_value=0.5)
    warmup.attach(setting.trainer, Events.ITERATION_STARTED(before=11))
    main.attach(setting.trainer, Events.ITERATION_STARTED(after=10))
    assert setting.check() == []


# attached-twice


def test_attached_twice(setting):
    scheduler = CosineDecayScheduler(setting.optimizer, "lr", 80)
    scheduler.attach(setting.trainer)
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("attached-twice", "error")
    assert finding.numbers == {"times": 2, "events": 80, "again": 40}


def test_attached_to_two_events_in_turn_is_not_twice(setting):
    event = Events.ITERATION_STARTED(every=2) | Events.ITERATION_STARTED(event_filter=lambda _, at: at % 2 == 1)
    cosine(setting).attach(setting.trainer, event)
    assert setting.check() == []


# never-attached


def test_never_attached(setting):
    cosine(setting).attach(setting.trainer)
    forgotten = cosine(setting, "momentum")
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("never-attached", "warning")
    assert finding.where == "CosineDecayScheduler of 'momentum'"
    forgotten.attach(setting.trainer)
    assert setting.check() == []


def test_one_more_for_what_another_one_writes_may_be_there_to_be_looked_at(setting):
    cosine(setting).attach(setting.trainer)
    looked_at = OneCycleScheduler(setting.optimizer, "lr", 0.5, total_steps=40)
    assert found(setting.check()) == [("never-attached", "info")]
    del looked_at


def test_of_a_whole_and_its_parts_the_whole_is_named(setting):
    main = CosineDecayScheduler(setting.optimizer, "lr", 30)
    whole = create_lr_scheduler_with_warmup(main, 0.01, 10)
    ConstantScheduler(setting.optimizer, "momentum", 0.5).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.where) == ("never-attached", "ConcatScheduler of 'lr'")
    del main, whole


def test_none_is_attached_at_all(setting):
    forgotten = cosine(setting)
    optimizer = setting.optimizer
    trainer = Engine(lambda engine, batch: optimizer.step())
    assert found(check_plan(trainer, EPOCHS, LENGTH)) == [("never-attached", "warning")]
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    of_the_model = CosineDecayScheduler(optimizer, "lr", 40)
    trainer = create_supervised_trainer(model, optimizer, torch.nn.functional.mse_loss)
    assert found(check_plan(trainer, EPOCHS, LENGTH)) == [("never-attached", "warning")]
    del forgotten, of_the_model


def test_parts_of_others_and_what_is_called_elsewhere_need_not_be_attached(setting):
    optimizer = setting.optimizer
    parts = [cosine(setting), LinearScheduler(optimizer, "lr", 5, start_value=0.1, end_value=0.5)]
    ConcatScheduler([parts[1], parts[0]], durations=[5]).attach(setting.trainer)
    mapped = ParamScheduler(optimizer, "weight_decay", schedule=Mapped(parts[0].schedule, _a_tenth))
    mapped.attach(setting.trainer)
    in_a_loop = cosine(setting, "momentum")
    in_a_loop(None)
    of_another = CosineDecayScheduler(make_optimizer(), "lr", 40)
    by_hand = cosine(setting, "dampening", start_value=0.1)
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, lambda engine: by_hand(engine))
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", initial_value=0.5)
    both = ParamScheduler(optimizer, "momentum", schedule=Product([plateau.schedule, Constant(0.9)]))
    both.attach(setting.evaluator)
    assert [code for code, _ in found(setting.check()) if code == "never-attached"] == []
    del of_another


def _a_tenth(value: float) -> float:
    return 0.1 * value


# history-name-clash


def test_two_histories_of_one_name():
    setting = Setting(2)
    one, other = (cosine(setting, param_group_index=group, save_history=True) for group in (0, 1))
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, one)
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, other)
    (finding,) = setting.check()
    assert (finding.code, finding.severity, finding.where) == ("history-name-clash", "error", "'lr'")
    with pytest.raises(ValueError, match="name must not be that of another scheduler's history"):
        setting.trainer.run([0] * LENGTH)


def test_names_of_their_own_or_none_recorded():
    setting = Setting(2)
    one, other = (cosine(setting, param_group_index=group, save_history=True) for group in (0, 1))
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, one)
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, other, name="the other")
    assert setting.check() == []
    setting = Setting(2)
    for group in (0, 1):
        cosine(setting, param_group_index=group).attach(setting.trainer)
    assert setting.check() == []


# missing-metric


def test_a_metric_that_the_evaluator_does_not_produce(setting):
    setting.evaluate_each_epoch()
    Average().attach(setting.evaluator, "loss")
    plateau = ReduceOnPlateauScheduler(setting.optimizer, "lr", "los")
    plateau.attach(setting.evaluator, Events.COMPLETED)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("missing-metric", "error")
    assert (finding.numbers, finding.suggestion) == ({"produced": ["loss"]}, "metric_name='loss'")
    assert setting.check({"los": [1.0] * 4}) == []  # the user says that this metric exists


def test_a_metric_that_it_produces_or_that_nobody_can_know_of(setting):
    setting.evaluate_each_epoch()
    Average().attach(setting.evaluator, "loss")
    ReduceOnPlateauScheduler(setting.optimizer, "lr", "loss").attach(setting.evaluator, Events.COMPLETED)
    ReduceOnPlateauScheduler(setting.optimizer, "momentum", "own").attach(setting.trainer, Events.EPOCH_COMPLETED)
    assert setting.check() == []


def test_a_metric_of_the_evaluator_that_is_read_from_the_trainer(setting):
    setting.evaluate_each_epoch()
    Average().attach(setting.evaluator, "loss")
    plateau = ReduceOnPlateauScheduler(setting.optimizer, "lr", "loss")
    plateau.attach(setting.trainer, Events.EPOCH_COMPLETED)
    (finding,) = setting.check()
    assert (finding.code, finding.severity, finding.numbers) == ("missing-metric", "warning", {"produced": []})
    assert "attach(evaluator, Events.COMPLETED)" in finding.suggestion
    assert setting.check({"loss": [1.0] * 4}) == []


def test_a_metric_of_the_evaluator_that_a_handler_copies(setting):
    setting.evaluate_each_epoch()
    Average().attach(setting.evaluator, "loss")

    @setting.trainer.on(Events.EPOCH_COMPLETED)
    def copy(engine: Engine) -> None:
        engine.state.metrics["loss"] = setting.evaluator.state.metrics["loss"]

    ReduceOnPlateauScheduler(setting.optimizer, "lr", "loss").attach(setting.trainer, Events.EPOCH_COMPLETED)
    assert setting.check() == []


def test_an_observer_of_a_metric_that_is_not_produced(setting):
    setting.evaluate_each_epoch()
    Average().attach(setting.evaluator, "loss")
    plateau = ReduceOnPlateauScheduler(setting.optimizer, "lr", "accuracy", initial_value=0.5)
    warmup = PiecewiseLinear(setting.optimizer, "lr", [(0, 0.1), (10, 0.5)])
    ConcatScheduler([warmup, plateau], durations=[10]).attach(setting.trainer)
    setting.evaluator.add_event_handler(Events.COMPLETED, plateau.observe)
    (finding,) = setting.check()
    assert finding.code == "missing-metric"
    assert "metrics={'accuracy': [...]}" in finding.suggestion


def test_a_metric_that_is_not_there_yet(setting):
    plateau = ReduceOnPlateauScheduler(setting.optimizer, "lr", "loss")
    plateau.attach(setting.trainer, Events.EPOCH_STARTED)
    (finding,) = setting.check({"loss": [1.0] * 4})
    assert (finding.code, finding.severity) == ("missing-metric", "error")
    assert "iteration 1 of 40" in finding.message


# not-restored


def resumed(setting: Setting, iteration: int) -> None:
    setting.trainer.load_state_dict({"iteration": iteration, "epoch_length": LENGTH, "max_epochs": EPOCHS})


@pytest.mark.parametrize("iteration", [10, 15])
def test_a_scheduler_left_behind(setting, iteration):
    left = [cosine(setting), cosine(setting, "momentum"), cosine(setting, "weight_decay", start_value=0.1)]
    left[0].attach(setting.trainer)
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, left[1])
    left[2].attach(setting.trainer, Events.ITERATION_STARTED(event_filter=lambda engine, at: at % 5 == 0))
    resumed(setting, iteration)
    behind = [finding for finding in setting.check() if finding.code == "not-restored"]
    expected = [iteration, iteration, iteration // 5]
    assert [finding.numbers for finding in behind] == [
        {"event_index": 0, "expected": count, "iteration": iteration} for count in expected
    ]
    assert all(finding.severity == "error" for finding in behind)
    for scheduler, count in zip(left, expected, strict=True):
        scheduler.seek(count)
    assert [finding for finding in setting.check() if finding.code == "not-restored"] == []


@pytest.mark.parametrize("iteration", [10, 15])
def test_schedulers_that_were_restored_are_not_behind(setting, iteration):
    events = [
        Events.ITERATION_STARTED, Events.ITERATION_COMPLETED(every=3), Events.EPOCH_STARTED, Events.EPOCH_COMPLETED,
    ]  # fmt: skip
    params = ["lr", "momentum", "weight_decay", "dampening"]
    counts = [iteration, iteration // 3, -(-iteration // LENGTH), iteration // LENGTH]
    for event, param_name, count in zip(events, params, counts, strict=True):
        scheduler = cosine(setting, param_name, start_value=0.1)
        state = {**scheduler.state_dict(), "event_index": count}
        scheduler.load_state_dict(state)
        scheduler.attach(setting.trainer, event)
    resumed(setting, iteration)
    assert [finding for finding in setting.check() if finding.code == "not-restored"] == []


def test_one_that_was_attached_in_mid_run_is_not_behind(setting):
    setting.optimizer.step = lambda: None
    setting.trainer.run([0] * LENGTH, max_epochs=2)
    CosineDecayScheduler(setting.optimizer, "lr", 20).attach(setting.trainer)
    assert setting.check() == []


# illegal-value


@for_each(
    ("kind", "param_name", "value", "rule"),
    [
        (torch.optim.SGD, "lr", -0.1, "at least 0"),
        (torch.optim.SGD, "momentum", -0.1, "at least 0"),
        (torch.optim.SGD, "weight_decay", -1e-9, "at least 0"),
        (torch.optim.Adam, "betas[0]", 1.0, "at least 0 and less than 1"),
        (torch.optim.Adam, "momentum", 1.5, "at least 0 and less than 1"),
        (torch.optim.AdamW, "betas[1]", -0.1, "at least 0 and less than 1"),
        (torch.optim.Adam, "eps", -1e-8, "at least 0"),
        (torch.optim.Adadelta, "rho", 1.01, "at least 0 and at most 1"),
        (torch.optim.Rprop, "etas[0]", 1.0, "more than 0 and less than 1"),
        (torch.optim.Rprop, "etas[1]", 1.0, "more than 1"),
    ],
)
def test_a_value_that_the_optimizer_refuses(kind, param_name, value, rule):
    optimizer = make_optimizer(kind=kind)
    trainer = make_trainer()
    legal = {"etas[1]": 1.2, "etas[0]": 0.5}.get(param_name, 0.5)
    scheduler = ParamScheduler(optimizer, param_name, schedule=PiecewiseConstantAt(legal, value, 25))
    scheduler.attach(trainer)
    (finding,) = [finding for finding in check_plan(trainer, EPOCHS, LENGTH) if finding.code == "illegal-value"]
    assert finding.severity == "error"
    assert f"must be {rule}, but is {value:.6g} at iteration 26 (epoch 3)" in finding.message
    assert finding.numbers == {"iteration": 25, "value": value, "iterations": 15, "worst": value}
    key, _, item = param_name.partition("[")
    if param_name != "momentum" or kind is torch.optim.SGD:  # torch refuses the same value
        given = {"lr": 0.1, key: (0.9, 0.99) if key == "betas" else (0.5, 1.2)} if item else {"lr": 0.1, key: value}
        if item:
            given[key] = tuple(value if at == int(item[0]) else one for at, one in enumerate(given[key]))
        with pytest.raises(ValueError, match="Invalid"):
            kind([torch.nn.Parameter(torch.zeros(1))], **given)


def PiecewiseConstantAt(before: float, after: float, event: int) -> Concatenation:  # noqa: N802
    return Concatenation([Constant(before), Constant(after)], [event])


@pytest.mark.parametrize(
    ("kind", "param_name", "value"),
    [
        (torch.optim.SGD, "momentum", 1.0),
        (torch.optim.Adam, "betas[0]", 0.0),
        (torch.optim.Adadelta, "rho", 1.0),
        (torch.optim.SGD, "weight_decay", 0.0),
        (torch.optim.SGD, "dampening", -1.0),
    ],
)
def test_a_value_at_the_edge_is_allowed(kind, param_name, value):
    optimizer, trainer = make_optimizer(kind=kind), make_trainer()
    ConstantScheduler(optimizer, param_name, value).attach(trainer)
    assert check_plan(trainer, EPOCHS, LENGTH) == []


def test_a_value_that_cannot_be_written_ends_the_check_there(setting):
    def broken(event_index: int) -> float:
        return math.nan if event_index == 12 else 0.1

    ParamScheduler(setting.optimizer, "momentum", schedule=broken).attach(setting.trainer)
    cosine(setting).attach(setting.trainer)
    (finding,) = [finding for finding in setting.check() if finding.code == "illegal-value"]
    assert finding.severity == "error"
    assert finding.where == "ParamScheduler of 'momentum' on ITERATION_STARTED"
    assert "nan" in finding.message
    assert finding.message.endswith("in a dry run, at iteration 13 of 40")


def test_state_parameters_may_have_any_value(setting):
    scheduler = StateParamScheduler("rate", create_new=True, schedule=Constant(-3.0))
    scheduler.attach(setting.trainer)
    assert setting.check() == []


# end-not-reached


def test_a_run_that_ends_before_the_schedule(setting):
    OneCycleScheduler(setting.optimizer, "lr", 0.5, total_steps=80).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("end-not-reached", "warning")
    assert (finding.numbers["length"], finding.numbers["events"]) == (80, 40)
    assert finding.numbers["end_value"] == [2e-06]
    assert finding.numbers["last_value"] == pytest.approx([0.406], abs=1e-3)
    assert "50%" in finding.message


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: MultiStepScheduler(optimizer, "lr", milestones=[10, 60]),
        lambda optimizer: CosineAnnealingScheduler(optimizer, "lr", 0.5, 0.1, 100),
        lambda optimizer: WarmupStableDecayScheduler(optimizer, "lr", 5, 30, 25, start_value=0.1),
        lambda optimizer: ConcatScheduler(
            [ConstantScheduler(optimizer, "lr", 0.1), CosineDecayScheduler(optimizer, "lr", 40)], durations=[20]
        ),
    ],
)
def test_other_schedules_that_are_longer_than_the_run(setting, make):
    scheduler = make(setting.optimizer)
    scheduler.attach(setting.trainer)
    assert "end-not-reached" in [code for code, _ in found(setting.check())]


def test_a_warm_up_that_is_longer_than_the_run(setting):
    main = ExponentialScheduler(setting.optimizer, "lr", gamma=0.99)
    whole = create_lr_scheduler_with_warmup(main, 0.01, 100)
    whole.attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("end-not-reached", "warning")
    assert finding.numbers == {"length": 99, "events": 40}


def test_a_last_phase_that_begins_where_the_run_ends_is_not_waited_for(setting):
    config = {"type": "transformers.cosine_with_restarts", "num_warmup_steps": 5, "num_training_steps": 40}
    configure_scheduler(setting.optimizer, config).attach(setting.trainer)
    assert "end-not-reached" not in [code for code, _ in found(setting.check())]


def test_a_warm_up_before_what_has_no_end(setting):
    main = ExponentialScheduler(setting.optimizer, "lr", gamma=0.99)
    create_lr_scheduler_with_warmup(main, 0.01, 30).attach(setting.trainer)
    assert setting.check() == []


@pytest.mark.parametrize("steps", [40, 41, 39])
def test_a_schedule_that_ends_with_the_run_or_all_but_does(setting, steps):
    OneCycleScheduler(setting.optimizer, "lr", 0.5, total_steps=steps).attach(setting.trainer)
    assert setting.check() == []


def test_schedules_without_an_end_reach_it_always(setting):
    ExponentialScheduler(setting.optimizer, "lr", gamma=0.99).attach(setting.trainer)
    StepScheduler(setting.optimizer, "momentum", 15).attach(setting.trainer)
    ParamScheduler(setting.optimizer, "weight_decay", schedule=lambda event: 0.1).attach(setting.trainer)
    assert setting.check() == []


# repeats


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: CosineAnnealingScheduler(optimizer, "lr", 0.5, 0.1, 20),
        lambda optimizer: LinearCyclicalScheduler(optimizer, "lr", 0.1, 0.5, 20),
        lambda optimizer: CyclicScheduler(optimizer, "lr", base_value=0.1, max_value=0.5, step_size_up=10),
        lambda optimizer: CosineRestartScheduler(optimizer, "lr", T_0=20, end_value=0.1),
    ],
)
def test_cycles_that_begin_anew_are_told_of(setting, make):
    scheduler = make(setting.optimizer)
    scheduler.attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("repeats", "info")
    assert finding.numbers == {"length": 20, "events": 40}


def test_a_cycle_that_begins_anew_just_before_the_run_ends_is_warned_of(setting):
    CosineAnnealingScheduler(setting.optimizer, "lr", 0.5, 0.01, 38).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("repeats", "warning")
    assert "the last 2 events begin a new cycle, with 0.5 after 0.0108" in finding.message


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: CosineAnnealingScheduler(optimizer, "lr", 0.1, 1e-6, 20),
        lambda optimizer: CosineRestartScheduler(optimizer, "lr", T_0=10),
        lambda optimizer: CosineRestartScheduler(optimizer, "lr", T_0=8, T_mult=4),
        lambda optimizer: LinearCyclicalScheduler(optimizer, "lr", 0.1, 1e-6, 20, monotonic=True),
    ],
)
def test_a_run_that_ends_with_a_cycle_is_no_more_than_told_of_however_low_it_goes(setting, make):
    scheduler = make(setting.optimizer)
    scheduler.attach(setting.trainer)
    assert found(setting.check()) == [("repeats", "info")]


def test_a_run_that_ends_just_after_a_late_cycle_has_begun_is_warned_of(setting):
    CosineRestartScheduler(setting.optimizer, "lr", T_0=10, T_mult=2).attach(setting.trainer)  # ends at 10 and 30
    assert found(check_plan(setting.trainer, 3, 10)) == [("repeats", "info")]
    (finding,) = check_plan(setting.trainer, 1, 31)
    assert (finding.code, finding.severity) == ("repeats", "warning")
    assert "the last event begins a new cycle" in finding.message


def test_one_whole_cycle_does_not_repeat(setting):
    CosineAnnealingScheduler(setting.optimizer, "lr", 0.5, 0.1, 40).attach(setting.trainer)
    CosineRestartScheduler(setting.optimizer, "momentum", periods=[20, 20], end_value=0.1).attach(setting.trainer)
    assert setting.check() == []


def test_a_learning_rate_that_stays_at_0_is_warned_of(setting):
    CosineDecayScheduler(setting.optimizer, "lr", 30).attach(setting.trainer)
    CosineDecayScheduler(setting.optimizer, "weight_decay", 30, start_value=0.1).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("repeats", "warning")
    assert finding.numbers == {"length": 30, "events": 40, "iterations": 10}


def test_a_schedule_that_holds_another_end_value_is_well(setting):
    CosineDecayScheduler(setting.optimizer, "lr", 30, end_value=0.01).attach(setting.trainer)
    assert setting.check() == []


@pytest.mark.parametrize(("half", "severity"), [(25, "warning"), (15, "info")])
def test_a_cosine_that_goes_back_up_after_its_end(setting, half, severity):
    config = {"type": "torch.CosineAnnealingLR", "T_max": half}
    configure_scheduler(setting.optimizer, config).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("repeats", severity)
    assert "then goes back from 0 to" in finding.message


@pytest.mark.parametrize("half", [39, 40])
def test_a_cosine_that_ends_with_the_run_does_not_go_back(setting, half):
    config = {"type": "torch.CosineAnnealingLR", "T_max": half}
    configure_scheduler(setting.optimizer, config).attach(setting.trainer)
    assert setting.check() == []


def test_a_learning_rate_that_stays_next_to_nothing_is_warned_of(setting):
    OneCycleScheduler(setting.optimizer, "lr", 0.5, total_steps=20).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("repeats", "warning")
    assert finding.numbers == {"length": 20, "events": 40, "iterations": 21}
    assert "the last 21 iterations train with its end value, 2e-06" in finding.message


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: OneCycleScheduler(optimizer, "lr", 0.5, total_steps=37),
        lambda optimizer: MultiStepScheduler(optimizer, "lr", [10, 15, 20, 25], gamma=0.1),
        lambda optimizer: OneCycleScheduler(optimizer, "momentum", 0.5, total_steps=20),
    ],
)
def test_a_short_rest_or_the_last_of_several_steps_is_well(setting, make):
    scheduler = make(setting.optimizer)
    scheduler.attach(setting.trainer)
    assert setting.check() == []


# unit-mismatch


@pytest.mark.parametrize(
    "make",
    [
        lambda o: StepScheduler(o, "lr", 30, gamma=0.1),
        lambda o: ExponentialScheduler(o, "lr", gamma=0.97),
        lambda o: LRScheduler(torch.optim.lr_scheduler.StepLR(o, 30)),
    ],
)
def test_what_falls_to_nothing_by_iterations_looks_like_epochs(setting, make):
    scheduler = make(setting.optimizer)
    handle = scheduler.attach(setting.trainer)
    finding, *others = check_plan(setting.trainer, 90, 20)
    assert (finding.code, finding.severity) == ("unit-mismatch", "warning")
    assert [one.code for one in others] == ["faster-scheduler"] * isinstance(scheduler, LRScheduler)
    assert finding.numbers["events"] == 1800
    assert "look like epochs" in finding.message
    handle.remove()
    scheduler.attach(setting.trainer, Events.EPOCH_STARTED)
    assert check_plan(setting.trainer, 90, 20) == []


@pytest.mark.parametrize(
    "schedule",
    [
        lambda event: 0.1 * (1 + math.cos(math.pi * event / 1800)),  # falls to 0 at the end of the run
        lambda event: 0.1 if event < 500 else 0.0,  # switched off at event 500
        lambda event: 1e-10 * 1.02**event,  # rises slowly
    ],
)
def test_what_is_meant_to_be_next_to_nothing_does_not(setting, schedule):
    ParamScheduler(setting.optimizer, "lr", schedule=schedule).attach(setting.trainer)
    assert "unit-mismatch" not in [code for code, _ in found(check_plan(setting.trainer, 90, 20))]


def test_a_duration_that_is_longer_than_all_iterations_is_not_in_them(setting):
    CosineDecayScheduler(setting.optimizer, "lr", 30).attach(setting.trainer, Events.EPOCH_STARTED)
    assert found(check_plan(setting.trainer, 1, 5)) == [("end-not-reached", "warning")]


@pytest.mark.parametrize(
    ("make", "event", "meant"),
    [
        (lambda o: OneCycleScheduler(o, "lr", 0.5, total_steps=40), Events.EPOCH_STARTED, "iterations"),
        (lambda o: CosineDecayScheduler(o, "lr", 40), Events.EPOCH_COMPLETED, "iterations"),
        (lambda o: CosineDecayScheduler(o, "lr", 4), Events.ITERATION_STARTED, "epochs"),
        (lambda o: MultiStepScheduler(o, "lr", milestones=[2, 3]), Events.ITERATION_STARTED, "epochs"),
        (lambda o: OneCycleScheduler(o, "lr", 0.5, total_steps=4), OptimizerEvents.STEP_STARTED, "epochs"),
    ],
)
def test_durations_in_the_other_unit(setting, make, event, meant):
    scheduler = make(setting.optimizer)
    scheduler.attach(setting.trainer, event)
    (finding,) = [one for one in setting.check() if one.code != "late-event"]
    assert (finding.code, finding.severity) == ("unit-mismatch", "warning")
    assert f"look like {meant}" in finding.message


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (lambda o: OneCycleScheduler(o, "lr", 0.5, total_steps=4), Events.EPOCH_STARTED),
        (lambda o: CosineDecayScheduler(o, "lr", 4, epoch_length=LENGTH), Events.ITERATION_STARTED),
        (lambda o: CosineDecayScheduler(o, "lr", 8), Events.ITERATION_STARTED(every=5)),
        (lambda o: PiecewiseLinear(o, "lr", [(0, 0.1), (10, 0.5)]), Events.ITERATION_STARTED),
    ],
)
def test_durations_in_the_unit_of_the_event(setting, make, event):
    scheduler = make(setting.optimizer)
    scheduler.attach(setting.trainer, event)
    assert "unit-mismatch" not in [code for code, _ in found(setting.check())]


# jump


def test_a_jump_where_one_schedule_takes_over(setting):
    warmup = PiecewiseLinear(setting.optimizer, "lr", [(0, 0.01), (10, 0.1)])
    main = CosineDecayScheduler(setting.optimizer, "lr", 30, start_value=0.5)
    ConcatScheduler([warmup, main], durations=[10]).attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("jump", "warning")
    assert (finding.numbers["event"], finding.numbers["iteration"]) == (10, 10)
    assert finding.numbers["before"] == pytest.approx([0.091])
    assert finding.numbers["after"] == [0.5]
    assert finding.numbers["ratio"] == pytest.approx(5.0)
    assert setting.check(jump_ratio=6.0) == []


@pytest.mark.parametrize(("begin", "expected"), [(0.5, [("jump", "warning")]), (0.1, []), (0.01, [("jump", "info")])])
def test_a_jump_where_one_scheduler_takes_over_from_another(setting, begin, expected):
    warmup = LinearScheduler(setting.optimizer, "lr", 9, start_value=0.01, end_value=0.1)
    warmup.attach(setting.trainer, Events.ITERATION_STARTED(before=11))
    main = CosineDecayScheduler(setting.optimizer, "lr", 30, start_value=begin)
    main.attach(setting.trainer, Events.ITERATION_STARTED(after=10), name="main")
    findings = [finding for finding in setting.check() if finding.where == "'main'"]
    assert found(findings) == expected
    for finding in findings:
        assert finding.numbers["iteration"] == 10
        assert (finding.numbers["before"], finding.numbers["after"]) == ([pytest.approx(0.1)], [begin])


def test_a_jump_downward_is_no_more_than_told_of(setting):
    parts = [ConstantScheduler(setting.optimizer, "lr", 0.5), ConstantScheduler(setting.optimizer, "lr", 0.05)]
    ConcatScheduler(parts, durations=[20]).attach(setting.trainer)
    assert found(setting.check()) == [("jump", "info")]


def test_a_jump_of_one_group_by_epochs(setting):
    setting = Setting(2)
    one, other = Anneal([0.1, 0.1], [0.05, 0.05], 2), Constant(0.05)
    schedule = Concatenation([one, Anneal([0.05, 0.4], 0.01, 2)], [2])
    ParamScheduler(setting.optimizer, "lr", schedule=schedule).attach(setting.trainer, Events.EPOCH_STARTED)
    (finding,) = setting.check()
    assert (finding.code, finding.severity, finding.numbers["iteration"]) == ("jump", "warning", 20)
    del other


def test_phases_that_fit_do_not_jump(setting):
    main = CosineDecayScheduler(setting.optimizer, "lr", 35, start_value=0.5)
    scheduler = create_lr_scheduler_with_warmup(main, 0.1, 5, 0.5)
    scheduler.attach(setting.trainer)
    WarmupStableDecayScheduler(setting.optimizer, "momentum", 3, 20, 17, start_value=0.5).attach(setting.trainer)
    restarts = Concatenation([CosineAnnealing(0.5, 0.1, 10), Anneal(0.1, 0.0, 30)], [10])
    ParamScheduler(setting.optimizer, "weight_decay", schedule=restarts).attach(setting.trainer)
    steep = PhaseScheduler(setting.optimizer, "dampening", [Constant(0.1), Anneal(1.0, 0.0, 10)], end=40, starts=[20])
    steep.attach(setting.trainer)
    assert setting.check() == []


# zero-start


def test_a_first_learning_rate_of_0(setting):
    warmup = WarmupStableDecayScheduler(setting.optimizer, "lr", 5, 20, 15)
    warmup.attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity, finding.numbers) == ("zero-start", "info", {"iterations": 1})


def test_a_first_epoch_with_0(setting):
    PiecewiseLinear(setting.optimizer, "lr", [(0, 0.0), (3, 0.5)]).attach(setting.trainer, Events.EPOCH_STARTED)
    (finding,) = setting.check()
    assert (finding.code, finding.severity, finding.numbers) == ("zero-start", "warning", {"iterations": 10})


def test_another_parameter_may_begin_with_0_and_so_may_a_step_of_several_iterations(setting):
    LinearScheduler(setting.optimizer, "weight_decay", 40, start_value=0.0, end_value=0.1).attach(setting.trainer)
    assert setting.check() == []
    LinearScheduler(setting.optimizer, "lr", 8, start_value=0.0, end_value=0.1).attach(
        setting.trainer, OptimizerEvents.STEP_STARTED
    )
    setting.optimizer.param_groups[0]["lr"] = 0.0
    (finding,) = setting.check(gradient_accumulation_steps=5)
    assert (finding.code, finding.numbers["iterations"]) == ("zero-start", 9)


# two optimizers


def test_a_generator_that_steps_in_each_5th_iteration(setting):
    generator = make_optimizer(lr=0.5)
    lr = CosineAnnealingScheduler(generator, "lr", 0.1, 0.0, 8)
    lr.attach(setting.trainer, OptimizerEvents.STEP_STARTED, "generator")
    cosine(setting).attach(setting.trainer, OptimizerEvents.STEP_STARTED, "discriminator")
    assert found(setting.check()) == [("repeats", "info")]
    assert setting.check(gradient_accumulation_steps={generator: 5}) == []
    generator.param_groups[0]["lr"] = 0.0  # its first step has 0.1
    (finding,) = setting.check(gradient_accumulation_steps={generator: 5})
    assert (finding.code, finding.severity, finding.numbers) == ("zero-start", "info", {"iterations": 4})


# unforeseen


class OwnEvents(EventEnum):
    NOW_AND_THEN = "now_and_then"


def test_events_of_ones_own_cannot_be_foreseen(setting):
    setting.trainer.register_events(*OwnEvents)
    cosine(setting).attach(setting.trainer, OwnEvents.NOW_AND_THEN)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("unforeseen", "info")
    assert "NOW_AND_THEN" in finding.where


# Findings as such.


def test_findings_print_the_worst_first_with_what_to_do(setting):
    warmup = PiecewiseLinear(setting.optimizer, "lr", [(0, 0.0), (10, 0.1)])
    warmup.attach(setting.trainer)
    ConstantScheduler(setting.optimizer, "momentum", -1.0).attach(setting.trainer)
    findings = setting.check()
    assert found(findings) == [("illegal-value", "error"), ("zero-start", "info")]
    lines = str(findings).splitlines()
    assert lines[0] == "1 error, 1 info"
    assert lines[1] == "error: illegal-value: 'momentum', group 0"
    assert lines[-2:] == [
        "    the value is 0 for the first iteration of 40: nothing is learnt",
        "    -> start above 0, or one event later",
    ]
    assert all(len(line) <= 110 for line in lines)
    assert isinstance(findings, list)
    assert findings.of("info") == findings[1:]
    assert json.loads(json.dumps([dict(finding.numbers) for finding in findings]))


def test_every_code_is_known_and_every_check_is_made():
    assert len(CHECKS) == 24
    assert set(SEVERITIES) == {"error", "warning", "info"}
    named = """write-conflict end-not-reached repeats jump zero-start unit-mismatch illegal-value missing-metric
        attached-twice never-attached history-name-clash not-restored not-reset past-end late-event early-log
        never-observed early-metrics inexact-resume groups-flattened"""
    assert set(CODES) == {*named.split(), "reads-gpu", "faster-scheduler", "unforeseen"}
    doc = check_plan.__doc__
    assert all(f"``{code}``" in doc for code in CODES)


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"jump_ratio": 1.0}, ValueError, "jump_ratio must be more than 1, given 1.0"),
        ({"jump_ratio": "2"}, TypeError, "jump_ratio must be a number, given '2'"),
        ({"max_epochs": 0}, ValueError, "max_epochs must be a whole number of at least 1, given 0"),
        ({"metrics": [1.0]}, TypeError, "metrics must be a mapping of names to values"),
    ],
)
def test_bad_arguments_are_refused(setting, kwargs, error, match):
    with pytest.raises(error, match=match):
        check_plan(setting.trainer, **{"max_epochs": 4, "epoch_length": 10, **kwargs})


def test_chained_schedulers_are_one_writer(setting):
    members = [cosine(setting), LinearScheduler(setting.optimizer, "lr", 40, start_value=1.0, end_value=0.5)]
    ChainedScheduler(members).attach(setting.trainer)
    LRScheduler(torch.optim.lr_scheduler.ExponentialLR(setting.optimizer, 0.9))
    assert setting.check() == []


# Warnings that `attach` logs.


@pytest.fixture
def log(setting, caplog):
    """Return the captured log of the trainer and the evaluator, whatever other tests do to their loggers."""
    for engine in (setting.trainer, setting.evaluator):
        engine.logger = logging.Logger("of a test")
        engine.logger.addHandler(caplog.handler)
    return caplog


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_attaching_twice_is_said_at_once(setting, log):
    scheduler = cosine(setting)
    scheduler.attach(setting.trainer)
    assert said(log) == []
    scheduler.attach(setting.trainer)
    (message,) = said(log)
    assert message.endswith("is attached to ITERATION_STARTED twice, and so counts each event twice")


def test_a_second_writer_at_the_same_event_is_said_at_once(setting, log):
    cosine(setting).attach(setting.trainer)
    ExponentialScheduler(setting.optimizer, "lr", gamma=0.9).attach(setting.trainer)
    (message,) = said(log)
    assert message.startswith("<ExponentialScheduler of 'lr'")
    assert "attached to ITERATION_STARTED, overwrites the lr that <CosineDecayScheduler of 'lr'" in message


def test_what_a_filter_may_keep_apart_is_not(setting, log):
    cosine(setting).attach(setting.trainer)
    cosine(setting, "momentum").attach(setting.trainer)
    cosine(setting).attach(setting.trainer, Events.EPOCH_STARTED)
    cosine(setting).attach(setting.trainer, Events.ITERATION_STARTED(after=20))
    CosineDecayScheduler(make_optimizer(), "lr", 40).attach(setting.trainer)
    cosine(setting).attach(setting.evaluator)
    assert said(log) == []


def test_an_evaluator_that_nothing_is_seen_to_run_is_told_of(setting):
    cosine(setting).attach(setting.trainer)
    plateau = ReduceOnPlateauScheduler(setting.optimizer, "lr", "loss")
    plateau.attach(setting.evaluator, Events.COMPLETED)
    hidden = {"evaluator": setting.evaluator}
    setting.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: hidden["evaluator"].run([0]))
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("unforeseen", "info")
    assert "on an engine that no handler of the trainer runs" in finding.where
    other = ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss")  # its optimizer is not this trainer's
    other.attach(setting.evaluator, Events.COMPLETED)
    assert len(setting.check()) == 1


def test_schedulers_may_compare_as_they_like(setting):
    class Alike(CosineDecayScheduler):
        def __eq__(self, other):
            return isinstance(other, Alike)

        __hash__ = None

    Alike(setting.optimizer, "lr", 40)  # nothing keeps this scheduler alive
    assert setting.check() == []


# Wrapped torch schedulers.

TORCH = torch.optim.lr_scheduler


@pytest.mark.parametrize(
    ("make", "event", "code", "severity"),
    [
        (lambda o: TORCH.OneCycleLR(o, 0.5, total_steps=100), "iteration", "end-not-reached", "warning"),
        (lambda o: TORCH.CosineAnnealingLR(o, T_max=30), "iteration", "repeats", "warning"),
        (lambda o: TORCH.CosineAnnealingLR(o, T_max=80), "iteration", "end-not-reached", "warning"),
        (lambda o: TORCH.CosineAnnealingWarmRestarts(o, T_0=39), "iteration", "repeats", "warning"),
        (lambda o: TORCH.CosineAnnealingWarmRestarts(o, T_0=20), "iteration", "repeats", "info"),
        (lambda o: TORCH.CyclicLR(o, 0.1, 0.5, step_size_up=10, cycle_momentum=False), "iteration", "repeats", "info"),
        (lambda o: TORCH.MultiStepLR(o, [2, 3]), "iteration", "unit-mismatch", "warning"),
        (lambda o: TORCH.PolynomialLR(o, total_iters=40), "epoch", "unit-mismatch", "warning"),
        (
            lambda o: TORCH.SequentialLR(o, [TORCH.LinearLR(o, 0.1, total_iters=35), TORCH.ConstantLR(o, 1.0)], [5]),
            "iteration",
            "jump",
            "warning",
        ),
        (
            lambda o: TORCH.ChainedScheduler([TORCH.LinearLR(o, 0.5, total_iters=90), TORCH.ExponentialLR(o, 0.99)]),
            "iteration",
            "end-not-reached",
            "warning",
        ),
    ],
)
def test_torchs_schedulers_are_looked_at_too(setting, make, event, code, severity):
    events = {"iteration": Events.ITERATION_STARTED, "epoch": Events.EPOCH_STARTED}
    LRScheduler(make(setting.optimizer)).attach(setting.trainer, events[event])
    assert found(setting.check()) == [(code, severity)]


@pytest.mark.parametrize(("end", "code"), [(30, "repeats"), (35, None), (36, None), (60, "end-not-reached")])
def test_the_end_of_a_torch_scheduler_after_a_warm_up_is_known(setting, end, code):
    cosine = TORCH.CosineAnnealingLR(setting.optimizer, T_max=end)
    scheduler = create_lr_scheduler_with_warmup(cosine, warmup_start_value=0.01, warmup_duration=5)
    scheduler.attach(setting.trainer)
    assert end_of(scheduler.schedule) == 4 + end  # the last event of the warm-up is the first of the cosine
    assert found(setting.check()) == ([] if code is None else [(code, "warning")])


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (lambda o: TORCH.OneCycleLR(o, 0.5, total_steps=40), "iteration"),
        (lambda o: TORCH.CosineAnnealingLR(o, T_max=40), "iteration"),
        (lambda o: TORCH.CosineAnnealingLR(o, T_max=4, eta_min=0.1), "epoch"),
        (lambda o: TORCH.StepLR(o, 10), "iteration"),
        (lambda o: TORCH.MultiStepLR(o, [20, 30]), "iteration"),
        (lambda o: TORCH.LinearLR(o, 0.1, total_iters=5), "iteration"),
        (
            lambda o: TORCH.SequentialLR(
                o, [TORCH.LinearLR(o, 0.1, total_iters=5), TORCH.CosineAnnealingLR(o, T_max=35)], [5]
            ),
            "iteration",
        ),
    ],
)
def test_torchs_schedulers_that_fit_have_no_findings(setting, make, event):
    events = {"iteration": Events.ITERATION_STARTED, "epoch": Events.EPOCH_STARTED}
    LRScheduler(make(setting.optimizer)).attach(setting.trainer, events[event])
    assert setting.check() == []


def test_one_of_torchs_that_code_of_a_user_may_step(setting):
    cosine(setting).attach(setting.trainer)
    raw = TORCH.StepLR(setting.optimizer, 30)
    setting.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: raw.step())
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("write-conflict", "warning")
    assert "torch's StepLR" in finding.message


# Further cases that look like another finding.


def test_attached_to_two_events_one_after_another(setting):
    scheduler = CosineDecayScheduler(setting.optimizer, "lr", 80)
    scheduler.attach(setting.trainer)
    scheduler.attach(setting.trainer, Events.ITERATION_COMPLETED)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("attached-twice", "warning")
    assert finding.numbers == {"times": 2, "events": 80}


def test_what_follows_from_counting_wrong_is_not_told_as_well(setting):
    scheduler = cosine(setting)
    scheduler.attach(setting.trainer)
    setting.trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    assert [code for code, _ in found(setting.check())] == ["attached-twice"]
    behind = Setting()
    cosine(behind).attach(behind.trainer)
    resumed(behind, 20)
    assert [code for code, _ in found(behind.check())] == ["not-restored"]


def test_the_whole_was_forgotten_and_a_part_of_it_attached(setting):
    main = CosineDecayScheduler(setting.optimizer, "lr", 40)
    whole = ConcatScheduler([LinearScheduler(setting.optimizer, "lr", 5, start_value=0.1, end_value=0.5), main], [5])
    main.attach(setting.trainer)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("never-attached", "warning")
    assert "its part CosineDecayScheduler of 'lr' on ITERATION_STARTED is attached" in finding.message
    del whole


def test_groups_that_are_frozen_while_others_learn_may_have_0():
    setting = Setting(2)
    schedule = Concatenation([Constant([0.0, 0.5]), Anneal([0.5, 0.5], 0.1, 20)], [20])
    ParamScheduler(setting.optimizer, "lr", schedule=schedule).attach(setting.trainer)
    first = [finding for finding in setting.check() if finding.code == "zero-start"]
    assert [(finding.severity, finding.where) for finding in first] == [("info", "'lr', group 0")]
    assert "if they are frozen" in first[0].message


def test_one_that_never_moves_in_this_run(setting):
    StepScheduler(setting.optimizer, "lr", 3000).attach(setting.trainer, Events.EPOCH_STARTED)
    (finding,) = setting.check()
    assert (finding.code, finding.severity) == ("end-not-reached", "warning")
    assert "the value stays at 0.5 for all 4 events" in finding.message
    other = Setting()
    ConstantScheduler(other.optimizer, "lr", 0.1).attach(other.trainer)
    assert other.check() == []


@pytest.mark.parametrize("duration", [3, 4, 5])
def test_a_warm_up_by_iterations_may_be_as_short_as_there_are_epochs(setting, duration):
    warmup = LinearScheduler(setting.optimizer, "lr", duration, start_value=0.1, end_value=0.5)
    warmup.attach(setting.trainer)
    assert setting.check() == []


def test_two_of_a_kind_are_told_apart(setting):
    for end_value in (0.0, 0.1):
        cosine(setting, end_value=end_value).attach(setting.trainer)
    (finding,) = setting.check()
    assert "(attached later) wins at 40 of 40 iterations" in finding.message


def test_a_config_is_named_as_whoever_wrote_it_knows_it(setting):
    config = {"type": "torch.CosineAnnealingLR", "T_max": 80}
    configure_scheduler(setting.optimizer, config).attach(setting.trainer)
    (finding,) = setting.check()
    assert finding.where == "'lr': torch.CosineAnnealingLR of 'lr' on ITERATION_STARTED"
