"""Schedulers and handlers that there are beside one: whatever they are, attaching and checking it works."""

from unittest.mock import Mock

import pytest
import torch
from cases import for_each
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer

from lehr.handlers import (
    ChainedScheduler,
    ConcatScheduler,
    ExponentialScheduler,
    Groups,
    ParamGroupScheduler,
    ParamScheduler,
    check_plan,
    dry_run,
)
from lehr.handlers.schedules import Constant


class ByValue(ParamScheduler):
    """Compared and hashed by what it is given after the constructor of its base."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tag = "all the same"

    def __eq__(self, other):
        return isinstance(other, ByValue) and self.tag == other.tag

    def __hash__(self):
        return hash(self.tag)


def test_those_that_were_refused_and_live_on_in_a_traceback_are_none():
    optimizer, trainer = make_optimizer(), make_trainer()
    with pytest.raises(ValueError, match="param_name must be one of") as kept:
        ParamScheduler(optimizer, "lrr", schedule=Constant(0.1))
    ExponentialScheduler(optimizer, "lr", gamma=0.9).attach(trainer)
    assert check_plan(trainer, 2, 5) == []
    assert kept.tb is not None  # in which it lives


def test_equal_ones_are_found_each_by_itself():
    optimizer, trainer = make_optimizer(), make_trainer()
    ExponentialScheduler(optimizer, "lr", gamma=0.9).attach(trainer)
    left = [ByValue(optimizer, name, schedule=Constant(0.1)) for name in ("weight_decay", "momentum")]
    assert [finding.code for finding in check_plan(trainer, 2, 5)] == ["never-attached"] * len(left)


def test_another_one_at_an_event_that_is_a_string():
    optimizer, trainer = make_optimizer(), make_trainer()
    trainer.register_events("an_event")
    for gamma in (0.9, 0.8):
        scheduler = ExponentialScheduler(optimizer, "lr", gamma=gamma)
        scheduler.attach(trainer, "an_event")
    trainer.fire_event("an_event")
    assert scheduler.event_index == 1


def test_a_handler_that_answers_to_any_name():
    optimizer, trainer = make_optimizer(), make_trainer()
    trainer.add_event_handler(Events.ITERATION_STARTED, Mock())
    ExponentialScheduler(optimizer, "lr", gamma=0.5).attach(trainer)
    assert dry_run(trainer, 1, 3)["lr"][:, 0].tolist() == [0.5, 0.25, 0.125]


def test_another_one_whose_group_is_gone_is_no_obstacle_to_attaching():
    optimizer, trainer = make_optimizer(), make_trainer()
    optimizer.param_groups[0]["name"] = "body"
    ExponentialScheduler(optimizer, "lr", gamma=0.5, param_group_index="body").attach(trainer)
    optimizer.param_groups[0]["name"] = "head"
    other = ExponentialScheduler(optimizer, "weight_decay", gamma=0.5)
    other.attach(trainer)
    assert trainer.has_event_handler(other)


class Unhashable(ParamScheduler):
    """All are equal, and none has a hash."""

    def __eq__(self, other):
        return isinstance(other, Unhashable)

    __hash__ = None


def test_equal_ones_without_a_hash_are_attached_planned_and_checked_each_by_itself():
    optimizer, trainer = make_optimizer(), make_trainer()
    one = Unhashable(optimizer, "lr", schedule=Constant(0.5))
    other = Unhashable(optimizer, "momentum", schedule=Constant(0.25))
    trainer.add_event_handler(Events.ITERATION_STARTED, one)
    other.attach(trainer, Events.ITERATION_STARTED(after=4))
    plan = dry_run(trainer, 2, 3)
    assert plan["lr"][:, 0].tolist() == [0.5] * 6
    assert plan["momentum"][:, 0].tolist() == [0.9] * 4 + [0.25] * 2
    assert check_plan(trainer, 2, 3) == []


def test_one_that_code_of_a_user_may_call_is_named_since_its_events_are_not_known():
    optimizer, trainer = make_optimizer(), make_trainer()
    by_hand = ParamScheduler(optimizer, "lr", schedule=Constant(0.5))
    attached = ParamScheduler(optimizer, "momentum", schedule=Constant(0.5))
    attached.attach(trainer)

    @trainer.on(Events.ITERATION_STARTED)
    def move(engine):
        by_hand(engine)
        print(attached.event_index)

    plan = dry_run(trainer, 2, 3)
    assert list(plan) == ["momentum"]
    assert [what.endswith(", which your code may call") for what in plan.unforeseen] == [True]
    assert [finding.code for finding in check_plan(trainer, 2, 3)] == ["unforeseen"]


def test_one_whose_groups_are_refused_says_so_when_its_event_comes():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = ParamScheduler(optimizer, "lr", param_group_index=Groups(added="refuse"), schedule=Constant(0.5))
    scheduler.attach(trainer)
    ParamScheduler(optimizer, "momentum", schedule=Constant(0.5)).attach(trainer)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    (finding,) = [finding for finding in check_plan(trainer, 2, 3) if finding.severity == "error"]
    assert finding.code == "illegal-value"
    assert "must not be given more param groups" in finding.message
    with pytest.raises(ValueError, match="must not be given more param groups") as raised:
        dry_run(trainer, 2, 3)
    assert raised.value.__notes__ == ["in a dry run, at iteration 1 of 6"]


def test_fewer_epochs_than_the_trainer_has_made_are_refused_as_by_ignite():
    trainer = make_trainer()
    ParamScheduler(make_optimizer(), "lr", schedule=Constant(0.5)).attach(trainer)
    trainer.run([0] * 3, max_epochs=2)
    with pytest.raises(
        ValueError, match="max_epochs must be at least 2, the epochs that the trainer has made, given 1"
    ):
        dry_run(trainer, 1, 3)
    with pytest.raises(ValueError, match="max_epochs"):
        trainer.run([0] * 3, max_epochs=1)


@for_each(
    "combine",
    [
        lambda two, **own: ConcatScheduler(two, [3], **own),
        ChainedScheduler,
        lambda two, **own: ParamGroupScheduler(two[:1], **own),
    ],
    ids=["one after another", "a product", "side by side"],
)
@for_each("own", [False, True])
@for_each("of_members", [False, True])
def test_the_history_is_that_of_the_whole(combine, own, of_members):
    optimizer, trainer = make_optimizer(), make_trainer()
    two = [ExponentialScheduler(optimizer, "lr", gamma=gamma, save_history=of_members) for gamma in (0.9, 0.8)]
    combine(two, save_history=own).attach(trainer)
    trainer.run(range(5), max_epochs=1)
    recorded = getattr(trainer.state, "param_history", None) or {}
    assert len(recorded.get("lr", [])) == (5 if own else 0)
    assert [one.save_history for one in two] == [of_members] * 2
