"""ParamGroupScheduler; test_groups_against_ignite.py compares it with ignite's class."""

import copy
import pickle
import random
import signal

import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, snapshot, values_of

from lehr.engine import ParamHistory
from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    Groups,
    LambdaStateScheduler,
    LinearCyclicalScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PiecewiseLinear,
    PiecewiseLinearStateScheduler,
    ResumeWarning,
)
from lehr.handlers.schedules import FunctionSchedule, LinearInterpolation


def constant(optimizer, value, index=None, param_name="lr"):
    return PiecewiseLinear(optimizer, param_name, [(0, value)], param_group_index=index)


def test_members_may_have_any_optimizer_parameter_and_groups():
    first, second = make_optimizer(2), make_optimizer(1, torch.optim.Adam)
    scheduler = ParamGroupScheduler(
        [constant(first, 3.0), constant(first, 4.0, 1, "momentum"), constant(second, 0.25, None, "betas[0]")],
        ["rates", "momentum of the head", "beta"],
        save_history=True,
    )
    trainer = make_trainer()
    scheduler.attach(trainer)
    trainer.run([0, 0])
    assert (values_of(first), values_of(first, "momentum")) == ([3.0, 3.0], [0.9, 4.0])
    assert second.param_groups[0]["betas"] == (0.25, 0.999)
    assert scheduler.optimizer == [first, first, second]
    history = trainer.state.param_history
    assert {name: history[name][:] for name in history} == {
        "rates": [[3.0, 3.0]] * 2,
        "momentum of the head": [[4.0]] * 2,
        "beta": [[0.25]] * 2,
    }
    assert scheduler.param_name == "lr, momentum, betas[0]"


def test_a_name_given_to_attach_replaces_all_names():
    optimizer, trainer = make_optimizer(2), make_trainer()
    members = [constant(optimizer, 3.0, 0), constant(optimizer, 4.0, 1)]
    ParamGroupScheduler(members, ["a", "b"], save_history=True).attach(trainer, name="both")
    trainer.run([0])
    assert list(trainer.state.param_history) == ["both"]
    assert trainer.state.param_history["both"] == [[3.0, 4.0]]


def test_a_history_name_of_another_scheduler_is_refused():
    optimizer, trainer = make_optimizer(2), make_trainer()
    constant(optimizer, 1.0).attach(trainer)
    other = PiecewiseLinear(optimizer, "lr", [(0, 1.0)], save_history=True)
    other.attach(trainer)
    scheduler = ParamGroupScheduler([constant(optimizer, 3.0, 0)], ["lr"], save_history=True)
    with pytest.raises(ValueError, match="name must not be that of another scheduler's history, given 'lr'"):
        scheduler.attach(trainer)
    assert not trainer.has_event_handler(scheduler)


def test_the_given_schedulers_do_not_change():
    optimizer = make_optimizer(2)
    members = [constant(optimizer, 3.0, 0), constant(optimizer, 4.0, 1)]
    scheduler = ParamGroupScheduler(members, save_history=True)
    scheduler(None)
    assert scheduler.schedulers == members
    assert [(member.event_index, member.save_history) for member in members] == [(0, False)] * 2


def test_nothing_is_written_if_one_scheduler_fails():
    optimizer = make_optimizer(2)
    failing = ParamScheduler(optimizer, "lr", param_group_index=1, schedule=lambda event: [1.0, 2.0][event])
    scheduler = ParamGroupScheduler([constant(optimizer, 3.0, 0), failing], save_history=True)
    trainer = make_trainer()
    scheduler(trainer)
    scheduler(trainer)
    optimizer.param_groups[0]["lr"] = 7.0
    for _ in range(2):
        with pytest.raises(IndexError):
            scheduler(trainer)
        assert (values_of(optimizer), scheduler.event_index) == ([7.0, 2.0], 2)
    assert len(trainer.state.param_history["lr"]) == 2


def test_columns_follow_one_another():
    optimizer = make_optimizer(2)
    per_group = OneCycleScheduler(optimizer, "momentum", [0.5, 0.7], total_steps=4)
    asked = ParamScheduler(optimizer, "weight_decay", schedule=lambda event: [event, 2.0 * event])
    scheduler = ParamGroupScheduler([constant(optimizer, 3.0), per_group, asked])
    table = scheduler.simulate(3)
    assert table.shape == (3, 5)
    assert table[:, 0].tolist() == [3.0] * 3
    assert table[:, 1:3].tolist() == per_group.simulate(3).tolist()
    assert table[:, 3:].tolist() == [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]]
    assert scheduler.get_param() == table[0].tolist()
    assert ParamGroupScheduler.simulate_values(3, scheduler.schedulers) == [
        [event, *row] for event, row in enumerate(table.tolist())
    ]


