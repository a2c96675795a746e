"""Torch's own schedulers, wrapped: param groups that are added or selected, and states that are refused."""

import gc
import json
import math
import random
import signal
import warnings

import pytest
import torch
from cases import for_each
from optimizers import make_optimizer, make_trainer, values_of
from rigs import optimizer_of
from torch.optim import lr_scheduler as peer
from torch_schedulers import TORCH, WITHOUT_TENSORS

from lehr.handlers import (
    ExponentialScheduler,
    Groups,
    LRScheduler,
    MetricScheduler,
    OneCycleScheduler,
    ReduceOnPlateauScheduler,
    check_plan,
)
from lehr.handlers.schedulers.torch import torch_schedule
from lehr.handlers.schedules import Assignment, Constant, Plateau

EVENTS, JOINS = 30, 3


def group_of(lr, **entries):
    return {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr, **entries}


def of_wrapped_plateau(optimizer):
    return peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, min_lr=[0.001] * len(optimizer.param_groups))


ALL_OF_TORCH = {**TORCH, "ReduceLROnPlateau": of_wrapped_plateau}


def fire(scheduler, events):
    """The learning rates of the next events; a wrapped plateau gets a metric that never improves."""
    rows, trainer = [], make_trainer()
    trainer.state.metrics = {"loss": 1.0}
    for _ in range(events):
        scheduler(trainer)
        rows.append(values_of(scheduler.optimizer))
    return rows


# A param group that is added in mid-run.


@for_each("name", ALL_OF_TORCH)
@for_each("joins", [0, JOINS])
def test_a_group_that_is_added_trains_first_with_its_own_value(name, joins):
    scheduler = LRScheduler(ALL_OF_TORCH[name](optimizer_of(2, tensor=False)))
    fire(scheduler, joins)
    scheduler.optimizer.add_param_group(group_of(1e-3))
    alone = LRScheduler(ALL_OF_TORCH[name](optimizer_of(2, tensor=False)))
    expected = fire(alone, EVENTS)[joins:]
    rows = fire(scheduler, EVENTS - joins)
    assert rows[0][2] == 1e-3
    if "own" not in name:  # a user's own may count the groups
        assert [row[:2] for row in rows] == expected


MULTIPLICATIVE = [
    "LambdaLR",
    "LambdaLR of an object",
    "MultiplicativeLR",
    "StepLR",
    "LinearLR",
    "PolynomialLR",
    "OneCycleLR",
    "CyclicLR",
    "SequentialLR",
    "Sequential in Chained",
]


@for_each("name", MULTIPLICATIVE)
@for_each("joins", [0, JOINS, 15])
def test_a_group_that_is_added_keeps_its_ratio_to_the_others(name, joins):
    scheduler = LRScheduler(ALL_OF_TORCH[name](optimizer_of(1, tensor=False)))
    fire(scheduler, joins)
    scheduler.optimizer.add_param_group(group_of(1e-3))
    rows = fire(scheduler, 25 - joins)
    ratio = 1e-3 / rows[0][0]
    assert [own for _, own in rows] == pytest.approx([other * ratio for other, _ in rows], rel=1e-9)


def test_a_group_with_an_initial_lr_of_its_own_has_that_times_the_factor():
    scheduler = LRScheduler(peer.LambdaLR(optimizer_of(1, tensor=False), lambda i: min(1, i / 10)))
    fire(scheduler, 2)
    scheduler.optimizer.add_param_group(group_of(0.3, initial_lr=1.0))
    assert [row[1] for row in fire(scheduler, 3)] == [0.3, pytest.approx(0.3), pytest.approx(0.4)]


def test_where_the_factor_is_zero_a_new_group_has_its_learning_rate_as_the_initial_one():
    scheduler = LRScheduler(peer.LambdaLR(optimizer_of(1, tensor=False), lambda i: i / 10))
    scheduler.optimizer.add_param_group(group_of(0.5))
    assert [row[1] for row in fire(scheduler, 3)] == [0.5, pytest.approx(0.05), pytest.approx(0.1)]


