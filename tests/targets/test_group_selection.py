"""Tests of the selection of param groups by index, name or predicate, also of groups that are added in mid-run."""

import copy

import pytest
import torch
from cases import for_each
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer, snapshot, values_of

from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    Groups,
    LinearScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
    configure_scheduler,
)
from lehr.handlers.schedules import Anneal, LinearInterpolation

COUNTING = LinearInterpolation([(0, 10.0), (1000, 1010.0)])  # 10 + the index of the event


def named_optimizer(*names, tensor=False, **defaults):
    optimizer = make_optimizer(len(names), **defaults)
    for name, group in zip(names, optimizer.param_groups, strict=True):
        if name is not None:
            group["name"] = name
        if tensor:
            group["lr"] = torch.tensor(group["lr"])
    return optimizer


def add_group(optimizer, **options):
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))], "lr": 7.0, **options})


SELECTIONS = {
    "all": (None, [0, 1, 2, 3]),
    "index": (2, [2]),
    "negative index": (-1, [3]),
    "name": ("body", [0, 2]),
    "predicate": (lambda group: group["weight_decay"] > 0, [1, 2]),
    "in Groups": (Groups("body"), [0, 2]),
}


def decayed():
    optimizer = named_optimizer("body", "head", "body", None)
    for index in (1, 2):
        optimizer.param_groups[index]["weight_decay"] = 0.1
    return optimizer


@for_each("tensor", [False, True])
@for_each("name", SELECTIONS)
def test_only_selected_groups_are_written(name, tensor):
    selection, chosen = SELECTIONS[name]
    optimizer = decayed()
    if tensor:
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(group["lr"])
    before = values_of(optimizer)
    trainer = make_trainer()
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, param_group_index=selection, schedule=COUNTING)
    assert values_of(optimizer) == before
    scheduler.attach(trainer)
    trainer.run([0] * 3)
    assert values_of(optimizer) == [12.0 if group in chosen else before[group] for group in range(4)]
    assert trainer.state.param_history["lr"] == [[value] * len(chosen) for value in (10.0, 11.0, 12.0)]
    assert scheduler.simulate(3).shape == (3, len(chosen))
    assert scheduler.optimizer_param_groups == [optimizer.param_groups[group] for group in chosen]


def test_every_class_takes_a_name():
    optimizer = named_optimizer("body", "head")
    made = [
        CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, 10, param_group_index="head"),
        OneCycleScheduler(optimizer, "lr", 1.0, total_steps=10, param_group_index="head"),
        LinearScheduler(optimizer, "lr", 10, end_value=0.0, param_group_index="head"),
        ReduceOnPlateauScheduler(optimizer, "lr", "loss", param_group_index="head"),
    ]
    made.append(ConcatScheduler(made[:3], [5, 5]))
    trainer = make_trainer()
    trainer.state.metrics = {"loss": 1.0}
    for scheduler in made:
        before = optimizer.param_groups[0]["lr"]
        scheduler(trainer)
        assert scheduler.param_group_index == "head"
        assert optimizer.param_groups[0]["lr"] == before


def test_a_decay_starts_from_the_values_of_the_selected_groups():
    optimizer = named_optimizer("body", "head", "body")
    scheduler = LinearScheduler(optimizer, "lr", 2, end_value=0.0, param_group_index="body")
    assert scheduler.simulate(3).tolist() == [[0.5, 2.5], [0.25, 1.25], [0.0, 0.0]]


@for_each(
    ("selection", "error", "match"),
    [
        ("neck", ValueError, "must be the name of a group, one of 'body', 'head', given 'neck'"),
        ("", ValueError, "must be the name of a group"),
        (lambda group: group["lr"] > 100, ValueError, "must select at least one of the optimizer's 2 groups"),
        (lambda: True, TypeError, "must be a predicate that takes a param group"),
        (lambda group: group["size"], TypeError, "must be a predicate that takes a param group, .*'size'"),
        (lambda group: 1, TypeError, "must return True or False, given"),
        (2, ValueError, "must be the index of one of the optimizer's 2 groups, given 2"),
        (True, TypeError, "must be an index, a name, a predicate, Groups or None, given True"),
        (int, TypeError, "must be an index, a name, a predicate, Groups or None"),
        ([0, 1], TypeError, "must be an index, a name, a predicate, Groups or None"),
    ],
)
def test_a_wrong_selection_is_refused_at_construction(selection, error, match):
    optimizer = named_optimizer("body", "head")
    before = snapshot(optimizer)
    with pytest.raises(error, match=match):
        ParamScheduler(optimizer, "lr", param_group_index=selection, schedule=COUNTING)
    assert snapshot(optimizer) == before