def test_a_function_with_one_value_for_several_groups_has_a_column_for_each_group():
    optimizer = make_optimizer(2)
    live = ParamScheduler(optimizer, "lr", schedule=lambda event: 3.0 + event)
    members = [
        ConcatScheduler([PiecewiseLinear(optimizer, "lr", [(0, [1.0, 2.0])]), live], [1]),
        constant(optimizer, 0.5, 0, "momentum"),
    ]
    assert ParamGroupScheduler(members).simulate(3).tolist() == [[1.0, 2.0, 0.5], [4.0 - 1, 3.0, 0.5], [4.0, 4.0, 0.5]]


def test_it_is_plotted_with_a_line_for_each_group(axes):
    optimizer = make_optimizer(2)
    members = [
        CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.1 * index, 4, param_group_index=index) for index in (0, 1)
    ]
    lines = ParamGroupScheduler.plot_values(5, ax=axes, schedulers=members, names=["body", "head"])
    assert [line.get_label() for line in lines] == ["body", "head"]


# Inside a ConcatScheduler.


def test_groups_in_any_order_are_concatenated():
    optimizer = make_optimizer(3)
    grouped = ParamGroupScheduler([constant(optimizer, 10.0 + index, index) for index in (2, 0, 1)])
    scheduler = ConcatScheduler([grouped, constant(optimizer, 7.0)], [1])
    assert scheduler.simulate(2).tolist() == [[10.0, 11.0, 12.0], [7.0] * 3]
    single = ConcatScheduler([ParamGroupScheduler([constant(optimizer, 5.0, 1)]), constant(optimizer, 6.0, 1)], [1])
    assert single.simulate(2).tolist() == [[5.0], [6.0]]


@pytest.mark.parametrize(
    ("members", "match"),
    [
        (lambda o: [constant(o, 1.0, 0), constant(o, 1.0, 1)], r"each of the 3 param groups once .*given \[0, 1\]"),
        (lambda o: [constant(o, 1.0, i) for i in (0, 1, 1)], r"each of the 3 param groups once .*given \[0, 1, 1\]"),
        (lambda o: [constant(o, 1.0, 0), constant(o, 1.0)], r"each of the 3 param groups once .*given \[0, None\]"),
        (
            lambda o: [constant(o, 1.0, 0), constant(o, 1.0, 1), constant(o, 1.0, 2, "momentum")],
            "the same param_name to be concatenated, given lr, momentum",
        ),
        (
            lambda o: [constant(o, 1.0, 0), constant(o, 1.0, 1), constant(make_optimizer(3), 1.0, 2)],
            "the same optimizer to be concatenated",
        ),
    ],
)
def test_schedulers_that_do_not_cover_the_groups_once_are_not_concatenated(members, match):
    optimizer = make_optimizer(3)
    grouped = ParamGroupScheduler(members(optimizer))
    with pytest.raises(ValueError, match=match):
        ConcatScheduler([grouped, constant(optimizer, 1.0)], [1])


def test_simulate_values_of_a_concatenation_returns_other_parameters_too():
    optimizer = make_optimizer(2, weight_decay=0.25)
    members = [constant(optimizer, 3.0), constant(optimizer, 4.0)]
    rows = ConcatScheduler.simulate_values(3, members, [1], ["weight_decay", "lr"])
    assert rows == [[0, 0.25, 0.25, 3.0, 3.0], [1, 0.25, 0.25, 4.0, 4.0], [2, 0.25, 0.25, 4.0, 4.0]]
    assert values_of(optimizer) == [0.5, 1.5]
    with pytest.raises(TypeError, match="param_names must be a list or tuple, given 'lr'"):
        ConcatScheduler.simulate_values(3, members, [1], "lr")
    with pytest.raises(ValueError, match=r"param_names\[1\] must be a string, given 3"):
        ConcatScheduler.simulate_values(3, members, [1], ["lr", 3])
    with pytest.raises(ValueError, match="param_name must be one of"):
        ConcatScheduler.simulate_values(3, members, [1], ["learning_rate"])