def test_functions_of_each_group_need_one_for_a_new_group():
    optimizer = optimizer_of(2, tensor=False)
    scheduler = LRScheduler(peer.LambdaLR(optimizer, [math.cosh, math.exp]))
    fire(scheduler, 2)
    optimizer.add_param_group(group_of(1.0))
    before = values_of(optimizer)
    with pytest.raises(ValueError, match="lr_lambda must have a function for each of 3 .*given 2 functions"):
        scheduler(None)
    assert values_of(optimizer) == before
    assert scheduler.event_index == 2
    scheduler.lr_scheduler.lr_lambdas.append(lambda i: 0.5**i)
    with pytest.raises(ValueError, match="append a function to lr_lambdas, and the initial learning rate to base_lrs"):
        scheduler(None)
    scheduler.lr_scheduler.base_lrs.append(4.0)
    assert [row[2] for row in fire(scheduler, 2)] == [1.0, 0.5]


def joined(name, built_first):
    """A scheduler whose third group joins before event JOINS, or is constructed first, for a run that is resumed."""
    optimizer = optimizer_of(2, tensor=False)
    if built_first:
        optimizer.add_param_group(group_of(1e-3))
    return LRScheduler(ALL_OF_TORCH[name](optimizer))


@for_each("name", ALL_OF_TORCH)
@for_each("built_first", [False, True])
def test_a_run_with_a_new_group_is_resumed_as_it_would_have_gone_on(name, built_first):
    scheduler = joined(name, built_first=False)
    fire(scheduler, JOINS)
    scheduler.optimizer.add_param_group(group_of(1e-3))
    fire(scheduler, 4)
    optimizer_state, state = scheduler.optimizer.state_dict(), json.loads(json.dumps(scheduler.state_dict()))
    expected = fire(scheduler, 6)
    if built_first and name == "own, with a function":
        return  # it steps from the beginning and counts what it sees
    resumed = joined(name, built_first)
    if not built_first:
        resumed.optimizer.add_param_group(group_of(1e-3))
    resumed.optimizer.load_state_dict(optimizer_state)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.load_state_dict(state)
    assert fire(resumed, 6) == expected


@pytest.mark.parametrize("name", ["StepLR", "LambdaLR", "OneCycleLR", "SequentialLR", "SWALR"])
def test_seeking_knows_when_a_group_was_added(name):
    scheduler = joined(name, built_first=False)
    rows = fire(scheduler, JOINS)
    scheduler.optimizer.add_param_group(group_of(1e-3))
    rows += fire(scheduler, 20)
    for event in (15, 1, JOINS, JOINS + 1, 7):
        scheduler.seek(event)
        (row,) = fire(scheduler, 1)
        assert row == (rows[event] if event >= JOINS else [*rows[event], 1e-3])
    scheduler.seek(5)
    table = scheduler.simulate(15, start=5)
    assert table.tolist() == [pytest.approx(row, rel=1e-12) for row in rows[5:20]]


@pytest.mark.parametrize(
    "changed", [{}, {"saved": [[2, 0.5]]}, {"saved": [["3", 0.5, 1.0]]}, {"saved": [[2, 0.5, 1.0]] * 2}]
)
def test_a_state_with_wrong_added_groups_loads_nothing(changed):
    scheduler = LRScheduler(TORCH["StepLR"](optimizer_of(2, tensor=False)))
    fire(scheduler, 2)
    state, before = scheduler.state_dict(), repr(scheduler.state_dict())
    added = changed.get("saved", 3)
    lists = {"list": [{"list": entry} for entry in added]} if isinstance(added, list) else added
    state["progress"][0]["saved"]["dict"].append(["added", lists])
    with pytest.raises(ValueError, match="each saved added group must be|state_dict must be for 2 param groups"):
        scheduler.load_state_dict(state)
    assert repr(scheduler.state_dict()) == before


# param_group_index.