def test_wrong_arguments_of_groups_are_refused():
    with pytest.raises(ValueError, match="added must be one of 'adopt', 'ignore', 'own', 'refuse', given 'forget'"):
        Groups(added="forget")
    with pytest.raises(TypeError, match="added must be a string, given 3"):
        Groups(added=3)
    with pytest.raises(ValueError, match="added must be None if select is an index, given 'adopt'"):
        Groups(1, added="adopt")


# Groups that are added in mid-run.


def run_and_unfreeze(selection, schedule=COUNTING, name="body"):
    """Run two events, add a group, and run two more events. Return the values of the groups after each event."""
    optimizer = named_optimizer("body", "head")
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, param_group_index=selection, schedule=schedule)
    trainer, held = make_trainer(), []
    scheduler.attach(trainer)

    @trainer.on(Events.ITERATION_COMPLETED)
    def unfreeze(engine):
        held.append(values_of(optimizer))
        if engine.state.iteration == 2:
            add_group(optimizer, name=name)

    trainer.logger.disabled = True
    trainer.run([0] * 4)
    return held, trainer.state.param_history["lr"]


EACH = Anneal([1.0, 2.0], [0.0, 0.0], duration=10)


def test_an_added_group_gets_the_value_of_all_groups():
    for selection in (None, Groups(added="adopt")):
        held, history = run_and_unfreeze(selection)
        assert held == [[10.0, 10.0], [11.0, 11.0], [12.0] * 3, [13.0] * 3]
        assert history == [[10.0, 10.0], [11.0, 11.0], [12.0] * 3, [13.0] * 3]


def test_an_added_group_is_selected_by_its_name():
    held, history = run_and_unfreeze("body")
    assert held == [[10.0, 1.5], [11.0, 1.5], [12.0, 1.5, 12.0], [13.0, 1.5, 13.0]]
    assert history == [[10.0], [11.0], [12.0, 12.0], [13.0, 13.0]]
    held, _ = run_and_unfreeze("head")
    assert held[-1] == [0.5, 13.0, 7.0]


def test_an_adopted_group_gets_the_last_of_several_values():
    held, history = run_and_unfreeze(Groups(added="adopt"), EACH)
    assert held == [[1.0, 2.0], [0.9, 1.8], [0.8, 1.6, 1.6], [0.7, 1.4, 1.4]]
    assert history == held


@pytest.mark.parametrize("schedule", [COUNTING, EACH])
def test_an_added_group_can_be_ignored(schedule):
    held, history = run_and_unfreeze(Groups(added="ignore"), schedule)
    expected = ParamScheduler(make_optimizer(2), "lr", schedule=schedule).simulate(4).tolist()
    assert held == expected[:2] + [[*row, 7.0] for row in expected[2:]]
    assert history == expected


@pytest.mark.parametrize(
    ("selection", "schedule", "match"),
    [
        (
            Groups(added="refuse"),
            COUNTING,
            "must not receive more param groups whose 'lr' is scheduled.* had 2 .* has 3",
        ),
        (Groups("body", added="refuse"), COUNTING, "must not receive more param groups"),
        (None, EACH, r"2 values of 'lr' cannot be written to 3 param groups; .*Groups\(added='adopt'\)"),
    ],
)
def test_an_added_group_can_be_refused_and_nothing_is_written(selection, schedule, match):
    optimizer = named_optimizer("body", "head")
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, param_group_index=selection, schedule=schedule)
    trainer = make_trainer()
    scheduler(trainer)
    add_group(optimizer, name="body")
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match=match):
        scheduler(trainer)
    assert snapshot(optimizer) == before
    assert (scheduler.event_index, len(trainer.state.param_history["lr"])) == (1, 1)


def test_an_added_group_of_another_name_is_not_refused():
    held, _ = run_and_unfreeze(Groups("body", added="refuse"), name="neck")
    assert held[-1] == [13.0, 1.5, 7.0]


def test_an_added_group_is_still_ignored_after_a_resume():
    optimizer = named_optimizer("body", "head")
    scheduler = ParamScheduler(optimizer, "lr", param_group_index=Groups(added="ignore"), schedule=COUNTING)
    scheduler(None)
    add_group(optimizer, name="neck")
    scheduler(None)
    state, held = scheduler.state_dict(), optimizer.state_dict()
    optimizer = named_optimizer("body", "head", "neck")
    resumed = ParamScheduler(optimizer, "lr", param_group_index=Groups(added="ignore"), schedule=COUNTING)
    optimizer.load_state_dict(held)
    resumed.load_state_dict(state)
    resumed(None)
    assert values_of(optimizer) == [12.0, 12.0, 7.0]