@for_each("selected", [None, 1], ids=["all groups", "one group"])
@for_each("lr", [0.5, torch.tensor(0.5)], ids=["a float", "a tensor"])
@for_each("names", [["lr"], ["momentum", "lr", "lr"], ["weight_decay"], []])
def test_simulate_values_of_a_concatenation_returns_the_values_of_training(names, lr, selected):
    optimizer = torch.optim.SGD(
        [{"params": [torch.zeros(1)], "lr": lr * (1 + at), "weight_decay": 0.1 * at} for at in range(3)], momentum=0.9
    )
    members = [
        LinearCyclicalScheduler(optimizer, "lr", 0.3, 0.1, 7, cycle_mult=1.3, param_group_index=selected),
        CosineAnnealingScheduler(optimizer, "lr", 0.2, 0.01, 11, param_group_index=selected),
    ]
    rows = ConcatScheduler.simulate_values(40, members, [15], names)
    scheduler = ConcatScheduler(members, [15])
    groups = optimizer.param_groups if selected is None else optimizer.param_groups[1:2]
    for event, row in enumerate(rows):
        scheduler(None)
        assert row == [event, *(float(group[name]) for name in names for group in groups)]
        assert type(row[0]) is int
    assert len(rows) == 40


def test_the_rows_of_a_concatenation_warn_of_illegal_values():
    optimizer = make_optimizer(1)
    with pytest.warns(UserWarning, match="writes -1 at event 1"):
        ConcatScheduler.simulate_values(3, [constant(optimizer, 1.0), constant(optimizer, -1.0)], [1], ["lr"])


# Arguments that raise an error.


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (lambda o: [None], TypeError, "schedulers must be a list or tuple, given None"),
        (lambda o: [[]], ValueError, "schedulers must be one or more, given"),
        (lambda o: [[constant(o, 1.0), "lr"]], ValueError, r"schedulers\[1\] must be a ParamScheduler, .* 'lr'"),
        (
            lambda o: [[ParamGroupScheduler([constant(o, 1.0)])]],
            ValueError,
            r"schedulers\[0\] must be a ParamScheduler",
        ),
        (lambda o: [[constant(o, 1.0)], "lr"], TypeError, "names must be a list or tuple, given 'lr'"),
        (lambda o: [[constant(o, 1.0)], [3]], ValueError, r"names\[0\] must be a string, given 3"),
        (
            lambda o: [[constant(o, 1.0)], ["a", "b"]],
            ValueError,
            "names must have one name for each of 1 schedulers, given",
        ),
        (lambda o: [[constant(o, 1.0)], ["a"], 1], TypeError, "save_history must be True or False, given 1"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, error, match):
    with pytest.raises(error, match=match):
        ParamGroupScheduler(*arguments(make_optimizer(2)))


def test_it_is_written_at_filtered_events():
    optimizer, trainer = make_optimizer(1), make_trainer()
    scheduler = ParamGroupScheduler([CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, 4)], save_history=True)
    scheduler.attach(trainer, Events.ITERATION_STARTED(every=3))
    trainer.run([0] * 12)
    assert trainer.state.param_history["lr"] == scheduler.simulate(4).tolist()


# The usual event, for which the event before has read the values.


def mixed_group(optimizer):
    """Return a scheduler in which two members share a history, and one member has a value for each group."""
    members = [
        CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, 10, param_group_index=0),
        OneCycleScheduler(optimizer, "momentum", [0.5, 0.7], total_steps=10_000),
        CosineAnnealingScheduler(optimizer, "lr", 2.0, 0.0, 10, param_group_index=1),
        CosineAnnealingScheduler(optimizer, "weight_decay", 0.5, 0.1, 10),
    ]
    return ParamGroupScheduler(members, ["lr", "momentum", "lr", "decay"], save_history=True)


def alone(optimizer):
    """Return the schedulers of ``mixed_group``, which are called separately for a comparison."""
    return mixed_group(optimizer).schedulers


@pytest.mark.parametrize("name", [None, "all"])
def test_it_writes_and_records_the_values_of_its_schedulers(name):
    optimizer, other, trainer = make_optimizer(2), make_optimizer(2), make_trainer()
    scheduler, singles = mixed_group(optimizer), alone(other)
    rows = []
    for event in range(9000):  # more events than a block of values
        scheduler(trainer, name)
        for single in singles:
            single(None)
        for param_name in ("lr", "momentum", "weight_decay"):
            assert values_of(optimizer, param_name) == values_of(other, param_name)
        assert scheduler.event_index == event + 1
        lrs, momenta, decays = (values_of(other, of) for of in ("lr", "momentum", "weight_decay"))
        rows.append(
            {"lr": lrs, "momentum": momenta, "decay": decays}
            if name is None
            else {name: [lrs[0], *momenta, lrs[1], *decays]}
        )
    histories = trainer.state.param_history
    assert {of: histories[of].to_numpy().tolist() for of in histories} == {
        of: [row[of] for row in rows] for of in rows[0]
    }