@for_each("name", ["StepLR", "OneCycleLR", "SequentialLR", "ReduceLROnPlateau"])
@for_each("index", [1, -2, "body", lambda group: group["name"] == "body", Groups("body", added="ignore")])
def test_a_wrapped_scheduler_writes_the_selected_groups_alone(name, index):
    optimizer, plain = optimizer_of(3, tensor=False), optimizer_of(3, tensor=False)
    for group, called in zip(optimizer.param_groups, ("head", "body", "tail"), strict=True):
        group["name"] = called
    expected = fire(LRScheduler(ALL_OF_TORCH[name](plain)), 12)
    scheduler = LRScheduler(ALL_OF_TORCH[name](optimizer), param_group_index=index)
    others, momenta = [values_of(optimizer)[at] for at in (0, 2)], values_of(optimizer, "momentum")
    assert scheduler.simulate(3).shape == (3, 1)
    rows = fire(scheduler, 12)
    assert [row[1] for row in rows] == [row[1] for row in expected]
    assert all([row[0], row[2]] == others for row in rows)
    assert [values_of(optimizer, "momentum")[at] for at in (0, 2)] == [momenta[0], momenta[2]]
    assert values_of(optimizer, "momentum")[1] == values_of(plain, "momentum")[1]


def test_two_wrapped_schedulers_of_different_groups_do_not_conflict():
    optimizer, trainer = optimizer_of(2, tensor=False), make_trainer()
    for at, name in enumerate(("OneCycleLR", "CyclicLR")):
        LRScheduler(TORCH[name](optimizer), param_group_index=at).attach(trainer)
    findings = check_plan(trainer, max_epochs=2, epoch_length=10)
    assert not [finding for finding in findings if finding.code == "conflict"]


def test_a_wrong_param_group_index_is_refused():
    wrapped = TORCH["StepLR"](optimizer_of(2, tensor=False))
    for index, message in (
        (2, "must be the index of one of"),
        ("body", "must be the name of a group"),
        (0.5, "given 0.5"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"param_group_index {message}|param_group_index .*{message}"):
            LRScheduler(wrapped, param_group_index=index)


# One tensor in several groups.


def sharing():
    rate = torch.tensor(0.1, dtype=torch.float64)
    groups = [group_of(rate) for _ in range(2)]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, foreach=False), rate


@pytest.mark.parametrize(
    "name", sorted({"StepLR", "LambdaLR", "SequentialLR", "OneCycleLR", "ReduceLROnPlateau"} - {*WITHOUT_TENSORS})
)
def test_groups_that_share_a_tensor_may_have_one_value(name):
    optimizer, rate = sharing()
    scheduler = LRScheduler(ALL_OF_TORCH[name](optimizer))
    plain = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    expected = fire(LRScheduler(ALL_OF_TORCH[name](plain)), 12)
    assert fire(scheduler, 12) == [pytest.approx(row * 2, rel=1e-12) for row in expected]
    assert all(group["lr"] is rate for group in optimizer.param_groups)


def test_groups_that_share_a_tensor_may_not_have_two_values():
    optimizer, _ = sharing()
    wrapped = peer.LambdaLR(optimizer, [math.cosh, math.exp])
    with pytest.raises(ValueError, match="must each have their own tensor 'lr' to have different values"):
        LRScheduler(wrapped)
    optimizer, _ = sharing()
    with pytest.raises(ValueError, match="must each have their own tensor 'lr'"):
        LRScheduler(peer.StepLR(optimizer, 2), param_group_index=0)


# A learning rate that is not a number.

OF_LR = {
    "wrapped": lambda optimizer, wrapped: LRScheduler(wrapped),
    "decay": lambda optimizer, wrapped: ExponentialScheduler(optimizer, "lr", gamma=0.5),
    "one cycle": lambda optimizer, wrapped: OneCycleScheduler(optimizer, "lr", 0.1, total_steps=9),
    "plateau": lambda optimizer, wrapped: ReduceOnPlateauScheduler(optimizer, "lr", "loss"),
}