@pytest.mark.parametrize("added", ["adopt", "ignore"])
@pytest.mark.parametrize("later", [False, True])
def test_groups_may_be_added_before_or_after_the_resumed_scheduler(added, later):
    """A resumed run may construct all groups at once, although the schedule has values for the first two only."""

    def make(names):
        optimizer = named_optimizer(*names)
        return optimizer, ParamScheduler(optimizer, "lr", param_group_index=Groups(added=added), schedule=EACH)

    optimizer, scheduler = make(["body", "head"])
    scheduler(None)
    add_group(optimizer, name="neck")
    scheduler(None)
    state, held = scheduler.state_dict(), optimizer.state_dict()
    expected = scheduler.simulate(3, start=2)
    optimizer, resumed = make(["body", "head"] if later else ["body", "head", "neck"])
    if later:
        add_group(optimizer, name="neck")
    optimizer.load_state_dict(held)
    resumed.load_state_dict(state)
    assert (resumed.simulate(3, start=2) == expected).all()
    resumed(None)
    assert values_of(optimizer) == [0.8, 1.6, 1.6 if added == "adopt" else 7.0]
    assert expected[0].tolist() == ([0.8, 1.6, 1.6] if added == "adopt" else [0.8, 1.6])


def test_loading_the_optimizer_in_mid_run_keeps_the_selection():
    for selection, chosen in (("head", [1]), (lambda group: "name" in group, [0, 1]), (Groups(added="ignore"), [0, 1])):
        optimizer = named_optimizer("body", "head")
        scheduler = ParamScheduler(optimizer, "lr", param_group_index=selection, schedule=COUNTING)
        early = copy.deepcopy(optimizer.state_dict())
        for _ in range(3):
            scheduler(None)
        optimizer.load_state_dict(early)
        assert values_of(optimizer) == [0.5, 1.5]
        scheduler(None)
        assert values_of(optimizer) == [13.0 if group in chosen else [0.5, 1.5][group] for group in range(2)]


def test_an_error_tells_that_a_loaded_state_removed_the_names():
    optimizer = named_optimizer("body", "head")
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, param_group_index="head", schedule=COUNTING)
    trainer = make_trainer()
    scheduler(trainer)
    optimizer.load_state_dict(make_optimizer(2).state_dict())
    with pytest.raises(
        ValueError, match="must still select at least one .*, given 'head'; loading a state of the optimizer"
    ):
        scheduler(trainer)
    assert (scheduler.event_index, len(trainer.state.param_history["lr"])) == (1, 1)


def test_configs_contain_the_names():
    optimizer = named_optimizer("body", "head")
    for selection, data in (("head", "head"), (Groups("head", added="ignore"), {"select": "head", "added": "ignore"})):
        scheduler = OneCycleScheduler(optimizer, "lr", 1.0, total_steps=10, param_group_index=selection)
        config = scheduler.config()
        assert config["param_group_index"] == data
        again = configure_scheduler(optimizer, config)
        assert again.param_group_index == selection
    with pytest.raises(TypeError, match="param_group_index must be plain data to be in a config"):
        OneCycleScheduler(optimizer, "lr", 1.0, total_steps=10, param_group_index=lambda group: True).config()
    config = {"type": "ConstantScheduler", "param_group_index": {"select": "head", "add": "ignore"}}
    with pytest.raises(ValueError, match=r"\['param_group_index'\].*'add'"):
        configure_scheduler(optimizer, config)


def test_two_writers_are_found_by_their_names_too():
    optimizer = named_optimizer("body", "head", "body")
    members = [
        {"type": "ConstantScheduler", "value": 0.5, "param_group_index": "body"},
        {"type": "ConstantScheduler", "value": 0.5, "param_group_index": 2},
    ]
    with pytest.raises(ValueError, match="must write another parameter or another group than the scheduler at 0"):
        configure_scheduler(optimizer, {"type": "ParamGroupScheduler", "schedulers": members})


def test_members_of_one_scheduler_may_select_by_name():
    optimizer = named_optimizer("body", "head", "body")
    members = [ParamScheduler(optimizer, "lr", param_group_index=name, schedule=COUNTING) for name in ("body", "head")]
    scheduler = ParamGroupScheduler(members, ["lr of the body", "lr of the head"], save_history=True)
    trainer = make_trainer()
    scheduler.attach(trainer)
    trainer.run([0] * 2)
    assert values_of(optimizer) == [11.0] * 3
    assert trainer.state.param_history["lr of the body"] == [[10.0, 10.0], [11.0, 11.0]]