def replace_groups(optimizer, trainer):
    optimizer.param_groups = [{**group} for group in optimizer.param_groups]


def put_a_tensor(optimizer, trainer):
    optimizer.param_groups[1]["lr"] = torch.tensor(0.5)


def put_an_int(optimizer, trainer):
    optimizer.param_groups[1]["lr"] = 1


def forget_the_history(optimizer, trainer):
    del trainer.state.param_history


def begin_another_history(optimizer, trainer):
    trainer.state.param_history["decay"] = []


def record_something_else(optimizer, trainer):
    trainer.state.param_history["lr"].append([1.0])


@pytest.mark.parametrize(
    "change",
    [replace_groups, put_a_tensor, put_an_int, forget_the_history, begin_another_history, record_something_else],
)
def test_a_change_between_events_is_noticed(change):
    optimizer, other, trainer = make_optimizer(2), make_optimizer(2), make_trainer()
    scheduler, singles = mixed_group(optimizer), alone(other)
    for event in range(8):
        if event == 4:
            change(optimizer, trainer)
            change(other, make_trainer_with_history())
        scheduler(trainer)
        for single in singles:
            single(None)
        assert values_of(optimizer) == values_of(other)
        assert type(optimizer.param_groups[1]["lr"]) is type(other.param_groups[1]["lr"])
        assert trainer.state.param_history["lr"][-1] == [singles[0].schedule(event), singles[2].schedule(event)]
    rows = 4 if change in (forget_the_history, begin_another_history) else 8
    assert len(trainer.state.param_history["decay"]) == rows


def make_trainer_with_history():
    trainer = make_trainer()
    trainer.state.param_history = ParamHistory({"lr": [], "decay": []})
    return trainer


@pytest.mark.parametrize("spoil", [lambda o: o.param_groups[1].pop("weight_decay"), lambda o: o.param_groups.pop()])
def test_nothing_is_written_if_the_last_scheduler_fails(spoil):
    optimizer, trainer = make_optimizer(2), make_trainer()
    scheduler = mixed_group(optimizer)
    for _ in range(3):
        scheduler(trainer)
    spoil(optimizer)
    before = snapshot(optimizer)
    for _ in range(2):
        with pytest.raises((ValueError, IndexError)):
            scheduler(trainer)
        assert (snapshot(optimizer), scheduler.event_index) == (before, 3)
        assert {len(column) for column in trainer.state.param_history.values()} == {3}


def test_a_thinned_history_records_the_same_values():
    optimizer, trainer = make_optimizer(2), make_trainer()
    trainer.state.param_history = ParamHistory(max_events=4)
    scheduler = mixed_group(optimizer)
    for _ in range(20):
        scheduler(trainer)
    column = trainer.state.param_history["lr"]
    assert column.num_events == 20
    table = scheduler.simulate(20)
    assert column[:] == [[row[0], row[3]] for row in table[column.event_indices].tolist()]


def test_an_interrupted_event_is_in_all_histories_or_in_none():
    """After an interrupt at any moment, each history has as many events as the scheduler has counted."""

    def interrupt(*_):
        raise KeyboardInterrupt

    optimizer, trainer, draw, interrupted = make_optimizer(2), make_trainer(), random.Random(0), 0
    scheduler = mixed_group(optimizer)
    scheduler(trainer)
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        while interrupted < 300:
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 2e-4))
                while True:
                    scheduler(trainer)
            except KeyboardInterrupt:
                interrupted += 1
            assert {column.num_events for column in trainer.state.param_history.values()} == {scheduler.event_index}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_a_pickle_leaves_the_history_out():
    optimizer, trainer = make_optimizer(2), make_trainer()
    trainer.state.param_history = ParamHistory(max_events=4)
    scheduler = ParamGroupScheduler([constant(optimizer, 3.0, 0), constant(optimizer, 4.0, 1)], save_history=True)
    scheduler(trainer)
    size = len(pickle.dumps(scheduler))
    trainer.state.param_history = ParamHistory()
    for _ in range(1000):
        scheduler(trainer)
    assert len(pickle.dumps(scheduler)) < size + 100


def test_a_copy_is_independent():
    optimizer = make_optimizer(2)

    def falling(length):
        members = [PiecewiseLinear(optimizer, "lr", [(0, 2.0), (length, 0.0)], param_group_index=at) for at in (0, 1)]
        return ParamGroupScheduler(members)

    scheduler, other = falling(64), falling(32)
    scheduler.seek(8), other.seek(16)
    copied = copy.copy(scheduler)
    with pytest.warns(ResumeWarning):
        copied.load_state_dict(other.state_dict(), "keep_fraction")
    simulated = scheduler.simulate(1, start=8)[0].tolist()
    scheduler(None)
    assert values_of(optimizer) == simulated == [1.75, 1.75]