@for_each("lr", [torch.tensor(1), None, "0.1", True, torch.tensor([0.1, 0.2])], ids=repr)
@for_each("kind", OF_LR)
def test_a_learning_rate_that_is_not_a_number_is_named_with_its_group(kind, lr):
    optimizer = optimizer_of(2, tensor=False)
    wrapped = peer.ExponentialLR(optimizer, 0.5)
    optimizer.param_groups[1]["lr"] = lr
    with pytest.raises(
        ValueError, match=r"'lr'.*floating-point tensor of one number, given .* in param group 1"
    ) as error:
        OF_LR[kind](optimizer, wrapped)
    assert repr(lr) in str(error.value)


@pytest.mark.parametrize("lr", [math.nan, torch.tensor(math.nan)], ids=repr)
@pytest.mark.parametrize("kind", ["wrapped", "decay"])
def test_a_learning_rate_of_nan_is_named_with_its_group(kind, lr):
    optimizer = optimizer_of(2, tensor=False)
    wrapped = peer.ExponentialLR(optimizer, 0.5)
    optimizer.param_groups[1]["lr"] = lr
    with pytest.raises(ValueError, match="'lr' of each param group must be a .*number, given nan in param group 1"):
        OF_LR[kind](optimizer, wrapped)


# States.


@for_each("metric", [math.nan, math.inf, -math.inf])
@for_each(
    "make",
    [
        lambda optimizer: LRScheduler(of_wrapped_plateau(optimizer)),
        lambda optimizer: ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=1),
        lambda optimizer: MetricScheduler(optimizer, "lr", "loss", Plateau(initial_value=0.1, patience=1)),
    ],
    ids=["wrapped", "plateau", "metric"],
)
def test_a_state_is_strict_json_whatever_the_metric_was(make, metric):
    scheduler, trainer = make(make_optimizer()), make_trainer()
    for value in (metric, metric, 1.0, metric):
        trainer.state.metrics = {"loss": value}
        scheduler(trainer)
    state = json.loads(json.dumps(scheduler.state_dict(), allow_nan=False))
    resumed, fresh = make(make_optimizer()), make_trainer()
    resumed.optimizer.load_state_dict(scheduler.optimizer.state_dict())
    resumed.load_state_dict(state)
    fresh.state.metrics = dict(trainer.state.metrics)
    assert [values_of(resumed.optimizer) for _ in range(6) if resumed(fresh) is None] == [
        values_of(scheduler.optimizer) for _ in range(6) if scheduler(trainer) is None
    ]


def test_a_state_that_holds_infinity_as_a_number_still_loads():
    def as_before(data):
        if isinstance(data, dict) and list(data) == ["float"]:
            return float(data["float"])
        if isinstance(data, dict):
            return {key: as_before(value) for key, value in data.items()}
        return [as_before(value) for value in data] if isinstance(data, list) else data

    scheduler = LRScheduler(of_wrapped_plateau(make_optimizer()))
    state = scheduler.state_dict()
    assert as_before(state) != state
    resumed = LRScheduler(of_wrapped_plateau(make_optimizer()))
    resumed.load_state_dict(as_before(state))
    assert resumed.state_dict() == state


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_the_first_factor_of_an_assignment_must_be_finite(factor):
    with pytest.raises(ValueError, match=f"first_factor must be finite, given {factor}"):
        Assignment(Constant(1.0), first_factor=factor)


@pytest.mark.parametrize(("added", "last"), [(None, 0.0005), ("adopt", 0.0005), ("ignore", 1e-3)])
def test_groups_say_what_happens_to_a_group_that_is_added(added, last):
    scheduler = LRScheduler(
        peer.ExponentialLR(optimizer_of(1, tensor=False), 0.5), param_group_index=Groups(added=added)
    )
    fire(scheduler, 2)
    scheduler.optimizer.add_param_group(group_of(1e-3))
    assert fire(scheduler, 2) == [[0.025, 1e-3], [0.0125, last]]


