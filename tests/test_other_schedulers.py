"""Schedulers and handlers that there are beside one: whatever they are, attaching and checking it works."""

from unittest.mock import Mock

import pytest
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer

from lehr.handlers import ExponentialScheduler, ParamScheduler, check_plan, dry_run
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