def test_with_a_copy_the_original_still_calls_a_function_once_per_event():
    optimizer, asked = make_optimizer(2), []
    live = FunctionSchedule(lambda event: asked.append(event) or 0.5)
    members = [ParamScheduler(optimizer, "lr", param_group_index=at, schedule=live) for at in (0, 1)]
    scheduler = ParamGroupScheduler(members)
    scheduler(None)
    copy.copy(scheduler)
    scheduler(None)
    assert asked == [0, 1]


@pytest.mark.parametrize("change", ["a group is added", "a state is loaded", "a group gets a tensor"])
def test_groups_that_change_in_mid_run_are_written(change):
    optimizer = make_optimizer(2)
    members = [
        ParamScheduler(optimizer, name, schedule=LinearInterpolation([(0, 0.0), (8, 1.0)]), param_group_index=index)
        for name, index in (("lr", None), ("momentum", 1))
    ]
    scheduler = ParamGroupScheduler(members)
    for _ in range(3):
        scheduler(None)
    if change == "a group is added":
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 5.0})
    elif change == "a state is loaded":
        optimizer.load_state_dict(optimizer.state_dict())
    else:
        optimizer.param_groups[0]["lr"] = tensor = torch.tensor(5.0, dtype=torch.float64)
    scheduler(None)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    assert rates == [0.375] * len(optimizer.param_groups)
    assert optimizer.param_groups[1]["momentum"] == 0.375
    assert change != "a group gets a tensor" or optimizer.param_groups[0]["lr"] is tensor


def test_a_resumed_run_has_the_last_values_that_no_checkpoint_contains():
    def made(seen):
        optimizer, trainer = make_optimizer(), Engine(lambda engine, batch: seen.append(engine.state.dropout))
        state = PiecewiseLinearStateScheduler([(0, 0.0), (8, 1.0)], "dropout", create_new=True)
        scheduler = ParamGroupScheduler([constant(optimizer, 0.1), state])
        scheduler.attach(
            trainer, Events.ITERATION_COMPLETED
        )  # the first iteration has the value before the first event
        return scheduler, trainer

    whole, part, rest = [], [], []
    made(whole)[1].run([0] * 4, max_epochs=2)
    scheduler, trainer = made(part)
    trainer.run([0] * 4, max_epochs=1)
    saved = scheduler.state_dict(), trainer.state_dict()
    scheduler, trainer = made(rest)
    scheduler.load_state_dict(saved[0])
    trainer.load_state_dict(saved[1])
    trainer.run([0] * 4, max_epochs=2)
    assert part + rest == whole


@pytest.mark.parametrize("has_state_param", [False, True])
def test_a_state_with_fewer_groups_is_loaded_before_the_event_refuses_the_other_groups(has_state_param):
    def made(groups):
        optimizer = make_optimizer(groups)
        refuse = Groups(added="refuse")
        members = [ParamScheduler(optimizer, "lr", param_group_index=refuse, schedule=lambda event: 0.1 * (event + 1))]
        if has_state_param:
            members.append(LambdaStateScheduler(lambda event: float(event), "weight", create_new=True))
        return optimizer, ParamGroupScheduler(members), make_trainer()

    _, saved, trainer = made(1)
    for _ in range(3):
        saved(trainer)
    optimizer, scheduler, trainer = made(2)
    scheduler.load_state_dict(saved.state_dict())
    assert scheduler.state_dict()["event_index"] == 3
    with pytest.raises(ValueError, match="because added is 'refuse'"):
        scheduler(trainer)
    assert (scheduler.event_index, values_of(optimizer)) == (3, [0.5, 1.5])


@pytest.mark.parametrize("index", [None, lambda group: group["lr"] != 1.5])
def test_the_last_group_may_become_a_tensor_in_mid_run(index):
    optimizer = make_optimizer(3)
    scheduler = ParamGroupScheduler([constant(optimizer, 3.0, index), constant(optimizer, 0.5, None, "momentum")])
    for _ in range(3):
        scheduler(None)
    tensor = optimizer.param_groups[-1]["lr"] = torch.tensor(5.0)
    scheduler(None)
    assert optimizer.param_groups[-1]["lr"] is tensor
    assert tensor.item() == 3.0
