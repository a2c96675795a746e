"""Tests of the base values of param groups, also of groups that are added in mid-run."""

import json
import warnings

import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

from lehr.handlers import (
    ChainedScheduler,
    ConcatScheduler,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    CyclicScheduler,
    ExponentialScheduler,
    Groups,
    LambdaScheduler,
    LinearCyclicalScheduler,
    LinearScheduler,
    LRScheduler,
    MetricScheduler,
    MultiplicativeScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    ReduceLROnPlateauScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    WarmupStableDecayScheduler,
    configure_scheduler,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers.schedules import Anneal, Constant, Plateau

P = lambda: torch.nn.Parameter(torch.zeros(1))  # noqa: E731


def sgd(*lrs, **more):
    return torch.optim.SGD([{"params": [P()], "lr": lr} for lr in lrs], **more)


def lrs(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def add_group(optimizer, lr, **more):
    optimizer.add_param_group({"params": [P()], "lr": lr, **more})


RELATIVE = {
    "one-cycle": lambda o, r: OneCycleScheduler(o, "lr", max_value=1.0, total_steps=10, relative=r),
    "wsd": lambda o, r: WarmupStableDecayScheduler(o, "lr", 2, 3, 4, peak_value=1.0, relative=r),
    "points": lambda o, r: PiecewiseLinear(o, "lr", [(0, 0.0), (4, 1.0)], relative=r),
    "triangles": lambda o, r: CyclicScheduler(o, "lr", 0.1, 1.0, step_size_up=3, relative=r),
    "cosine cycle": lambda o, r: CosineAnnealingScheduler(o, "lr", 1.0, 0.1, 10, relative=r),
    "linear cycle": lambda o, r: LinearCyclicalScheduler(o, "lr", 1.0, 0.1, 10, relative=r),
    "function": lambda o, r: ParamScheduler(o, "lr", schedule=lambda i: 1 / (1 + i), relative=r),
    "decay": lambda o, r: LinearScheduler(o, "lr", 10, 1.0, 0.1, relative=r),
    "phases": lambda o, r: PhaseScheduler(
        o, "lr", [Constant(1.0), Anneal(1.0, 0.0, 5)], relative_to_base=r, starts=[2]
    ),
    "concat": lambda o, r: ConcatScheduler([RELATIVE["decay"](o, r), RELATIVE["points"](o, r)], [5]),
    "groups": lambda o, r: ParamGroupScheduler([RELATIVE["one-cycle"](o, r)]),
}


@for_each("make", RELATIVE.values(), ids=RELATIVE)
def test_relative_values_are_factors_of_each_groups_base_value(make):
    factors = make(sgd(1.0), False).simulate(9)[:, 0]
    optimizer = sgd(0.1, 0.001)
    scheduler = make(optimizer, True)
    table = scheduler.simulate(9)
    assert table.tolist() == [[0.1 * factor, 0.001 * factor] for factor in factors]
    for row in table:
        scheduler(None)
        assert lrs(optimizer) == row.tolist()


def test_a_relative_plateau_and_a_relative_metric_schedule_multiply_the_groups_values():
    optimizer = sgd(0.1, 0.001)
    plateau = ReduceOnPlateauScheduler(
        optimizer, "lr", "loss", factor=0.5, patience=0, initial_value=2.0, min_value=0.5, relative=True, eps=0.0
    )
    assert plateau.simulate(5, metric_values=[1.0] * 5)[[0, 1, 4]].tolist() == [
        [0.2, 0.002],
        [0.1, 0.001],
        [0.05, 0.0005],
    ]
    metric = MetricScheduler(optimizer, "lr", "loss", Plateau(factor=0.5, patience=0), relative=True)
    metric.observe(1.0)
    metric.observe(1.0)
    assert metric.simulate(1).tolist() == [[0.05, 0.0005]]


def test_relative_is_refused_where_get_param_is_overridden():
    class Own(ParamScheduler):
        def get_param(self):
            return 0.5

    with pytest.raises(TypeError, match="relative must be False if get_param is overridden"):
        Own(sgd(0.1), "lr", relative=True)


def test_a_config_may_set_relative():
    config = {"type": "OneCycleScheduler", "max_value": 1.0, "total_steps": 10, "relative": True}
    scheduler = configure_scheduler(sgd(0.1, 0.001), config)
    assert scheduler.simulate(3)[2].tolist() == [0.1, 0.001]
    assert scheduler.config()["relative"] is True
    direct = OneCycleScheduler(sgd(0.1), "lr", max_value=1.0, total_steps=10, relative=True)
    assert direct.config() == {**config, "param_name": "lr"}


def test_the_base_value_is_the_initial_entry_as_in_torch():
    optimizer = sgd(0.1)
    LambdaLR(optimizer, lambda i: min(1, i / 10))
    with pytest.warns(UserWarning, match=r"lr=0 and initial_lr=0.1.*give start_value or change or delete"):
        scheduler = CosineDecayScheduler(optimizer, "lr", duration=10)
    assert scheduler.simulate(1).tolist() == [[0.1]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert CosineDecayScheduler(optimizer, "lr", duration=10, start_value=0.5).simulate(1).tolist() == [[0.5]]


def test_a_state_restores_base_values_if_the_optimizer_was_loaded_first():
    def train(events, scheduler):
        for _ in range(events):
            scheduler(None)

    optimizer = sgd(0.1)
    unbroken = CosineDecayScheduler(optimizer, "lr", duration=10)
    train(8, unbroken)
    states = optimizer.state_dict(), json.loads(json.dumps(unbroken.state_dict()))
    train(1, unbroken)

    resumed_optimizer = sgd(0.1)
    resumed_optimizer.load_state_dict(states[0])
    resumed = CosineDecayScheduler(resumed_optimizer, "lr", duration=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.load_state_dict(states[1])
    train(1, resumed)
    assert lrs(resumed_optimizer) == lrs(optimizer)
    assert resumed.state_dict() == unbroken.state_dict()


def test_another_base_value_in_the_code_is_a_changed_schedule():
    saved = CosineDecayScheduler(sgd(0.1), "lr", duration=10)
    saved.seek(5)
    changed = CosineDecayScheduler(sgd(0.2), "lr", duration=10)
    with pytest.warns(ResumeWarning, match="the saved schedule differs"):
        changed.load_state_dict(saved.state_dict())
    assert changed.get_param() == 0.1
    explicit = CosineDecayScheduler(sgd(0.7), "lr", duration=10, start_value=0.1)
    with pytest.warns(ResumeWarning, match="differs"):
        explicit.load_state_dict(CosineDecayScheduler(sgd(0.2), "lr", duration=10).state_dict())
    assert explicit.get_param() == 0.1


OWN = {
    "exponential": lambda o: ExponentialScheduler(o, "lr", gamma=0.9),
    "cosine": lambda o: CosineDecayScheduler(o, "lr", duration=10),
    "relative line": lambda o: LinearScheduler(o, "lr", 10, 1.0, 0.5, relative=True),
    "relative one-cycle": lambda o: OneCycleScheduler(o, "lr", max_value=1.0, total_steps=9, relative=True),
    "function": lambda o: LambdaScheduler(o, "lr", lambda i: 1 / (1 + i)),
    "products": lambda o: MultiplicativeScheduler(o, "lr", lambda i: 0.9),
    "concat": lambda o: ConcatScheduler(
        [LinearScheduler(o, "lr", 4, end_value=0.02), ExponentialScheduler(o, "lr", 0.9)], [3]
    ),
    "chained": lambda o: ChainedScheduler([ExponentialScheduler(o, "lr", 0.9), ExponentialScheduler(o, "lr", 0.8)]),
    "of several": lambda o: ParamGroupScheduler([ExponentialScheduler(o, "lr", 0.9)]),
    "asked for": lambda o: OneCycleScheduler(o, "lr", 0.5, 9, param_group_index=Groups(added="own")),
    "warm-up": lambda o: create_lr_scheduler_with_warmup(ExponentialScheduler(o, "lr", 0.9), 0.02, 3),
    "config": lambda o: configure_scheduler(o, {"type": "torch.ExponentialLR", "gamma": 0.9}),
}


@for_each("make", OWN.values(), ids=OWN)
def test_an_added_group_continues_from_its_own_value(make):
    alone = make(sgd(0.1)).simulate(8)[:, 0]
    optimizer = sgd(0.1)
    scheduler = make(optimizer)
    for _ in range(3):
        scheduler(None)
    add_group(optimizer, 1e-4)
    rows = []
    for _ in range(5):
        scheduler(None)
        rows.append(lrs(optimizer))
    assert [row[0] for row in rows] == alone[3:].tolist()
    assert rows[0][1] == 1e-4
    assert [row[1] for row in rows] == [1e-4 * (value / alone[3]) for value in alone[3:]]
    assert scheduler.event_index == 8


@for_each("make", OWN.values(), ids=OWN)
def test_a_resumed_run_may_add_all_groups_before_the_scheduler(make):
    optimizer = sgd(0.1)
    scheduler = make(optimizer)
    for _ in range(3):
        scheduler(None)
    add_group(optimizer, 1e-4)
    for _ in range(2):
        scheduler(None)
    states = optimizer.state_dict(), json.loads(json.dumps(scheduler.state_dict()))
    rest = []
    for _ in range(3):
        scheduler(None)
        rest.append(lrs(optimizer))
    for loaded_first in (False, True):
        again = sgd(0.1, 1e-4)
        if loaded_first:
            again.load_state_dict(states[0])
        resumed = make(again)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            resumed.load_state_dict(states[1])
        again.load_state_dict(states[0])
        assert resumed.state_dict() == states[1]
        assert resumed.simulate(3, start=5).tolist() == rest
        for row in rest:
            resumed(None)
            assert lrs(again) == row


def test_an_added_group_is_halved_at_its_first_step_as_in_torch():
    ours = sgd(1e-3)
    scheduler = ExponentialScheduler(ours, "lr", gamma=0.5)
    scheduler(None)
    add_group(ours, 1e-5)
    scheduler(None)
    assert lrs(ours) == [0.0005, 1e-5]  # the group trains its first event with its own value
    scheduler(None)
    assert lrs(ours) == [0.00025, 5e-6]


def test_an_added_group_with_an_initial_entry_follows_the_schedule_of_that_entry():
    optimizer = sgd(0.1)
    scheduler = ExponentialScheduler(optimizer, "lr", gamma=0.5)
    scheduler(None)
    add_group(optimizer, 0.7, initial_lr=0.01)
    scheduler(None)
    assert lrs(optimizer) == [0.05, 0.005]


def test_an_added_group_uses_its_value_as_the_base_value_if_the_schedule_is_zero():
    optimizer = sgd(0.1)
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda i: [1.0, 0.0, 0.5][i], relative=True)
    scheduler(None)
    add_group(optimizer, 0.01)
    scheduler(None)
    assert lrs(optimizer) == [0.0, 0.0]
    scheduler(None)
    assert lrs(optimizer) == [0.05, 0.005]


def test_base_values_of_zero_let_an_added_group_keep_its_value():
    optimizer = torch.optim.SGD([P()], lr=0.1, weight_decay=0.0)
    scheduler = ExponentialScheduler(optimizer, "weight_decay", gamma=0.5)
    scheduler(None)
    add_group(optimizer, 0.1, weight_decay=0.01)
    for _ in range(2):
        scheduler(None)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0, 0.01]


def test_adopt_is_the_rule_of_earlier_versions():
    optimizer = sgd(1e-3)
    scheduler = ExponentialScheduler(optimizer, "lr", gamma=0.5, param_group_index=Groups(added="adopt"))
    scheduler(None)
    add_group(optimizer, 1e-5)
    scheduler(None)
    assert lrs(optimizer) == [0.0005, 0.0005]


@pytest.mark.parametrize("select", ["head", 1, lambda group: group.get("name") == "head"])
def test_a_scheduler_may_wait_for_a_group_that_is_added_later(select):
    optimizer = sgd(0.1)
    scheduler = ExponentialScheduler(
        optimizer, "lr", gamma=0.5, save_history=True, param_group_index=Groups(select, required=False)
    )
    trainer = Engine(lambda engine, batch: None)
    scheduler.attach(trainer)

    @trainer.on(Events.ITERATION_COMPLETED(once=2))
    def unfreeze():
        add_group(optimizer, 0.01, name="head")

    trainer.run([None] * 4)
    assert scheduler.event_index == 4
    assert lrs(optimizer) == [0.1, 0.005]
    assert list(trainer.state.param_history["lr"]) == [[0.01], [0.005]]
    again = torch.optim.SGD([{"params": [P()], "lr": 0.1}, {"params": [P()], "lr": 0.01, "name": "head"}])
    resumed = ExponentialScheduler(again, "lr", gamma=0.5, param_group_index=Groups(select, required=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.load_state_dict(scheduler.state_dict())
    assert resumed.get_param() == [0.0025]
    with pytest.raises(ValueError, match="param_group_index must"):
        ExponentialScheduler(sgd(0.1), "lr", gamma=0.5, param_group_index=select)


def test_a_plateau_in_a_plain_loop_scales_an_added_group_from_its_own_value():
    for observe in (lambda s: s.schedule.observe(1.0), lambda s: s.observe(1.0)):
        optimizer = sgd(0.5)
        scheduler = ReduceLROnPlateauScheduler(optimizer, "loss", factor=0.5, patience=0)
        observe(scheduler)
        scheduler(None)
        add_group(optimizer, 0.01)
        observe(scheduler)
        scheduler(None)
        assert lrs(optimizer) == [0.25, 0.005]


def test_keep_value_continues_from_the_value_of_each_group():
    optimizer = sgd(0.1)
    scheduler = LinearScheduler(optimizer, "lr", 10)
    for _ in range(4):
        scheduler(None)
    add_group(optimizer, 0.001)
    scheduler(None)
    state = scheduler.state_dict()
    again = sgd(0.1, 0.001)
    changed = LinearScheduler(again, "lr", 20)
    with pytest.warns(ResumeWarning):
        changed.load_state_dict(state, resume_policy="keep_value")
    last = [0.1 * 0.6, 0.001]
    assert changed.get_param() == pytest.approx(last, rel=1e-12)
    assert changed.simulate(1, start=20)[0].tolist() == [0.0, 0.0]
    state = json.loads(json.dumps(changed.state_dict()))
    third = LinearScheduler(sgd(0.1, 0.001), "lr", 20)
    third.load_state_dict(state)
    assert third.simulate(15, start=5).tolist() == changed.simulate(15, start=5).tolist()


def test_keep_step_scales_added_groups_to_the_new_schedule():
    optimizer = sgd(0.1)
    scheduler = ExponentialScheduler(optimizer, "lr", gamma=0.5)
    scheduler(None)
    add_group(optimizer, 0.01)
    scheduler(None)
    changed = ExponentialScheduler(sgd(0.2, 0.01), "lr", gamma=0.5)
    with pytest.warns(ResumeWarning):
        changed.load_state_dict(scheduler.state_dict())
    assert changed.get_param() == [0.05, 0.005]


@pytest.mark.parametrize(
    ("entry", "value"),
    [("base_values", ["a"]), ("base_values", 3), ("joined", [[1, 2]]), ("joined", 7), ("joined", [[0.5, 1.0, 1.0]])],
)
def test_a_state_with_impossible_base_values_changes_nothing(entry, value):
    scheduler = ExponentialScheduler(sgd(0.1), "lr", gamma=0.5)
    before = scheduler.state_dict()
    with pytest.raises((TypeError, ValueError), match=entry):
        scheduler.load_state_dict({**before, "event_index": 5, entry: value})
    assert scheduler.state_dict() == before


def test_a_scheduler_of_several_loads_all_base_values_or_none():
    scheduler = ParamGroupScheduler(
        [ExponentialScheduler(sgd(0.1), "lr", 0.5), ExponentialScheduler(sgd(0.2), "lr", 0.5)]
    )
    before, values = scheduler.state_dict(), scheduler.simulate(3).tolist()
    joined = [[[1, 0.5, 0.5]], []]
    for wrong in (
        {"base_values": [[0.1]]},
        {"base_values": [[0.1], ["a"]]},
        {"joined": joined, "progress": [{}]},
        {"joined": joined, "handover": [1, 2]},
    ):
        with pytest.raises((TypeError, ValueError)):
            scheduler.load_state_dict({**before, **wrong})
        assert scheduler.state_dict() == before
        assert scheduler.simulate(3).tolist() == values


@pytest.mark.parametrize("initial", [{}, {"initial_lr": 0.02}])
@pytest.mark.parametrize("joins_at", [3, 5])
def test_an_optimizer_that_was_loaded_first_may_contain_an_added_group(joins_at, initial):
    optimizer = sgd(0.1)
    scheduler = LambdaScheduler(optimizer, "lr", lambda i: 1 / (1 + i))
    for at in range(5):
        if at == joins_at:
            add_group(optimizer, 1e-4, **initial)
        scheduler(None)
    if joins_at == 5:
        add_group(optimizer, 1e-4, **initial)
    states = optimizer.state_dict(), json.loads(json.dumps(scheduler.state_dict()))
    again = sgd(0.1, 1e-4)
    again.load_state_dict(states[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resumed = LambdaScheduler(again, "lr", lambda i: 1 / (1 + i))
    resumed.load_state_dict(states[1])
    resumed(None)
    scheduler(None)
    assert lrs(again) == lrs(optimizer)


def test_a_group_that_was_added_to_torchs_scheduler_after_the_last_saved_event():
    def make(optimizer):
        return LRScheduler(torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9))

    optimizer = sgd(0.1)
    scheduler = make(optimizer)
    scheduler(None)
    add_group(optimizer, 1e-4)
    states = optimizer.state_dict(), scheduler.state_dict()
    again = sgd(0.1, 1e-4)
    resumed = make(again)
    resumed.load_state_dict(states[1])
    again.load_state_dict(states[0])
    resumed(None)
    scheduler(None)
    assert lrs(again) == lrs(optimizer) == [0.09000000000000001, 1e-4]


@pytest.mark.parametrize(
    "make",
    [
        lambda o, head: ReduceLROnPlateauScheduler(o, "loss", param_group_index=head),
        lambda o, head: LRScheduler(ExponentialLR(o, 0.9), param_group_index=head),
        lambda o, head: ChainedScheduler([ExponentialScheduler(o, "lr", 0.9, param_group_index=head)]),
        lambda o, head: create_lr_scheduler_with_warmup(
            ExponentialScheduler(o, "lr", 0.9, param_group_index=head), 0.0, 3
        ),
    ],
)
def test_classes_that_start_from_a_groups_value_refuse_a_missing_group(make):
    with pytest.raises(
        ValueError, match="param_group_index must select an existing group, because .* starts from .*, given Groups"
    ):
        make(sgd(0.1), Groups("head", required=False))
