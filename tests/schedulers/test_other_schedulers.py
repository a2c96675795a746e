"""Attaching and checking a scheduler works, whatever other schedulers and handlers exist."""

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
    """A scheduler that is compared and hashed by an attribute, which is set after the constructor of its base."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tag = "all the same"

    def __eq__(self, other):
        return isinstance(other, ByValue) and self.tag == other.tag

    def __hash__(self):
        return hash(self.tag)


def test_a_refused_scheduler_that_a_traceback_refers_to_does_not_count():
    optimizer, trainer = make_optimizer(), make_trainer()
    with pytest.raises(ValueError, match="param_name must be one of") as kept:
        ParamScheduler(optimizer, "lrr", schedule=Constant(0.1))
    ExponentialScheduler(optimizer, "lr", gamma=0.9).attach(trainer)
    assert check_plan(trainer, 2, 5) == []
    assert kept.tb is not None  # the traceback refers to the scheduler that was refused


def test_equal_schedulers_are_each_found():
    optimizer, trainer = make_optimizer(), make_trainer()
    ExponentialScheduler(optimizer, "lr", gamma=0.9).attach(trainer)
    left = [ByValue(optimizer, name, schedule=Constant(0.1)) for name in ("weight_decay", "momentum")]
    assert [finding.code for finding in check_plan(trainer, 2, 5)] == ["never-attached"] * len(left)


def test_two_schedulers_at_an_event_that_is_a_string():
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


def test_a_scheduler_can_be_attached_although_the_group_of_another_was_renamed():
    optimizer, trainer = make_optimizer(), make_trainer()
    optimizer.param_groups[0]["name"] = "body"
    ExponentialScheduler(optimizer, "lr", gamma=0.5, param_group_index="body").attach(trainer)
    optimizer.param_groups[0]["name"] = "head"
    other = ExponentialScheduler(optimizer, "weight_decay", gamma=0.5)
    other.attach(trainer)
    assert trainer.has_event_handler(other)


class Unhashable(ParamScheduler):
    """A scheduler without a hash, which is equal to all others of its class."""

    def __eq__(self, other):
        return isinstance(other, Unhashable)

    __hash__ = None


def test_equal_schedulers_without_a_hash_are_each_attached_planned_and_checked():
    optimizer, trainer = make_optimizer(), make_trainer()
    one = Unhashable(optimizer, "lr", schedule=Constant(0.5))
    other = Unhashable(optimizer, "momentum", schedule=Constant(0.25))
    trainer.add_event_handler(Events.ITERATION_STARTED, one)
    other.attach(trainer, Events.ITERATION_STARTED(after=4))
    plan = dry_run(trainer, 2, 3)
    assert plan["lr"][:, 0].tolist() == [0.5] * 6
    assert plan["momentum"][:, 0].tolist() == [0.9] * 4 + [0.25] * 2
    assert check_plan(trainer, 2, 3) == []


def test_a_scheduler_that_a_users_handler_may_call_is_listed_as_unforeseen():
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


def test_a_scheduler_that_refuses_an_added_group_raises_at_its_event():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = ParamScheduler(optimizer, "lr", param_group_index=Groups(added="refuse"), schedule=Constant(0.5))
    scheduler.attach(trainer)
    ParamScheduler(optimizer, "momentum", schedule=Constant(0.5)).attach(trainer)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    (finding,) = [finding for finding in check_plan(trainer, 2, 3) if finding.severity == "error"]
    assert finding.code == "illegal-value"
    assert "must not receive more param groups" in finding.message
    with pytest.raises(ValueError, match="must not receive more param groups") as raised:
        dry_run(trainer, 2, 3)
    assert raised.value.__notes__ == ["in a dry run, at iteration 1 of 6"]


def test_fewer_epochs_than_the_trainer_has_run_are_refused_as_in_ignite():
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
def test_save_history_of_the_outer_scheduler_decides(combine, own, of_members):
    optimizer, trainer = make_optimizer(), make_trainer()
    two = [ExponentialScheduler(optimizer, "lr", gamma=gamma, save_history=of_members) for gamma in (0.9, 0.8)]
    combine(two, save_history=own).attach(trainer)
    trainer.run(range(5), max_epochs=1)
    recorded = getattr(trainer.state, "param_history", None) or {}
    assert len(recorded.get("lr", [])) == (5 if own else 0)
    assert [one.save_history for one in two] == [of_members] * 2