def test_a_group_that_must_not_be_added_is_an_error_before_anything_is_written():
    scheduler = LRScheduler(
        peer.ExponentialLR(optimizer_of(1, tensor=False), 0.5), param_group_index=Groups(added="refuse")
    )
    fire(scheduler, 2)
    scheduler.optimizer.add_param_group(group_of(1e-3))
    with pytest.raises(ValueError, match="added is 'refuse'"):
        scheduler(None)
    assert (values_of(scheduler.optimizer), scheduler.event_index) == ([0.05, 1e-3], 2)


# Interrupts at any moment, after which a run goes on.


def chain_of(optimizer):
    parts = [
        peer.CyclicLR(optimizer, 0.1, 0.5, 9),
        peer.CosineAnnealingWarmRestarts(optimizer, 5),
        peer.ExponentialLR(optimizer, 0.99),
    ]
    return peer.ChainedScheduler(parts, optimizer)


def sequence_of(optimizer):
    parts = [peer.LinearLR(optimizer), peer.OneCycleLR(optimizer, 0.5, 400), peer.ExponentialLR(optimizer, 0.9)]
    return peer.SequentialLR(optimizer, parts, [20, 200])


def interrupted(_signal, _frame):
    raise KeyboardInterrupt


def interrupt_often(make, foreign, interrupts, events=300):
    """Fire events in a tight loop and interrupt them; if ``foreign``, other code writes and goes back meanwhile."""
    scheduler, expected = LRScheduler(make(make_optimizer(3))), []
    for _ in range(events):
        scheduler(None)
        expected.append((values_of(scheduler.optimizer), values_of(scheduler.optimizer, "momentum")))
    draw, done = random.Random(0), 0
    previous = signal.signal(signal.SIGALRM, interrupted)
    gc.disable()  # an interrupt in a callback of the garbage collector would be lost
    try:
        while done < interrupts:
            scheduler = LRScheduler(make(make_optimizer(3)))
            while (at := scheduler.event_index) < events:
                try:
                    signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 3e-4))
                    for event in range(at, events):
                        if foreign:
                            scheduler.optimizer.param_groups[1]["lr"] = 9.0
                            if event % 3 == 0:
                                scheduler._steps.value(event // 2)
                        scheduler(None)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except KeyboardInterrupt:
                    done += 1
                    if (at := scheduler.event_index) < events:
                        scheduler(None)
                        found = values_of(scheduler.optimizer), values_of(scheduler.optimizer, "momentum")
                        assert found == expected[at]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        gc.enable()


INTERRUPTED = {
    "OneCycleLR": lambda optimizer: peer.OneCycleLR(optimizer, 0.5, 400),
    "restarts": lambda optimizer: peer.CosineAnnealingWarmRestarts(optimizer, 7, 2),
    "chain": chain_of,
    "sequence": sequence_of,
}


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("name", INTERRUPTED)
def test_an_event_after_an_interrupt_has_the_learning_rates_and_momenta_of_torch(name, foreign):
    interrupt_often(INTERRUPTED[name], foreign, 100)


def test_an_interrupt_just_after_steps_leaves_no_momentum_of_another_event(monkeypatch):
    scheduler, expected = LRScheduler(peer.OneCycleLR(make_optimizer(3), 0.5, 400)), []
    for _ in range(30):
        scheduler(None)
        expected.append((values_of(scheduler.optimizer), values_of(scheduler.optimizer, "momentum")))
    scheduler.seek(10)
    take_steps = torch_schedule.take_steps

    def interrupted_at_its_end(*args, **kwargs):
        take_steps(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(torch_schedule, "take_steps", interrupted_at_its_end)
        with pytest.raises(KeyboardInterrupt):
            scheduler(None)
    for event in range(10, 13):
        scheduler(None)
        assert (values_of(scheduler.optimizer), values_of(scheduler.optimizer, "momentum")) == expected[event]


@pytest.mark.proof
@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("name", INTERRUPTED)
def test_events_after_thousands_of_interrupts_have_the_learning_rates_and_momenta_of_torch(name, foreign):
    interrupt_often(INTERRUPTED[name], foreign, 3000)
